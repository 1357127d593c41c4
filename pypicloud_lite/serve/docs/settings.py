"""Where documentation is served."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.declare import Settings


def _origin(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in {"http", "https"} or not parts.hostname or rest:
        raise ValueError("write it as https://docs.example.com, a host of its own without a path")
    return f"{parts.scheme}://{parts.netloc.lower()}"


class DocsSettings(Settings):
    """A separate origin, or none."""

    base_url: Annotated[str | None, AfterValidator(_origin)] = Field(
        default=None,
        alias="docs.base_url",
        description=(
            "Another host of this same server, such as https://docs.example.com, for documentation alone: its scripts "
            "may then keep what they like, as no login of this server is there. Without it documentation is shown in a "
            "sandbox."
        ),
        json_schema_extra={"example": "https://docs.example.com"},
    )

    @property
    def host(self) -> str | None:
        """As a ``Host`` header names it."""
        return None if self.base_url is None else plain_host(self.base_url.partition("://")[2])

    def check_apart(self, server: str | None) -> None:
        """ConfigError where it is the host of the server itself: cookies do not tell ports apart."""
        if self.base_url is not None and server and urlsplit(server).hostname == urlsplit(self.base_url).hostname:
            raise ConfigError("docs.base_url names the host of pypi.base_url: give documentation a host of its own")


def plain_host(host: str) -> str:
    """A ``Host`` in lower case, without the port that the scheme stands for."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port in {"80", "443"} else host.lower()
