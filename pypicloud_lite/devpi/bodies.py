"""JSON that a client sends, whatever it says of its type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pypicloud_lite.kernel.errors import InvalidRequest, TooLarge
from pypicloud_lite.web.body import RequestBody

_MAX_BYTES = 256 * 1024


def read_json(request: Any) -> Any:
    """The body; :class:`InvalidRequest` for what is none."""
    body, raw = RequestBody(request.environ), b""
    try:
        # Without a length there is no body, and reading would wait for one.
        chunked = "HTTP_TRANSFER_ENCODING" in request.environ
        left = _MAX_BYTES + 1 if chunked else min(request.content_length or 0, _MAX_BYTES + 1)
        while left > 0 and (piece := body.read(left)):
            raw += piece
            left -= len(piece)
    except OSError as error:
        raise InvalidRequest("The body broke off: send it again") from error
    finally:
        body.drain()
    if len(raw) > _MAX_BYTES:
        raise TooLarge(f"The body of this call may have at most {_MAX_BYTES} bytes")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body of this call is JSON: what was sent cannot be read as such") from None


def read_object(request: Any) -> Mapping[str, Any]:
    """A JSON object; also as a GET answered it, within ``result``."""
    document = read_json(request)
    if isinstance(document, dict) and document.keys() >= {"type", "result"}:
        document = document["result"]
    if not isinstance(document, dict):
        raise InvalidRequest('The body of this call is a JSON object, such as {"title": "My own"}')
    return document
