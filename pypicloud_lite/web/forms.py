"""What a page's form sends: ``application/x-www-form-urlencoded``, small."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from pypicloud_lite.kernel.errors import InvalidRequest, TooLarge
from pypicloud_lite.web.body import RequestBody

_MAX_BYTES = 64 * 1024
_MAX_FIELDS = 200
_TYPE = "application/x-www-form-urlencoded"


class Form:
    """The fields by name, each of which may come several times."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """A field as it was sent last; empty where it was not."""
        values = self._fields.get(name)
        return values[-1] if values else ""

    def every(self, name: str) -> list[str]:
        """All that was sent of a field, such as of check boxes."""
        return self._fields.get(name, [])


def read_form(request: Any) -> Form:
    """Read the body; InvalidRequest for what no page of ours sends, TooLarge past 64 KiB."""
    kind = request.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind != _TYPE:
        raise InvalidRequest(f"This address takes a form of this server's pages ({_TYPE})")
    if request.content_length is None or request.content_length > _MAX_BYTES:
        raise TooLarge(f"This form may have at most {_MAX_BYTES} bytes")
    raw, body = b"", RequestBody(request.environ)
    try:
        while len(raw) < request.content_length and (piece := body.read(request.content_length - len(raw))):
            raw += piece
        fields = parse_qs(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except (OSError, ValueError) as error:
        raise InvalidRequest("This form cannot be read: reload the page and send it again") from error
    return Form(fields)
