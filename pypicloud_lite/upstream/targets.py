"""Addresses (URLs) as they are followed: read once, by one parser, and what follows is built from that reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from pypicloud_lite.kernel.errors import UpstreamAddressRefused, UpstreamNonsense
from pypicloud_lite.kernel.names import shown

_PORTS = {"http": 80, "https": 443}
_MAX_URL = 4096


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. ``host`` is lower case, without brackets; ``resource`` is path and query."""

    scheme: str
    host: str
    port: int
    resource: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an absolute URL, its fragment apart; credentials in it are refused, whoever wrote it."""
        if len(url) > _MAX_URL or not url.isprintable():
            raise UpstreamNonsense(f"{shown(url)} is no address")
        try:
            parts = parse_url(url)
        except LocationParseError:
            raise UpstreamNonsense(f"{shown(url)} is no address") from None
        if parts.scheme not in _PORTS:
            raise UpstreamAddressRefused(f"{shown(url)}: only http and https are followed")
        if parts.auth is not None:
            raise UpstreamAddressRefused(f"{shown(parts.host or '')}: credentials in an address are not followed")
        host = (parts.host or "").lower().strip("[]")
        if not host:
            raise UpstreamNonsense(f"{shown(url)} is no address: it has no host")
        path = parts.path or "/"
        return cls(
            parts.scheme, host, parts.port or _PORTS[parts.scheme], f"{path}?{parts.query}" if parts.query else path
        )

    def joined(self, location: str) -> Target:
        """Where ``location`` leads from here, as in a redirect."""
        try:
            return Target.parse(urljoin(str(self), location))
        except ValueError:
            raise UpstreamNonsense(f"{shown(location)} is no address") from None

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def server(self) -> str:
        """Scheme, host and port: what credentials are for, and what may be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.port == _PORTS[self.scheme] else f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return self.server + self.resource
