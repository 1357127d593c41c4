"""Answers as the devpi client reads them: ``application/json`` without parameters, and the version of its API."""

from __future__ import annotations

from typing import Any

from pyramid.request import Request

from pypicloud_lite.web.responses import Headers, PlainResponse, respond_json

API_VERSION = "2"
VERSION_HEADER = ("X-DEVPI-API-VERSION", API_VERSION)


def typed(kind: str, result: Any, *, status: str = "200 OK", more: Headers = ()) -> PlainResponse:
    """``{"type": ..., "result": ...}``."""
    return respond_json(status, {"type": kind, "result": result}, [VERSION_HEADER, *more])


def message(text: str, *, status: str = "200 OK") -> PlainResponse:
    """``{"message": ...}``."""
    return respond_json(status, {"message": text}, [VERSION_HEADER])


def base_of(request: Request, base_url: str | None) -> str:
    """This server's address without a slash at its end: what is configured, else what was asked."""
    return (base_url or request.application_url).rstrip("/")
