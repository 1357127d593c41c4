"""Sizes and durations as people write them: ``64 MiB``, ``10 min``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_QUANTITY = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,6})?)\s*(?P<unit>[A-Za-z]*)", re.ASCII)

_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "": 1,
        "b": 1,
        "byte": 1,
        "bytes": 1,
        "kb": 10**3,
        "mb": 10**6,
        "gb": 10**9,
        "tb": 10**12,
        "k": 2**10,
        "kib": 2**10,
        "m": 2**20,
        "mib": 2**20,
        "g": 2**30,
        "gib": 2**30,
        "tib": 2**40,
    }
)
_SECONDS: Mapping[str, int] = MappingProxyType(
    {
        word: seconds
        for words, seconds in (
            (("", "s", "sec", "second", "seconds"), 1),
            (("min", "minute", "minutes"), 60),
            (("h", "hour", "hours"), 3600),
            (("d", "day", "days"), 86400),
            (("week", "weeks"), 7 * 86400),
        )
        for word in words
    }
)


def _whole(text: str, units: Mapping[str, int]) -> int | None:
    match = _QUANTITY.fullmatch(text.strip())
    factor = units.get(match["unit"].lower()) if match else None
    if match is None or factor is None:
        return None
    amount = Fraction(match["number"]) * factor
    return int(amount) if amount.denominator == 1 else None


def parse_size(value: Any) -> Any:
    """Turn text into bytes: ``k``, ``m``, ``g`` and ``KiB`` count by 1024, ``kB`` by 1000, in any case."""
    if not isinstance(value, str):
        return value
    size = _whole(value, _BYTES)
    if size is None:
        raise PydanticCustomError("size", "must be whole bytes, such as 67108864, 64 MiB or 100 MB")
    return size


def parse_duration(value: Any) -> Any:
    """Turn text into whole seconds."""
    if not isinstance(value, str):
        return value
    duration = _whole(value, _SECONDS)
    if duration is None:
        raise PydanticCustomError("duration", "must be whole seconds, such as 60, 60 s, 10 min or 3 days")
    return duration


Size = Annotated[int, BeforeValidator(parse_size)]
"""Bytes."""

Duration = Annotated[int, BeforeValidator(parse_duration)]
"""Whole seconds."""


def format_size(size: int) -> str:
    """Write the shortest exact spelling: ``67108864`` becomes ``64 MiB``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        factor = _BYTES[unit.lower()]
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return str(size)


def format_duration(seconds: int) -> str:
    """Write the largest exact unit: ``600`` becomes ``10 min``."""
    for unit, one, many in (("day", "day", "days"), ("h", "h", "h"), ("min", "min", "min")):
        factor = _SECONDS[unit]
        if seconds and seconds % factor == 0:
            count = seconds // factor
            return f"{count} {one if count == 1 else many}"
    return f"{seconds} s"
