"""All access backends as one: who is known, by which of them, and with what of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pypicloud_lite.access.facts import fingerprint
from pypicloud_lite.access.grants import GrantBook, joined
from pypicloud_lite.access.model import NO_ROLE_HOLDERS, Account, Role, RoleHolders
from pypicloud_lite.access.policy import Rules
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.kernel.moment import one_moment
from pypicloud_lite.settings.declare import Settings


@dataclass(frozen=True, slots=True)
class InForce:
    """What the configuration says: the backends by name, in their order; roles; the rules for the whole server.

    ``settings`` is what roles and rules were made of.
    """

    backends: Mapping[str, AccessBackend]
    holders: RoleHolders = NO_ROLE_HOLDERS
    rules: Rules = field(default_factory=Rules)
    settings: Settings | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What in the configuration is probably a mistake, a line each."""
        found = [line for backend in self.backends.values() for line in getattr(backend, "warnings", ())]
        if len(self.backends) == 1:
            # With another backend a name that this one does not know may be the other's.
            for backend in self.backends.values():
                found += getattr(backend, "strangers", ())
                found += [
                    f"{_KEYS[role]} names {name!a}, who has no line user.{name}: add one, or remove the name"
                    for name, roles in sorted(self.holders.users.items())
                    for role in sorted(roles)
                    if hasattr(backend, "strangers") and backend.lookup(name) is None
                ]
        return tuple(found)


_KEYS = {Role.ADMIN: "auth.admins", Role.WRITER: "auth.writers", Role.READER: "auth.readers"}


