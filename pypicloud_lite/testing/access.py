# the name of a test says what it holds a backend to
"""What every access backend must do: subclass :class:`AccessContract` and give it the world below."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import pytest

from pypicloud_lite.access.grants import as_grants
from pypicloud_lite.access.model import AUTHENTICATED, EVERYONE, NO_GRANTS, Account, Right
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.kernel.names import ProjectName

PASSWORDS = MappingProxyType(
    {"alice": "correct horse", "bob.smith": "battery staple", "carol": "open sesame", "root": "naïve 🔑"}
)
"""The users' passwords; ``HASHES`` are theirs at a cost that suits tests."""

HASHES = MappingProxyType(
    {
        "alice": ("$argon2id$v=19$m=64,t=1,p=1$AIBQilGKMaaUcq4VYqxVyg$017pV+1dApNwZOnZ3cSy78sTx8bnlnrD/N01ndATyJU"),
        "bob.smith": (
            "$6$rounds=1000$kY8e7o5aHn3LOE2T$zsN1G3oloJw4EIN2f6KUZOREHrWcFJuG2SHRmAhb3quPhfGaJ65SX6jJkKAAeFJGeJY8v0"
            "HoQX8CG6nRUv9BM1"
        ),
        "carol": "$2b$04$a.r.G/DeDM4lT3x82VRqD.zd.CzHFLKiHmAZJNckAWTAyWMaDXoEu",
        "root": "$pbkdf2-sha256$1000$G0NIifE.R4hRas05J4SwFg$5HoQHaCQfxtnYe5u3U1wQQQkciVrIq7pb8T0ETS7K7k",
    }
)

ADMINS = frozenset({"root"})
GROUPS = MappingProxyType(
    {"devs": frozenset({"alice", "bob.smith"}), "ops": frozenset({"alice"}), "empty": frozenset[str]()}
)
USER_GRANTS = MappingProxyType(
    {
        ("secret-tool", "alice"): frozenset({Right.READ, Right.WRITE}),
        ("secret-tool", "carol"): frozenset({Right.READ}),
        ("drop-box", "bob.smith"): frozenset({Right.WRITE}),
        ("team-*", "carol"): frozenset({Right.OWNER}),
    }
)
GROUP_GRANTS = MappingProxyType(
    {
        ("secret-tool", "ops"): frozenset({Right.READ}),
        ("open-tool", EVERYONE): frozenset({Right.READ}),
        ("open-tool", AUTHENTICATED): frozenset({Right.READ, Right.WRITE}),
    }
)
"""Rights by project and user, and by project and group."""

ODD_TEXTS = (
    "",
    "x",
    "x" * 72,
    "x" * 73,
    "x" * 4096,
    "x" * 5000,
    "a\0b",
    "🎉" * 20,
    "\ud800",
    "a\nb",
    "*)(uid=*",
    "' OR 1=1 --",
)
"""Names and passwords that are wrong and must never be anything worse."""


