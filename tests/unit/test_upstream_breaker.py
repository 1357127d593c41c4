"""T25: a server that fails is left alone, and one caller finds out when it is back."""

from __future__ import annotations

import threading

import pytest

from pypicloud_lite.kernel.errors import UpstreamNonsense, UpstreamUnavailable, UpstreamUnreachable
from pypicloud_lite.upstream.breaker import Breaker, Breakers, ServerFailed
from pypicloud_lite.upstream.deadline import Deadline


class Time:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def breaker(time):
    return Breaker("https://index.example.com", 3, 10.0, time)


def fail(breaker):
    with pytest.raises(ServerFailed), breaker.asking():
        raise ServerFailed from UpstreamUnreachable("it fails")


def succeed(breaker):
    with breaker.asking():
        pass


def is_left_alone(breaker):
    """Whether a question is refused; one that is not gets an answer that nobody can use."""
    with pytest.raises((UpstreamUnavailable, UpstreamNonsense)) as caught, breaker.asking():
        raise UpstreamNonsense("asked")
    return caught.type is UpstreamUnavailable


def test_it_opens_after_so_many_in_a_row(breaker):
    for _ in range(5):
        fail(breaker)
        fail(breaker)
        succeed(breaker)
    for _ in range(3):
        assert not breaker.is_open
        fail(breaker)
    assert breaker.is_open
    with pytest.raises(UpstreamUnavailable) as caught, breaker.asking():
        pytest.fail("it was asked")
    assert caught.value.retry_after == 10
    assert "index.example.com" in caught.value.message


def test_one_probes_and_the_others_wait(breaker, time):
    for _ in range(3):
        fail(breaker)
    time.now += 10
    with breaker.asking():
        for _ in range(3):
            with pytest.raises(UpstreamUnavailable), breaker.asking():
                pytest.fail("two at once")
    succeed(breaker)
    assert not breaker.is_open


def test_a_probe_that_fails_opens_it_again(breaker, time):
    for _ in range(3):
        fail(breaker)
    for _ in range(3):
        time.now += 10
        fail(breaker)
        with pytest.raises(UpstreamUnavailable), breaker.asking():
            pytest.fail("it was asked")
    time.now += 10
    succeed(breaker)
    fail(breaker)
    assert not breaker.is_open


def test_a_probe_that_tells_nothing_lets_the_next_one_try(breaker, time):
    for _ in range(3):
        fail(breaker)
    time.now += 10
    with pytest.raises(KeyboardInterrupt), breaker.asking():
        raise KeyboardInterrupt
    assert breaker.is_open
    succeed(breaker)
    assert not breaker.is_open


def test_an_answer_that_is_wrong_is_an_answer(breaker, time):
    fail(breaker)
    fail(breaker)
    assert not is_left_alone(breaker)
    fail(breaker)
    assert not breaker.is_open


@pytest.mark.parametrize(("asked_for", "seconds"), [(30, 30), (0, 0), (-5, 0), (1e9, 600)])
def test_patience_that_was_asked_for(breaker, time, asked_for, seconds):
    breaker.hold(asked_for)
    if seconds:
        time.now += seconds - 0.5
        assert is_left_alone(breaker)
        time.now += 1
    succeed(breaker)
    assert not breaker.is_open


def test_an_older_answer_does_not_end_the_patience(breaker, time):
    with breaker.asking():
        breaker.hold(30)
    assert breaker.is_open


def test_many_threads_probe_once(breaker, time):
    for _ in range(3):
        fail(breaker)
    time.now += 10
    asked, barrier = [], threading.Barrier(8)

    def ask():
        barrier.wait(10)
        try:
            with breaker.asking():
                asked.append(1)
                done.wait(10)
        except UpstreamUnavailable:
            refused.append(1)
            if len(refused) == 7:
                done.set()

    refused, done = [], threading.Event()
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(asked), len(refused)) == (1, 7)


def test_servers_are_apart_and_the_oldest_is_forgotten(time):
    breakers = Breakers(1, 10.0, time)
    fail(breakers.of("a"))
    assert breakers.of("a").is_open
    assert not breakers.of("b").is_open
    for number in range(64):
        breakers.of(f"server{number}")
    assert not breakers.of("a").is_open


def test_a_deadline(time):
    deadline = Deadline(5.0, monotonic=time)
    time.now += 4
    deadline.arrived(10**9)
    assert deadline.left() == 1
    assert deadline.covers(0.9)
    assert not deadline.covers(1.0)
    time.now += 1
    with pytest.raises(TimeoutError):
        deadline.left()


def test_f21_a_deadline_that_bytes_put_off(time):
    """A transfer must be as fast as the rate on the whole, after its head start."""
    deadline = Deadline(5.0, 100.0, time)
    for _ in range(50):
        time.now += 1
        deadline.arrived(100)
    assert deadline.left() == 5
    time.now += 4
    deadline.arrived(100)
    assert deadline.left() == 2
