"""Limits of an upload."""

from __future__ import annotations

from pydantic import Field

from pypicloud_lite.settings.declare import Settings
from pypicloud_lite.settings.values import Size


class PublishSettings(Settings):
    """How large an upload may be."""

    max_upload_size: Size = Field(
        default=4 * 1024**3,
        alias="pypi.max_upload_size",
        description="The largest request body of an upload, in bytes or as 500 MiB, 4 GiB.",
        gt=0,
    )
