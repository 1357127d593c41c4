"""What entries of a directory say of users and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from pypicloud_lite.access.backends.ldap_server import Connection, Entry, comparable, in_dn, in_filter
from pypicloud_lite.access.backends.ldap_settings import PLACE, LdapSettings
from pypicloud_lite.access.facts import fingerprint
from pypicloud_lite.access.model import BUILT_IN_GROUPS, Account, Role

_log = structlog.get_logger("pypicloud_lite.access")

_IDS = ("entryUUID", "objectGUID", "nsUniqueId", "ipaUniqueID")
_PASSWORD_TIMES = ("pwdChangedTime", "pwdLastSet", "krbLastPwdChange", "sambaPwdLastSet")
_TIMES = ("modifyTimestamp", "whenChanged")
_LOCKS = ("nsAccountLock", "userAccountControl", "pwdAccountLockedTime")
_NOTHING = ("1.1",)
_NAMES = "memberuid"
_TOO_MANY = 10
_DEPTH = 10
_AT_ONCE = 50
_DISABLED_IN_AD = 2
_LOCKED_FOR_GOOD = "000001010000Z"


@dataclass(frozen=True, slots=True)
class Person:
    """A user and where its entry is."""

    dn: str
    account: Account


class LdapPeople:
    """Finds users, their groups and who is an administrator; every question goes over the connection given."""

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings
        spelled = [one.attribute for one in settings.spellings]
        self._attributes = [*spelled, *_IDS, *_PASSWORD_TIMES, *_TIMES, *_LOCKS]

    def dn_of(self, username: str) -> str:
        """Where ``auth.ldap.user_dn_format`` says that the user is."""
        return self._settings.user_dn_format.replace(PLACE, in_dn(username))

    def find(self, connection: Connection, username: str) -> Person | None:
        """The user of exactly that name, unless the directory says that the account is disabled.

        Directories compare names without case, spaces and accents; here those are other users, so the entry must
        have the name letter for letter.
        """
        if self._is_service(username):
            return self._service(connection)
        entry = self._entry(connection, username)
        if entry is None or _is_disabled(entry):
            return None
        found = self._groups_of(connection, entry.dn, username)
        is_admin = self._is_admin(connection, entry.dn, username, found)
        return Person(entry.dn, _account(entry, username, self._names(found), is_admin=is_admin))

    def everybody(self, connection: Connection) -> list[Account]:
        """Every user, by name, and what :meth:`find` says of each, without asking for each."""
        settings = self._settings
        base, matching = self._everywhere()
        entries = self._listed(connection, base, matching, self._attributes)
        spelled = [(name, entry) for entry in entries for name in self._usernames(entry)]
        often = Counter(name for name, _ in spelled)
        groups = self._all_groups(connection)
        admins = self._marked(connection, base, matching)
        admin_group = self._admin_group(connection)
        found: dict[str, Account] = {}
        for name, entry in spelled:
            twice = often[name] > 1 and not settings.ignore_multiple_results
            if twice or name in found or _is_disabled(entry) or self._is_service(name):
                continue
            around = groups.around(entry.dn, name)
            is_admin = comparable(entry.dn) in admins or admin_group.lists(entry.dn, name)
            is_admin = is_admin or (settings.nested_groups and any(admin_group.lists(one.dn, "") for one in around))
            found[name] = _account(entry, name, _called(around), is_admin=is_admin)
        if settings.service_username:
            found[settings.service_username] = self._service(connection).account
        return [found[name] for name in sorted(found)]

    def groups(self, connection: Connection) -> Mapping[str, frozenset[str]]:
        """The users in each group, and whom a group lists by name."""
        everybody = self.everybody(connection)
        members: dict[str, set[str]] = {}
        for group in self._all_groups(connection).all():
            for name in group.called:
                members.setdefault(name, set()).update(group.names)
        for account in everybody:
            for name in account.groups:
                members.setdefault(name, set()).add(account.username)
        return {name: frozenset(theirs) for name, theirs in members.items()}

    def _is_service(self, username: str) -> bool:
        return bool(username) and username == self._settings.service_username

    def _service(self, connection: Connection) -> Person:
        """Its entry need not be visible, not even to itself."""
        dn, username = self._settings.service_dn, self._settings.service_username
        entry = connection.read(dn, self._attributes) or Entry(dn, {})
        found = self._groups_of(connection, dn, username)
        return Person(dn, _account(entry, username, self._names(found), is_admin=True))

    def _entry(self, connection: Connection, username: str) -> Entry | None:
        settings = self._settings
        if settings.user_dn_format:
            entry = connection.read(self.dn_of(username), self._attributes)
            return entry if entry is not None and self._is_spelled(entry, username) else None
        matching = settings.user_search_filter.replace(PLACE, in_filter(username))
        entries = connection.search(settings.base_dn, matching, self._attributes, most=_TOO_MANY)
        exact = None if entries is None else [one for one in entries if self._is_spelled(one, username)]
        if exact is None or (len(exact) > 1 and not settings.ignore_multiple_results):
            _log.warning("several entries have one user name, so nobody can log in with it", username=username)
            return None
        return min(exact, key=lambda one: comparable(one.dn), default=None)

    def _is_spelled(self, entry: Entry, username: str) -> bool:
        return any(one.value_for(username) in entry.texts(one.attribute) for one in self._settings.spellings)

    def _usernames(self, entry: Entry) -> Iterator[str]:
        first = self._settings.spellings[0]
        for value in entry.texts(first.attribute):
            name = first.username_in(value)
            if name is not None:
                yield name

    def _everywhere(self) -> tuple[str, str]:
        settings = self._settings
        if settings.user_dn_format:
            return settings.user_dn_format.partition(",")[2].strip(), f"({settings.spellings[0].attribute}=*)"
        return settings.base_dn, settings.user_search_filter.replace(PLACE, "*")

    def _groups_of(self, connection: Connection, dn: str, username: str) -> list[Entry]:
        settings = self._settings
        if not settings.group_base_dn:
            return []
        found = self._groups_with(connection, self._members([dn], username))
        known = {comparable(group.dn): group for group in found}
        for _ in range(_DEPTH if settings.nested_groups else 0):
            outer: dict[str, Entry] = {}
            for some in _chunks([group.dn for group in found]):
                outer |= {comparable(one.dn): one for one in self._groups_with(connection, self._members(some))}
            found = [group for name, group in outer.items() if name not in known]
            if not found:
                break
            known |= outer
        return list(known.values())

    def _groups_with(self, connection: Connection, members: str) -> list[Entry]:
        settings = self._settings
        matching = f"(&{settings.group_filter}{members})"
        return self._listed(connection, settings.group_base_dn, matching, [settings.group_name])

    def _members(self, dns: Iterable[str], username: str | None = None) -> str:
        parts = [
            f"({attribute}={in_filter(dn)})"
            for attribute in self._settings.group_members
            if attribute.lower() != _NAMES
            for dn in dns
        ]
        if username is not None:
            parts += [
                f"({attribute}={in_filter(username)})"
                for attribute in self._settings.group_members
                if attribute.lower() == _NAMES
            ]
        return f"(|{''.join(parts)})"

    def _is_admin(self, connection: Connection, dn: str, username: str, groups: Sequence[Entry]) -> bool:
        settings = self._settings
        if settings.admin_field and connection.read(dn, _NOTHING, self._mark()) is not None:
            return True
        if not settings.admin_group_dn:
            return False
        if connection.read(settings.admin_group_dn, _NOTHING, self._members([dn], username)) is not None:
            return True
        return settings.nested_groups and any(
            connection.read(settings.admin_group_dn, _NOTHING, self._members(some)) is not None
            for some in _chunks([group.dn for group in groups])
        )

    def _mark(self) -> str:
        """Judged by the server, which knows how values of the attribute compare."""
        settings = self._settings
        return f"(|{''.join(f'({settings.admin_field}={in_filter(value)})' for value in settings.admin_value)})"

    def _marked(self, connection: Connection, base: str, matching: str) -> set[str]:
        if not self._settings.admin_field:
            return set()
        entries = self._listed(connection, base, f"(&{matching}{self._mark()})", _NOTHING)
        return {comparable(entry.dn) for entry in entries}

    def _admin_group(self, connection: Connection) -> _Group:
        settings = self._settings
        entry = None
        if settings.admin_group_dn:
            entry = connection.read(settings.admin_group_dn, settings.group_members)
        return self._group(entry or Entry("", {}))

    def _all_groups(self, connection: Connection) -> _Groups:
        settings = self._settings
        if not settings.group_base_dn:
            return _Groups([], nested=False)
        wanted = [settings.group_name, *settings.group_members]
        entries = self._listed(connection, settings.group_base_dn, settings.group_filter, wanted)
        return _Groups([self._group(entry) for entry in entries], nested=settings.nested_groups)

    def _group(self, entry: Entry) -> _Group:
        by_dn = [one for one in self._settings.group_members if one.lower() != _NAMES]
        by_name = [one for one in self._settings.group_members if one.lower() == _NAMES]
        return _Group(
            dn=entry.dn,
            called=self._names([entry]),
            dns=frozenset(comparable(dn) for attribute in by_dn for dn in entry.texts(attribute)),
            names=frozenset(name for attribute in by_name for name in entry.texts(attribute)),
        )

    def _names(self, groups: Iterable[Entry]) -> frozenset[str]:
        return frozenset(name for group in groups for name in group.texts(self._settings.group_name)) - BUILT_IN_GROUPS

    @staticmethod
    def _listed(connection: Connection, base: str, matching: str, attributes: Sequence[str]) -> list[Entry]:
        entries, complete = connection.list(base, matching, attributes)
        if not complete:
            _log.warning("the directory has more than one listing gives", base=base, entries=len(entries))
        return entries


@dataclass(frozen=True, slots=True)
class _Group:
    dn: str
    called: frozenset[str]
    dns: frozenset[str]
    names: frozenset[str]

    def lists(self, dn: str, username: str) -> bool:
        return username in self.names or comparable(dn) in self.dns


class _Groups:
    """All groups in memory."""

    def __init__(self, groups: Sequence[_Group], *, nested: bool) -> None:
        self._groups = groups
        self._nested = nested
        self._by_dn: dict[str, list[_Group]] = {}
        self._by_name: dict[str, list[_Group]] = {}
        for group in groups:
            for dn in group.dns:
                self._by_dn.setdefault(dn, []).append(group)
            for name in group.names:
                self._by_name.setdefault(name, []).append(group)

    def all(self) -> Sequence[_Group]:
        return self._groups

    def around(self, dn: str, username: str) -> list[_Group]:
        """The groups of somebody, and the groups of those."""
        found = [*self._by_dn.get(comparable(dn), ()), *self._by_name.get(username, ())]
        known = {group.dn: group for group in found}
        for _ in range(_DEPTH if self._nested else 0):
            outer = {one.dn: one for group in found for one in self._by_dn.get(comparable(group.dn), ())}
            found = [group for dn, group in outer.items() if dn not in known]
            known |= outer
        return list(known.values())


def _called(groups: Iterable[_Group]) -> frozenset[str]:
    return frozenset[str]().union(*(group.called for group in groups))


def _account(entry: Entry, username: str, groups: frozenset[str], *, is_admin: bool) -> Account:
    return Account(username, groups, frozenset({Role.ADMIN}) if is_admin else frozenset(), _version(entry, username))


def _version(entry: Entry, username: str) -> str:
    """Another one for another entry of that name, and after a change of its password.

    Where the directory does not show when that was, after any change of the entry; where it shows nothing, never.
    """
    identity = _first(entry, _IDS) or entry.dn
    changed = _first(entry, _PASSWORD_TIMES) or _first(entry, _TIMES) or ""
    return fingerprint(username, identity, changed)


def _first(entry: Entry, attributes: Iterable[str]) -> str | None:
    for attribute in attributes:
        for value in entry.values.get(attribute.lower(), ()):
            return f"{attribute} {value.hex()}"
    return None


def _is_disabled(entry: Entry) -> bool:
    """As 389 and FreeIPA, Active Directory, and OpenLDAP's password policy say it."""
    flags = next(iter(entry.texts("userAccountControl")), "0")
    return (
        any(text.lower() == "true" for text in entry.texts("nsAccountLock"))
        or (flags.isdecimal() and bool(int(flags) & _DISABLED_IN_AD))
        or _LOCKED_FOR_GOOD in entry.texts("pwdAccountLockedTime")
    )


def _chunks(dns: Sequence[str]) -> Iterator[Sequence[str]]:
    return (dns[start : start + _AT_ONCE] for start in range(0, len(dns), _AT_ONCE))
