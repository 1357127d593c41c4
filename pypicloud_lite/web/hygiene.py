"""What holds for every request and response, whatever the feature: one tween around all of Pyramid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from pyramid.registry import Registry
from pyramid.request import Request

from pypicloud_lite.kernel.moment import one_moment
from pypicloud_lite.web.body import RequestBody
from pypicloud_lite.web.errors import tell
from pypicloud_lite.web.request_id import HEADER, begin

_MAX_STRAY_BODY = 64 * 1024
_BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
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
    """Refuse what no feature should ever see; number every request; put the security headers on every answer."""

    def tween(request: Request) -> Any:
        number = begin(request)
        refusal = _refusal(request)
        if refusal is None:
            with one_moment():
                response = handler(request)
        else:
            response = tell(request, *refusal)
            response.headers["Connection"] = "close"
        headers = response.headers
        for name, value in _DEFAULT_HEADERS:
            if name not in headers:
                response.headerlist.append((name, value))
        headers[HEADER] = number
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
    if environ["REQUEST_METHOD"] in _BODYLESS and (refusal := _drain_stray_body(environ)) is not None:
        return refusal
    if environ["REQUEST_METHOD"] not in _SAFE and _from_another_site(environ):
        return 403, "A page of another site may not change anything here: use this server's own pages", "cross-site"
    return None


def _from_another_site(environ: dict[str, Any]) -> bool:
    """Whether a browser says so: it sends a remembered Basic login along with any page's request.

    Package clients send neither header.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = environ.get("HTTP_ORIGIN")
    return origin is not None and origin.partition("://")[2] != environ.get("HTTP_HOST")


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
    if not chunked and (not length.isdecimal() or int(length) > _MAX_STRAY_BODY):
        return too_large
    left = _MAX_STRAY_BODY + 1 if chunked else int(length)
    body = RequestBody(environ)
    try:
        while left > 0 and (chunk := body.read(min(left, 16384))):
            left -= len(chunk)
    except OSError:
        return 400, "The body of this request is malformed or broke off: leave it out", "invalid-request"
    return too_large if chunked and left <= 0 else None
