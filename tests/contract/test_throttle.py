"""Limits on failed logins: the same in the memory of one process and in Redis, where processes share them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.kernel.errors import TooManyRequests
from pypicloud_lite.testing.servers import RedisServer

WINDOW = 300.0


class Clock:
    """Time as a test wants it: what was counted in Redis, by the server's own clock, grows older by that much."""

    def __init__(self, url: str | None) -> None:
        self.now = 1000.0
        self._url = url

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
        if self._url is not None:
            with connected(self._url) as client:
                for key in client.scan_iter():
                    for token, _ in client.zrange(key, 0, -1, withscores=True):
                        client.zincrby(key, -seconds * 1000, token)


def connected(url: str):
    import redis

    return redis.Redis.from_url(url)


class Throttle:
    """One throttle, or several processes' that take turns: what one has counted must hold in the next."""

    def __init__(self, clock: Clock, url: str | None, **limits: int) -> None:
        self.url = url
        self.parts = [
            LoginThrottle(monotonic=clock, shared=shared(url, clock), **limits) for _ in range(3 if url else 1)
        ]
        self._turns = itertools.count()
        self._last: dict[tuple[str, str], LoginThrottle] = {}
        self._lock = threading.Lock()

    def attempt(self, username: str, address: str) -> None:
        with self._lock:
            part = self._last[username, address] = self.parts[next(self._turns) % len(self.parts)]
        part.attempt(username, address)

    def withdraw(self, username: str, address: str) -> None:
        self._last.get((username, address), self.parts[0]).withdraw(username, address)

    def counters(self) -> int:
        """How many there are anywhere."""
        found = sum(len(part._failures) for part in self.parts)
        if self.url is not None:
            with connected(self.url) as client:
                found += len(list(client.scan_iter()))
        return found


def shared(url: str | None, clock: Callable[[], float] = time.monotonic):
    if url is None:
        return None
    from pypicloud_lite.access.throttle_redis import RedisFailures

    return RedisFailures(url, WINDOW, monotonic=clock)


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "memory" else request.getfixturevalue("redis_server").url


@pytest.fixture
def clock(url: str | None) -> Clock:
    return Clock(url)


@pytest.fixture
def throttle(url: str | None, clock: Clock) -> Throttle:
    return Throttle(clock, url)


def blocked(throttle: Throttle | LoginThrottle, username: str = "alice", address: str = "192.0.2.1") -> int | None:
    try:
        throttle.attempt(username, address)
    except TooManyRequests as error:
        return error.retry_after
    return None


def test_t07_the_eleventh_failure_is_refused_and_says_when_to_come_back(throttle: Throttle, clock: Clock) -> None:
    for _ in range(10):
        assert blocked(throttle) is None
        clock.advance(1)
    assert blocked(throttle) == 290
    assert blocked(throttle, username="bob") is None
    assert blocked(throttle, address="192.0.2.2") is None


def test_t07_the_window_moves(throttle: Throttle, clock: Clock) -> None:
    for _ in range(10):
        blocked(throttle)
        clock.advance(10)
    assert blocked(throttle) == 200
    clock.advance(199.5)
    assert blocked(throttle) == 1
    clock.advance(0.5)
    assert blocked(throttle) is None
    assert blocked(throttle) == 10


def test_t07_an_address_has_a_limit_over_all_names(throttle: Throttle) -> None:
    assert [blocked(throttle, f"user{number}") for number in range(100)] == [None] * 100
    assert blocked(throttle, "one-more") == 300
    assert blocked(throttle, "one-more", "192.0.2.2") is None


def test_a_refused_attempt_does_not_prolong_the_wait(throttle: Throttle, clock: Clock) -> None:
    for _ in range(10):
        blocked(throttle)
    clock.advance(100)
    for _ in range(50):
        assert blocked(throttle) == 200
    clock.advance(200)
    assert blocked(throttle) is None


def test_what_is_withdrawn_does_not_count(throttle: Throttle) -> None:
    for _ in range(500):
        assert blocked(throttle) is None
        throttle.withdraw("alice", "192.0.2.1")
    assert throttle.counters() == 0
    throttle.withdraw("never-seen", "192.0.2.1")


def test_an_ipv6_customer_is_one_address(throttle: Throttle) -> None:
    assert [blocked(throttle, "alice", f"2001:db8:1:2::{number:x}") for number in range(11)] == [None] * 10 + [300]
    assert blocked(throttle, "alice", "2001:db8:1:3::1") is None


def test_mapped_ipv4_addresses_and_what_is_no_address_stand_for_themselves(throttle: Throttle) -> None:
    for address in ("::ffff:192.0.2.1", "", "unix:"):
        assert [blocked(throttle, "alice", address) for _ in range(11)] == [None] * 10 + [300]
    assert blocked(throttle, "alice", "::ffff:192.0.2.2") is None


def test_t07_attempts_at_the_same_time_share_the_limit(throttle: Throttle) -> None:
    together = threading.Barrier(16)

    def attempt(_: int) -> bool:
        together.wait(10)
        return blocked(throttle) is None

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(16))) == 10


def test_the_message_names_the_wait_and_nobody(throttle: Throttle) -> None:
    for _ in range(10):
        blocked(throttle)
    with pytest.raises(TooManyRequests, match="wait 300 seconds") as caught:
        throttle.attempt("alice", "192.0.2.1")
    assert "alice" not in caught.value.message


