"""pypicloud's keys and values that mean something else here: refused, or accepted without effect.

A key that a model in force declares is that model's, whatever stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType

from pypicloud_lite.kernel.names import shown

_NOT_YET = "not available in this version"
_GCS = f"Google Cloud Storage is {_NOT_YET}; remove this key and use pypi.storage = s3 or file"
_AZURE = f"Azure Blob Storage is {_NOT_YET}; remove this key and use pypi.storage = s3 or file"
_CLOUDFRONT = f"CloudFront is {_NOT_YET}; remove this key and use pypi.storage = s3, whose URLs are signed for S3"
_DYNAMO = f"DynamoDB is {_NOT_YET}; remove this key and set db.url to an SQL database"
_REDIS = f"Redis is {_NOT_YET}; remove this key and set db.url to an SQL database"
_WEB = f"the web pages for people are {_NOT_YET}; remove this key"

_REFUSED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        _GCS: (
            "storage.gcp_service_account_json_filename",
            "storage.gcp_project_id",
            "storage.gcp_api_endpoint",
            "storage.gcp_use_iam_signer",
            "storage.iam_signer_service_account_email",
        ),
        _AZURE: (
            "storage.storage_account_name",
            "storage.storage_account_key",
            "storage.storage_container_name",
            "storage.storage_account_url",
        ),
        _CLOUDFRONT: (
            "storage.cloud_front_domain",
            "storage.cloud_front_key_id",
            "storage.cloud_front_key_file",
            "storage.cloud_front_key_string",
        ),
        _DYNAMO: (
            "db.region_name",
            "db.host",
            "db.port",
            "db.secure",
            "db.namespace",
            "db.tablenames",
            "db.aws_access_key_id",
            "db.aws_secret_access_key",
        ),
        _REDIS: ("db.clustered",),
        _WEB: ("pypi.download_url",),
    }
)

_BEAKER = "this server does not use Beaker"
_NO_SCAFFOLD = "this server is not configured through Pyramid's settings"
_HASHES = "every file is hashed"
_JSON = "an upstream is asked for JSON, and for HTML where it has none"
_GRACEFUL = "every rebuild is a graceful one"
_KEY_IS_KNOWN = "the secret is only read, and AWS knows its key"
_OWN_KEYS = "new objects get keys of another form, and old ones are found under either of theirs"

_WITHOUT_EFFECT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        _BEAKER: (
            "session.type",
            "session.httponly",
            "session.invalidate_corrupt",
            "session.crypto_type",
            "session.lock_dir",
            "session.data_dir",
            "session.*",
        ),
        _NO_SCAFFOLD: (
            "pyramid.debug",
            "pyramid.reload_templates",
            "pyramid.cache_max_age",
            "pyramid.*",
        ),
        _HASHES: ("pypi.calculate_package_hashes",),
        _JSON: ("pypi.use_json_scraper",),
        _GRACEFUL: ("db.graceful_reload",),
        _KEY_IS_KNOWN: ("auth.kms_key_id",),
        _OWN_KEYS: ("storage.prepend_hash",),
    }
)

SECRETS = frozenset(
    {
        "db.aws_secret_access_key",
        "storage.cloud_front_key_string",
        "storage.storage_account_key",
    }
)
"""Those of pypicloud's keys here whose values are secret."""

_UNAVAILABLE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "pypi.storage": MappingProxyType(
            {
                "gcs": "Google Cloud Storage",
                "azure-blob": "Azure Blob Storage",
                "cloudfront": "CloudFront",
            }
        ),
        "pypi.db": MappingProxyType(
            {
                "redis": "a catalog in Redis",
                "dynamo": "a catalog in DynamoDB",
                "memory": "a catalog in memory",
            }
        ),
        "pypi.auth": MappingProxyType({}),
    }
)
_INSTEAD: Mapping[str, str] = MappingProxyType(
    {
        "pypi.storage": "use pypi.storage = s3 with a bucket, or file with a folder",
        "pypi.db": "use pypi.db = sql and set db.url; a rebuild fills it from the storage",
        "pypi.auth": "use pypi.auth = config and write users as user.<name> = <hash of ppc-gen-password>",
    }
)

_CLASS_PATH = re.compile(r"pypicloud(?:\.\w+)*[.:](?P<name>[A-Z]\w*)", re.ASCII)
_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "FileStorage": "file",
        "S3Storage": "s3",
        "CloudFrontS3Storage": "cloudfront",
        "GoogleCloudStorage": "gcs",
        "AzureBlobStorage": "azure-blob",
        "SQLCache": "sql",
        "RedisCache": "redis",
        "DynamoCache": "dynamo",
        "ConfigAccessBackend": "config",
        "SQLAccessBackend": "sql",
        "RemoteAccessBackend": "remote",
        "LDAPAccessBackend": "ldap",
        "AWSSecretsManagerAccessBackend": "aws_secrets_manager",
    }
)


def fixed_keys() -> frozenset[str]:
    """List every key here that is spelled out, thus may also come as a variable."""
    listed = (*_REFUSED.values(), *_WITHOUT_EFFECT.values())
    return frozenset(key for keys in listed for key in keys if not key.endswith("*"))


def refusal(key: str) -> str | None:
    """Say why a key is refused and what to do; None when it is not."""
    return _listed(key, _REFUSED)


def without_effect(key: str) -> str | None:
    """Say why a key is accepted and does nothing; None when it is not such a key."""
    return _listed(key, _WITHOUT_EFFECT)


def short_name(key: str, text: str) -> str | None:
    """Translate a class path of pypicloud's, such as ``pypicloud.storage.S3Storage``; else None."""
    match = _CLASS_PATH.fullmatch(text) if key in _UNAVAILABLE else None
    return _CLASSES.get(match["name"]) if match else None


def implied(key: str, names: Sequence[str], text_of: Callable[[str], str]) -> tuple[str, ...]:
    """List the backends that pypicloud would ask too: an LDAP directory's groups and rules are in the file."""
    asked = key == "pypi.auth" and "ldap" in names and "config" not in names
    return ("config",) if asked and text_of("auth.ldap.fallback").strip() == "config" else ()


def unavailable(key: str, name: str) -> str | None:
    """Explain that a backend which pypicloud has is not here; None for any other name."""
    thing = _UNAVAILABLE.get(key, {}).get(name)
    return f"{shown(name)}: {thing} is {_NOT_YET}; {_INSTEAD[key]}" if thing else None


def _listed(key: str, table: Mapping[str, tuple[str, ...]]) -> str | None:
    for reason, patterns in table.items():
        if key in patterns:
            return reason
    for reason, patterns in table.items():
        if any(fnmatchcase(key, pattern) for pattern in patterns):
            return reason
    return None
