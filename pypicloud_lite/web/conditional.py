"""Conditional and range requests (RFC 9110 sections 13 and 14), as pure rules over header values.

An ``etag`` is always the whole field value with its quotes.
"""

from __future__ import annotations

import re

from pypicloud_lite.kernel.errors import RangeNotSatisfiable

_ENTITY_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_MAX_RANGE_HEADER = 128


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether ``If-None-Match`` names ``etag`` (or ``*``): then answer 304.

    The comparison is weak: a proxy that compresses marks our strong tags as weak and must still get its 304.
    """
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return etag.removeprefix("W/") in _ENTITY_TAG.findall(if_none_match)


def parse_range(header: str | None, size: int, if_range: str | None, etag: str) -> tuple[int, int] | None:
    """Read ``Range`` for a file of ``size`` bytes: (start, stop), stop exclusive and within the file.

    None means the whole file: no header, another unit, a malformed one, one of more than 128 characters,
    several ranges at once, or an ``If-Range`` that is not exactly this strong ``etag`` (a date never is).
    Raises :class:`RangeNotSatisfiable` for a range that begins at or after the end, and for the last 0 bytes.
    """
    if header is None or len(header) > _MAX_RANGE_HEADER:
        return None
    if if_range is not None and (if_range.strip() != etag or etag.startswith("W/")):
        return None
    match = _RANGE.fullmatch(header.strip(" \t"))
    if match is None:
        return None
    if not match[1]:
        return _suffix(int(match[2]), size) if match[2] else None
    first = int(match[1])
    last = int(match[2]) if match[2] else max(first, size - 1)
    if last < first:
        return None
    if first >= size:
        raise _unsatisfiable(size)
    return first, min(last + 1, size)


def _suffix(length: int, size: int) -> tuple[int, int] | None:
    """Take the last bytes; of an empty file that is all of it, which no Content-Range can express."""
    if length == 0:
        raise _unsatisfiable(size)
    return (max(0, size - length), size) if size else None


def _unsatisfiable(size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(
        f"The range lies outside the file, which has {size} bytes: ask for bytes within it", size
    )
