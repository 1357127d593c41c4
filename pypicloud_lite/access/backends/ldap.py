"""Users and groups of an LDAP directory. It has no rules: those come from another backend of the chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from pypicloud_lite.access.backends.ldap_people import LdapPeople, Person
from pypicloud_lite.access.backends.ldap_server import LdapServer, require_driver
from pypicloud_lite.access.backends.ldap_settings import LdapSettings
from pypicloud_lite.access.facts import fingerprint
from pypicloud_lite.access.grants import NO_RULES, GrantBook
from pypicloud_lite.access.model import NO_ROLE_HOLDERS, Account, RoleHolders
from pypicloud_lite.access.outages import Guard, People, is_name, is_password
from pypicloud_lite.access.port import AccessContext
from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.settings.declare import Plugin


class LdapAccess:
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over a directory.

    What it said of a user is used again for ``auth.ldap.cache_time``, and that there is no such user for ten
    seconds. A password is judged by the server, in a bind on a connection of its own; an unknown user costs none.
    """

    def __init__(self, settings: LdapSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._server = LdapServer(settings)
        self._people = LdapPeople(settings)
        self._guard = Guard("The directory of auth.ldap.url", settings.timeout, monotonic=monotonic)
        self._known: People[Account] = People(float(settings.cache_time), monotonic=monotonic)

    @classmethod
    def from_settings(cls, settings: LdapSettings, _context: AccessContext) -> Self:
        """Build it; ConfigError lists every contradiction at once, or says that python-ldap is missing."""
        require_driver()
        return cls(settings.checked())

    @property
    def knows_by_name(self) -> bool:
        """As the port says: not where entries are read by their users alone."""
        return self._settings.reads_entries

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed and probably a mistake, a line each."""
        found = [
            f"auth.ldap.url = {url} sends passwords in clear text: use ldaps://, or set auth.ldap.start_tls = true"
            for url in self._settings.in_clear
        ]
        if self._settings.ignore_cert:
            found.append(
                "auth.ldap.ignore_cert = true lets anybody on the way read passwords: set auth.ldap.ca_file instead"
            )
        return tuple(found)

    def authenticate(self, username: str, password: str) -> Account | None:
        """As the port says."""
        if not is_name(username) or not is_password(password):
            return None
        judge = self._judged_by_service if self._settings.reads_entries else self._judged_by_itself
        return self._guard.ask(lambda: judge(username, password))

    def lookup(self, username: str) -> Account | None:
        """As the port says. Without a service account, somebody who logged in within ``cache_time``."""
        if not is_name(username):
            return None
        known = self._known.recall(username)
        if known is not None:
            return known.value
        if not self._settings.reads_entries:
            return None
        return self._guard.ask(lambda: self._known.learn(username, lambda: self._found(username)))

    def memberships(self, _username: str) -> frozenset[str]:
        """As the port says: its groups list entries, not names, so they are of no other backend's users."""
        return frozenset()

    def role_holders(self) -> RoleHolders:
        """As the port says."""
        return NO_ROLE_HOLDERS

    def grant_book(self) -> GrantBook:
        """As the port says."""
        return NO_RULES

    def accounts(self) -> Sequence[Account]:
        """As the port says; two to four searches."""
        if not self._settings.reads_entries:
            return ()
        return self._guard.ask(self._everybody)

    def groups(self) -> Mapping[str, frozenset[str]]:
        """As the port says; a few searches."""
        if not self._settings.reads_entries or not self._settings.group_base_dn:
            return {}
        return self._guard.ask(self._all_groups)

    def serial(self) -> str:
        """As the port says, as far as anything was seen to change."""
        return fingerprint("ldap", self._known.changes)

    def probe(self) -> None:
        """As the port says: connect and bind as the service."""
        self._guard.ask(self._answers)

    def _found(self, username: str) -> Account | None:
        person = self._find(username)
        return None if person is None else person.account

    def _find(self, username: str) -> Person | None:
        with self._server.as_service() as connection:
            return self._people.find(connection, username)

    def _judged_by_service(self, username: str, password: str) -> Account | None:
        until = self._known.expiry()
        person = self._find(username)
        self._known.keep(username, None if person is None else person.account, until)
        if person is None:
            return None
        with self._server.as_user(person.dn, password) as connection:
            return None if connection is None else person.account

    def _judged_by_itself(self, username: str, password: str) -> Account | None:
        until = self._known.expiry()
        dn = self._people.dn_of(username)
        with self._server.as_user(dn, password) as connection:
            if connection is None:
                return None
            if connection.read(dn, ["1.1"]) is None:
                raise AccessUnavailable(
                    "The directory does not let users read their own entries: set auth.ldap.service_dn and "
                    "auth.ldap.service_password"
                )
            person = self._people.find(connection, username)
        if person is None:
            return None
        self._known.keep(username, person.account, until)
        return person.account

    def _everybody(self) -> Sequence[Account]:
        with self._server.as_service() as connection:
            return self._people.everybody(connection)

    def _all_groups(self) -> Mapping[str, frozenset[str]]:
        with self._server.as_service() as connection:
            return self._people.groups(connection)

    def _answers(self) -> None:
        with self._server.as_service():
            pass


backend = Plugin(LdapSettings, LdapAccess.from_settings)
