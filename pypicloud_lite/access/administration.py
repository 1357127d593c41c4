"""What administrators and people themselves change about users, groups, rules and roles.

Only what is in the database can be changed: everything here raises :class:`Conflict` where ``pypi.auth`` does not name
``sql``, or where another backend knows the user. Who may ask is decided by whoever calls.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from pypicloud_lite.access.backends.sql import SqlAccess
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.facts import FactsAccess
from pypicloud_lite.access.grants import Kind
from pypicloud_lite.access.model import BUILT_IN_GROUPS, Right, Role, may_own, required_pattern
from pypicloud_lite.access.names import new_group_name, new_username
from pypicloud_lite.access.passwords import EMPTY_PASSWORD, PasswordHasher
from pypicloud_lite.access.profiles import Profile
from pypicloud_lite.access.sql_writer import NO_PASSWORD, AccessWriter, writing
from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import AccessUnavailable, Conflict, NotFound, PermissionDenied
from pypicloud_lite.kernel.names import shown

_MOST_PENDING = 1000
"""People who may wait for approval at once: anybody may ask."""


ChangeProfile = Callable[[Profile], Profile]


class Belongings(Protocol):
    """What users own that access does not keep: their named indexes."""

    def is_kept(self, username: str) -> bool:
        """Whether something stands under the name, so that no stranger may take it."""

    def require_free(self, username: str) -> None:
        """Raise :class:`Conflict` where somebody of that name who is gone has left something."""

    def require_removable(self, username: str) -> None:
        """Raise PermissionDenied where the user owns what is not to be removed."""

    def remove(self, username: str, author: Author) -> None:
        """Remove all that the user, who is gone, has owned."""


class Administration:
    """The changes, one transaction each, and what only the database can answer."""

    def __init__(
        self, database: Database, clock: Clock, directory: Directory, hasher: PasswordHasher, belongings: Belongings
    ) -> None:
        self._database = database
        self._clock = clock
        self._directory = directory
        self._hasher = hasher
        self._belongings = belongings

    @property
    def is_possible(self) -> bool:
        """Whether there are users in the database at all."""
        return self._store() is not None

    def require_possible(self) -> None:
        """:class:`Conflict` where there are none, before anything is hashed."""
        if not self.is_possible:
            raise self._impossible()

    def pending(self) -> Sequence[str]:
        """Who asked for an account and waits, in the order of asking."""
        store = self._store()
        return [] if store is None else store.pending()

    def allows_register(self) -> bool:
        """Whether people may ask for accounts."""
        store = self._store()
        return store is not None and store.allows_register()

    def add_user(
        self,
        username: str,
        password: str | None,
        author: Author,
        *,
        is_admin: bool = False,
    ) -> str:
        """Add a user; without a password it logs in by tokens only. Costs one hash. Returns the name as it is kept."""
        username = self._new_user(username)
        stored = NO_PASSWORD if password is None else self._hasher.hash(password)
        with self._writing(author) as writer:
            writer.add_user(username, stored)
            if is_admin:
                writer.set_role(Role.ADMIN, "user", username, held=True)
        return username

    def add_user_with_profile(
        self, username: str, password: str, profile: ChangeProfile, author: Author, *, by_stranger: bool
    ) -> str:
        """As :meth:`add_user`, with what the user says of itself. Only no stranger may give an empty password.

        ``by_stranger``: whoever asks gets the account at once, but for a name that is kept for somebody.
        """
        username = self._new_user(username)
        if by_stranger and self._has_rights(username):
            raise _kept(username)
        stored = self._hashed(password, may_be_empty=not by_stranger)
        with self._writing(author) as writer:
            writer.add_user(username, stored)
            writer.change_profile(username, profile)
        return username

    def add_first_admin(self, username: str, password: str, author: Author) -> None:
        """Add an administrator whose password may be empty; :class:`Conflict` where there is a user of that name."""
        username = self._new_user(username)
        stored = self._hashed(password, may_be_empty=True)
        with self._writing(author) as writer:
            writer.add_user(username, stored)
            writer.set_role(Role.ADMIN, "user", username, held=True)

    def change_user(
        self,
        username: str,
        profile: ChangeProfile,
        password: str | None,
        author: Author,
        *,
        may_be_empty: bool = False,
    ) -> None:
        """Change what a user of any backend says of itself and, unless it is None, the password, as below."""
        if password is None:
            with writing(self._database, self._clock, author) as writer:
                writer.change_profile(username, profile)
            return
        self._require_ours(username)
        stored = self._hashed(password, may_be_empty=may_be_empty)
        with self._writing(author) as writer:
            writer.set_password(username, stored)
            writer.change_profile(username, profile)

    def request_account(self, username: str, password: str, author: Author) -> str:
        """Add a user who waits for approval; PermissionDenied where registration is off. Costs one hash.

        A name that has rights already, as of somebody who is to come, is not given to whoever asks.
        """
        if not self.allows_register():
            raise PermissionDenied("Registration is off here: ask an administrator for an account")
        username = self._new_user(username)
        if self._has_rights(username):
            raise _kept(username)
        stored = self._hasher.hash(password)
        with self._writing(Author(username, author.address)) as writer:
            if not writer.allows_register:
                raise PermissionDenied("Registration is off here: ask an administrator for an account")
            if writer.count_pending() >= _MOST_PENDING:
                raise Conflict("Too many people wait for an account: ask an administrator to look at the list")
            writer.add_user(username, stored, is_pending=True)
        return username

    def use_signup(self, token: str, username: str, expires: datetime, password: str, author: Author) -> None:
        """Add the user that a registration token is for; :class:`Conflict` when it was used before. Costs one hash."""
        username = self._new_user(username)
        stored = self._hasher.hash(password)
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self._writing(Author(username, author.address, "registration token")) as writer:
            writer.use_signup(digest, expires)
            writer.add_user(username, stored)

    def approve(self, username: str, author: Author) -> None:
        """Let a pending user in; :class:`Conflict` where another backend has come to know the name."""
        self._require_ours(username)
        with self._writing(author) as writer:
            writer.approve_user(username)

    def set_password(self, username: str, password: str | None, author: Author) -> None:
        """Give a user another password, or none; its sessions end, and its tokens but the one that does it.

        Costs one hash.
        """
        self._require_ours(username)
        stored = NO_PASSWORD if password is None else self._hasher.hash(password)
        with self._writing(author) as writer:
            writer.set_password(username, stored)

    def remove_user(self, username: str, author: Author) -> None:
        """Remove a user, pending or not, and all that is tied to the name, volatile indexes too.

        Never the last administrator, nor the owner of an index that is not volatile (PermissionDenied). Of a pending
        user whose name another backend knows only the request goes.
        """
        try:
            self._require_ours(username)
        except Conflict:
            with self._writing(author) as writer:
                if not writer.reject_user(username):
                    raise
            return
        self._belongings.require_removable(username)
        with self._writing(author) as writer, self._keeping_an_admin(writer):
            writer.remove_user(username)
        self._belongings.remove(username, author)

    def add_group(self, name: str, author: Author) -> str:
        """Add a group; the name as it is kept."""
        name = new_group_name(name)
        with self._writing(author) as writer:
            writer.add_group(name)
        return name

    def remove_group(self, name: str, author: Author) -> None:
        """Remove a group with its memberships, rules and roles."""
        with self._writing(author) as writer, self._keeping_an_admin(writer):
            writer.remove_group(name)

    def set_member(self, group: str, username: str, author: Author, *, member: bool) -> None:
        """Put a user of any backend into a group of the database, or take it out."""
        with self._writing(author) as writer, self._keeping_an_admin(writer):
            if member:
                self._require_known("user", username)
            writer.set_member(group, username, member=member)

    def set_role(self, role: Role, kind: Kind, who: str, author: Author, *, held: bool) -> None:
        """Give a role to a user or group of any backend, or take it away; never from the last administrator."""
        with self._writing(author) as writer, self._keeping_an_admin(writer):
            if held:
                self._require_known(kind, who)
            writer.set_role(role, kind, who, held=held)

    def set_right(self, project: str, kind: Kind, who: str, right: Right, author: Author, *, given: bool) -> None:
        """Grant one right on a project or pattern to a user or group of any backend, or revoke it.

        :class:`Conflict` where everybody would be an owner.
        """
        pattern = required_pattern(project)
        if given and right is Right.OWNER and not may_own(kind, who):
            raise Conflict(f"The group {who} cannot be the owner of {pattern}: name a user or a group of your own")
        with self._writing(author) as writer:
            if given:
                self._require_known(kind, who)
            writer.set_right(pattern, kind, who, right, given=given)

    def set_register(self, author: Author, *, allowed: bool) -> None:
        """Let people ask for accounts, or not."""
        with self._writing(author) as writer:
            writer.set_register(allowed=allowed)

    def pending_hashes(self) -> Mapping[str, str]:
        """The password hashes of those who wait, for whoever moves users elsewhere."""
        store = self._store()
        return {} if store is None else store.pending_hashes()

    @contextmanager
    def importing(self, author: Author) -> Iterator[tuple[AccessWriter, Mapping[str, str]]]:
        """A transaction to add many in, and the users whom other backends know, by the backend's name."""
        elsewhere = {
            account.username: name
            for name, backend in self._directory.backends().items()
            if not isinstance(backend, SqlAccess)
            for account in backend.accounts()
        }
        with self._writing(author) as writer:
            yield writer, elsewhere

    def _store(self) -> SqlAccess | None:
        return next((one for one in self._directory.backends().values() if isinstance(one, SqlAccess)), None)

    @contextmanager
    def _writing(self, author: Author) -> Iterator[AccessWriter]:
        store = self._store()
        if store is None:
            raise self._impossible()
        with writing(self._database, self._clock, author) as writer:
            # What is asked of the database from here on is what holds until this commits.
            store.changed()
            yield writer
        store.changed()

    def _impossible(self) -> Conflict:
        names = " ".join(self._directory.backends())
        return Conflict(
            f"Users and rules are kept where this server cannot change them (pypi.auth = {names}): change them there, "
            f"or add sql to pypi.auth"
        )

    def _has_rights(self, username: str) -> bool:
        named = {rule.who for rule in self._directory.grant_book().rules() if rule.kind == "user"}
        holders = self._directory.role_holders().users
        if username in named or username in holders or self._directory.memberships(username):
            return True
        return self._belongings.is_kept(username)

    def _hashed(self, password: str, *, may_be_empty: bool) -> str:
        return EMPTY_PASSWORD if may_be_empty and not password else self._hasher.hash(password)

    def _new_user(self, username: str) -> str:
        username = new_username(username)
        owner = self._directory.owner_of(username)
        if owner is not None:
            raise Conflict(f"There is a user {username} already: choose another name")
        self._belongings.require_free(username)
        return username

    def _require_ours(self, username: str) -> None:
        owner = self._directory.owner_of(username)
        if owner is not None and not isinstance(self._directory.backends()[owner], SqlAccess):
            raise Conflict(f"User {username} is not in the database but in {owner}: make the change there")

    def _require_known(self, kind: Kind, who: str) -> None:
        if kind == "user":
            if self._directory.lookup(who) is None:
                raise NotFound(f"There is no user {shown(who)}: check the name, or add the user first")
            return
        if who in BUILT_IN_GROUPS or who in self._directory.groups():
            return
        if all(isinstance(one, FactsAccess) for one in self._directory.backends().values()):
            raise NotFound(f"There is no group {shown(who)}: check the name, or add the group first")

    @contextmanager
    def _keeping_an_admin(self, writer: AccessWriter) -> Iterator[None]:
        """Refuse a change after which nobody would be left who may let others in."""
        had_one = self._has_admin(self._directory)
        yield
        facts = writer.facts()
        after = FactsAccess(lambda: facts, self._hasher)
        if had_one and not self._has_admin(self._directory.with_other(self._store(), after)):
            raise Conflict("Nobody would be left who is an administrator: make another one first")

    @staticmethod
    def _has_admin(directory: Directory) -> bool:
        try:
            return any(account.is_admin for account in directory.accounts())
        except AccessUnavailable:
            # Whoever cannot be asked now may know one.
            return True


def _kept(username: str) -> Conflict:
    return Conflict(f"The name {username} is kept for somebody: choose another one, or ask an administrator")
