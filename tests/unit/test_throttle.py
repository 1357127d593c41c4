from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.kernel.errors import TooManyRequests


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def throttle(time: Time) -> LoginThrottle:
    return LoginThrottle(monotonic=time)


def blocked(throttle: LoginThrottle, username: str = "alice", address: str = "192.0.2.1") -> int | None:
    try:
        throttle.attempt(username, address)
    except TooManyRequests as error:
        return error.retry_after
    return None


def test_t07_the_eleventh_failure_is_refused_and_says_when_to_come_back(throttle: LoginThrottle, time: Time) -> None:
    for _ in range(10):
        assert blocked(throttle) is None
        time.now += 1
    assert blocked(throttle) == 290
    assert blocked(throttle, username="bob") is None
    assert blocked(throttle, address="192.0.2.2") is None


def test_t07_the_window_moves(throttle: LoginThrottle, time: Time) -> None:
    for _ in range(10):
        blocked(throttle)
        time.now += 10
    assert blocked(throttle) == 200
    time.now += 199.5
    assert blocked(throttle) == 1
    time.now += 0.5
    assert blocked(throttle) is None
    assert blocked(throttle) == 10


def test_t07_an_address_has_a_limit_over_all_names(throttle: LoginThrottle) -> None:
    assert [blocked(throttle, f"user{number}") for number in range(100)] == [None] * 100
    assert blocked(throttle, "one-more") == 300
    assert blocked(throttle, "one-more", "192.0.2.2") is None


def test_a_refused_attempt_does_not_prolong_the_wait(throttle: LoginThrottle, time: Time) -> None:
    for _ in range(10):
        blocked(throttle)
    time.now += 100
    for _ in range(50):
        assert blocked(throttle) == 200
    time.now += 200
    assert blocked(throttle) is None


def test_what_is_withdrawn_does_not_count(throttle: LoginThrottle) -> None:
    for _ in range(500):
        assert blocked(throttle) is None
        throttle.withdraw("alice", "192.0.2.1")
    assert not throttle._failures
    throttle.withdraw("never-seen", "192.0.2.1")


def test_an_ipv6_customer_is_one_address(throttle: LoginThrottle) -> None:
    assert [blocked(throttle, "alice", f"2001:db8:1:2::{number:x}") for number in range(11)] == [None] * 10 + [300]
    assert blocked(throttle, "alice", "2001:db8:1:3::1") is None


def test_mapped_ipv4_addresses_and_what_is_no_address_stand_for_themselves(throttle: LoginThrottle) -> None:
    for address in ("::ffff:192.0.2.1", "", "unix:"):
        assert [blocked(throttle, "alice", address) for _ in range(11)] == [None] * 10 + [300]
    assert blocked(throttle, "alice", "::ffff:192.0.2.2") is None


def test_t07_memory_is_bounded(time: Time) -> None:
    throttle = LoginThrottle(max_keys=20, monotonic=time)
    for number in range(1000):
        blocked(throttle, f"user{number}", f"192.0.2.{number % 250}")
    assert len(throttle._failures) == 20


def test_t07_attempts_at_the_same_time_share_the_limit(throttle: LoginThrottle) -> None:
    together = threading.Barrier(16)

    def attempt(_: int) -> bool:
        together.wait(10)
        return blocked(throttle) is None

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(16))) == 10


def test_the_message_names_the_wait_and_nobody(throttle: LoginThrottle) -> None:
    for _ in range(10):
        blocked(throttle)
    with pytest.raises(TooManyRequests, match="wait 300 seconds") as caught:
        throttle.attempt("alice", "192.0.2.1")
    assert "alice" not in caught.value.message
