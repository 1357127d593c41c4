"""Failed logins that all workers and hosts count together, in Redis (or a server that speaks its protocol)."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from pypicloud_lite.access.throttle import Key

_log = structlog.get_logger("pypicloud_lite.access")

_TIMEOUT = 0.3
"""Seconds to connect, and for one answer."""

_PAUSE = 5.0
"""Seconds after a failure for which nobody asks, so that an outage costs one login that time, not each."""

# All keys in one slot of a cluster.
_PREFIX = "{pypicloud_lite.logins}:"

# KEYS: the counters. ARGV: window in ms, the token, a limit for each counter. Returns 0, or the ms to wait.
# The clock is the server's, so the hosts' own need not agree.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = tonumber(ARGV[1])
for number, key in ipairs(KEYS) do
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
    if redis.call('ZCARD', key) >= tonumber(ARGV[number + 2]) then
        local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
        return math.max(1, tonumber(oldest[2]) + window - now)
    end
end
for _, key in ipairs(KEYS) do
    redis.call('ZADD', key, now, ARGV[2])
    redis.call('PEXPIRE', key, window)
end
return 0
"""


class RedisFailures:
    """A :class:`~pypicloud_lite.access.throttle.SharedFailures`: one atomic request for each attempt.

    Connects when it is first asked. What cannot be asked counts nothing, the log says so once, and it is tried again
    after :data:`_PAUSE`. Names and addresses are stored as their SHA-256, and only for the window.
    """

    def __init__(self, url: str, window: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        # Once more at once: a connection that lay idle may have been closed by the other side.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        self._client = redis.Redis.from_url(
            url, socket_connect_timeout=_TIMEOUT, socket_timeout=_TIMEOUT, retry=retry, protocol=2
        )
        self._script = self._client.register_script(_TAKE)
        self._window_ms = round(window * 1000)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failing = False
        self._retry_at = 0.0

    def take(self, token: str, limits: Sequence[tuple[Key, int]]) -> float:
        """As the protocol says."""
        names = [_name(key) for key, _ in limits]
        arguments: list[str | int] = [self._window_ms, token, *(limit for _, limit in limits)]
        return float(self._asked(lambda: self._script(keys=names, args=arguments)) or 0) / 1000

    def give_back(self, token: str, keys: Sequence[Key]) -> None:
        """As the protocol says."""

        def remove() -> None:
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.zrem(_name(key), token)
            pipeline.execute()

        self._asked(remove)

    def _asked(self, question: Callable[[], Any]) -> Any:
        """The answer; None where there is none, or it is not the time to ask."""
        with self._lock:
            now = self._monotonic()
            if self._failing and now < self._retry_at:
                return None
            # While it fails, one asks and the others do not wait for what comes of it.
            self._retry_at = now + _PAUSE
        try:
            answer = question()
        except redis.RedisError as error:
            self._note(failing=True, why=type(error).__name__)
            return None
        self._note(failing=False)
        return answer

    def _note(self, *, failing: bool, why: str = "") -> None:
        with self._lock:
            changed, self._failing = failing != self._failing, failing
        if changed and failing:
            _log.error("failed logins are counted by each process alone, Redis does not answer", why=why)
        elif changed:
            _log.info("failed logins are counted in Redis again")


def _name(key: Key) -> str:
    hidden = hashlib.sha256("\0".join(key[1:]).encode(errors="surrogatepass")).hexdigest() if len(key) > 1 else ""
    return f"{_PREFIX}{key[0]}:{hidden}"