class Directory:
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over those in force at each call.

    A user is the first backend's that knows the name, and only that one judges the password. Groups, roles and
    grants add up over all of them. An outage of one is felt by those whom no other one knows; where it
    has groups, roles or rules, by all who are no administrators without it.
    """

    def __init__(self, in_force: Callable[[], InForce]) -> None:
        self._in_force = in_force

    @property
    def knows_by_name(self) -> bool:
        """As the port says: only where all of them do."""
        return all(backend.knows_by_name for backend in self.backends().values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of what is in force now."""
        return self._in_force().warnings

    @property
    def settings(self) -> Settings | None:
        """What the roles and rules in force were made of; None where that is not known."""
        return self._in_force().settings

    def rules(self) -> Rules:
        """The rules for the whole server."""
        return self._in_force().rules

    def backends(self) -> Mapping[str, AccessBackend]:
        """The backends in force, by name."""
        return self._in_force().backends

    def authenticate(self, username: str, password: str) -> Account | None:
        """As the port says; one hash, whoever is asked."""
        in_force = self._in_force()
        found = self._owner(in_force, username)
        if found.account is not None and found.backend is not None:
            account = found.backend.authenticate(username, password)
            return None if account is None else self._completed(in_force, account, found.backend)
        outage = found.outage
        for backend in in_force.backends.values():
            if backend.knows_by_name:
                continue
            try:
                account = backend.authenticate(username, password)
            except AccessUnavailable as error:
                outage = error
            else:
                if account is not None:
                    return self._completed(in_force, account, backend)
        if outage is not None:
            raise outage
        judges = [backend for backend in in_force.backends.values() if backend.knows_by_name]
        if judges:
            # The same one each time for the same name, as it is for somebody who exists.
            judges[int(fingerprint(username), 16) % len(judges)].authenticate(username, password)
        return None

    def sources_of_roles(self, account: Account) -> list[str]:
        """Which line or backend gives an account each of its roles."""
        in_force = self._in_force()
        found = []
        for role in sorted(account.roles):
            places = [_KEYS[role]] if role in in_force.holders.of(account.username, account.groups) else []
            for name, backend in in_force.backends.items():
                own = backend.lookup(account.username)
                if role in backend.role_holders().of(account.username, account.groups) or (own and role in own.roles):
                    places.append(name)
            found.append(f"{role} by {' and '.join(places)}")
        return found

    def with_other(self, backend: AccessBackend | None, other: AccessBackend) -> Directory:
        """This directory with one backend in the place of another, as it is now."""
        now = self._in_force()
        backends = {name: other if one is backend else one for name, one in now.backends.items()}
        changed = replace(now, backends=backends)
        return Directory(lambda: changed)

    def owner_of(self, username: str) -> str | None:
        """The name of the backend that knows the user."""
        in_force = self._in_force()
        found = self._owner(in_force, username)
        if found.account is None and found.outage is not None:
            raise found.outage
        return next((name for name, backend in in_force.backends.items() if backend is found.backend), None)

    def lookup(self, username: str) -> Account | None:
        """As the port says."""
        in_force = self._in_force()
        found = self._owner(in_force, username)
        if found.account is not None and found.backend is not None:
            return self._completed(in_force, found.account, found.backend)
        if found.outage is not None:
            raise found.outage
        return None

    def memberships(self, username: str) -> frozenset[str]:
        """As the port says."""
        return frozenset[str]().union(*(one.memberships(username) for one in self.backends().values()))

    def role_holders(self) -> RoleHolders:
        """As the port says."""
        in_force = self._in_force()
        every = [in_force.holders, *(one.role_holders() for one in in_force.backends.values())]
        return _joined_holders([one for one in every if one is not NO_ROLE_HOLDERS])

    def grant_book(self) -> GrantBook:
        """As the port says."""
        return joined([one.grant_book() for one in self.backends().values()])

    def accounts(self) -> Sequence[Account]:
        """As the port says; each with the groups and roles of all."""
        in_force = self._in_force()
        found: dict[str, Account] = {}
        # A database is asked what it knows now, and not again for each of its users.
        with one_moment():
            for backend in in_force.backends.values():
                for account in backend.accounts():
                    if account.username not in found:
                        found[account.username] = self._completed(in_force, account, backend)
        return [found[name] for name in sorted(found)]

    def groups(self) -> Mapping[str, frozenset[str]]:
        """As the port says."""
        found: dict[str, frozenset[str]] = {}
        for backend in self.backends().values():
            for group, members in backend.groups().items():
                found[group] = found.get(group, frozenset()) | members
        return found

    def serial(self) -> str:
        """As the port says."""
        serials = [one.serial() for one in self.backends().values()]
        return serials[0] if len(serials) == 1 else fingerprint(serials)

    def probe(self) -> None:
        """As the port says; of every backend."""
        for backend in self.backends().values():
            backend.probe()

    def _owner(self, in_force: InForce, username: str) -> _Owner:
        outage = None
        for backend in in_force.backends.values():
            try:
                account = backend.lookup(username)
            except AccessUnavailable as error:
                outage = outage or error
            else:
                if account is not None:
                    return _Owner(account, backend)
        return _Owner(outage=outage)

    def _completed(self, in_force: InForce, account: Account, owner: AccessBackend) -> Account:
        groups, outage = account.groups, None
        for backend in in_force.backends.values():
            if backend is not owner:
                try:
                    groups |= backend.memberships(account.username)
                except AccessUnavailable as error:
                    outage = outage or error
        roles = account.roles | in_force.holders.of(account.username, groups)
        for backend in in_force.backends.values():
            try:
                roles |= backend.role_holders().of(account.username, groups)
            except AccessUnavailable as error:
                outage = outage or error
        # What cannot be had now could only add to what an administrator may.
        if outage is not None and Role.ADMIN not in roles:
            raise outage
        return replace(account, groups=groups, roles=roles)


@dataclass(frozen=True, slots=True)
class _Owner:
    account: Account | None = None
    backend: AccessBackend | None = None
    outage: AccessUnavailable | None = None


def _joined_holders(every: Sequence[RoleHolders]) -> RoleHolders:
    if len(every) == 1:
        return every[0]
    users = {name: roles for one in every for name, roles in one.users.items()}
    groups = {name: roles for one in every for name, roles in one.groups.items()}
    for one in every:
        for name, roles in one.users.items():
            users[name] |= roles
        for name, roles in one.groups.items():
            groups[name] |= roles
    return RoleHolders(users, groups)
