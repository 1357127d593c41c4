"""JSON that others send and that is kept for them: how deep it may be, and what it is as text."""

from __future__ import annotations

import json

DEEPEST = 20
"""Levels of lists and objects. Python itself gives up near a thousand, at another depth each time it is read."""


def is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects stand in each other further than that; asks without recursion."""
    inner = [value]
    for _ in range(levels + 1):
        holders = [one for one in inner if isinstance(one, list | tuple | dict)]
        if not holders:
            return False
        inner = [part for one in holders for part in (one.values() if isinstance(one, dict) else one)]
    return True


def kept_json(value: object, longest: int) -> str | None:
    """The value as JSON; None where it is none (NaN is not), is longer, or deeper than ``DEEPEST``."""
    if is_deeper(value, DEEPEST):
        return None
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        return None
    return text if len(text) <= longest else None
