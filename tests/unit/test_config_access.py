from __future__ import annotations

import pytest

from pypicloud_lite.access.backends.config import ConfigAccess, ConfigAccessSettings, backend
from pypicloud_lite.access.backends.config_keys import read_keys
from pypicloud_lite.access.directory import Directory, InForce
from pypicloud_lite.access.model import Right
from pypicloud_lite.access.passwords import PasswordHasher
from pypicloud_lite.access.port import AccessBackend, AccessContext
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.access import HASHES, PASSWORDS

ALICE, BOB, CAROL = HASHES["alice"], HASHES["bob.smith"], HASHES["carol"]
R, W = frozenset({Right.READ}), frozenset({Right.WRITE})


CONTEXT = AccessContext(None, None, PasswordHasher())  # type: ignore[arg-type]  # it asks neither database nor clock


def config(entries: dict[str, str]) -> AccessBackend:
    return backend.build(ConfigAccessSettings.model_validate({"*": entries}), CONTEXT)


def in_force(entries: dict[str, str], admins: str = "") -> InForce:
    settings = AccessSettings.model_validate({"auth.admins": admins})
    return InForce({"config": config(entries)}, settings.holders())


def problems(entries: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config(entries)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "rights"),
    [
        ("r", R),
        ("w", W),
        ("rw", R | W),
        ("wr", R | W),
        (" rw ", R | W),
        ("read", R),
        ("write", W),
        ("read write", R | W),
        ("write\nread", R | W),
        ("r w", R | W),
        ("", frozenset()),
        ("owner", frozenset({Right.OWNER})),
        ("read owner", frozenset({Right.READ, Right.OWNER})),
    ],
)
def test_the_forms_of_a_right(text: str, rights: frozenset[Right]) -> None:
    access = config({"user.alice": ALICE, "package.tool.user.alice": text})
    grants = access.grant_book().of(ProjectName("tool"))
    assert grants.users == {"alice": rights}
    assert grants


@pytest.mark.parametrize("text", ["x", "rx", "rwx", "reads", "read,write", "R", "none"])
def test_other_rights_are_refused_by_key(text: str) -> None:
    (problem,) = problems({"package.tool.user.alice": text})
    assert "package.tool.user.alice" in problem
    assert "write r, w, rw or owner" in problem


@pytest.mark.parametrize(
    ("key", "project", "kind", "who"),
    [
        ("package.tool.user.alice", "tool", "users", "alice"),
        ("package.my.dotted.tool.user.alice", "my-dotted-tool", "users", "alice"),
        ("package.My_Tool.group.devs", "my-tool", "groups", "devs"),
        ("package.tool.user.bob.smith", "tool", "users", "bob.smith"),
        ("package.zope.interface.group.core.devs", "zope-interface", "groups", "core.devs"),
        ("package.user.user.alice", "user", "users", "alice"),
        ("package.tool.group.everyone", "tool", "groups", "everyone"),
        ("package.tool.user.bob@example.com", "tool", "users", "bob@example.com"),
    ],
)
def test_projects_users_and_groups_may_have_dots(key: str, project: str, kind: str, who: str) -> None:
    grants = config({key: "r"}).grant_book().of(ProjectName(project))
    assert getattr(grants, kind) == {who: R}


def test_a_key_that_can_be_split_twice_is_split_last_and_says_so() -> None:
    access = config({"user.alice": ALICE, "package.acme.group.tools.user.alice": "r"})
    assert access.grant_book().of(ProjectName("acme-group-tools")).users == {"alice": R}
    assert access.warnings == (  # type: ignore[attr-defined]  # its own
        "package.acme.group.tools.user.alice was read as project 'acme.group.tools' and user 'alice'",
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("package.tool", "r", "write package.PROJECT.user.NAME"),
        ("package.tool.alice", "r", "write package.PROJECT.user.NAME"),
        ("package.tool.users.alice", "r", "write package.PROJECT.user.NAME"),
        ("package..user.alice", "r", "not a valid project name"),
        ("package.-x.user.alice", "r", "not a valid project name"),
        ("package.x*/y.user.alice", "r", "no pattern of project names"),
        ("package.*-.user.alice", "r", "no pattern of project names"),
        ("package.tool.user.", "r", "has no user name"),
        ("package.tool.group.", "r", "has no group name"),
        ("group.", "alice", "has no group name"),
        ("group.everyone", "alice", "the group everyone is built in"),
        ("group.authenticated", "", "the group authenticated is built in"),
        ("user.", ALICE, "has no user name"),
        ("user.alice", "", "make one with ppc-gen-password"),
        ("user.alice", "s3cret", "make one with ppc-gen-password"),
        ("user.alice", "$6$incomplete", "make one with ppc-gen-password"),
    ],
)
def test_49_a_wrong_key_is_named_without_its_secret(key: str, value: str, said: str) -> None:
    (problem,) = problems({key: value})
    assert problem.startswith(key)
    assert said in problem
    assert "s3cret" not in problem
    assert "incomplete" not in problem


