"""The one table of errors to HTTP statuses, and how each kind of caller is told."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import structlog
from pyramid.config import Configurator
from pyramid.exceptions import URLDecodeError
from pyramid.httpexceptions import HTTPException
from pyramid.request import Request

from pypicloud_lite.kernel import errors
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.web.error_pages import error_page
from pypicloud_lite.web.request_id import request_id
from pypicloud_lite.web.responses import Headers, PlainResponse, respond, respond_json

STATUSES: dict[type[PpcError], int] = {
    errors.InvalidRequest: 400,
    errors.AuthenticationRequired: 401,
    errors.PermissionDenied: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.TooLarge: 413,
    errors.RangeNotSatisfiable: 416,
    errors.TooManyRequests: 429,
    errors.UpstreamError: 502,
    errors.BackendUnavailable: 503,
    errors.UpstreamUnavailable: 503,
    errors.UpstreamTimedOut: 504,
    errors.InsufficientStorage: 507,
}
_MAX_REASON = 200
_BROWSED = frozenset({"GET", "HEAD", "POST"})
_ANSWERS_JSON = "pypicloud_lite.answers_json"
_log = structlog.get_logger("pypicloud_lite.web")


def status_of(error: PpcError) -> int:
    """The status of the nearest class in the table; 500 for an error that no caller should ever see."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def reason_phrase(message: str) -> str:
    """``message`` as a reason phrase: one line of printable Latin-1, cut at 200 characters (RFC 9112, 4)."""
    line = " ".join(message.split()).encode("latin-1", "replace").decode("latin-1")
    printable = "".join(char if " " <= char <= "~" or char >= "\xa1" else "?" for char in line)
    return printable if len(printable) <= _MAX_REASON else printable[: _MAX_REASON - 3] + "..."


class ErrorViews:
    """Writes an error as its caller can show it."""

    def __init__(self, realm: str) -> None:
        self._realm = realm

    def mount(self, config: Configurator) -> None:
        """Answer every exception that leaves a view or the routing."""
        config.add_exception_view(self.known, context=PpcError)
        config.add_exception_view(self.undecodable, context=URLDecodeError)
        config.add_exception_view(self.http, context=HTTPException)
        config.add_exception_view(self.bug, context=Exception)
        config.add_notfound_view(self.not_found)

    def known(self, error: PpcError, request: Request) -> PlainResponse:
        """An error of ours."""
        status = status_of(error)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.warning("request failed", path=request.environ.get("PATH_INFO"), error=repr(error))
        return tell(request, status, error.message, error.code, self._headers(error, request))

    def undecodable(self, _error: URLDecodeError, request: Request) -> PlainResponse:
        """A path that is not UTF-8."""
        return tell(request, 400, "The path of this URL is not UTF-8: check the address", "invalid-request")

    def http(self, error: HTTPException, request: Request) -> PlainResponse:
        """What Pyramid itself refuses."""
        return tell(request, error.code, error.title, "http-error")

    def not_found(self, request: Request) -> PlainResponse:
        """No route."""
        return tell(request, 404, "There is nothing at this address: check its spelling", "not-found")

    def bug(self, error: Exception, request: Request) -> PlainResponse:
        """A fault of this server: the caller gets a number, the log the rest."""
        _log.error(
            "unexpected error",
            method=request.environ.get("REQUEST_METHOD"),
            path=request.environ.get("PATH_INFO"),
            exc_info=error,
        )
        number = request_id(request)
        message = f"The server failed; its log has the details under request id {number}"
        return tell(request, 500, message, "server-error", more={"request_id": number})

    def _headers(self, error: PpcError, request: Request) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = []
        if isinstance(error, errors.AuthenticationRequired):
            # A script on a page shows what it is told by itself; Basic would make the browser ask in a window.
            scheme = "Bearer" if request.environ.get("HTTP_SEC_FETCH_DEST") == "empty" else "Basic"
            headers.append(("WWW-Authenticate", f'{scheme} realm="{self._realm}"'))
        if isinstance(error, errors.TooManyRequests | errors.BackendUnavailable | errors.UpstreamUnavailable):
            headers.append(("Retry-After", str(error.retry_after)))
        if isinstance(error, errors.CameRound):
            headers.append(("X-Mirror", "round"))
        if isinstance(error, errors.RangeNotSatisfiable):
            headers.append(("Content-Range", f"bytes */{error.size}"))
        return headers


def tell(
    request: Request,
    status: int,
    message: str,
    code: str,
    headers: Headers = (),
    more: Mapping[str, str] = MappingProxyType({}),
) -> PlainResponse:
    """Reason phrase for twine, hatch and flit; body for uv (JSON), poetry (text) and browsers (a page).

    ``more`` is for programs: keys that the JSON has besides.
    """
    reason = reason_phrase(message)
    line = f"{status} {reason}"
    title = HTTPStatus(status).phrase
    all_headers = [("Cache-Control", "no-store"), ("Vary", "Accept"), *headers]
    if _wants_json(request):
        # uv and the devpi client show "code" or "message" to a person; "error" is for programs.
        document = {"code": line, "error": code, "title": title, "message": message, **more}
        return respond_json(line, document, all_headers)
    if _is_browser(request):
        return error_page(request, status, line, message, all_headers)
    body = f"{line}\n".encode()
    return respond(line, [("Content-Type", "text/plain; charset=utf-8"), *all_headers], body)


def answers_json(request: Request) -> None:
    """Say that what is at this address is JSON, so that errors are too, whatever ``Accept`` has."""
    request.environ[_ANSWERS_JSON] = True


def _is_browser(request: Request) -> bool:
    """Browsers name HTML first, also when they send a form; pip and uv name it last, and get the short text."""
    return request.environ.get("HTTP_ACCEPT", "").startswith("text/html") and request.method in _BROWSED


def _wants_json(request: Request) -> bool:
    path = request.environ.get("PATH_INFO", "")
    if path.startswith(("/api/", "/admin/", "/acct/")) or _ANSWERS_JSON in request.environ:
        return True
    accept = request.environ.get("HTTP_ACCEPT", "")
    if "application/json" not in accept:
        return False
    return bool(request.accept.acceptable_offers(["application/json"]))
