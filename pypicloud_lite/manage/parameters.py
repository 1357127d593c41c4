"""What a call takes, out of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.manage.bodies import Parameters, read_parameters
from pypicloud_lite.web.body import FEW_BYTES, RequestBody

P = TypeVar("P", bound=Parameters)

_BODYLESS = frozenset({"GET", "HEAD", "DELETE"})
_MOST_DIGITS = 18


def parameters(request: Any, model: type[P]) -> P:
    """The parameters of body and query; :class:`~pypicloud_lite.kernel.errors.InvalidRequest` names a wrong one."""
    environ = request.environ
    body = RequestBody(environ)
    length = 0 if request.method in _BODYLESS else request.content_length
    try:
        return read_parameters(model, _query(environ), body, environ.get("CONTENT_TYPE", ""), length)
    finally:
        body.drain(FEW_BYTES)


def _query(environ: Mapping[str, Any]) -> dict[str, str]:
    """As browsers and clients write it today, where only ``&`` ends a value; WebOb also ends one at ``;``."""
    pairs = environ.get("QUERY_STRING", "").encode("latin-1").replace(b"+", b" ").split(b"&")
    parts = [pair.partition(b"=") for pair in pairs if pair]
    return {unquote_to_bytes(name).decode(): unquote_to_bytes(value).decode() for name, _, value in parts}


def whole_number(request: Any, name: str) -> int:
    """A number in the path; NotFound for anything else, as nothing has it."""
    text = request.matchdict[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise NotFound(f"{shown(text)} is not the number of any {name}")
    return int(text)
