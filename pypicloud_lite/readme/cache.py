"""What was rendered lately, by what it was rendered from."""

from __future__ import annotations

import math
import sys
import time
from collections import OrderedDict
from collections.abc import Callable

from pypicloud_lite.readme.model import Rendered


class Cache:
    """Of ``size`` bytes of memory; one entry stays even if it is larger. Not thread-safe."""

    def __init__(self, size: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._monotonic = monotonic
        self._entries: OrderedDict[bytes, tuple[Rendered, float]] = OrderedDict()
        self._weight = 0

    @property
    def weight(self) -> int:
        """Bytes of memory in use."""
        return self._weight

    def get(self, key: bytes) -> Rendered | None:
        """What was put, if it is there still and its time has not passed."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._monotonic() >= entry[1]:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: bytes, value: Rendered, seconds: float = math.inf) -> None:
        """Keep it for so long, instead of those that were not asked for the longest."""
        if key in self._entries:
            self._drop(key)
        self._entries[key] = (value, self._monotonic() + seconds)
        self._weight += _weight(value)
        while self._weight > self._size and len(self._entries) > 1:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        value, _ = self._entries.pop(key)
        self._weight -= _weight(value)


_OVERHEAD = 500


def _weight(value: Rendered) -> int:
    return sys.getsizeof(value.html) + _OVERHEAD