def test_all_wrong_keys_are_reported_at_once() -> None:
    assert len(problems({"user.alice": "x", "group.everyone": "", "package.tool": "r", "user.bob": BOB})) == 3


def test_two_spellings_of_a_project_are_one_and_must_agree() -> None:
    same = config({"package.my_tool.user.alice": "r", "package.My.Tool.user.alice": "read"})
    assert same.grant_book().of(ProjectName("my-tool")).users == {"alice": R}
    (problem,) = problems({"package.my_tool.user.alice": "r", "package.my-tool.user.alice": "rw"})
    assert "package.my-tool.user.alice and package.my_tool.user.alice" in problem


def test_names_that_nobody_has_are_warnings() -> None:
    said = in_force(
        {
            "user.alice": ALICE,
            "group.devs": "alice\n  ghost",
            "package.tool.user.phantom": "r",
            "package.tool.group.spooks": "r",
            "package.tool.group.devs": "r",
            "package.tool.group.authenticated": "r",
        },
        admins="alice spectre",
    )
    assert [
        next(name for name in ("ghost", "phantom", "spooks", "spectre") if name in line) for line in said.warnings
    ] == [
        "ghost",
        "phantom",
        "spooks",
        "spectre",
    ]
    access = Directory(lambda: said)
    assert access.lookup("ghost") is None
    assert access.lookup("spectre") is None
    alice = access.lookup("alice")
    assert alice is not None
    assert alice.is_admin


def test_with_another_backend_a_stranger_may_be_known() -> None:
    chained = InForce({"config": config({"group.devs": "ghost"}), "other": config({"user.ghost": ALICE})})
    assert chained.warnings == ()
    ghost = Directory(lambda: chained).lookup("ghost")
    assert ghost is not None
    assert ghost.groups == {"devs"}


def test_a_file_without_mistakes_has_no_warnings() -> None:
    assert in_force({"user.alice": ALICE, "group.devs": "alice"}, admins="alice").warnings == ()


def test_versions_change_with_the_password_and_only_then() -> None:
    def version(entries: dict[str, str]) -> str:
        account = config({"user.alice": ALICE, **entries}).lookup("alice")
        assert account is not None
        return account.version

    plain = version({})
    assert version({"user.carol": CAROL, "package.tool.user.alice": "r"}) == plain
    assert version({"group.devs": "alice"}) == plain
    assert version({"user.alice": CAROL}) != plain
    assert ALICE not in plain


def test_the_serial_changes_with_every_user_group_and_grant() -> None:
    worlds: list[dict[str, str]] = [
        {},
        {"user.alice": ALICE},
        {"user.alice": CAROL},
        {"user.alice": ALICE, "group.devs": "alice"},
        {"user.alice": ALICE, "package.tool.user.alice": "r"},
        {"user.alice": ALICE, "package.tool.user.alice": "w"},
        {"user.alice": ALICE, "package.tool.group.alice": "r"},
        {"user.alice": ALICE, "package.other.user.alice": "r"},
    ]
    assert len({config(world).serial() for world in worlds}) == len(worlds)
    assert config(worlds[4]).serial() == config(worlds[4]).serial()


