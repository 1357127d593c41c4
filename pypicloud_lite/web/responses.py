"""Responses whose bytes and headers are exactly what was meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from webob import Response

TYPE_JSON = "application/json"
Headers = Sequence[tuple[str, str]]


class PlainResponse(Response):  # type: ignore[misc]  # WebOb has no types
    """A response that leaves a relative ``Location`` relative, so that any proxy prefix works."""

    def _abs_headerlist(self, _environ: Mapping[str, Any]) -> list[tuple[str, str]]:
        return list(self.headerlist)


def respond(status: str, headers: Headers, body: bytes) -> PlainResponse:
    """A response with a body at hand; ``Content-Length`` is added."""
    return PlainResponse(
        status=status,
        headerlist=[*headers, ("Content-Length", str(len(body)))],
        app_iter=[body],
    )


def stream(status: str, headers: Headers, chunks: Iterable[bytes]) -> PlainResponse:
    """A response whose bytes come as they are sent; the server closes ``chunks``."""
    return PlainResponse(status=status, headerlist=list(headers), app_iter=chunks)


def respond_json(status: str, document: object, headers: Headers = ()) -> PlainResponse:
    """``application/json`` without parameters: uv reads the body of no other."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return respond(status, [("Content-Type", TYPE_JSON), *headers], body)


def redirect(location: str, *, permanent: bool, cache_control: str = "no-cache") -> PlainResponse:
    """A redirect of a GET; ``location`` may be relative to the request's own URL."""
    status = "301 Moved Permanently" if permanent else "302 Found"
    return respond(status, [("Location", location), ("Cache-Control", cache_control)], b"")


def not_modified(headers: Headers) -> PlainResponse:
    """304, with the headers that the 200 would carry (RFC 9110, 15.4.5)."""
    return PlainResponse(status="304 Not Modified", headerlist=list(headers), app_iter=[])
