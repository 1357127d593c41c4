"""Every role against every permission and every kind of grant (pypicloud's #284 made this a matrix)."""

from __future__ import annotations

import time
from itertools import product

import pytest

from pypicloud_lite.access.grants import GrantTable, Rule
from pypicloud_lite.access.model import (
    ANONYMOUS,
    AUTHENTICATED,
    EVERYONE,
    Grants,
    Identity,
    Permission,
    Right,
    Role,
    Target,
)
from pypicloud_lite.access.policy import Rules, decide, principals
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.kernel.names import ProjectName

PROJECT = ProjectName("tool")
NOTHING: frozenset[Right] = frozenset()
R = frozenset({Right.READ})
W = frozenset({Right.WRITE})
RW = R | W
O = frozenset({Right.OWNER})  # noqa: E741  as r and w

ROLES = {
    "anonymous": ANONYMOUS,
    "user": Identity("zoe"),
    "alice": Identity("alice"),
    "dev": Identity("dan", frozenset({"devs"})),
    "reading role": Identity("rita", roles=frozenset({Role.READER})),
    "writing role": Identity("will", roles=frozenset({Role.WRITER})),
    "admin": Identity("root", roles=frozenset({Role.ADMIN})),
}
GRANTS = {
    "none": Grants(),
    "alice:": Grants(users={"alice": NOTHING}),
    "alice:r": Grants(users={"alice": R}),
    "alice:w": Grants(users={"alice": W}),
    "alice:rw": Grants(users={"alice": RW}),
    "devs:r": Grants(groups={"devs": R}),
    "devs:w": Grants(groups={"devs": W}),
    "everyone:r": Grants(groups={EVERYONE: R}),
    "everyone:rw": Grants(groups={EVERYONE: RW}),
    "authenticated:r": Grants(groups={AUTHENTICATED: R}),
    "authenticated:r alice:w": Grants(users={"alice": W}, groups={AUTHENTICATED: R}),
    "alice:o": Grants(users={"alice": O}),
    "devs:o": Grants(groups={"devs": O}),
    "everyone:o": Grants(groups={EVERYONE: O}),
    "authenticated:ro": Grants(groups={AUTHENTICATED: R | O}),
}
# Grants -> caller -> the permissions held under the default rules. Nobody but an admin may overwrite by default.
LETTERS = {
    Permission.READ: "r",
    Permission.WRITE: "w",
    Permission.OVERWRITE: "o",
    Permission.DELETE: "d",
    Permission.YANK: "y",
    Permission.FILL_CACHE: "f",
    Permission.ARCHIVE: "s",
    Permission.GRANT: "g",
    Permission.ADMINISTER: "a",
    # In the default index these go with others.
    Permission.TEST: "w",
    Permission.FORCE: "a",
    Permission.CONFIGURE: "a",
}
OWNED = "rfwdysg"
TABLE = {
    "none": {"anonymous": "", "user": "rf", "alice": "rf", "dev": "rf"},
    "alice:": {"anonymous": "", "user": "", "alice": "", "dev": ""},
    "alice:r": {"anonymous": "", "user": "", "alice": "rf", "dev": ""},
    "alice:w": {"anonymous": "", "user": "", "alice": "wdy", "dev": ""},
    "alice:rw": {"anonymous": "", "user": "", "alice": "rfwdy", "dev": ""},
    "devs:r": {"anonymous": "", "user": "", "alice": "", "dev": "rf"},
    "devs:w": {"anonymous": "", "user": "", "alice": "", "dev": "wdy"},
    "everyone:r": {"anonymous": "r", "user": "rf", "alice": "rf", "dev": "rf"},
    "everyone:rw": {"anonymous": "rw", "user": "rfwdy", "alice": "rfwdy", "dev": "rfwdy"},
    "authenticated:r": {"anonymous": "", "user": "rf", "alice": "rf", "dev": "rf"},
    "authenticated:r alice:w": {"anonymous": "", "user": "rf", "alice": "rfwdy", "dev": "rf"},
    "alice:o": {"anonymous": "", "user": "", "alice": OWNED, "dev": ""},
    "devs:o": {"anonymous": "", "user": "", "alice": "", "dev": OWNED},
    "everyone:o": {"anonymous": "", "user": "", "alice": "", "dev": ""},
    "authenticated:ro": {"anonymous": "", "user": "rf", "alice": "rf", "dev": "rf"},
}
ALWAYS = {"admin": "rwodyfsga", "reading role": "rf", "writing role": "rfwdy"}


@pytest.mark.parametrize(("grants", "role", "permission"), list(product(GRANTS, ROLES, Permission)))
def test_the_default_rules(grants: str, role: str, permission: Permission) -> None:
    held = ALWAYS.get(role, "") + TABLE[grants].get(role, TABLE[grants]["user"])
    expected = LETTERS[permission] in held
    assert decide(ROLES[role], permission, Target(PROJECT, GRANTS[grants]), Rules()) is expected


