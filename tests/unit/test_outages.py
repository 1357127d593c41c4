"""What keeps a backend on another machine from holding everybody up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from pypicloud_lite.access.outages import Guard, Memory, People, Unreachable, is_name, is_password
from pypicloud_lite.kernel.errors import AccessUnavailable


class Time:
    """Moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def over():
    """Set at the end, so that questions which hang come to one too."""
    event = threading.Event()
    yield event
    event.set()


def raising(error: Exception):
    def question() -> str:
        raise error

    return question


def ended() -> None:
    """Wait until no question is under way."""
    for thread in threading.enumerate():
        if thread.name == "access-question":
            thread.join(30)


def test_an_answer_is_passed_on_and_so_is_every_error(time):
    guard = Guard("It", 3, monotonic=time)
    assert guard.ask(lambda: "yes") == "yes"
    for error in (ValueError("a bug"), AccessUnavailable("refused"), KeyError("x")):
        with pytest.raises(type(error)) as caught:
            guard.ask(raising(error))
        assert caught.value is error
        assert guard.ask(lambda: "yes") == "yes"


def test_f30_after_an_outage_nobody_asks_until_the_pause_is_over(time):
    guard, asked = Guard("It", 3, pause=5, monotonic=time), []
    with pytest.raises(AccessUnavailable, match="gone"):
        guard.ask(raising(Unreachable("gone")))
    time.now += 4.9
    with pytest.raises(AccessUnavailable, match="gone"):
        guard.ask(lambda: asked.append("too early"))
    time.now += 0.2
    guard.ask(lambda: asked.append("in time"))
    guard.ask(lambda: asked.append("again"))
    assert asked == ["in time", "again"]


def test_f30_one_tries_and_the_others_do_not_wait_for_it(time, over):
    guard = Guard("It", 3, pause=5, monotonic=time)
    with pytest.raises(AccessUnavailable):
        guard.ask(raising(Unreachable("gone")))
    time.now += 6
    trying = threading.Event()

    def slow() -> str:
        trying.set()
        over.wait(30)
        return "back"

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(guard.ask, slow)
        assert trying.wait(30)
        with pytest.raises(AccessUnavailable, match="gone"):
            guard.ask(lambda: "not asked")
        over.set()
        assert first.result(30) == "back"
    assert guard.ask(lambda: "all") == "all"


def test_f30_who_tries_does_not_wait_for_long_and_finds_out_for_the_others(time, over):
    guard = Guard("It", 20, pause=5, monotonic=time)
    with pytest.raises(AccessUnavailable):
        guard.ask(raising(Unreachable("gone")))
    time.now += 6
    began = monotonic()
    with pytest.raises(AccessUnavailable, match="gone"):
        guard.ask(lambda: over.wait(30))
    assert monotonic() - began < 10
    with pytest.raises(AccessUnavailable, match="gone"):
        guard.ask(lambda: "not asked")
    over.set()
    ended()
    assert guard.ask(lambda: "yes") == "yes"


def test_f30_an_answer_that_comes_too_late_ends_no_outage(time, over):
    guard = Guard("It", 0.05, pause=5, monotonic=time)
    with pytest.raises(AccessUnavailable):
        guard.ask(lambda: over.wait(30))
    over.set()
    ended()
    with pytest.raises(AccessUnavailable, match="no answer"):
        guard.ask(lambda: "not asked")


def test_f30_no_answer_in_time_is_an_outage(time, over):
    guard = Guard("The thing", 0.05, monotonic=time)
    with pytest.raises(AccessUnavailable, match="The thing gave no answer within"):
        guard.ask(lambda: over.wait(30))
    with pytest.raises(AccessUnavailable, match="The thing gave no answer within"):
        guard.ask(lambda: "not asked")


