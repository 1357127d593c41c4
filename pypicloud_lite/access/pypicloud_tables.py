"""The tables in which pypicloud kept its users, read and never written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Boolean, Column, Connection, MetaData, NullPool, String, Table, create_engine, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from pypicloud_lite.access.acl_document import AclDocument, AclUser
from pypicloud_lite.access.model import Right, project_pattern
from pypicloud_lite.db.dialects import parse_url
from pypicloud_lite.kernel.errors import AccessUnavailable, ConfigError

_metadata = MetaData()
_users = Table(
    "pypicloud_users",
    _metadata,
    Column("username", String),
    Column("password", String),
    Column("admin", Boolean),
    Column("pending", Boolean),
)
_groups = Table("pypicloud_groups", _metadata, Column("name", String))
_members = Table("pypicloud_user_groups", _metadata, Column("username", String), Column("group", String))
_user_rules = Table(
    "pypicloud_user_permissions",
    _metadata,
    Column("package", String),
    Column("username", String),
    Column("read", Boolean),
    Column("write", Boolean),
)
_group_rules = Table(
    "pypicloud_group_permissions",
    _metadata,
    Column("package", String),
    Column("groupname", String),
    Column("read", Boolean),
    Column("write", Boolean),
)
_values = Table("pypicloud_keyvals", _metadata, Column("key", String), Column("value", String))


def read_tables(url: str) -> AclDocument:
    """Everything in them; names of projects are normalised, and the rights of several spellings add up.

    ConfigError where the tables are not there, AccessUnavailable where the database does not answer.
    """
    try:
        with _connection(url) as connection:
            return _read(connection)
    except SQLAlchemyError as error:
        reason = type(getattr(error, "orig", None) or error).__name__
        raise AccessUnavailable(f"pypicloud's database of users cannot be read ({reason}): is it up?") from None


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and not parsed.database.startswith("file:"):
        if not Path(parsed.database).is_file():
            raise ConfigError(f"there is no file {parsed.database}, so no table pypicloud_users")
        # Not even a journal beside the file: it is somebody else's.
        parsed = parsed.set(database=f"file:{parsed.database}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(parsed, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _read(connection: Connection) -> AclDocument:
    there = set(inspect(connection).get_table_names())
    missing = [
        table.name for table in (_users, _groups, _members, _user_rules, _group_rules) if table.name not in there
    ]
    if missing:
        raise ConfigError(f"there are no users of pypicloud in this database: it has no table {missing[0]}")
    people = connection.execute(select(_users)).all()
    registering = {_values.c.key == "allow_register"}
    allowed = (
        connection.execute(select(_values.c.value).where(*registering)).scalar() if _values.name in there else None
    )
    return AclDocument(
        users=tuple(AclUser(one.username, one.password, bool(one.admin)) for one in people if not one.pending),
        pending=tuple(AclUser(one.username, one.password) for one in people if one.pending),
        groups=_read_groups(connection),
        user_rights=_read_rights(connection, _user_rules),
        group_rights=_read_rights(connection, _group_rules),
        allow_register=allowed == "true",
        version="pypicloud",
    )


def _read_groups(connection: Connection) -> dict[str, frozenset[str]]:
    members: dict[str, set[str]] = {name: set() for name in connection.execute(select(_groups.c.name)).scalars()}
    for username, group in connection.execute(select(_members.c.username, _members.c.group)):
        members.setdefault(group, set()).add(username)
    return {group: frozenset(names) for group, names in members.items()}


def _read_rights(connection: Connection, table: Table) -> dict[tuple[str, str], frozenset[Right]]:
    found: dict[tuple[str, str], frozenset[Right]] = {}
    for package, who, can_read, can_write in connection.execute(select(*table.c)):
        pattern = project_pattern(package)
        if pattern is None:
            continue
        held = {Right.READ} if can_read else set[Right]()
        held |= {Right.WRITE} if can_write else set[Right]()
        found[pattern, who] = found.get((pattern, who), frozenset()) | held
    return found
