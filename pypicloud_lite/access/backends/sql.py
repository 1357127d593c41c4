"""Users, groups and grants in the server's own database."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field, SecretStr
from sqlalchemy import Connection, select

from pypicloud_lite.access.facts import Facts, FactsAccess, KnownUser
from pypicloud_lite.access.grants import NO_RULES, GrantTable, Rule
from pypicloud_lite.access.model import Right, Role, RoleHolders
from pypicloud_lite.access.passwords import PasswordHasher
from pypicloud_lite.access.port import AccessContext
from pypicloud_lite.access.tables import access_state, group_members, project_grants, role_holders, user_groups, users
from pypicloud_lite.access.transactions import asking
from pypicloud_lite.db.engine import Database
from pypicloud_lite.kernel import moment
from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.settings.declare import Plugin, Settings

_REVISION = select(access_state.c.revision)
_ALLOWS_REGISTER = select(access_state.c.allow_register)
_PENDING = select(users.c.username).where(users.c.is_pending.is_(True)).order_by(users.c.id)
_USERS = select(users.c.username, users.c.password_hash, users.c.credential_version).where(
    users.c.is_pending.is_(False)
)
_GROUPS = select(user_groups.c.name, group_members.c.username).outerjoin(
    group_members, group_members.c.group_id == user_groups.c.id
)
_GRANTS = select(
    project_grants.c.pattern,
    project_grants.c.kind,
    project_grants.c.who,
    project_grants.c.can_read,
    project_grants.c.can_write,
    project_grants.c.is_owner,
).order_by(project_grants.c.id)
_HOLDERS = select(role_holders.c.role, role_holders.c.kind, role_holders.c.who)


class SqlAccessSettings(Settings):
    """Where pypicloud kept its users."""

    open_keys: ClassVar[tuple[str, ...]] = ("auth.db.",)

    url: SecretStr | None = Field(
        default=None,
        alias="auth.db.url",
        json_schema_extra={"example": "postgresql://user:password@db.example.com/pypicloud"},
        description=(
            "pypicloud's database of users: imported once, at the first start, with passwords, groups and rules. The "
            "users then live in the database of db.url, and this key may go"
        ),
    )
    options: Mapping[str, str] = Field(
        default_factory=dict,
        alias="*",
        repr=False,
        description="auth.db.*: pypicloud's engine options; accepted, without effect",
    )


@dataclass(frozen=True, slots=True)
class _Held:
    revision: int
    facts: Facts


class SqlAccess(FactsAccess):
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over the tables of :mod:`pypicloud_lite.access.tables`.

    All of them are kept in memory and read again when their revision has changed, which is one query a request: a
    change takes effect with the next one, on every worker and host. Tens of thousands of users are some MiB.
    """

    def __init__(self, database: Database, hasher: PasswordHasher) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._held: _Held | None = None
        super().__init__(self._facts, hasher)

    @classmethod
    def from_settings(cls, _settings: SqlAccessSettings, context: AccessContext) -> SqlAccess:
        """Build it; no I/O."""
        return cls(context.database, context.hasher)

    def changed(self) -> None:
        """Ask again: this request has changed something."""
        moment.forget(self)

    def pending(self) -> list[str]:
        """Who asked for an account and waits, in the order of asking."""
        with asking(self._database) as connection:
            return list(connection.execute(_PENDING).scalars())

    def pending_hashes(self) -> dict[str, str]:
        """The password hashes of those who wait."""
        with asking(self._database) as connection:
            waiting = select(users.c.username, users.c.password_hash).where(users.c.is_pending.is_(True))
            return {row.username: row.password_hash for row in connection.execute(waiting)}

    def allows_register(self) -> bool:
        """Whether people may ask for accounts."""
        with asking(self._database) as connection:
            return bool(connection.execute(_ALLOWS_REGISTER).scalar())

    def _facts(self) -> Facts:
        return moment.once(self, self._read)

    def _read(self) -> Facts:
        held = self._held
        with asking(self._database) as connection:
            revision = connection.execute(_REVISION).scalar()
        if held is None or held.revision != revision:
            held = self._load(revision)
        return held.facts

    def _load(self, revision: int | None) -> _Held:
        with self._lock:
            held = self._held
            if held is not None and held.revision == revision:
                return held
            with asking(self._database, snapshot=True) as connection:
                found = connection.execute(_REVISION).scalar()
                if found is None:
                    raise AccessUnavailable("The database has not been set up: run ppc-db upgrade")
                held = self._held = _Held(found, read_facts(connection))
            return held


def read_facts(connection: Connection) -> Facts:
    """Everything in the tables; three queries and one for the roles."""
    rules = [
        Rule(pattern, kind, who, _rights(can_read, can_write, is_owner), f"database: {kind} {who} on {pattern}")
        for pattern, kind, who, can_read, can_write, is_owner in connection.execute(_GRANTS)
    ]
    return Facts(
        users={name: KnownUser(stored, version) for name, stored, version in connection.execute(_USERS)},
        groups=_groups(connection.execute(_GROUPS)),
        holders=_holders(connection.execute(_HOLDERS)),
        book=GrantTable(rules) if rules else NO_RULES,
    )


def _groups(rows: Any) -> dict[str, frozenset[str]]:
    members: dict[str, set[str]] = {}
    for group, username in rows:
        listed = members.setdefault(group, set())
        if username is not None:
            listed.add(username)
    return {group: frozenset(listed) for group, listed in members.items()}


def _holders(rows: Any) -> RoleHolders:
    tables: dict[str, dict[str, frozenset[Role]]] = {"user": {}, "group": {}}
    for role, kind, who in rows:
        tables[kind][who] = tables[kind].get(who, frozenset()) | {Role(role)}
    return RoleHolders(tables["user"], tables["group"])


def _rights(can_read: bool, can_write: bool, is_owner: bool) -> frozenset[Right]:  # noqa: FBT001  three columns
    given = ((Right.READ, can_read), (Right.WRITE, can_write), (Right.OWNER, is_owner))
    return frozenset(right for right, held in given if held)


backend = Plugin(SqlAccessSettings, SqlAccess.from_settings)
