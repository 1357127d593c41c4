"""An index's list of all projects, read as it comes: the largest have the better part of a million names.

Names are looked for by a pattern in a window that moves on, in JSON as in HTML: the page is never there as a whole,
and what is no name is left out, as it would be after parsing. A streaming JSON parser would say where in the document
a name stands, at several times the cost; here nothing depends on that, as a name is only a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pypicloud_lite.kernel.errors import InvalidName, UpstreamNonsense, UpstreamTooLarge
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.upstream.port import Freshness, UpstreamNames

_JSON = re.compile(rb'"name"\s{0,8}:\s{0,8}"([A-Za-z0-9][A-Za-z0-9._-]{0,199})"')
_HTML = re.compile(rb"<a\b[^<>]{0,2048}>\s{0,8}([A-Za-z0-9][A-Za-z0-9._-]{0,199})\s{0,8}</a", re.IGNORECASE)
_PATTERNS = {
    "application/vnd.pypi.simple.v1+json": _JSON,
    "application/json": _JSON,
    "application/vnd.pypi.simple.v1+html": _HTML,
    "text/html": _HTML,
}
_WINDOW = 4096
"""Longer than what any of the patterns matches."""
_MOST = 2_000_000


def read_names(pieces: Iterable[bytes], content_type: str, freshness: Freshness, limit: int) -> UpstreamNames:
    """Every name on a page of at most ``limit`` bytes; memory grows with the names, about 50 bytes for each."""
    kind = content_type.partition(";")[0].strip().lower()
    pattern = _PATTERNS.get(kind)
    if pattern is None:
        raise UpstreamNonsense(f"Its list of projects is {shown(kind) if kind else 'of no type'}, which no index sends")
    found: list[bytes] = []
    for raw in _found(pieces, pattern, limit):
        try:
            found.append(ProjectName.parse(raw.decode("ascii")).value.encode())
        except InvalidName:
            continue
        if len(found) > _MOST:
            raise UpstreamTooLarge(f"It lists more than {_MOST} projects")
    found.sort()
    text = b"\n".join(_once(found))
    return UpstreamNames(text, text.count(b"\n") + 1 if text else 0, freshness)


def _found(pieces: Iterable[bytes], pattern: re.Pattern[bytes], limit: int) -> Iterator[bytes]:
    window, count = b"", 0
    for piece in pieces:
        count += len(piece)
        if count > limit:
            raise UpstreamTooLarge(f"Its list of projects is larger than {limit} bytes")
        window += piece
        end = 0
        for match in pattern.finditer(window):
            end = match.end()
            yield match[1]
        window = window[max(end, len(window) - _WINDOW) :]


def _once(ordered: list[bytes]) -> Iterator[bytes]:
    before = b""
    for name in ordered:
        if name != before:
            yield name
        before = name