@pytest.mark.parametrize(
    ("group", "holders"),
    [
        (EVERYONE, {"anonymous", "user", "alice", "dev", "reading role", "writing role", "admin"}),
        (AUTHENTICATED, {"user", "alice", "dev", "reading role", "writing role", "admin"}),
        ("devs", {"dev", "admin"}),
        ("admin", {"admin"}),
        ("alice", {"admin"}),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_name_groups(group: str, holders: set[str], role: str) -> None:
    rules = Rules(default_read=frozenset({group}), default_write=frozenset({group}))
    for permission in (Permission.READ, Permission.WRITE):
        expected = role in holders or LETTERS[permission] in ALWAYS.get(role, "")
        assert decide(ROLES[role], permission, Target(PROJECT), rules) is expected


@pytest.mark.parametrize(
    ("permission", "field"),
    [
        (Permission.OVERWRITE, "overwrite_groups"),
        (Permission.DELETE, "delete_groups"),
        (Permission.YANK, "delete_groups"),
    ],
)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("may_write", [True, False])
@pytest.mark.parametrize("group", [EVERYONE, AUTHENTICATED, "devs", "nobody"])
def test_overwrite_delete_and_yank_are_write_and_membership(
    permission: Permission, field: str, role: str, may_write: bool, group: str
) -> None:
    identity = ROLES[role]
    rules = Rules(default_write=frozenset({EVERYONE}) if may_write else frozenset())
    rules = Rules(
        **{
            "default_read": rules.default_read,
            "default_write": rules.default_write,
            "overwrite_groups": frozenset(),
            "delete_groups": frozenset(),
            field: frozenset({group}),
        }
    )
    may_write |= role == "writing role"
    expected = identity.is_admin or (may_write and group in principals(identity))
    assert decide(identity, permission, Target(PROJECT), rules) is expected


def test_any_grant_drops_the_defaults_for_others() -> None:
    rules = Rules(default_read=frozenset({EVERYONE}), default_write=frozenset({AUTHENTICATED}))
    target = Target(PROJECT, GRANTS["alice:r"])
    assert not decide(ANONYMOUS, Permission.READ, target, rules)
    assert not decide(ROLES["alice"], Permission.WRITE, target, rules)


def test_a_user_named_like_a_group_does_not_get_the_groups_rights() -> None:
    target = Target(PROJECT, GRANTS["devs:w"])
    assert not decide(Identity("devs"), Permission.WRITE, target, Rules())
    assert not decide(Identity("x", frozenset({"alice"})), Permission.READ, Target(PROJECT, GRANTS["alice:r"]), Rules())


def test_t07_a_pattern_costs_little_whatever_it_is() -> None:
    table = GrantTable([Rule("*a" * 20 + "*b", "user", "ann", frozenset({Right.READ}))])
    began = time.process_time()
    assert not table.of(ProjectName("a" * 128))
    assert table.of(ProjectName("a" * 127 + "b"))
    assert time.process_time() - began < 1


def test_principals() -> None:
    assert principals(ANONYMOUS) == {EVERYONE}
    assert principals(ROLES["dev"]) == {EVERYONE, AUTHENTICATED, "devs"}


def settings(**keys: str) -> AccessSettings:
    return AccessSettings.model_validate({key.replace("__", "."): value for key, value in keys.items()})


def test_settings_default_to_the_policys_defaults() -> None:
    assert settings().rules() == Rules()
    assert settings().realm == "pypi"
    assert (settings().scheme, settings().rounds) == ("argon2", None)


def test_settings_name_groups() -> None:
    rules = settings(
        pypi__default_read="everyone", pypi__default_write="devs\nops", pypi__allow_overwrite_groups="ci"
    ).rules()
    assert rules == Rules(
        frozenset({EVERYONE}), frozenset({"devs", "ops"}), frozenset({"ci"}), frozenset({AUTHENTICATED})
    )


@pytest.mark.parametrize(("text", "groups"), [("false", set()), ("true", {EVERYONE}), ("no", set())])
def test_the_deprecated_booleans_mean_what_they_say(text: str, groups: set[str]) -> None:
    rules = settings(pypi__allow_overwrite=text, pypi__allow_delete=text).rules()
    assert rules.overwrite_groups == groups
    assert rules.delete_groups == groups


@pytest.mark.parametrize("name", ["allow_overwrite", "allow_delete"])
def test_a_boolean_that_contradicts_the_groups_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"pypi.{name} contradicts pypi.{name}_groups"):
        settings(**{f"pypi__{name}": "false", f"pypi__{name}_groups": "devs"})
    assert settings(**{f"pypi__{name}": "false", f"pypi__{name}_groups": ""}).rules()


@pytest.mark.parametrize(
    ("scheme", "canonical"), [("sha", "sha512_crypt"), ("pbkdf2", "pbkdf2_sha512"), ("bcrypt", "bcrypt")]
)
def test_schemes_have_aliases(scheme: str, canonical: str) -> None:
    assert settings(auth__scheme=scheme).scheme == canonical


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"auth__scheme": "md5"}, "use one of argon2, bcrypt"),
        ({"auth__scheme": "bcrypt", "auth__rounds": "31"}, "bcrypt takes 4 to 16 rounds, not 31"),
        ({"auth__rounds": "many"}, "auth.rounds"),
        ({"pypi__realm": 'py"pi'}, "pypi.realm"),
        ({"pypi__realm": "a\r\nSet-Cookie: b"}, "pypi.realm"),
    ],
)
def test_wrong_settings_are_refused(keys: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**keys)
