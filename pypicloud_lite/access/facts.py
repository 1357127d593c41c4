"""Users, groups and grants that are all known at once: what INI files, password files and tables come to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pypicloud_lite.access.grants import NO_RULES, GrantBook
from pypicloud_lite.access.model import NO_ROLE_HOLDERS, Account, RoleHolders
from pypicloud_lite.access.passwords import EMPTY_PASSWORD, PasswordHasher, identify


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A password hash, and what tells this user from another one of that name (a new number for each password)."""

    password_hash: str = field(repr=False)
    version: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that a backend knows at one moment. ``groups`` and ``holders`` may name users of other backends."""

    users: Mapping[str, KnownUser] = field(default_factory=dict, repr=False)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    holders: RoleHolders = NO_ROLE_HOLDERS
    book: GrantBook = NO_RULES

    def account(self, username: str) -> Account | None:
        """The account of a user."""
        known = self.users.get(username)
        if known is None:
            return None
        groups = self.memberships(username)
        version = fingerprint(username, known.password_hash, known.version)
        return Account(username, groups, self.holders.of(username, groups), version)

    def memberships(self, username: str) -> frozenset[str]:
        """The groups that list the name."""
        return self._memberships.get(username, _NO_GROUPS)

    @cached_property
    def serial(self) -> str:
        """A fingerprint of all of it."""
        return fingerprint(
            sorted((name, known.password_hash, known.version) for name, known in self.users.items()),
            _sorted(self.groups),
            _sorted(self.holders.users),
            _sorted(self.holders.groups),
            sorted((rule.pattern, rule.kind, rule.who, sorted(rule.rights)) for rule in self.book.rules()),
        )

    @cached_property
    def decoys(self) -> tuple[str, ...]:
        """The hashes against which the password of somebody unknown is checked."""
        hashes = (self.users[name].password_hash for name in sorted(self.users))
        return tuple(stored for stored in hashes if identify(stored) is not None)

    @cached_property
    def _memberships(self) -> Mapping[str, frozenset[str]]:
        groups: dict[str, set[str]] = {}
        for group, members in self.groups.items():
            for member in members:
                groups.setdefault(member, set()).add(group)
        return {name: frozenset(theirs) for name, theirs in groups.items()}


_NO_GROUPS: frozenset[str] = frozenset()


class FactsAccess:
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over :class:`Facts`, asked for anew at each call."""

    knows_by_name = True

    def __init__(self, current: Callable[[], Facts], hasher: PasswordHasher) -> None:
        self._current = current
        self._hasher = hasher

    def authenticate(self, username: str, password: str) -> Account | None:
        """As the port says; somebody unknown or without a password costs what one of the users here would.

        Which one follows from the name and from the hashes, which nobody outside knows: asking again, or asking
        another worker, takes the same time again, as it does for a user who exists.
        """
        facts = self._current()
        user = facts.users.get(username)
        if not password and user is not None and user.password_hash == EMPTY_PASSWORD:
            return facts.account(username)
        if user is not None and identify(user.password_hash) is not None:
            return facts.account(username) if self._hasher.verify(password, user.password_hash) else None
        if facts.decoys:
            self._hasher.verify(password, facts.decoys[_decoy_of(username, facts)])
        else:
            self._hasher.verify_dummy(password)
        return None

    def lookup(self, username: str) -> Account | None:
        """As the port says."""
        return self._current().account(username)

    def memberships(self, username: str) -> frozenset[str]:
        """As the port says."""
        return self._current().memberships(username)

    def role_holders(self) -> RoleHolders:
        """As the port says."""
        return self._current().holders

    def grant_book(self) -> GrantBook:
        """As the port says."""
        return self._current().book

    def accounts(self) -> Sequence[Account]:
        """As the port says."""
        facts = self._current()
        return [account for name in sorted(facts.users) if (account := facts.account(name)) is not None]

    def groups(self) -> Mapping[str, frozenset[str]]:
        """As the port says."""
        return self._current().groups

    def serial(self) -> str:
        """As the port says."""
        return self._current().serial

    def hashes(self) -> Mapping[str, str]:
        """The password hashes by user, for whoever moves users elsewhere."""
        return {name: known.password_hash for name, known in self._current().users.items()}

    def probe(self) -> None:
        """As the port says."""
        self._current()


def fingerprint(*facts: object) -> str:
    """A short text that is another one for other facts."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _sorted(table: Mapping[str, Iterable[str]]) -> list[tuple[str, list[str]]]:
    return sorted((str(name), sorted(members)) for name, members in table.items())


def _decoy_of(username: str, facts: Facts) -> int:
    digest = hashlib.sha256(f"{facts.serial}\0{username}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest) % len(facts.decoys)