class AccessContract:
    """Holds a backend to the docstrings of :mod:`pypicloud_lite.access.port`."""

    @pytest.fixture
    def backend(self) -> AccessBackend:
        """A backend that knows exactly the world above."""
        raise NotImplementedError

    @pytest.mark.parametrize("username", sorted(PASSWORDS))
    def test_the_right_password_gives_the_account(self, backend: AccessBackend, username: str) -> None:
        account = backend.authenticate(username, PASSWORDS[username])
        assert account is not None
        assert account.username == username
        assert account.groups == {group for group, members in GROUPS.items() if username in members}
        assert account.is_admin == (username in ADMINS)
        assert account.version

    @pytest.mark.parametrize("username", sorted(PASSWORDS))
    def test_a_wrong_password_gives_nothing(self, backend: AccessBackend, username: str) -> None:
        assert backend.authenticate(username, PASSWORDS[username] + "x") is None

    def test_an_unknown_user_gives_nothing(self, backend: AccessBackend) -> None:
        assert backend.authenticate("mallory", PASSWORDS["alice"]) is None
        assert backend.lookup("mallory") is None

    @pytest.mark.parametrize("username", ["Alice", "alice ", " alice", "ALICE", "alice\0", "bob"])
    def test_names_are_compared_exactly(self, backend: AccessBackend, username: str) -> None:
        assert backend.authenticate(username, PASSWORDS["alice"]) is None
        assert backend.lookup(username) is None

    @pytest.mark.parametrize("password", ODD_TEXTS)
    @pytest.mark.parametrize("username", [*sorted(PASSWORDS), "mallory"])
    def test_t08_odd_passwords_are_wrong_passwords(self, backend: AccessBackend, username: str, password: str) -> None:
        assert backend.authenticate(username, password) is None

    @pytest.mark.parametrize("username", ODD_TEXTS)
    def test_f28_odd_names_are_unknown(self, backend: AccessBackend, username: str) -> None:
        assert backend.authenticate(username, "x") is None
        assert backend.lookup(username) is None

    @pytest.mark.parametrize("username", sorted(PASSWORDS))
    def test_lookup_gives_what_a_login_gives(self, backend: AccessBackend, username: str) -> None:
        assert backend.lookup(username) == backend.authenticate(username, PASSWORDS[username])

    def test_each_account_has_its_own_lasting_version(self, backend: AccessBackend) -> None:
        first = [backend.lookup(username) for username in PASSWORDS]
        versions = {account.version for account in first if account is not None}
        assert len(versions) == len(PASSWORDS)
        assert [backend.lookup(username) for username in PASSWORDS] == first

    def test_grants_are_those_of_the_project(self, backend: AccessBackend) -> None:
        for project in {name for name, _ in (*USER_GRANTS, *GROUP_GRANTS) if "*" not in name}:
            grants = backend.grant_book().of(ProjectName(project))
            assert dict(grants.users) == {
                user: rights for (name, user), rights in USER_GRANTS.items() if name == project
            }
            assert dict(grants.groups) == {
                group: rights for (name, group), rights in GROUP_GRANTS.items() if name == project
            }

    def test_a_project_without_rules_has_empty_grants(self, backend: AccessBackend) -> None:
        grants = backend.grant_book().of(ProjectName("ordinary"))
        assert grants == NO_GRANTS
        assert not grants

    def test_the_rules_are_behind_the_grants(self, backend: AccessBackend) -> None:
        book = backend.grant_book()
        for name in ("secret-tool", "drop-box", "open-tool", "team-a", "team-b-tools", "team", "ordinary"):
            project = ProjectName(name)
            rules = book.rules_of(project)
            assert as_grants(rules) == book.of(project)
            assert all(rule.source for rule in rules)
        known = {(rule.pattern, rule.kind, rule.who): rule.rights for rule in book.rules()}
        expected = {
            **{(project, "user", who): rights for (project, who), rights in USER_GRANTS.items()},
            **{(project, "group", who): rights for (project, who), rights in GROUP_GRANTS.items()},
        }
        assert known == expected

    def test_a_pattern_holds_for_what_it_matches(self, backend: AccessBackend) -> None:
        book = backend.grant_book()
        for project in ("team-a", "team-b-tools"):
            grants = book.of(ProjectName(project))
            assert dict(grants.users) == {"carol": frozenset({Right.OWNER})}
            assert dict(grants.groups) == {}
        assert book.of(ProjectName("team")) == NO_GRANTS
        assert book.of(ProjectName("a-team-a")) == NO_GRANTS

    def test_lists_name_everybody(self, backend: AccessBackend) -> None:
        accounts = backend.accounts()
        assert [account.username for account in accounts] == sorted(PASSWORDS)
        assert [backend.lookup(account.username) for account in accounts] == list(accounts)
        assert {name: members for name, members in backend.groups().items() if members} == {
            name: members for name, members in GROUPS.items() if members
        }

    def test_memberships_are_those_of_the_lists(self, backend: AccessBackend) -> None:
        for username in (*PASSWORDS, "somebody else"):
            assert backend.memberships(username) == {name for name, members in GROUPS.items() if username in members}

    def test_the_serial_lasts_while_nothing_changes(self, backend: AccessBackend) -> None:
        before = backend.serial()
        backend.authenticate("alice", "wrong")
        backend.authenticate("alice", PASSWORDS["alice"])
        assert before
        assert backend.serial() == before

    def test_the_probe_is_silent_when_all_is_well(self, backend: AccessBackend) -> None:
        backend.probe()

    def test_threads_do_not_disturb_each_other(self, backend: AccessBackend) -> None:
        def login(number: int) -> Account | None:
            username = sorted(PASSWORDS)[number % len(PASSWORDS)]
            right = number % 3 != 0
            return backend.authenticate(username, PASSWORDS[username] if right else "wrong")

        with ThreadPoolExecutor(8) as pool:
            accounts = list(pool.map(login, range(48)))
        for number, account in enumerate(accounts):
            expected = None if number % 3 == 0 else sorted(PASSWORDS)[number % len(PASSWORDS)]
            assert (account.username if account else None) == expected
