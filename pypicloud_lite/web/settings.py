"""Where this server stands on the network."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pypicloud_lite.settings.declare import Settings, Words

Network = IPv4Network | IPv6Network


def _networks(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        ip_network(word, strict=False)
    return words


def _http_url(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("write it as https://packages.example.com or https://example.com/prefix")
    if parts.username or parts.password:
        raise ValueError("a user name or password does not belong in this URL")
    return value.rstrip("/")


class WebSettings(Settings):
    """The public URL, and the proxies that are believed."""

    base_url: Annotated[str | None, AfterValidator(_http_url)] = Field(
        default=None,
        alias="pypi.base_url",
        description=(
            "The public URL of this server, such as https://packages.example.com. Links in pages are relative "
            "and need none; those in the JSON API, in feeds and in the reply to an upload do."
        ),
        json_schema_extra={"example": "https://packages.example.com"},
    )
    trusted_proxies: Annotated[Words, AfterValidator(_networks)] = Field(
        default=(),
        alias="pypi.trusted_proxies",
        description=(
            "Addresses or networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."
        ),
        json_schema_extra={"example": "127.0.0.1 10.0.0.0/8"},
    )

    @property
    def networks(self) -> tuple[Network, ...]:
        """The trusted proxies as networks."""
        return tuple(ip_network(word, strict=False) for word in self.trusted_proxies)
