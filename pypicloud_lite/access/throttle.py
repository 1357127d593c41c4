"""How often a caller may guess: failed logins over a moving window, counted before the password is hashed.

Counting first and taking back on success is what makes a limit hold for attempts that run at the same time. The library
``limits`` cannot take a hit back, nor count one under three keys or under none; hence these few lines, and one script
for Redis (``throttle_redis``).
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Protocol

from pypicloud_lite.kernel.errors import TooManyRequests

_LONGEST_NAME = 255

Key = tuple[str, ...]
"""What is counted: ``("user", name, network)``, ``("address", network)`` or ``("overall",)``.

A name longer than most stands there as its SHA-256: a guess may be 64 KiB long, and memory holds thousands of them.
"""


class SharedFailures(Protocol):
    """Failures that several processes count together, in the same windows and by the same clock."""

    def take(self, token: str, limits: Sequence[tuple[Key, int]]) -> float:
        """Count an attempt under every key, or under none when one is used up; the seconds to wait then, else 0.

        Answers within a second, whatever happens: 0 too when nothing can be counted.
        """

    def give_back(self, token: str, keys: Sequence[Key]) -> None:
        """Take the attempt of this token back, if it was counted. Never raises."""


class LoginThrottle:
    """At most ``per_user`` failures per user and address, ``per_address`` over all users of one, ``overall`` in all.

    All within ``window`` seconds. The second is wider, because a company's build machines share one address. An IPv6
    address counts as its /64, which is what one customer is given. Thread-safe; memory is bounded: past ``max_keys``
    counters the one that was idle longest is dropped.

    Each process counts what it sees; with ``shared`` the limits are those of all processes together, and where that
    does not answer, those of each process go on to hold.
    """

    def __init__(
        self,
        *,
        per_user: int = 10,
        per_address: int = 100,
        overall: int = 1000,
        window: float = 300.0,
        shared: SharedFailures | None = None,
        max_keys: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_user = per_user
        self._per_address = per_address
        self._overall = overall
        self._window = window
        self._shared = shared
        self._max_keys = max_keys
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures: OrderedDict[Key, deque[_Attempt]] = OrderedDict()

    def attempt(self, username: str, address: str) -> None:
        """Count one attempt as failed until :meth:`withdraw` says otherwise; TooManyRequests when used up.

        A refused attempt is not counted.
        """
        limits = self._limits(username, address)
        token = secrets.token_hex(8)
        wait = self._take(token, limits)
        if not wait and self._shared is not None:
            wait = self._shared.take(token, limits)
            if wait:
                self._pop(limits, token)
        if wait:
            raise _too_many(wait)

    def withdraw(self, username: str, address: str) -> None:
        """Take one attempt back: it succeeded, or the backend could not judge it."""
        limits = self._limits(username, address)
        token = self._pop(limits)
        if token is not None and self._shared is not None:
            self._shared.give_back(token, [key for key, _ in limits])

    def _take(self, token: str, limits: Sequence[tuple[Key, int]]) -> float:
        now = self._monotonic()
        with self._lock:
            for key, limit in limits:
                attempts = self._recent(key, now)
                if len(attempts) >= limit:
                    return attempts[0][0] + self._window - now
            for key, _ in limits:
                self._failures.setdefault(key, deque()).append((now, token))
                self._failures.move_to_end(key)
            while len(self._failures) > self._max_keys:
                self._failures.popitem(last=False)
        return 0.0

    def _pop(self, limits: Sequence[tuple[Key, int]], token: str | None = None) -> str | None:
        """Forget an attempt, this user's last one where no token says which; its token."""
        with self._lock:
            if token is None:
                attempts = self._failures.get(limits[0][0])
                if not attempts:
                    return None
                token = attempts[-1][1]
            for key, _ in limits:
                rest = deque(one for one in self._failures.get(key, ()) if one[1] != token)
                if rest:
                    self._failures[key] = rest
                else:
                    self._failures.pop(key, None)
        return token

    def _limits(self, username: str, address: str) -> tuple[tuple[Key, int], ...]:
        network = _network(address)
        return (
            (("user", _short(username), network), self._per_user),
            (("address", network), self._per_address),
            (("overall",), self._overall),
        )

    def _recent(self, key: Key, now: float) -> deque[_Attempt]:
        attempts = self._failures.get(key, deque())
        while attempts and attempts[0][0] <= now - self._window:
            attempts.popleft()
        return attempts


_Attempt = tuple[float, str]
"""When, and its token."""


def _short(username: str) -> str:
    if len(username) <= _LONGEST_NAME:
        return username
    return hashlib.sha256(username.encode(errors="surrogatepass")).hexdigest()


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
