"""One limit of time for a whole exchange: name, connection, handshake, head and body, however they drip."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """So many ``seconds`` from now on, and where there is a ``rate``, more as bytes arrive.

    With a rate (bytes per second) a transfer of any length may end, as long as it is that fast on the whole; those
    seconds are its head start.
    """

    __slots__ = ("_monotonic", "_rate", "_until", "seconds")

    def __init__(
        self, seconds: float, rate: float | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self._rate = rate
        self._monotonic = monotonic
        self._until = monotonic() + seconds

    def left(self) -> float:
        """Seconds; TimeoutError when there are none."""
        left = self._until - self._monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left

    def covers(self, seconds: float) -> bool:
        """Whether there are more than so many left."""
        return self._until - self._monotonic() > seconds

    def arrived(self, count: int) -> None:
        """So many bytes came."""
        if self._rate is not None:
            self._until += count / self._rate
