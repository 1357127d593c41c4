"""How pages and files are sent."""

from __future__ import annotations

from pydantic import Field

from pypicloud_lite.settings.declare import Settings
from pypicloud_lite.settings.values import Size


class ServeSettings(Settings):
    """Streaming, caching."""

    stream_files: bool = Field(
        default=False,
        alias="pypi.stream_files",
        description="Send files through this server even where the storage could be redirected to.",
    )
    package_max_age: int = Field(
        default=0,
        alias="pypi.package_max_age",
        description=(
            "Seconds for which HTTP caches may keep a file that is asked for by name alone. "
            "Files asked for under their digest may always be kept for a year."
        ),
        ge=0,
    )
    page_cache: Size = Field(
        default=64 * 1024**2,
        alias="pypi.page_cache",
        description="Memory that each worker process may use to keep rendered pages, such as 64 MiB.",
        ge=0,
    )