def test_f30_a_slow_failure_is_an_outage_and_a_quick_one_is_none(time, over):
    guard = Guard("It", 0.2, monotonic=time)

    def slowly() -> None:
        over.wait(0.15)
        raise AccessUnavailable("500")

    with pytest.raises(AccessUnavailable):
        guard.ask(raising(AccessUnavailable("500")))
    with pytest.raises(AccessUnavailable):
        guard.ask(slowly)
    with pytest.raises(AccessUnavailable, match="500"):
        guard.ask(lambda: "not asked")


def test_questions_that_hang_are_bounded(time, over):
    guard = Guard("It", 0.05, pause=0, slots=2, monotonic=time)
    for _ in range(2):
        with pytest.raises(AccessUnavailable, match="no answer"):
            guard.ask(lambda: over.wait(30))
        time.now += 1
    with pytest.raises(AccessUnavailable, match="too many questions"):
        guard.ask(lambda: "not asked")
    time.now += 1
    over.set()
    # The two end now, and make room.
    assert Guard("Another", 3).ask(lambda: "yes") == "yes"
    ended()
    assert guard.ask(lambda: "yes") == "yes"


def test_a_memory_is_bounded_in_time_and_number(time):
    memory: Memory[int] = Memory(10, most=3, monotonic=time)
    for number in range(5):
        memory.learn(f"n{number}", lambda number=number: number)
    assert [memory.recall(f"n{number}") is not None for number in range(5)] == [False, False, True, True, True]
    time.now += 9.9
    assert memory.recall("n4") is not None
    assert sorted(memory.values()) == [2, 3, 4]
    time.now += 0.1
    assert memory.recall("n4") is None
    assert memory.values() == []


def test_a_memory_counts_changes_and_nothing_else(time):
    memory: Memory[str] = Memory(10, monotonic=time)
    memory.learn("a", lambda: "one")
    time.now += 20
    memory.learn("a", lambda: "one")
    assert memory.changes == 0
    memory.learn("a", lambda: "two")
    memory.forget("a")
    memory.forget("a")
    assert memory.changes == 2


def test_an_answer_counts_from_when_it_was_asked_for(time):
    memory: Memory[str] = Memory(10, monotonic=time)

    def slowly() -> str:
        time.now += 8
        memory.keep("a", "asked later", time.now + 10)
        return "asked first"

    memory.learn("a", slowly)
    known = memory.recall("a")
    assert known is not None
    assert known.value == "asked later"
    time.now += 10
    assert memory.recall("a") is None


def test_what_an_error_says_is_not_remembered(time):
    memory: Memory[str] = Memory(10, monotonic=time)
    with pytest.raises(AccessUnavailable):
        memory.learn("a", raising(AccessUnavailable("gone")))
    assert memory.recall("a") is None


def test_who_is_not_there_is_remembered_for_ten_seconds_and_pushes_nobody_out(time):
    people: People[str] = People(60, monotonic=time)
    people.learn("alice", lambda: "Alice")
    for number in range(10_001):
        people.learn(f"guess{number}", lambda: None)
    alice, guess = people.recall("alice"), people.recall("guess10000")
    assert alice is not None
    assert alice.value == "Alice"
    assert guess is not None
    assert guess.value is None
    assert people.recall("guess0") is None
    time.now += 10
    assert people.recall("guess10000") is None
    assert people.changes == 0
    people.learn("alice", lambda: None)
    assert people.changes == 1
    people.learn("alice", lambda: "Alice")
    found = people.recall("alice")
    assert found is not None
    assert found.value == "Alice"


@pytest.mark.parametrize("name", ["a", "bob.smith", "smith, j", "é🎉", "*", "x" * 256])
def test_names(name):
    assert is_name(name)


@pytest.mark.parametrize("name", ["", " a", "a ", "a\0", "a\nb", "\ud800", "x" * 257, "\u00a0a"])
def test_no_names(name):
    assert not is_name(name)


@pytest.mark.parametrize(("password", "valid"), [("", False), ("a\0b", False), ("\ud800", False), ("x" * 4097, False)])
def test_no_passwords(password, valid):
    assert is_password(password) is valid
    assert is_password("naïve 🔑 \n")
    assert is_password("x" * 4096)
    assert not is_password("é" * 2049)