@pytest.mark.parametrize("stored", ["$apr1$WoCQpnIJ$L0ZGLtJZAYjv.1lt/P.Vx/", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="])
def test_a_weak_hash_is_taken_with_a_warning(stored: str) -> None:
    access = config({"user.alice": stored})
    assert access.authenticate("alice", "correct horse") is not None
    (warning,) = access.warnings  # type: ignore[attr-defined]  # not of every backend
    assert warning.startswith("user.alice is a weak hash")
    assert stored not in warning


class CountingHasher(PasswordHasher):
    def __init__(self) -> None:
        super().__init__("sha512_crypt", 1000)
        self.verified: list[str] = []
        self.dummies = 0

    def verify(self, password: str, stored: str) -> bool:
        self.verified.append(stored)
        return super().verify(password, stored)

    def verify_dummy(self, password: str) -> None:
        self.dummies += 1
        super().verify_dummy(password)


def test_t06_an_unknown_user_costs_one_hash_that_follows_from_the_name() -> None:
    def costs(usernames: list[str]) -> list[str]:
        hasher = CountingHasher()
        access = ConfigAccess(read_keys({f"user.{name}": stored for name, stored in HASHES.items()}), hasher)
        for username in usernames:
            assert access.authenticate(username, PASSWORDS["alice"]) is None
        return hasher.verified

    unknown = [f"user{number}" for number in range(60)]
    first = costs(unknown)
    assert len(first) == len(unknown)
    assert costs(unknown) == first
    # Unknown names cost what the known ones do, in the same proportions.
    assert set(first) == set(HASHES.values())


def test_t06_a_known_user_costs_one_hash_right_or_wrong() -> None:
    hasher = CountingHasher()
    access = ConfigAccess(read_keys({"user.alice": ALICE}), hasher)
    assert access.authenticate("alice", PASSWORDS["alice"]) is not None
    assert access.authenticate("alice", "wrong") is None
    assert hasher.verified == [ALICE, ALICE]
    assert hasher.dummies == 0


def test_t06_without_any_user_an_unknown_one_costs_a_hash() -> None:
    hasher = CountingHasher()
    assert ConfigAccess(read_keys({}), hasher).authenticate("alice", "x") is None
    assert (hasher.verified, hasher.dummies) == ([], 1)


def test_an_admin_from_the_environment_is_the_same_in_every_worker() -> None:
    plain = ConfigAccessSettings.model_validate({"*": {"user.alice": ALICE}})
    first, second = (ConfigAccess.from_settings(plain.with_admin("boss", "open sesame"), CONTEXT) for _ in range(2))
    boss = first.lookup("boss")
    assert boss is not None
    assert boss == second.lookup("boss") == second.authenticate("boss", "open sesame")
    assert second.authenticate("boss", "open sesamf") is None
    assert first.serial() == second.serial()
    assert first.warnings == ()


def test_49_an_admin_defined_twice_or_without_a_usable_password_is_an_error() -> None:
    plain = ConfigAccessSettings.model_validate({"*": {"user.alice": ALICE}})
    with pytest.raises(ConfigError, match=r"PPC_ADMIN_USER and user\.alice define the same user"):
        plain.with_admin("alice", "open sesame")
    with pytest.raises(ConfigError, match="PPC_ADMIN_PASSWORD"):
        plain.with_admin("boss", "")


def test_49_settings_do_not_show_hashes() -> None:
    settings = ConfigAccessSettings.model_validate({"*": {"user.alice": ALICE}})
    assert ALICE not in repr(settings)
    assert ALICE not in repr(read_keys(settings.entries))


@pytest.mark.parametrize("group", ["everyone", "authenticated"])
def test_a_built_in_group_is_no_owner(group: str) -> None:
    """The project has its rule all the same: what the defaults give is not given instead."""
    access = config({"user.alice": ALICE, f"package.tool.group.{group}": "owner", "package.lib.group.devs": "owner"})
    (warning,) = access.warnings  # type: ignore[attr-defined]  # its own
    assert warning.startswith(f"package.tool.group.{group}: the group {group} cannot be an owner")
    assert access.grant_book().of(ProjectName("tool")).groups == {group: frozenset()}
    assert access.grant_book().of(ProjectName("lib")).groups == {"devs": frozenset({Right.OWNER})}
