"""Time, injectable: tests move it, nothing else reads the system's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time, aware, in UTC."""


def system_clock() -> datetime:
    """Read the system's time."""
    return datetime.now(UTC)


def iso_utc(moment: datetime) -> str:
    """``yyyy-mm-ddThh:mm:ss[.ffffff]Z``, the form that PEP 700 asks of ``upload-time``."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_iso_utc(text: str) -> datetime:
    """Read what :func:`iso_utc` wrote; ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
