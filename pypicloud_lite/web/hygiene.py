"""What holds for every request and response, whatever the feature: one tween around all of Pyramid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from pyramid.registry import Registry
from pyramid.request import Request

from pypicloud_lite.web.errors import tell

_MAX_STRAY_BODY = 64 * 1024
_BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_MAX_PATH = 4096
_DEFAULT_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
)
_CONTROL = frozenset(chr(code) for code in [*range(32), 127])

Handler = Callable[[Request], Any]


def hygiene_tween(handler: Handler, _registry: Registry) -> Handler:
    """Refuse what no feature should ever see, and put the security headers on every answer."""

    def tween(request: Request) -> Any:
        refusal = _refusal(request)
        if refusal is None:
            response = handler(request)
        else:
            response = tell(request, *refusal)
            response.headers["Connection"] = "close"
        headers = response.headers
        for name, value in _DEFAULT_HEADERS:
            if name not in headers:
                response.headerlist.append((name, value))
        if "Cache-Control" not in headers:
            response.headerlist.append(("Cache-Control", "no-store"))
        return response

    return tween


def _refusal(request: Request) -> tuple[int, str, str] | None:
    """Status, message and code for a request that is malformed in itself."""
    environ = request.environ
    path: str = environ["PATH_INFO"]
    if not _CONTROL.isdisjoint(path) or len(path) > _MAX_PATH:
        return 400, "The path of this URL has control characters or is too long: check it", "invalid-request"
    if not path.isascii():
        try:
            path.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return 400, "The path of this URL is not UTF-8: check the address", "invalid-request"
    if not _is_utf8(environ.get("QUERY_STRING", "")):
        return 400, "The query of this URL is not UTF-8: check the address", "invalid-request"
    if "HTTP_HOST" not in environ and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        return 400, "The request has no Host header: HTTP/1.1 requires one", "invalid-request"
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").strip().lower() != "chunked":
        return 400, "This Transfer-Encoding is not understood: send chunked or none", "invalid-request"
    if environ["REQUEST_METHOD"] in _BODYLESS:
        return _drain_stray_body(environ)
    return None


def _is_utf8(query: str) -> bool:
    try:
        unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeError:
        return False
    return True


def _drain_stray_body(environ: dict[str, Any]) -> tuple[int, str, str] | None:
    """The devpi client sends a body with GET; more than a little of it is an attempt at something else."""
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    length = environ.get("CONTENT_LENGTH") or "0"
    if length == "0" and not chunked:
        return None
    too_large = 413, f"A {environ['REQUEST_METHOD']} request takes no body: leave it out", "too-large"
    if not chunked and (not length.isdigit() or int(length) > _MAX_STRAY_BODY):
        return too_large
    left = _MAX_STRAY_BODY + 1 if chunked else int(length)
    stream = environ["wsgi.input"]
    while left > 0 and (chunk := stream.read(min(left, 16384))):
        left -= len(chunk)
    return too_large if chunked and left <= 0 else None


def drain(environ: dict[str, Any], limit: int) -> bool:
    """Read and forget the rest of a body, so that its sender reads our answer; False past ``limit`` bytes."""
    stream = environ["wsgi.input"]
    left = limit
    while left > 0:
        chunk = stream.read(min(left, 256 * 1024))
        if not chunk:
            return True
        left -= len(chunk)
    return False
