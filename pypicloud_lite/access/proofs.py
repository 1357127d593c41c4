"""What this process has already found out about credentials, for a short while."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future


class Proofs:
    """Remembers right credentials for ``ttl`` seconds, wrong ones for ``refusal_ttl``, and so many of each.

    Keys are an HMAC, under a key that never leaves the process, of username, password and the account's
    version: a change of the account makes every older entry worthless at once. Right and wrong ones are kept
    apart, so that guesses cannot push proofs out. Thread-safe.
    """

    def __init__(
        self,
        *,
        ttl: float = 300.0,
        refusal_ttl: float = 10.0,
        max_entries: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = secrets.token_bytes(32)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._right = _Memory(ttl, max_entries)
        self._wrong = _Memory(refusal_ttl, max_entries)
        self._running: dict[bytes, Future[str | None]] = {}

    def known(self, username: str, password: str, version: str) -> bool | None:
        """Whether the credentials are right, or None when that has to be found out."""
        key = self._digest(username, password, version)
        with self._lock:
            return self._known(key)

    def prove(self, username: str, password: str, version: str, check: Callable[[], str | None]) -> bool:
        """Find out once, however many threads ask at the same time.

        ``check`` does the work: it returns the version of the account that the password is right for (which
        may be a newer one than asked about), or None. What it raises reaches every thread that waited for it
        and is not remembered.
        """
        key = self._digest(username, password, version)
        with self._lock:
            verdict = self._known(key)
            if verdict is not None:
                return verdict
            running = self._running.get(key)
            if running is None:
                mine = self._running[key] = Future()
        if running is not None:
            return running.result() is not None
        try:
            proved = check()
        except BaseException as error:
            with self._lock:
                del self._running[key]
            mine.set_exception(error)
            raise
        right_key = key if proved == version or proved is None else self._digest(username, password, proved)
        with self._lock:
            (self._wrong if proved is None else self._right).add(right_key, self._monotonic())
            del self._running[key]
        mine.set_result(proved)
        return proved is not None

    def _known(self, key: bytes) -> bool | None:
        now = self._monotonic()
        if self._right.has(key, now):
            return True
        return False if self._wrong.has(key, now) else None

    def _digest(self, *parts: str) -> bytes:
        mac = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            data = part.encode(errors="surrogatepass")
            mac.update(len(data).to_bytes(8) + data)
        return mac.digest()


class _Memory:
    """Keys with one lifetime, the oldest dropped first; the caller holds the lock."""

    __slots__ = ("_expiry", "_limit", "_ttl")

    def __init__(self, ttl: float, limit: int) -> None:
        self._ttl = ttl
        self._limit = limit
        self._expiry: OrderedDict[bytes, float] = OrderedDict()

    def has(self, key: bytes, now: float) -> bool:
        return self._expiry.get(key, now) > now

    def add(self, key: bytes, now: float) -> None:
        self._expiry[key] = now + self._ttl
        self._expiry.move_to_end(key)
        while self._expiry and (len(self._expiry) > self._limit or next(iter(self._expiry.values())) <= now):
            self._expiry.popitem(last=False)
