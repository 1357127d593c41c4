"""The document of the REST API, and the page to try it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from pyramid.request import Request

from pypicloud_lite.manage.operations import Operation
from pypicloud_lite.manage.reference.document import build_document
from pypicloud_lite.web.responses import PlainResponse, redirect, respond

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_TYPES = {"index.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}


class ReferenceViews:
    """Anybody may read how the API is called; ``operations`` is asked once, when the table is whole."""

    def __init__(self, operations: Callable[[], Sequence[Operation]]) -> None:
        self._operations = operations
        self._body: bytes | None = None

    def document(self, _request: Request) -> PlainResponse:
        """OpenAPI 3.1."""
        if self._body is None:
            document = build_document(self._operations(), version("pypicloud_lite"))
            self._body = json.dumps(document, indent=1).encode()
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-cache")]
        return respond("200 OK", headers, self._body)

    def page(self, request: Request) -> PlainResponse:
        """The page; what it loads lies beside it."""
        if not request.path_info.endswith("/"):
            return redirect(f"{request.script_name}/api/", permanent=True)
        return _asset("index.html")

    def asset(self, request: Request) -> PlainResponse:
        """The page's script and style."""
        return _asset(request.matchdict["asset"])


def _asset(name: str) -> PlainResponse:
    headers = [
        ("Content-Type", f"{_TYPES[name]}; charset=utf-8"),
        ("Content-Security-Policy", _PAGE_POLICY),
        ("Cache-Control", "no-cache"),
    ]
    return respond("200 OK", headers, _bytes(name))


@cache
def _bytes(name: str) -> bytes:
    return (files("pypicloud_lite.manage.reference") / "page" / name).read_bytes()
