"""What differs between SQLite, PostgreSQL and MariaDB: URLs, sessions, and how a transaction begins.

Every driver is in its autocommit mode and transactions are opened by the statements below. So a scope costs no
round trip that it does not need, and ``BEGIN`` means the same under each Python version's ``sqlite3``.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from pypicloud_lite.kernel.errors import ConfigError

CONNECT_TIMEOUT = 3
"""Seconds until a server that does not accept a connection is given up."""

STATEMENT_TIMEOUT = 15
"""Seconds that one statement of a request may take."""

SCHEMA_LOCK_TIMEOUT = 60
"""Seconds that a starting server waits for another one to migrate the database."""

_SCHEMA_LOCK = 7_305_803_716_151_291_764
"""A number that no other program is likely to lock."""

_SUPPORTED = "sqlite:////path/file.sqlite, postgresql://user:password@host/name or mysql://user:password@host/name"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of database is spoken to.

    ``prepare`` runs before the first connection of a process; ``session`` on each new driver connection, with the
    seconds to wait for a lock and for a statement (0: for ever). ``lock_schema`` is a query that answers 1 when it
    has the lock under which one host migrates; where there is none, ``begin_write`` is that lock.
    ``read_args`` bound how long the driver waits for an answer. ``one_writer`` is true where the database has a
    single writer that others can only poll for.
    """

    begin_write: str
    begin_snapshot: str
    session: Callable[[Any, float, int], None]
    lock_schema: str | None = None
    connect_args: Mapping[str, Any] = field(default_factory=dict)
    read_args: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[URL], None] = lambda _url: None
    one_writer: bool = False


def parse_url(text: str) -> URL:
    """Read ``db.url`` and choose the driver; :class:`ConfigError` when it is not one that is supported.

    The message never quotes the URL, which may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError(f"db.url is not a database URL: write it as {_SUPPORTED}") from None
    match url.drivername.partition("+")[0]:
        case "sqlite":
            if not url.database or ":memory:" in url.database or url.query.get("mode") == "memory":
                raise ConfigError(
                    "db.url names no file: the worker processes share the catalog, so an in-memory SQLite database "
                    "cannot hold it; write sqlite:////path/file.sqlite"
                )
            return url.set(drivername="sqlite+pysqlite")
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case "mysql" | "mariadb":
            query = {"charset": "utf8mb4", **url.query}
            return url.set(drivername="mysql+pymysql", query=query)
        case other:
            raise ConfigError(f"db.url: databases of the kind {other!r} are not supported: use {_SUPPORTED}")


def dialect_of(url: URL) -> Dialect:
    """The dialect of a parsed URL; :class:`ConfigError` when its driver is not installed."""
    kind, _, driver = url.drivername.partition("+")
    if importlib.util.find_spec("sqlite3" if driver == "pysqlite" else driver) is None:
        extra = {"postgresql": "postgres"}.get(kind, kind)
        raise ConfigError(
            f"db.url needs the driver {driver}, which is not installed: pip install 'pypicloud_lite[{extra}]'"
        )
    return {"sqlite": _SQLITE, "postgresql": _POSTGRESQL, "mysql": _MARIADB}[kind]


def _create_sqlite_file(url: URL) -> None:
    """Create the file for its owner alone: it holds hashes of passwords and names of private projects."""
    database = url.database or ""
    if database.startswith("file:"):
        return
    path = Path(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _sqlite_session(connection: Any, lock_timeout: float, _statement_timeout: int) -> None:
    # FULL: with NORMAL, a power cut takes committed transactions out of a write-ahead log.
    for pragma in (
        f"busy_timeout = {int(lock_timeout * 1000)}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _postgresql_session(connection: Any, lock_timeout: float, statement_timeout: int) -> None:
    # Not by startup options: connection poolers refuse those.
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET statement_timeout = {statement_timeout * 1000}; "
            f"SET lock_timeout = {int(lock_timeout * 1000)}; "
            f"SET idle_in_transaction_session_timeout = {statement_timeout * 4000}; "
            "SET TIME ZONE 'UTC'"
        )


def _mariadb_session(connection: Any, lock_timeout: float, statement_timeout: int) -> None:
    seconds = max(1, round(lock_timeout))
    statement_limit = (
        f"max_statement_time = {statement_timeout}"
        if "mariadb" in connection.get_server_info().lower()
        else f"max_execution_time = {statement_timeout * 1000}"
    )
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(
            f"SET SESSION {statement_limit}, innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}, "
            "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'"
        )


_SQLITE = Dialect(
    begin_write="BEGIN IMMEDIATE",
    begin_snapshot="BEGIN",
    session=_sqlite_session,
    prepare=_create_sqlite_file,
    one_writer=True,
)
_POSTGRESQL = Dialect(
    begin_write="BEGIN ISOLATION LEVEL READ COMMITTED",
    begin_snapshot="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    session=_postgresql_session,
    lock_schema=f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK}) IS NOT NULL",
    connect_args={
        "connect_timeout": CONNECT_TIMEOUT,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": STATEMENT_TIMEOUT * 1000,
        "application_name": "pypicloud_lite",
    },
)
_MARIADB = Dialect(
    begin_write="START TRANSACTION READ WRITE",
    begin_snapshot="START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    session=_mariadb_session,
    # Such a lock is the whole server's, not this database's.
    lock_schema=f"SELECT GET_LOCK(CONCAT('pypicloud_lite.', MD5(DATABASE())), {SCHEMA_LOCK_TIMEOUT})",
    connect_args={"connect_timeout": CONNECT_TIMEOUT, "write_timeout": STATEMENT_TIMEOUT + 5},
    read_args={"read_timeout": STATEMENT_TIMEOUT + 5},
)
