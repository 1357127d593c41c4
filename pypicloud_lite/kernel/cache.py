"""What was made lately, by what it was made from."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Cache(Generic[_Value]):
    """Of ``size`` bytes of memory, by what ``weigh`` says of a value. Not thread-safe.

    One value stays even if it is larger.
    """

    def __init__(
        self, size: int, weigh: Callable[[_Value], int], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = size
        self._weigh = weigh
        self._monotonic = monotonic
        self._entries: OrderedDict[Hashable, tuple[_Value, float]] = OrderedDict()
        self._weight = 0

    @property
    def weight(self) -> int:
        """Bytes of memory in use."""
        return self._weight

    def get(self, key: Hashable) -> _Value | None:
        """What was put, if it is there still and its time has not passed."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._monotonic() >= entry[1]:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: _Value, seconds: float = math.inf) -> None:
        """Keep it for so long, instead of those that were not asked for the longest."""
        if key in self._entries:
            self._drop(key)
        self._entries[key] = (value, self._monotonic() + seconds)
        self._weight += self._weigh(value)
        while self._weight > self._size and len(self._entries) > 1:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        value, _ = self._entries.pop(key)
        self._weight -= self._weigh(value)
