"""Users, groups and rules that a server of one's own knows: docs/remote-access.rst has what it must answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from pypicloud_lite.access.backends.remote_grants import RemoteGrants, mapping, misshapen, named, names_in
from pypicloud_lite.access.backends.remote_server import RemoteServer
from pypicloud_lite.access.backends.remote_settings import RemoteSettings
from pypicloud_lite.access.facts import fingerprint
from pypicloud_lite.access.grants import GrantBook
from pypicloud_lite.access.model import BUILT_IN_GROUPS, NO_ROLE_HOLDERS, Account, Role, RoleHolders
from pypicloud_lite.access.outages import Guard, People, is_name, is_password
from pypicloud_lite.access.port import AccessContext
from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.settings.declare import Plugin

_PROBE = "pypicloud-lite-probe"


class RemoteAccess:
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over HTTP.

    What the server said of a user is used again for ``auth.remote.cache_time``, and that there is no such user for
    ten seconds. Passwords are judged by the server, which is asked about unknown users too.
    """

    knows_by_name = True

    def __init__(self, settings: RemoteSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._server = RemoteServer(settings)
        self._guard = Guard("The server of auth.backend_server", settings.timeout, monotonic=monotonic)
        self._known: People[Account] = People(float(settings.cache_time), monotonic=monotonic)
        self._grants = RemoteGrants(settings, self._server, self._guard, monotonic)

    @classmethod
    def from_settings(cls, settings: RemoteSettings, _context: AccessContext) -> Self:
        """Build it; ConfigError lists every contradiction at once."""
        return cls(settings.checked())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed and probably a mistake, a line each."""
        if not self._settings.in_clear:
            return ()
        return ("auth.backend_server is asked in clear text, passwords too: use https://",)

    def authenticate(self, username: str, password: str) -> Account | None:
        """As the port says."""
        if not is_name(username) or not is_password(password):
            return None
        return self._guard.ask(lambda: self._judged(username, password))

    def lookup(self, username: str) -> Account | None:
        """As the port says."""
        if not is_name(username):
            return None
        known = self._known.recall(username)
        if known is not None:
            return known.value
        return self._guard.ask(lambda: self._known.learn(username, lambda: self._read(username)))

    def memberships(self, _username: str) -> frozenset[str]:
        """None: its groups are for its own users, so that nobody else depends on whether it answers."""
        return frozenset()

    def role_holders(self) -> RoleHolders:
        """As the port says."""
        return NO_ROLE_HOLDERS

    def grant_book(self) -> GrantBook:
        """As the port says; the server is asked when a project is."""
        return self._grants

    def accounts(self) -> Sequence[Account]:
        """As the port says; where the list of users has no groups, a question for each group too."""
        uri = self._settings.user_data
        rows = named(self._ask(uri), uri)
        complete = all("groups" in row for row in rows.values())
        groups: Mapping[str, frozenset[str]] = {} if complete else self.groups()
        found = []
        for name, row in sorted(rows.items()):
            listed = {"admin": False, "groups": [one for one, members in groups.items() if name in members], **row}
            account = self._account(name, listed)
            if account is not None and is_name(name):
                found.append(account)
        return found

    def groups(self) -> Mapping[str, frozenset[str]]:
        """As the port says; a question for each group."""
        settings = self._settings
        names = names_in(self._ask(settings.groups), settings.groups)
        return {
            name: frozenset(names_in(self._ask(settings.group_members, group=name), settings.group_members))
            for name in names
            if name not in BUILT_IN_GROUPS
        }

    def serial(self) -> str:
        """As the port says."""
        return fingerprint("remote", self._known.changes, self._grants.serial())

    def probe(self) -> None:
        """As the port says: ask for a user who is most likely none."""
        self._guard.ask(lambda: self._read(_PROBE))

    def _ask(self, uri: str, **form: str) -> Any:
        return self._guard.ask(lambda: self._server.ask(uri, **form))

    def _judged(self, username: str, password: str) -> Account | None:
        uri, user_data = self._settings.verify, self._settings.user_data
        right = self._server.ask(uri, username=username, password=password)
        if not isinstance(right, bool):
            raise misshapen(uri)
        if not right:
            return None
        until = self._known.expiry()
        data = self._server.ask(user_data, username=username)
        if not data:
            raise AccessUnavailable(
                f"The server of auth.backend_server takes a password at {uri} for a user whom {user_data} does not "
                "know: let both say the same"
            )
        account = self._account(username, data)
        self._known.keep(username, account, until)
        return account

    def _read(self, username: str) -> Account | None:
        data = self._server.ask(self._settings.user_data, username=username)
        return self._account(username, data) if data else None

    def _account(self, username: str, data: Any) -> Account | None:
        """None where it is somebody spelled differently: that is another user here."""
        settings = self._settings
        told = mapping(data, settings.user_data)
        if not isinstance(told.get("username"), str):
            raise misshapen(settings.user_data)
        if told["username"] != username:
            return None
        is_admin = told["admin"] if "admin" in told else self._server.ask(settings.admin, username=username)
        if not isinstance(is_admin, bool):
            raise misshapen(settings.admin)
        groups = told["groups"] if "groups" in told else self._server.ask(settings.groups, username=username)
        version = told.get("version", "")
        if not isinstance(version, str | int):
            raise misshapen(settings.user_data)
        return Account(
            username,
            frozenset(names_in(groups, settings.groups)) - BUILT_IN_GROUPS,
            frozenset({Role.ADMIN}) if is_admin else frozenset(),
            fingerprint("remote", username, str(version)),
        )


backend = Plugin(RemoteSettings, RemoteAccess.from_settings)
