"""Changes of users, groups, grants and roles: each in one transaction, with its line in the journal."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from pypicloud_lite.access.backends.sql import read_facts
from pypicloud_lite.access.facts import Facts
from pypicloud_lite.access.grants import Kind
from pypicloud_lite.access.model import Right, Role, is_pattern
from pypicloud_lite.access.names import is_kept
from pypicloud_lite.access.profiles import Profile, read_profile, store_profile
from pypicloud_lite.access.tables import (
    access_state,
    group_members,
    project_grants,
    role_holders,
    sessions,
    tokens,
    used_signups,
    user_groups,
    user_profiles,
    users,
)
from pypicloud_lite.access.token_form import number_in
from pypicloud_lite.access.transactions import changing
from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import AccessUnavailable, Conflict, NotFound
from pypicloud_lite.kernel.names import shown

_LOCK = select(access_state.c.allow_register).with_for_update()
_COLUMN = {Right.READ: "can_read", Right.WRITE: "can_write", Right.OWNER: "is_owner"}
_KEPT = timedelta(hours=1)
NO_PASSWORD = "!"  # noqa: S105  no hash, so no password is right
"""Stored for a user who logs in with tokens only."""


@contextmanager
def writing(database: Database, clock: Clock, author: Author) -> Iterator[AccessWriter]:
    """A transaction in which no other writer changes anything of access; AccessUnavailable when it cannot be."""
    with changing(database) as connection:
        writer = AccessWriter(connection, author, clock)
        yield writer
        writer.finish()


class AccessWriter:
    """The changes. It locks the state's row at once, so what one of them reads stays true until it commits."""

    def __init__(self, connection: Connection, author: Author, clock: Clock) -> None:
        self._connection = connection
        self._author = author
        self._clock = clock
        self._changed = False
        allow_register = connection.execute(_LOCK).scalar()
        if allow_register is None:
            raise AccessUnavailable("The database has not been set up: run ppc-db upgrade")
        self.allows_register = bool(allow_register)

    def facts(self) -> Facts:
        """Everything, as it is in this transaction."""
        return read_facts(self._connection)

    def everybody(self) -> frozenset[str]:
        """The names of all users, those who wait for approval too."""
        return frozenset(self._connection.execute(select(users.c.username)).scalars())

    def note_import(self) -> None:
        """Note that pypicloud's users were imported, once and for all."""
        self._execute(update(access_state).values(imported_at=self._clock()))

    @property
    def was_imported(self) -> bool:
        """Whether that was noted."""
        return self._one(select(access_state.c.imported_at)) is not None

    def count_pending(self) -> int:
        """How many people asked for an account and wait."""
        return int(self._one(select(func.count()).select_from(users).where(users.c.is_pending.is_(True))))

    def add_user(
        self, username: str, password_hash: str, *, is_pending: bool = False, created_at: datetime | None = None
    ) -> None:
        """Add a user; :class:`Conflict` when there is one of that name, pending or not.

        ``created_at`` is for one who comes from another server.
        What somebody of that name left who was known elsewhere is not the new one's.
        """
        if self._one(select(users.c.id).where(users.c.username == username)) is not None:
            raise Conflict(f"There is a user {username} already: choose another name")
        if not is_pending:
            self._forget_former(username)
        self._execute(
            insert(users),
            username=username,
            password_hash=password_hash,
            credential_version=_version(),
            is_pending=is_pending,
            created_at=created_at or self._clock(),
        )
        self.record("request account" if is_pending else "add user", username)

    def use_signup(self, digest: str, expires: datetime) -> None:
        """Note that a registration token was used; :class:`Conflict` when it was before."""
        self._execute(delete(used_signups).where(used_signups.c.expires_at < self._clock() - _KEPT))
        if self._one(select(used_signups.c.digest).where(used_signups.c.digest == digest)) is not None:
            raise Conflict("This registration token was used already: ask an administrator for another one")
        self._execute(insert(used_signups), digest=digest, expires_at=expires)

    def approve_user(self, username: str) -> None:
        """Let a pending user in."""
        _require_kept("user", username)
        waiting = update(users).where(users.c.username == username, users.c.is_pending.is_(True))
        if not self._execute(waiting.values(is_pending=False)):
            raise NotFound(f"No user {username} waits for approval: see the list of pending users")
        self._forget_former(username)
        self.record("approve user", username)

    def reject_user(self, username: str) -> bool:
        """Remove a user who waits, and nothing that is tied to the name; whether there was one."""
        _require_kept("user", username)
        gone = bool(self._execute(delete(users).where(users.c.username == username, users.c.is_pending.is_(True))))
        if gone:
            self.record("remove user", username)
        return gone

    def set_password(self, username: str, password_hash: str) -> None:
        """Give a user another password; its sessions and tokens end, but for the token that makes the change."""
        _require_kept("user", username)
        values = {"password_hash": password_hash, "credential_version": _version()}
        if not self._execute(update(users).where(users.c.username == username).values(**values)):
            raise no_user(username)
        self._execute(delete(sessions).where(sessions.c.username == username))
        own = number_in(self._author.credential)
        self._execute(delete(tokens).where(tokens.c.username == username, tokens.c.id != own))
        self.record("set password", username)

    def change_profile(self, username: str, change: Callable[[Profile], Profile]) -> None:
        """Change what a user, of whichever backend, says of itself; nothing where that comes to the same."""
        _require_kept("user", username)
        before = read_profile(self._connection, username)
        after = change(before)
        if after != before:
            store_profile(self._connection, username, after)
            detail = {"keys": after.differing(before)}
            append(self._connection, self._clock(), self._author, "change profile", subject=username, detail=detail)

    def remove_user(self, username: str) -> None:
        """Remove a user and all that is tied to the name: memberships, rules, roles, tokens, sessions, profile."""
        _require_kept("user", username)
        if not self._execute(delete(users).where(users.c.username == username)):
            raise no_user(username)
        self._execute(delete(group_members).where(group_members.c.username == username))
        self._forget("user", username)
        self._forget_former(username)
        self.record("remove user", username)

    def end_credentials(self, username: str) -> None:
        """Delete the tokens and sessions of a name, and what its profile said."""
        for table in (tokens, sessions, user_profiles):
            self._execute(delete(table).where(table.c.username == username))

    def _forget_former(self, username: str) -> None:
        self.end_credentials(username)
        self._execute(delete(user_profiles).where(user_profiles.c.username == username))

    def add_group(self, name: str) -> None:
        """Add a group without members; :class:`Conflict` when there is one of that name."""
        if self._group_id(name) is not None:
            raise Conflict(f"There is a group {name} already: choose another name")
        self._execute(insert(user_groups), name=name)
        self.record("add group", name)

    def remove_group(self, name: str) -> None:
        """Remove a group with its memberships, rules and roles."""
        group = self._known_group(name)
        self._execute(delete(group_members).where(group_members.c.group_id == group))
        self._execute(delete(user_groups).where(user_groups.c.id == group))
        self._forget("group", name)
        self.record("remove group", name)

    def set_member(self, group: str, username: str, *, member: bool) -> None:
        """Put a user into a group, or take it out; nothing where it is so already."""
        _require_kept("user", username)
        row = {"group_id": self._known_group(group), "username": username}
        if self._set_row(group_members, row, there=member):
            self.record("add member" if member else "remove member", group, {"user": username})

    def set_role(self, role: Role, kind: Kind, who: str, *, held: bool) -> None:
        """Give a role to a user or group, or take it away; nothing where it is so already."""
        _require_kept(kind, who)
        if self._set_row(role_holders, {"role": role.value, "kind": kind, "who": who}, there=held):
            self.record("give role" if held else "take role", who, {"role": role.value, "kind": kind})

    def set_right(self, pattern: str, kind: Kind, who: str, right: Right, *, given: bool) -> bool:
        """Grant one right on a project or pattern, or revoke it; whether that changed anything.

        A rule without any right is removed.
        """
        _require_kept(kind, who)
        key = {"pattern": pattern, "kind": kind, "who": who}
        where = [project_grants.c[name] == value for name, value in key.items()]
        columns = [project_grants.c[name] for name in _COLUMN.values()]
        row = self._connection.execute(select(*columns).where(*where)).mappings().one_or_none()
        before = dict(row) if row is not None else dict.fromkeys(_COLUMN.values(), False)
        after = {**before, _COLUMN[right]: given}
        if after == before:
            return False
        if row is None:
            self._execute(insert(project_grants), **key, **after)
        elif any(after.values()):
            self._execute(update(project_grants).where(*where).values(**after))
        else:
            self._execute(delete(project_grants).where(*where))
        detail = {"kind": kind, "who": who, "right": right.value}
        self.record("grant" if given else "revoke", pattern, detail, project="" if is_pattern(pattern) else pattern)
        return True

    def set_register(self, *, allowed: bool) -> None:
        """Let people ask for accounts, or not."""
        if allowed != self.allows_register:
            self._execute(update(access_state).values(allow_register=allowed))
            self.allows_register = allowed
            self.record("set registration", "on" if allowed else "off")

    def record(self, action: str, subject: str, detail: Mapping[str, Any] | None = None, *, project: str = "") -> None:
        """Append to the journal, in this transaction; what is recorded has changed something."""
        self._changed = True
        append(self._connection, self._clock(), self._author, action, subject=subject, detail=detail, project=project)

    def finish(self) -> None:
        """Give what was changed its new revision."""
        if self._changed:
            self._execute(update(access_state).values(revision=secrets.randbits(63)))

    def _forget(self, kind: Kind, who: str) -> None:
        for table in (project_grants, role_holders):
            self._execute(delete(table).where(table.c.kind == kind, table.c.who == who))

    def _set_row(self, table: Table, row: Mapping[str, Any], *, there: bool) -> bool:
        """Make a row be there or not; whether that changed anything."""
        where = [table.c[name] == value for name, value in row.items()]
        if not there:
            return bool(self._execute(delete(table).where(*where)))
        if self._connection.execute(select(table).where(*where)).first() is not None:
            return False
        self._execute(insert(table), **row)
        return True

    def _known_group(self, name: str) -> int:
        found = self._group_id(name)
        if found is None:
            raise NotFound(f"There is no group {name} in the database: add it first")
        return found

    def _group_id(self, name: str) -> int | None:
        _require_kept("group", name)
        found: int | None = self._one(select(user_groups.c.id).where(user_groups.c.name == name))
        return found

    def _one(self, statement: Any) -> Any:
        return self._connection.execute(statement).scalar()

    def _execute(self, statement: Any, **values: Any) -> int:
        return self._connection.execute(statement, values or None).rowcount


def no_user(username: str) -> NotFound:
    """What is said of somebody who is not in the database."""
    return NotFound(f"There is no user {username} in the database: check the name")


def _require_kept(kind: Kind, name: str) -> None:
    if not is_kept(name):
        raise NotFound(f"There is no {kind} {shown(name)}: check the name")


def _version() -> str:
    return secrets.token_hex(16)
