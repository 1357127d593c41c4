"""Who may do what in a named index: every role in front of every list, volatile or not."""

from __future__ import annotations

import pytest

from pypicloud_lite.access.model import (
    ANONYMOUS,
    NO_GRANTS,
    Grants,
    Identity,
    IndexRules,
    Permission,
    Right,
    Role,
    Scope,
    ScopeWord,
    Target,
)
from pypicloud_lite.access.policy import Rules, Verdict, decide, judge
from pypicloud_lite.kernel.names import IndexName, ProjectName

PROJECT, INDEX = ProjectName("labpkg"), IndexName("alice", "dev")
CALLERS = {
    "anonymous": ANONYMOUS,
    "alice": Identity("alice"),
    "bob": Identity("bob"),
    "dev": Identity("carol", frozenset({"devs"})),
    "admin": Identity("boss", roles=frozenset({Role.ADMIN})),
    "writer": Identity("robot", roles=frozenset({Role.WRITER})),
}
ADMIN = set(Permission)
OWNER = {
    Permission.READ,
    Permission.FILL_CACHE,
    Permission.DELETE,
    Permission.YANK,
    Permission.ARCHIVE,
    Permission.CONFIGURE,
}
UPLOADER = {
    Permission.READ,
    Permission.FILL_CACHE,
    Permission.WRITE,
    Permission.OVERWRITE,
    Permission.DELETE,
    Permission.YANK,
    Permission.ARCHIVE,
}
READER = {Permission.READ, Permission.FILL_CACHE}


def _held(caller: str, rules: IndexRules, grants: Grants = NO_GRANTS) -> set[Permission]:
    target = Target(PROJECT, grants, INDEX, rules)
    return {one for one in Permission if decide(CALLERS[caller], one, target, Rules())}


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        ("anonymous", set()),
        ("alice", OWNER),
        ("bob", UPLOADER),
        ("dev", READER),
        ("admin", ADMIN),
        ("writer", UPLOADER - {Permission.ARCHIVE} | {Permission.TEST}),
    ],
)
@pytest.mark.parametrize("volatile", [True, False])
def test_the_lists_of_an_index_decide(caller: str, expected: set[Permission], volatile: bool) -> None:
    rules = IndexRules("alice", frozenset({":devs"}), frozenset({"bob"}), volatile=volatile)
    kept = set() if volatile else {Permission.OVERWRITE, Permission.DELETE}
    assert _held(caller, rules) == expected - kept


@pytest.mark.parametrize(
    ("who", "callers"),
    [
        (":ANONYMOUS:", set(CALLERS)),
        (":AUTHENTICATED:", set(CALLERS) - {"anonymous"}),
        (":devs", {"dev", "admin", "writer"}),
        ("devs", {"admin", "writer"}),
        ("alice", {"alice", "admin", "writer"}),
    ],
)
def test_who_a_list_means(who: str, callers: set[str]) -> None:
    rules = IndexRules("alice", frozenset(), frozenset({who}), volatile=True)
    assert {caller for caller in CALLERS if Permission.WRITE in _held(caller, rules)} == callers


def test_force_and_results_of_tests_have_lists_of_their_own() -> None:
    rules = IndexRules("alice", test=frozenset({":ANONYMOUS:"}), force=frozenset({"bob"}))
    holders = {caller: _held(caller, rules) & {Permission.FORCE, Permission.TEST} for caller in CALLERS}
    assert holders == {
        "anonymous": {Permission.TEST},
        "alice": {Permission.TEST},
        "bob": {Permission.FORCE, Permission.TEST},
        "dev": {Permission.TEST},
        "admin": {Permission.FORCE, Permission.TEST},
        "writer": {Permission.TEST},
    }


def test_without_a_list_of_readers_the_rules_of_the_project_decide() -> None:
    rules = IndexRules("alice", upload=frozenset({"alice"}))
    assert Permission.READ in _held("bob", rules)
    assert Permission.READ not in _held("anonymous", rules)
    only_dev = Grants(groups={"devs": frozenset({Right.READ})})
    assert Permission.READ not in _held("bob", rules, only_dev)
    assert Permission.READ in _held("dev", rules, only_dev)


def test_the_owner_reads_whatever_the_rules_of_the_project_say() -> None:
    """It could give itself the list at any time; who may upload could not."""
    rules, nobody = IndexRules("alice", upload=frozenset({"alice", "bob"})), Rules(default_read=frozenset({"staff"}))
    only_dev = Grants(groups={"devs": frozenset({Right.READ})})
    for grants in (NO_GRANTS, only_dev):
        target = Target(PROJECT, grants, INDEX, rules)
        for permission in READER:
            assert judge(CALLERS["alice"], permission, target, nobody) == Verdict(True, "owner of the index")
            assert not judge(CALLERS["bob"], permission, target, nobody).allowed
    refused = judge(CALLERS["bob"], Permission.READ, Target(PROJECT, NO_GRANTS, INDEX, rules), nobody)
    assert refused.reason == "the project has no rule of its own, and no group is in pypi.default_read"
    # A token is no more than its scope, and what is fetched is fetched for those who may have it fetched.
    uploads = Identity("alice", scope=Scope(frozenset({ScopeWord.UPLOAD})))
    assert not decide(uploads, Permission.READ, Target(PROJECT, NO_GRANTS, INDEX, rules), nobody)
    no_cache = Rules(default_read=frozenset({"staff"}), cache_groups=frozenset({"staff"}))
    assert not decide(CALLERS["alice"], Permission.FILL_CACHE, Target(PROJECT, NO_GRANTS, INDEX, rules), no_cache)
    # What is elsewhere is not its own.
    assert not decide(CALLERS["alice"], Permission.READ, Target(PROJECT, NO_GRANTS, INDEX), nobody)


def test_rules_of_a_project_give_nothing_in_an_index_with_lists() -> None:
    rules = IndexRules("alice", frozenset({"alice"}), frozenset({"alice"}), volatile=True)
    owner = Grants(users={"bob": frozenset({Right.OWNER})})
    assert _held("bob", rules, owner) == set()


def test_a_token_is_limited_to_its_index() -> None:
    scope = Scope(frozenset({ScopeWord.UPLOAD}), index="alice/*")
    robot = Identity("bob", scope=scope)
    rules = IndexRules("alice", upload=frozenset({"bob"}), volatile=True)
    assert decide(robot, Permission.WRITE, Target(PROJECT, index=INDEX, rules=rules), Rules())
    elsewhere = Target(PROJECT, index=IndexName("acme", "dev"), rules=rules)
    assert not decide(robot, Permission.WRITE, elsewhere, Rules())
