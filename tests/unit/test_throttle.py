"""What the limits on failed logins have in memory alone; the rest is in tests/contract/test_throttle.py."""

from __future__ import annotations

import importlib.util
import tracemalloc
from collections.abc import Callable

import pytest

from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.kernel.errors import ConfigError, TooManyRequests


def test_t07_memory_is_bounded() -> None:
    throttle = LoginThrottle(max_keys=20)
    for number in range(1000):
        throttle.attempt(f"user{number}", f"192.0.2.{number % 250}")
    assert len(throttle._failures) == 20
    with pytest.raises(TooManyRequests):
        throttle.attempt("user", "198.51.100.1")


def test_t07_long_names_take_no_more_memory_and_are_counted_apart() -> None:
    throttle = LoginThrottle(per_user=1, per_address=1000)
    names = [f"{number}{'x' * 60_000}\N{GRINNING FACE}" for number in range(50)]
    tracemalloc.start()
    for name in names:
        throttle.attempt(name, "192.0.2.1")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 100_000
    with pytest.raises(TooManyRequests):
        throttle.attempt(names[7], "192.0.2.1")


def test_a_counter_that_was_dropped_takes_nothing_from_others() -> None:
    throttle = LoginThrottle(max_keys=3)
    throttle.attempt("ann", "192.0.2.1")
    throttle.attempt("ben", "192.0.2.1")
    throttle.withdraw("ann", "192.0.2.1")
    assert len(throttle._failures["address", "192.0.2.1"]) == 2


def test_the_settings_are_the_limits() -> None:
    names = {"auth.limit_user": "2", "auth.limit_address": "3", "auth.limit_overall": "4", "auth.limit_window": "1 min"}
    throttle = AccessSettings.model_validate(names).throttle()
    attempts = [("a", "1"), ("a", "1"), ("a", "1"), ("b", "1"), ("c", "1"), ("d", "2"), ("e", "3")]
    waits = []
    for username, address in attempts:
        try:
            throttle.attempt(username, address)
        except TooManyRequests as error:
            waits.append(error.retry_after)
        else:
            waits.append(None)
    assert waits == [None, None, 60, None, 60, None, 60]


def test_an_url_that_cannot_be_read_is_refused_without_being_shown(missing: Callable[[str, str], None]) -> None:
    if importlib.util.find_spec("redis") is None:
        missing("redis", "the package redis is not installed")
    settings = AccessSettings.model_validate({"auth.limit_url": "redis://:zzyzx-canary@127.0.0.1:port/x"})
    with pytest.raises(ConfigError, match=r"auth\.limit_url cannot be read") as caught:
        settings.throttle()
    assert "canary" not in str(caught.value)
