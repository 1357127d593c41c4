"""A secret that is followed: cached, asked for by one, and what holds while it cannot be had."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from pypicloud_lite.access.acl_document import AclDocument, AclUser
from pypicloud_lite.access.backends.aws_facts import FollowedSecret, as_facts
from pypicloud_lite.access.model import Role
from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.testing.access import HASHES


def document(*names: str) -> str:
    return json.dumps({"users": dict.fromkeys(names, HASHES["alice"])})


class Source:
    """Where the text comes from; ``answer`` may be an error. It waits for ``gate`` before it answers."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.answer: str | Exception = document("ann")
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> str:
        self.asked += 1
        assert self.gate.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def secret(source: Source) -> FollowedSecret:
    return FollowedSecret(source, "users", 60, monotonic=source.monotonic)


def settled(secret: FollowedSecret) -> None:
    """Wait for what is asked in the background."""
    for thread in threading.enumerate():
        if thread.name == "secret":
            thread.join(10)
    assert secret._asking is None


def names(secret: FollowedSecret) -> set[str]:
    return set(secret().users)


def test_nothing_is_asked_before_the_first_question_and_then_once(source: Source, secret: FollowedSecret) -> None:
    assert source.asked == 0
    first = secret()
    assert set(first.users) == {"ann"}
    assert all(secret() is first for _ in range(50))
    assert source.asked == 1


def test_a_change_holds_after_the_cache_time_at_the_latest(source: Source, secret: FollowedSecret) -> None:
    secret()
    source.answer = document("ben")
    source.now += 44
    assert names(secret) == {"ann"}
    assert source.asked == 1
    source.now += 16
    assert names(secret) == {"ben"}


def test_it_is_asked_for_anew_before_it_is_too_old_and_nobody_waits(source: Source, secret: FollowedSecret) -> None:
    secret()
    source.answer = document("ben")
    source.gate.clear()
    source.now += 50
    assert [names(secret) for _ in range(5)] == [{"ann"}] * 5
    assert source.asked == 2
    source.gate.set()
    settled(secret)
    assert names(secret) == {"ben"}


def test_the_same_document_again_is_the_same_facts(source: Source, secret: FollowedSecret) -> None:
    first = secret()
    source.now += 61
    assert secret() is first
    assert source.asked == 2


def test_one_asks_and_all_get_the_answer(source: Source, secret: FollowedSecret) -> None:
    source.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(names, secret) for _ in range(8)]
        source.gate.set()
        assert [one.result(10) for one in waiting] == [{"ann"}] * 8
    assert source.asked == 1


def test_f30_an_outage_is_felt_when_the_cache_is_too_old_and_is_not_asked_about_each_time(
    source: Source, secret: FollowedSecret
) -> None:
    secret()
    source.answer = AccessUnavailable("down")
    with capture_logs() as logs:
        source.now += 50
        assert names(secret) == {"ann"}
        settled(secret)
        source.now += 9
        assert names(secret) == {"ann"}
        settled(secret)
        source.now += 6
        for _ in range(5):
            with pytest.raises(AccessUnavailable, match="down"):
                secret()
    assert source.asked == 4
    assert [(one["log_level"], one["why"]) for one in logs] == [("error", "down")]
    source.answer = document("ben")
    source.now += 5
    with capture_logs() as logs:
        assert names(secret) == {"ben"}
    assert [one["log_level"] for one in logs] == ["info"]


def test_f30_who_waits_does_so_for_three_seconds_together(
    source: Source, secret: FollowedSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypicloud_lite.access.backends.aws_facts._PATIENCE", 0.05)
    source.gate.clear()
    with pytest.raises(AccessUnavailable, match="'users' was not there within"):
        secret()
    source.now += 1
    with pytest.raises(AccessUnavailable):
        secret()
    assert source.asked == 1
    source.gate.set()
    settled(secret)
    assert names(secret) == {"ann"}
    assert source.asked == 1


def test_a_document_that_was_good_and_is_none_any_more_changes_nothing(source: Source, secret: FollowedSecret) -> None:
    first = secret()
    source.answer = '{"users": 3}'
    with capture_logs() as logs:
        for _ in range(3):
            source.now += 61
            assert secret() is first
    assert source.asked == 4
    assert [one["why"] for one in logs] == ["The secret 'users' is no document of users: users: it must be a list"]
    source.answer = document("ben")
    source.now += 61
    assert names(secret) == {"ben"}


def test_a_document_that_never_was_good_is_an_outage(source: Source, secret: FollowedSecret) -> None:
    source.answer = "{"
    with pytest.raises(AccessUnavailable, match="The secret 'users' is no document of users: The document is not JSON"):
        secret()
    assert secret.warnings == ()
    source.answer = document("ann")
    source.now += 5
    assert names(secret) == {"ann"}


def test_what_nobody_expects_is_an_outage_too(source: Source, secret: FollowedSecret) -> None:
    source.answer = RuntimeError("zzyzx-canary")
    with pytest.raises(AccessUnavailable, match=r"cannot be read \(RuntimeError\)") as caught:
        secret()
    assert "canary" not in caught.value.message


def test_a_process_that_was_forked_meanwhile_asks_itself(source: Source, secret: FollowedSecret) -> None:
    secret._asking, secret._pid = Future(), -1
    assert names(secret) == {"ann"}
    assert source.asked == 1


def test_users_without_a_hash_are_left_out_with_a_warning() -> None:
    facts, warnings = as_facts(
        AclDocument(
            users=(AclUser("ann", HASHES["alice"], is_admin=True), AclUser("ben"), AclUser("eva", "zzyzx-canary")),
            pending=(AclUser("pat", HASHES["alice"]),),
            groups={"devs": frozenset({"ann", "ben"})},
        ),
        "secret 'users'",
    )
    assert set(facts.users) == {"ann"}
    assert facts.holders.users == {"ann": {Role.ADMIN}}
    assert facts.memberships("ben") == {"devs"}
    assert [warning.partition(" has ")[0] for warning in warnings] == [
        "secret 'users': user 'ben'",
        "secret 'users': user 'eva'",
    ]
    assert "canary" not in "".join(warnings)
