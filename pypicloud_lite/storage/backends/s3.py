"""Blobs as objects in a bucket of S3, or of a server that speaks its protocol: the plugin.

The storage itself is in ``s3_storage``, which needs boto3 and is imported when this backend is chosen.
"""

from __future__ import annotations

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.declare import Plugin
from pypicloud_lite.storage.backends.s3_settings import S3Settings
from pypicloud_lite.storage.port import Storage


def _build(settings: S3Settings) -> Storage:
    try:
        from pypicloud_lite.storage.backends.s3_storage import S3Storage
    except ModuleNotFoundError as error:
        if error.name not in {"boto3", "botocore"}:
            raise
        raise ConfigError("pypi.storage = s3 needs boto3: pip install 'pypicloud_lite[s3]'") from error
    return S3Storage(settings)


backend = Plugin(S3Settings, _build)
