"""One request is one moment: what was asked at its beginning need not be asked again in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_LONGEST = 1.0
"""Seconds. A slow upload must not end on what was true when it began."""

_current: ContextVar[dict[object, tuple[float, Any]] | None] = ContextVar("moment", default=None)


@contextmanager
def one_moment() -> Iterator[None]:
    """Within it, :func:`once` asks once."""
    token = _current.set({})
    try:
        yield
    finally:
        _current.reset(token)


def once(key: object, ask: Callable[[], T]) -> T:
    """What ``ask`` says, or said for this key in this moment; outside of one it is asked each time."""
    answers = _current.get()
    if answers is None:
        return ask()
    known = answers.get(key)
    now = time.monotonic()
    if known is not None and now - known[0] <= _LONGEST:
        return known[1]  # type: ignore[no-any-return]
    answer = ask()
    answers[key] = (now, answer)
    return answer


def put(key: object, answer: object) -> None:
    """Note what was learned by the way, as an answer for :func:`once`."""
    answers = _current.get()
    if answers is not None:
        answers[key] = (time.monotonic(), answer)


def forget(key: object) -> None:
    """Ask again: it was changed."""
    answers = _current.get()
    if answers is not None:
        answers.pop(key, None)
