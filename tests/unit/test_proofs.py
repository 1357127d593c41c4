from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.access.proofs import Proofs
from pypicloud_lite.kernel.errors import AccessUnavailable


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def proofs(time: Time) -> Proofs:
    return Proofs(monotonic=time)


def says(version: str | None) -> Callable[[], str | None]:
    return lambda: version


def test_a_proof_lasts_300_seconds(proofs: Proofs, time: Time) -> None:
    assert proofs.known("alice", "pw", "v1") is None
    assert proofs.prove("alice", "pw", "v1", says("v1"))
    time.now += 299.9
    assert proofs.known("alice", "pw", "v1") is True
    time.now += 0.1
    assert proofs.known("alice", "pw", "v1") is None


def test_a_refusal_lasts_10_seconds(proofs: Proofs, time: Time) -> None:
    assert not proofs.prove("alice", "pw", "v1", says(None))
    time.now += 9.9
    assert proofs.known("alice", "pw", "v1") is False
    time.now += 0.1
    assert proofs.known("alice", "pw", "v1") is None


@pytest.mark.parametrize(
    "other",
    [("bob", "pw", "v1"), ("alice", "pw2", "v1"), ("alice", "pw", "v2"), ("alicep", "w", "v1"), ("alice", "p", "wv1")],
)
@pytest.mark.parametrize("verdict", ["v1", None])
def test_a_proof_is_of_these_very_credentials(proofs: Proofs, other: tuple[str, str, str], verdict: str | None) -> None:
    proofs.prove("alice", "pw", "v1", says(verdict))
    assert proofs.known(*other) is None


def test_what_is_known_is_not_checked_again(proofs: Proofs) -> None:
    def forbidden() -> str:
        pytest.fail("checked again")

    proofs.prove("alice", "right", "v1", says("v1"))
    proofs.prove("alice", "wrong", "v1", says(None))
    assert proofs.prove("alice", "right", "v1", forbidden)
    assert not proofs.prove("alice", "wrong", "v1", forbidden)


def test_a_proof_belongs_to_the_version_that_was_checked(proofs: Proofs) -> None:
    assert proofs.prove("alice", "new", "v1", says("v2"))
    assert proofs.known("alice", "new", "v2") is True
    assert proofs.known("alice", "new", "v1") is None


def test_t07_50_requests_at_once_cost_one_check(proofs: Proofs) -> None:
    checks = 0
    together = threading.Barrier(50)

    def check() -> str:
        nonlocal checks
        checks += 1
        return "v1"

    def request(_: int) -> bool:
        together.wait(10)
        return proofs.prove("alice", "pw", "v1", check)

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(request, range(50)))
    assert checks == 1


@pytest.mark.parametrize("outcome", ["v1", None])
def test_t07_those_who_come_during_a_check_wait_for_it(proofs: Proofs, outcome: str | None) -> None:
    running, release = threading.Event(), threading.Event()
    checks: list[int] = []

    def check() -> str | None:
        checks.append(1)
        running.set()
        assert release.wait(10)
        return outcome

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(proofs.prove, "alice", "pw", "v1", check)
        assert running.wait(10)
        others = [pool.submit(proofs.prove, "alice", "pw", "v1", check) for _ in range(7)]
        # Another credential is not held up.
        assert proofs.prove("bob", "pw", "v1", says("v1"))
        release.set()
        assert [future.result(10) for future in (first, *others)] == [outcome is not None] * 8
    assert len(checks) == 1


def test_an_outage_reaches_all_who_wait_and_is_not_remembered(proofs: Proofs) -> None:
    running, release = threading.Event(), threading.Event()

    def fail() -> str:
        running.set()
        assert release.wait(10)
        raise AccessUnavailable("down")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(proofs.prove, "alice", "pw", "v1", fail)
        assert running.wait(10)
        second = pool.submit(proofs.prove, "alice", "pw", "v1", fail)
        release.set()
        for future in (first, second):
            with pytest.raises(AccessUnavailable):
                future.result(10)
    assert proofs.known("alice", "pw", "v1") is None
    assert proofs.prove("alice", "pw", "v1", says("v1"))


def test_t07_memory_is_bounded_and_guesses_push_no_proof_out(time: Time) -> None:
    proofs = Proofs(max_entries=10, monotonic=time)
    proofs.prove("alice", "right", "v1", says("v1"))
    for number in range(100):
        proofs.prove("alice", f"wrong{number}", "v1", says(None))
    assert proofs.known("alice", "right", "v1") is True
    assert proofs.known("alice", "wrong99", "v1") is False
    assert proofs.known("alice", "wrong89", "v1") is None
    for number in range(100):
        proofs.prove(f"user{number}", "right", "v1", says("v1"))
    assert proofs.known("alice", "right", "v1") is None
    assert len(proofs._right._expiry) == len(proofs._wrong._expiry) == 10
    assert not proofs._running


def test_what_is_over_leaves_memory_with_the_next_entry(proofs: Proofs, time: Time) -> None:
    for number in range(5):
        proofs.prove(f"user{number}", "pw", "v1", says("v1"))
    time.now += 300
    proofs.prove("alice", "pw", "v1", says("v1"))
    assert len(proofs._right._expiry) == 1


def test_49_no_password_is_kept(proofs: Proofs) -> None:
    proofs.prove("alice", "s3cret-s3cret", "v1", says("v1"))
    kept = repr(vars(proofs)) + repr(proofs._right._expiry) + repr(proofs._wrong._expiry)
    assert "s3cret" not in kept
    assert "alice" not in kept


def test_odd_text_has_proofs_like_any_other(proofs: Proofs) -> None:
    for text in ("", "\ud800", "a\0b", "🎉" * 4096):
        assert proofs.prove(text, text, "v1", says("v1"))
        assert proofs.known(text, text, "v1") is True
