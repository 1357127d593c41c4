"""The database: one pool for each process, and the two short scopes in which it is used."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from pypicloud_lite.db.dialects import SCHEMA_LOCK_TIMEOUT, STATEMENT_TIMEOUT, dialect_of, parse_url
from pypicloud_lite.db.failures import as_unavailable, unavailable
from pypicloud_lite.db.settings import DatabaseSettings
from pypicloud_lite.kernel.errors import CatalogUnavailable, CommitUnknown

LOCK_TIMEOUT = 5.0
"""Seconds that a writer waits for another before it gives up."""

_OWN_TRANSACTIONS: Final[Mapping[str, Any]] = {
    "isolation_level": "AUTOCOMMIT",
    "skip_autocommit_rollback": True,
    "pool_reset_on_return": None,
}
"""The scopes begin and end transactions; neither driver nor pool adds a statement of its own."""


@dataclass(frozen=True, slots=True)
class _Process:
    """What belongs to one process; ``turn`` is held by the one thread that writes, where only one can."""

    engine: Engine
    turn: threading.Lock


class Database:
    """Connections to ``db.url``, opened when first used.

    Safe to share by threads, and to carry over a fork: the child opens connections of its own and leaves the
    parent's alone. Nothing but :class:`CatalogUnavailable` stands for a database that is down, locked or slow; a
    restarted one is used again at the next scope.
    """

    def __init__(self, settings: DatabaseSettings, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._settings = settings
        self._lock_timeout = lock_timeout
        self._url = parse_url(settings.url.get_secret_value())
        self._dialect = dialect_of(self._url)
        # The entries of other processes stay: to drop one would close connections that the parent still uses.
        self._processes: dict[int, _Process] = {}

    @property
    def engine(self) -> Engine:
        """This process's engine. Its driver connections are in autocommit mode: use the scopes."""
        return self._process().engine

    @property
    def kind(self) -> str:
        """``sqlite``, ``postgresql`` or ``mysql``."""
        return self._url.get_backend_name()

    @property
    def path(self) -> str | None:
        """The file of a SQLite database."""
        return self._url.database if self.kind == "sqlite" else None

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Connection]:
        """A read-only scope: one snapshot, or with ``snapshot=False`` the newest commit at each statement.

        The latter saves a server two round trips of three when there is but one statement.
        """
        with self.connect() as connection:
            if not snapshot:
                yield connection
                return
            connection.exec_driver_sql(self._dialect.begin_snapshot)
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed on leaving, rolled back by any exception."""
        with self._turn(), self.connect() as connection, self._transaction(connection):
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection outside any transaction; each statement commits itself."""
        with _connection(self._process().engine) as connection:
            yield connection

    @contextmanager
    def migration(self) -> Iterator[Connection]:
        """A transaction that one host at a time may hold, on a connection of its own that may be slow.

        MariaDB commits at each statement that changes the schema; the lock stays.
        """
        self._prepare()
        engine = self._watched(
            create_engine(
                self._url,
                connect_args=dict(self._dialect.connect_args),
                poolclass=NullPool,
                hide_parameters=True,
                **_OWN_TRANSACTIONS,
            ),
            lock_timeout=SCHEMA_LOCK_TIMEOUT,
            statement_timeout=0,
        )
        with _connection(engine) as connection, self._transaction(connection):
            lock = self._dialect.lock_schema
            if lock is not None and connection.exec_driver_sql(lock).scalar() != 1:
                raise CatalogUnavailable("The database is being migrated by another host: start again later")
            yield connection

    def probe(self) -> None:
        """Ask the database for an answer."""
        with self.read(snapshot=False) as connection:
            connection.exec_driver_sql("SELECT 1")

    def dispose(self) -> None:
        """Close the idle connections of this process."""
        process = self._processes.get(os.getpid())
        if process is not None:
            process.engine.dispose()

    @contextmanager
    def _transaction(self, connection: Connection) -> Iterator[None]:
        connection.exec_driver_sql(self._dialect.begin_write)
        try:
            yield
        except BaseException:
            _roll_back(connection)
            raise
        try:
            connection.exec_driver_sql("COMMIT")
        except CatalogUnavailable as error:
            _roll_back(connection)
            raise CommitUnknown(error.message) from error
        except BaseException:
            _roll_back(connection)
            raise

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Queue the threads of this process: SQLite only lets them poll, which is neither fair nor quick."""
        if not self._dialect.one_writer:
            yield
            return
        turn = self._process().turn
        if not turn.acquire(timeout=self._lock_timeout):
            raise CatalogUnavailable("The database is locked by another writer: try again in a moment")
        try:
            yield
        finally:
            turn.release()

    def _process(self) -> _Process:
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            # Atomic: of two threads that come here at once, both get the same one.
            process = self._processes.setdefault(pid, _Process(self._create_engine(), threading.Lock()))
        return process

    def _create_engine(self) -> Engine:
        self._prepare()
        settings = self._settings
        pool: dict[str, Any] = {"poolclass": NullPool}
        if settings.poolclass == "QueuePool":
            pool = {
                "poolclass": QueuePool,
                "pool_size": settings.pool_size,
                "max_overflow": settings.max_overflow,
                "pool_timeout": settings.pool_timeout,
                "pool_use_lifo": settings.pool_use_lifo,
            }
        engine = create_engine(
            self._url,
            connect_args={**self._dialect.connect_args, **self._dialect.read_args},
            # A new SQLite connection cannot be opened on a full disk, while an open one goes on reading.
            pool_recycle=-1 if self._dialect.one_writer else settings.pool_recycle,
            pool_pre_ping=settings.pool_pre_ping,
            query_cache_size=settings.query_cache_size,
            echo=settings.echo,
            echo_pool=settings.echo_pool,
            hide_parameters=True,
            **_OWN_TRANSACTIONS,
            **pool,
        )
        return self._watched(engine, lock_timeout=self._lock_timeout, statement_timeout=STATEMENT_TIMEOUT)

    def _prepare(self) -> None:
        try:
            self._dialect.prepare(self._url)
        except OSError as error:
            raise unavailable(error) from error

    def _watched(self, engine: Engine, *, lock_timeout: float, statement_timeout: int) -> Engine:
        def prepare(connection: Any, _record: Any) -> None:
            try:
                self._dialect.session(connection, lock_timeout, statement_timeout)
            except Exception as error:
                connection.close()
                raise unavailable(error) from error

        event.listen(engine, "connect", prepare)
        event.listen(engine, "handle_error", as_unavailable, retval=True)
        return engine


@contextmanager
def _connection(engine: Engine) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise unavailable(error) from error
    try:
        yield connection
    finally:
        connection.close()


def _roll_back(connection: Connection) -> None:
    """End a transaction by way of the driver, which knows whether one is still open."""
    if connection.closed or connection.invalidated:
        return
    try:
        connection.connection.rollback()
    except Exception:  # noqa: BLE001  whatever it is, this connection is of no more use
        connection.invalidate()
