"""The number of a request: what a person reads from a page, and an operator finds in the log."""

from __future__ import annotations

import secrets

import structlog
from pyramid.request import Request

HEADER = "X-Request-Id"
_KEY = "pypicloud_lite.request_id"


def begin(request: Request) -> str:
    """Draw a number, for every line that is logged from here on; what a client calls its request is not believed.

    It stays on the thread until the next request begins: the lines that are written while a download is sent, after
    all of Pyramid, are this request's too.
    """
    number: str = request.environ.setdefault(_KEY, secrets.token_hex(8))
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=number)
    return number


def request_id(request: Request) -> str:
    """The number that this request was given when it began."""
    number: str = request.environ[_KEY]
    return number