def test_t07_there_is_a_limit_over_all_addresses(url: str | None, clock: Clock) -> None:
    throttle = Throttle(clock, url, overall=20)
    assert [blocked(throttle, f"user{number}", f"192.0.2.{number}") for number in range(21)] == [None] * 20 + [300]
    assert blocked(throttle, "bob", "198.51.100.1") == 300
    clock.advance(300)
    assert blocked(throttle, "bob", "198.51.100.1") is None


def test_an_attempt_that_is_withdrawn_frees_all_its_limits(url: str | None, clock: Clock) -> None:
    throttle = Throttle(clock, url, per_user=2, per_address=3, overall=4)
    for username, address in (("ann", "192.0.2.1"), ("ben", "192.0.2.1"), ("eva", "192.0.2.2")):
        assert blocked(throttle, username, address) is None
    for _ in range(5):
        assert blocked(throttle, "ann", "192.0.2.1") is None
        assert blocked(throttle, "pat", "192.0.2.9") is not None
        throttle.withdraw("ann", "192.0.2.1")
    assert blocked(throttle, "pat", "192.0.2.9") is None


@pytest.mark.parametrize("odd", ["", "a\0b", "\ud800", "x" * 5000, "*", "a:b"])
def test_f28_odd_names_are_counted_apart(throttle: Throttle, odd: str) -> None:
    for _ in range(10):
        assert blocked(throttle, odd) is None
    assert blocked(throttle, odd) == 300
    assert blocked(throttle, "a") is None
    assert blocked(throttle, odd + "x") is None


class TestRedis:
    """What only Redis has: others that count, an end, a silence."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock(None)

    @pytest.fixture
    def worker(self, redis_server: RedisServer, clock: Clock) -> Callable[[], LoginThrottle]:
        return lambda: LoginThrottle(shared=shared(redis_server.url, clock), monotonic=clock)

    def test_workers_and_hosts_share_the_limit(self, worker: Callable[[], LoginThrottle]) -> None:
        workers = [worker() for _ in range(4)]
        assert [blocked(workers[number % 4]) for number in range(12)] == [None] * 10 + [300, 300]
        # A refused attempt is counted nowhere.
        assert sum(len(one._failures["overall",]) for one in workers) == 10

    def test_what_is_stored_is_short_and_names_nobody(
        self, worker: Callable[[], LoginThrottle], redis_server: RedisServer
    ) -> None:
        blocked(worker())
        with connected(redis_server.url) as client:
            keys = list(client.scan_iter())
            assert len(keys) == 3
            assert not any(b"alice" in key or b"192.0.2" in key for key in keys)
            assert all(0 < client.pttl(key) <= WINDOW * 1000 for key in keys)

    def test_f31_while_redis_is_down_each_process_counts_and_the_log_says_so_once(
        self, worker: Callable[[], LoginThrottle], redis_server: RedisServer, clock: Clock
    ) -> None:
        throttle = worker()
        assert [blocked(throttle) for _ in range(4)] == [None] * 4
        redis_server.stop()
        with capture_logs() as logs:
            # What was counted before goes on to count.
            assert [blocked(throttle) for _ in range(7)] == [None] * 6 + [300]
            throttle.withdraw("alice", "192.0.2.1")
            assert blocked(throttle) is None
        assert [one["log_level"] for one in logs] == ["error"]
        redis_server.start()
        assert blocked(throttle, "bob") is None
        with connected(redis_server.url) as client:
            assert not list(client.scan_iter())
        clock.advance(5)
        with capture_logs() as logs:
            assert blocked(throttle, "bob") is None
        assert [one["log_level"] for one in logs] == ["info"]
        assert [blocked(worker(), "bob") for _ in range(10)] == [None] * 9 + [300]

    def test_f31_while_redis_is_silent_one_login_waits_and_not_each(
        self, worker: Callable[[], LoginThrottle], redis_server: RedisServer, clock: Clock
    ) -> None:
        throttle = worker()
        blocked(throttle)
        redis_server.freeze()
        asked: list[float] = []
        client = throttle._shared._client
        execute = client.connection_pool.get_connection

        def counted(*arguments: object, **options: object) -> object:
            asked.append(clock.now)
            return execute(*arguments, **options)

        client.connection_pool.get_connection = counted
        began = time.monotonic()
        assert [blocked(throttle, f"user{number}") for number in range(50)] == [None] * 50
        assert time.monotonic() - began < 10
        assert len(asked) == 1
        clock.advance(5)
        assert [blocked(throttle, f"user{number}") for number in range(20)] == [None] * 20
        assert len(asked) == 2
        redis_server.thaw()
        clock.advance(5)
        blocked(throttle, "carl")
        assert [blocked(worker(), "carl") for _ in range(10)] == [None] * 9 + [300]

    def test_a_connection_that_redis_closed_is_made_anew_at_once(
        self, worker: Callable[[], LoginThrottle], redis_server: RedisServer
    ) -> None:
        throttle = worker()
        blocked(throttle)
        redis_server.stop()
        redis_server.start()
        with capture_logs() as logs:
            blocked(throttle)
        assert not logs
        with connected(redis_server.url) as client:
            assert len(list(client.scan_iter())) == 3

    def test_the_settings_connect_to_nothing(self, redis_server: RedisServer) -> None:
        redis_server.stop()
        settings = AccessSettings.model_validate({"auth.limit_url": redis_server.url, "auth.limit_user": "1"})
        throttle = settings.throttle()
        with capture_logs():
            assert [blocked(throttle) for _ in range(2)] == [None, 300]
