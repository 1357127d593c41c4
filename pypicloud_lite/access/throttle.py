"""How often a caller may guess: failed logins, counted in memory over a moving window."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from pypicloud_lite.kernel.errors import TooManyRequests

_Key = tuple[str | None, str]


class LoginThrottle:
    """At most ``per_user`` failures per user and address, and ``per_address`` over all users of an address.

    Both within ``window`` seconds. The second is wider, because a company's build machines share one address.
    An IPv6 address counts as its /64, which is what one customer is given. Thread-safe; memory is bounded:
    past ``max_keys`` counters the one that was idle longest is dropped.
    """

    def __init__(
        self,
        *,
        per_user: int = 10,
        per_address: int = 100,
        window: float = 300.0,
        max_keys: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_user = per_user
        self._per_address = per_address
        self._window = window
        self._max_keys = max_keys
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures: OrderedDict[_Key, deque[float]] = OrderedDict()

    def attempt(self, username: str, address: str) -> None:
        """Count one attempt as failed until :meth:`withdraw` says otherwise; TooManyRequests when used up.

        Counting before the hash is what makes the limit hold for attempts that run at the same time. A
        refused attempt is not counted.
        """
        now = self._monotonic()
        with self._lock:
            for key, limit in self._counters(username, address):
                moments = self._recent(key, now)
                if len(moments) >= limit:
                    raise _too_many(moments[0] + self._window - now)
            for key, _ in self._counters(username, address):
                self._failures.setdefault(key, deque()).append(now)
                self._failures.move_to_end(key)
            while len(self._failures) > self._max_keys:
                self._failures.popitem(last=False)

    def withdraw(self, username: str, address: str) -> None:
        """Take one attempt back: it succeeded, or the backend could not judge it."""
        with self._lock:
            for key, _ in self._counters(username, address):
                moments = self._failures.get(key)
                if moments:
                    moments.pop()
                if not moments:
                    self._failures.pop(key, None)

    def _counters(self, username: str, address: str) -> tuple[tuple[_Key, int], ...]:
        network = _network(address)
        return ((username, network), self._per_user), ((None, network), self._per_address)

    def _recent(self, key: _Key, now: float) -> deque[float]:
        moments = self._failures.get(key, deque())
        while moments and moments[0] <= now - self._window:
            moments.popleft()
        return moments


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
    return address


def _too_many(seconds: float) -> TooManyRequests:
    wait = max(1, math.ceil(seconds))
    return TooManyRequests(f"Too many failed logins: wait {wait} seconds, then try again with the right password", wait)
