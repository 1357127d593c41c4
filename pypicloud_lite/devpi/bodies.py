"""JSON that a client sends, whatever it says of its type."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pypicloud_lite.kernel.errors import InvalidRequest, TooLarge
from pypicloud_lite.web.body import FEW_BYTES, RequestBody

_MOST_BYTES = 256 * 1024


def read_bytes(request: Any, most: int = _MOST_BYTES, admit: Callable[[], object] | None = None) -> bytes:
    """The body; :class:`TooLarge` for more than ``most``, of which little is read.

    ``admit`` raises where the caller may not do what it asks: then the body is not taken in at all.
    """
    body, raw = RequestBody(request.environ), bytearray()
    announced = request.content_length or 0
    try:
        if admit is not None:
            admit()
        # Without a length there is no body, and reading would wait for one.
        chunked = "HTTP_TRANSFER_ENCODING" in request.environ
        left = most + 1 if chunked else announced if announced <= most else 0
        while left > 0 and (piece := body.read(left)):
            raw += piece
            left -= len(piece)
    except OSError as error:
        raise InvalidRequest("The body broke off: send it again") from error
    finally:
        body.drain(FEW_BYTES)
    if len(raw) > most or announced > most:
        raise TooLarge(f"The body of this call may have at most {most} bytes: send less at once")
    return bytes(raw)


def read_json(request: Any, most: int = _MOST_BYTES, admit: Callable[[], object] | None = None) -> Any:
    """The body; :class:`InvalidRequest` for what is none."""
    return parsed(read_bytes(request, most, admit))


def parsed(raw: bytes) -> Any:
    """What the bytes say; :class:`InvalidRequest` where that is nothing."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body of this call is JSON: what was sent cannot be read as such") from None


def read_object(request: Any) -> dict[str, Any]:
    """A JSON object; also as a GET answered it, within ``result``."""
    document = read_json(request)
    if isinstance(document, dict) and document.keys() >= {"type", "result"}:
        document = document["result"]
    if not isinstance(document, dict):
        raise InvalidRequest('The body of this call is a JSON object, such as {"title": "My own"}')
    return document
