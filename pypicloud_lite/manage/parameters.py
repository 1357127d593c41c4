"""What a call takes, out of a request."""

from __future__ import annotations

from typing import Any, TypeVar

from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.manage.bodies import Parameters, read_parameters
from pypicloud_lite.web.body import RequestBody

P = TypeVar("P", bound=Parameters)

_BODYLESS = frozenset({"GET", "HEAD", "DELETE"})
_MOST_DIGITS = 18


def parameters(request: Any, model: type[P]) -> P:
    """The parameters of body and query; :class:`~pypicloud_lite.kernel.errors.InvalidRequest` names a wrong one."""
    environ = request.environ
    body = RequestBody(environ)
    length = 0 if request.method in _BODYLESS else request.content_length
    try:
        return read_parameters(model, request.GET, body, environ.get("CONTENT_TYPE", ""), length)
    finally:
        body.drain()


def whole_number(request: Any, name: str) -> int:
    """A number in the path; NotFound for anything else, as nothing has it."""
    text = request.matchdict[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise NotFound(f"{shown(text)} is not the number of any {name}")
    return int(text)
