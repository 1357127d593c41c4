"""A list of projects that is too long to be there as a whole: written as it is sent."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pypicloud_lite.serve.negotiation import Coding, Representation, choose_coding
from pypicloud_lite.serve.pages import list_html, list_json
from pypicloud_lite.web.conditional import matches
from pypicloud_lite.web.responses import PlainResponse, not_modified, stream

_WORD = 2**64 - 1
_GZIP = 16 + zlib.MAX_WBITS


def send_names(
    environ: Mapping[str, Any], revision: int, names: Iterable[str], form: Representation, content_type: str
) -> PlainResponse:
    """200 with the list, or 304; it is the same for everybody."""
    # Of two codings that are as good, the one that is written as it goes.
    accepted = [one for one in (environ.get("HTTP_ACCEPT_ENCODING") or "").split(",") if "zstd" not in one]
    packs = choose_coding(",".join(accepted)) is Coding.GZIP
    etag = f'"{revision & _WORD:x}-{form.name}{"-gzip" if packs else ""}"'
    headers = [
        ("ETag", etag),
        ("Cache-Control", "no-cache"),
        ("Vary", "Accept, Accept-Encoding, Authorization, Cookie"),
    ]
    if matches(environ.get("HTTP_IF_NONE_MATCH"), etag):
        return not_modified(headers)
    headers.append(("Content-Type", content_type))
    pieces = (list_json if form is Representation.JSON else list_html)(names, 0)
    if packs:
        return stream("200 OK", [*headers, ("Content-Encoding", "gzip")], gzipped(pieces))
    return stream("200 OK", headers, pieces)


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces packed, as far as they have come."""
    packer = zlib.compressobj(5, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
