"""The caller's address and scheme behind reverse proxies that were named as trusted; anyone else is not believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import structlog

from pypicloud_lite.web.settings import Network

_log = structlog.get_logger("pypicloud_lite.web")

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class TrustedProxies:
    """WSGI middleware: rewrites ``REMOTE_ADDR`` and ``wsgi.url_scheme`` where the peer is trusted.

    Where it is not, the headers change nothing, and the log says so once: behind a proxy that was not named every
    caller has the proxy's address, and shares its limit of wrong passwords.
    """

    def __init__(self, app: WsgiApp, networks: Sequence[Network]) -> None:
        self._app = app
        self._networks = networks
        self._warned = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_X_FORWARDED_FOR" in environ or "HTTP_X_FORWARDED_PROTO" in environ:
            if self._trusted(environ.get("REMOTE_ADDR", "")):
                self._believe(environ)
            elif not self._warned:
                self._warned = True
                _log.warning(
                    "forwarded headers of a peer that pypi.trusted_proxies does not name are ignored",
                    peer=environ.get("REMOTE_ADDR"),
                )
        return self._app(environ, start_response)

    def _believe(self, environ: dict[str, Any]) -> None:
        # The nearest address that no proxy of ours wrote for itself is the caller's (the last one that counts).
        for hop in reversed([hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]):
            if _parsed(hop) is None:
                break
            environ["REMOTE_ADDR"] = hop
            if not self._trusted(hop):
                break
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
        if scheme in {"http", "https"}:
            environ["wsgi.url_scheme"] = scheme

    def _trusted(self, address: str) -> bool:
        parsed = _parsed(address)
        if parsed is None:
            # A Unix socket has no address: whoever may open it is on this machine and was let in.
            return address == "" and bool(self._networks)
        return any(parsed.version == network.version and parsed in network for network in self._networks)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address; on a socket for both families, IPv4 peers come as ``::ffff:192.0.2.1``."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
