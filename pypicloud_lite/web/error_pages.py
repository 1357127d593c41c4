"""An error as a page: what happened, and the way on from there. It needs no database, and tells nothing of a bug."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from pyramid.request import Request

from pypicloud_lite.web.local_paths import form_page, login_path
from pypicloud_lite.web.pages import Visitor, page
from pypicloud_lite.web.request_id import request_id
from pypicloud_lite.web.responses import Headers, PlainResponse

_HEADINGS = {
    401: "Log in first",
    403: "Not allowed",
    409: "Not possible as things are",
    413: "Too large",
    429: "Too many tries",
    500: "The server failed",
    502: "The index upstream gave no answer",
    503: "Not available for the moment",
    504: "The index upstream took too long",
}
_SERVER_ERROR = 500
_MINUTE = 60


def error_page(request: Request, status: int, line: str, message: str, headers: Headers) -> PlainResponse:
    """The page. Where the server itself failed nobody is greeted: to say who it is may be what it cannot."""
    failed = status >= _SERVER_ERROR
    wait = next((int(text) for name, text in headers if name == "Retry-After"), None)
    values: Mapping[str, object] = {
        "number": status,
        "heading": _HEADINGS.get(status, HTTPStatus(status).phrase),
        "message": message,
        "login": login_path(request),
        "back": form_page(request),
        "wait": None if wait is None else _in_words(wait),
        "again": None if wait is None else datetime.now(UTC) + timedelta(seconds=wait),
        "request_id": request_id(request) if failed else None,
    }
    return page(request, "error.jinja2", line, headers, visitor=Visitor() if failed else None, **values)


def _in_words(seconds: int) -> str:
    number, unit = (seconds, "second") if seconds < _MINUTE else (-(-seconds // _MINUTE), "minute")
    return f"{number} {unit}{'' if number == 1 else 's'}"
