"""pypicloud's documents of users, groups and rules: read in both forms, written in one, refused by place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypicloud_lite.access.acl_document import AclDocument, AclUser, dump, parse
from pypicloud_lite.access.model import Right
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.testing.access import HASHES

R, W = frozenset({Right.READ}), frozenset({Right.WRITE})
ALICE, CAROL = HASHES["alice"], HASHES["carol"]

DUMP: dict[str, Any] = {
    "version": "1.3.12",
    "allow_register": True,
    "groups": {"devs": ["alice", "bob"], "empty": []},
    "users": [
        {"username": "alice", "admin": True, "password": ALICE},
        {"username": "bob", "admin": False, "password": None},
    ],
    "pending_users": [{"username": "carol", "password": CAROL}],
    "packages": {
        "users": {"Foo_Bar": {"alice": ["read", "write"], "bob": []}, "team-*": {"bob": ["owner"]}},
        "groups": {"foo.bar": {"everyone": ["read"]}},
    },
}
SECRET: dict[str, Any] = {
    "users": {"alice": ALICE, "bob": None},
    "pending_users": {"carol": CAROL},
    "groups": {"devs": ["alice", "bob"], "empty": []},
    "admins": ["alice", "gone"],
    "packages": {
        "Foo_Bar": {"users": {"alice": ["read", "write"], "bob": []}, "groups": {}},
        "foo.bar": {"groups": {"everyone": ["read"]}},
        "team-*": {"users": {"bob": ["owner"]}},
    },
    "allow_registration": True,
    "version": "1.3.12",
}
READ = AclDocument(
    users=(AclUser("alice", ALICE, is_admin=True), AclUser("bob")),
    pending=(AclUser("carol", CAROL),),
    groups={"devs": frozenset({"alice", "bob"}), "empty": frozenset()},
    user_rights={
        ("foo-bar", "alice"): R | W,
        ("foo-bar", "bob"): frozenset(),
        ("team-*", "bob"): frozenset({Right.OWNER}),
    },
    group_rights={("foo-bar", "everyone"): R},
    allow_register=True,
    version="1.3.12",
)


@pytest.mark.parametrize("written", [DUMP, SECRET], ids=["dump", "secret"])
def test_both_forms_say_the_same(written: dict[str, Any]) -> None:
    assert parse(json.dumps(written)) == READ


def test_a_dump_of_what_was_read_is_the_dump_with_normalised_names() -> None:
    packages = {
        "users": {"foo-bar": {"alice": ["read", "write"], "bob": []}, "team-*": {"bob": ["owner"]}},
        "groups": {"foo-bar": {"everyone": ["read"]}},
    }
    assert dump(READ) == {**DUMP, "packages": packages}


@pytest.mark.parametrize("text", ["{}", '{"users": []}', '{"users": {}}', '{"packages": {}}', '{"admins": []}'])
def test_what_is_left_out_is_empty(text: str) -> None:
    assert parse(text) == AclDocument(version="")


def test_of_several_spellings_the_rights_add_up() -> None:
    written = {"packages": {"users": {"Foo.Bar": {"ann": ["read"]}, "foo__bar": {"ann": ["write"]}}}}
    assert dict(parse(json.dumps(written)).user_rights) == {("foo-bar", "ann"): R | W}


def test_the_secret_is_told_by_what_only_it_has() -> None:
    assert parse(json.dumps({"pending_users": {"carol": CAROL}})).pending == (AclUser("carol", CAROL),)
    assert parse(json.dumps({"allow_registration": True})).allow_register


CANARY = "zzyzx-canary"
BAD = [
    ([], "the document: it must be an object"),
    ({"users": 3}, "users: it must be a list"),
    ({"users": [3]}, r"users\[0\]: it must be an object"),
    ({"users": [{"password": CANARY}]}, r"users\[0\]\.username: it is missing"),
    ({"users": [{"username": ""}]}, r"users\[0\]\.username: a name must be a text that is not empty"),
    ({"users": [{"username": 7}]}, r"users\[0\]\.username: a name must be a text"),
    ({"users": [{"username": "a"}, {"username": "a"}]}, r"users\[1\]\.username: an earlier user has the same name"),
    ({"users": [{"username": "a", "password": [CANARY]}]}, r"users\[0\]\.password: it must be a text"),
    ({"users": [{"username": "a", "admin": "yes"}]}, r"users\[0\]\.admin: it must be true or false"),
    ({"users": {"a": 3}}, r"users\.a: it must be a text"),
    ({"users": {"": CANARY}}, "users: a name must be a text that is not empty"),
    ({"users": {}, "admins": "alice"}, "admins: it must be a list"),
    ({"users": {}, "admins": [None]}, r"admins\[0\]: a name must be a text"),
    ({"users": {}, "pending_users": [CANARY]}, "pending_users: it must be an object"),
    ({"users": [], "pending_users": {"a": CANARY}}, "pending_users: it must be a list"),
    ({"groups": []}, "groups: it must be an object"),
    ({"groups": {"ops": "alice"}}, r"groups\.ops: it must be a list"),
    ({"groups": {"o ps": [1]}}, r"groups\.'o ps'\[0\]: a name must be"),
    ({"packages": []}, "packages: it must be an object"),
    ({"packages": {"foo": {}}}, r"packages\.foo: it must be users or groups"),
    ({"packages": {"users": {"foo": []}}}, r"packages\.users\.foo: it must be an object"),
    ({"packages": {"users": {"foo": {"a": "read"}}}}, r"packages\.users\.foo\.a: it must be a list"),
    ({"packages": {"users": {"foo": {"a": ["read", "admin"]}}}}, r"packages\.users\.foo\.a\[1\]: it must be read, write or"),
    ({"packages": {"users": {"foo": {"a": [["read"]]}}}}, r"packages\.users\.foo\.a\[0\]: it must be read, write or"),
    ({"packages": {"users": {"-foo": {"a": ["read"]}}}}, r"packages\.users\.-foo\.a: '-foo' is not a valid project name"),
    ({"packages": {"users": {"f o*": {"a": ["read"]}}}}, r"packages\.users\.'f o\*'\.a: this is no pattern"),
    ({"users": {}, "packages": {"foo": {"owners": {}}}}, r"packages\.foo\.owners: it must be users or groups"),
    ({"users": {}, "packages": {"foo": {"users": {"a": 1}}}}, r"packages\.foo\.users\.a: it must be a list"),
    ({"allow_register": "true"}, "allow_register: it must be true or false"),
    ({"users": {}, "allow_registration": 1}, "allow_registration: it must be true or false"),
    ({"version": []}, "version: it must be a text or a number"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message"), BAD)
def test_what_is_odd_is_refused_by_its_place_and_without_its_value(written: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{message}") as caught:
        parse(json.dumps(written))
    assert CANARY not in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON (line 1, column 1)"),
        (f'{{"users":\n{CANARY}', "not JSON (line 2, column 1)"),
        ("[" * 100_000, "not JSON (nesting)"),
        ('{"users": {"ann": "a", "ann": "b"}}', "has 'ann' twice in one object"),
    ],
)
def test_what_is_no_document_at_all(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    assert message in caught.value.message
    assert CANARY not in caught.value.message


_names = st.text(min_size=1, max_size=8)
_projects = st.from_regex(r"[a-z0-9]([a-z0-9]|-(?=[a-z0-9])){0,8}\*?", fullmatch=True)
_rights = st.dictionaries(st.tuples(_projects, _names), st.frozensets(st.sampled_from(Right)), max_size=4)
_hashes = st.none() | st.text(min_size=1)
_people = st.dictionaries(_names, st.tuples(_hashes, st.booleans()), max_size=4)


@settings(deadline=None)
@given(_people, _people, st.dictionaries(_names, st.frozensets(_names), max_size=3), _rights, _rights, st.booleans())
def test_what_is_dumped_is_read_again(
    users: dict[str, Any], pending: dict[str, Any], groups: Any, by_user: Any, by_group: Any, allow: bool
) -> None:
    document = AclDocument(
        users=tuple(AclUser(name, *users[name]) for name in sorted(users)),
        pending=tuple(AclUser(name, pending[name][0]) for name in sorted(pending)),
        groups=groups,
        user_rights=by_user,
        group_rights=by_group,
        allow_register=allow,
    )
    assert parse(json.dumps(dump(document))) == document


_leaf = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
_branch = st.lists(_leaf, max_size=3) | st.dictionaries(st.text(max_size=3), _leaf, max_size=3)
_json = _leaf | st.lists(_branch, max_size=3) | st.dictionaries(st.text(max_size=3), _branch, max_size=3)
_keys = st.sampled_from(["users", "groups", "packages", "pending_users", "admins", "allow_register", "version"])


@settings(deadline=None)
@given(st.dictionaries(_keys, _json, max_size=4))
def test_whatever_it_says_it_is_read_or_refused(written: Any) -> None:
    try:
        document = parse(json.dumps(written))
    except InvalidRequest:
        return
    assert parse(json.dumps(dump(document))).groups == document.groups


def test_a_repr_shows_no_hash() -> None:
    assert ALICE not in repr(READ)
