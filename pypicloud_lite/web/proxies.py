"""The caller's address and scheme behind reverse proxies that were named as trusted; anyone else is not believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from pypicloud_lite.web.settings import Network

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class TrustedProxies:
    """WSGI middleware: rewrites ``REMOTE_ADDR`` and ``wsgi.url_scheme`` where the peer is trusted."""

    def __init__(self, app: WsgiApp, networks: Sequence[Network]) -> None:
        self._app = app
        self._networks = networks

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._trusted(environ.get("REMOTE_ADDR", "")):
            self._believe(environ)
        return self._app(environ, start_response)

    def _believe(self, environ: dict[str, Any]) -> None:
        # The nearest address that no proxy of ours wrote for itself is the caller's (the last one that counts).
        for hop in reversed([hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]):
            if not _is_address(hop):
                break
            environ["REMOTE_ADDR"] = hop
            if not self._trusted(hop):
                break
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
        if scheme in {"http", "https"}:
            environ["wsgi.url_scheme"] = scheme

    def _trusted(self, address: str) -> bool:
        if not _is_address(address):
            # A Unix socket has no address: whoever may open it is on this machine and was let in.
            return address == "" and bool(self._networks)
        parsed = ip_address(address)
        return any(parsed.version == network.version and parsed in network for network in self._networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
