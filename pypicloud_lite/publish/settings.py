"""What an upload may be."""

from __future__ import annotations

from pydantic import Field

from pypicloud_lite.settings.declare import Settings
from pypicloud_lite.settings.values import Size


class PublishSettings(Settings):
    """How large an upload may be, and how closely it must follow the standards."""

    max_upload_size: Size = Field(
        default=4 * 1024**3,
        alias="pypi.max_upload_size",
        description="The largest request body of an upload, in bytes or as 500 MiB, 4 GiB.",
        gt=0,
    )
    strict: bool = Field(
        default=False,
        alias="upload.strict",
        description="Whether to refuse what the public PyPI refuses and a private index rarely minds: sdists not named "
        "as PEP 625 says, eggs, a second sdist of a version, local versions, platform tags such as linux_x86_64, "
        "unknown or deprecated classifiers and Private ::, requirements with an address, missing license files.",
    )
