"""Databases for tests: new, empty, of a random name, and gone afterwards."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import event

from pypicloud_lite.access.tables import access_state
from pypicloud_lite.catalog.tables import catalog_state
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.schema import metadata
from pypicloud_lite.db.settings import DatabaseSettings

KINDS: Final = ("sqlite", "postgres", "mysql")

_POSTGRES_USERS = ("postgres", "root")


class DatabaseMissing(Exception):
    """There is no such server on this machine; the text says why."""


@contextmanager
def new_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database: a file in ``folder``, or one on the server at 127.0.0.1's standard port.

    :class:`DatabaseMissing` when there is no driver or no server that lets this user in without a password.
    """
    name = f"ppc_test_{secrets.token_hex(8)}"
    if kind == "sqlite":
        yield f"sqlite:///{folder}/{name}.sqlite"
    elif kind == "postgres":
        with _on_postgres(name) as url:
            yield url
    else:
        with _on_mysql(name) as url:
            yield url


@contextmanager
def _on_postgres(name: str) -> Iterator[str]:
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise DatabaseMissing(str(error)) from None
    reasons = []
    for user in _POSTGRES_USERS:
        try:
            admin = psycopg.connect(host="127.0.0.1", user=user, dbname="postgres", autocommit=True, connect_timeout=3)
        except psycopg.OperationalError as error:
            reasons.append(str(error))
            continue
        with closing(admin):
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield f"postgresql://{user}@127.0.0.1/{name}"
            finally:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        return
    raise DatabaseMissing("; ".join(reasons))


@contextmanager
def _on_mysql(name: str) -> Iterator[str]:
    try:
        import pymysql
    except ImportError as error:
        raise DatabaseMissing(str(error)) from None
    try:
        admin = pymysql.connect(host="127.0.0.1", user="root", connect_timeout=3, autocommit=True)
    except pymysql.err.OperationalError as error:
        raise DatabaseMissing(str(error)) from None
    with closing(admin), admin.cursor() as cursor:
        # Not the collation of this program's tables: they must name their own.
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        try:
            yield f"mysql://root@127.0.0.1/{name}"
        finally:
            cursor.execute(f"DROP DATABASE {name}")


def open_database(url: str, *, lock_timeout: float = 5.0, **options: object) -> Database:
    """A database as it is by default, with further ``db.*`` options under their names without ``db.``."""
    values = {"db.url": url, **{f"db.{name}": value for name, value in options.items()}}
    return Database(DatabaseSettings.model_validate(values), lock_timeout=lock_timeout)


def empty_tables(database: Database, *, serial: int = 0) -> None:
    """Bring catalog and access back to where their first migrations left them.

    A server that goes on over them must be given a ``serial`` that it has not seen: its cached pages go by it.
    """
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table not in {catalog_state, access_state}:
                connection.execute(table.delete())
        connection.execute(catalog_state.update().values(serial=serial, revision=1, rebuilding_since=None))
        connection.execute(
            access_state.update().values(revision=secrets.randbits(63), allow_register=False, imported_at=None)
        )


@contextmanager
def counted_statements(database: Database) -> Iterator[list[str]]:
    """Every statement that is sent meanwhile, the scopes' own left out."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith(("BEGIN", "START TRANSACTION", "COMMIT")):
            statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


class CutOff:
    """A TCP proxy on loopback that can be cut, as by a server that dies, and mended."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._up = True
        self._guard = threading.Lock()
        self._start(self._accept)

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        with self._guard:
            self._up = False
            for end in self._ends:
                _shut(end)
            self._ends.clear()

    def mend(self) -> None:
        """Let connections through again."""
        with self._guard:
            self._up = True

    def close(self) -> None:
        """End it for good."""
        self.cut()
        _shut(self._listener)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            with self._guard:
                if not self._up:
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                self._ends += [client, server]
                self._start(_carry, client, server)


def _carry(client: socket.socket, server: socket.socket) -> None:
    with client, server:
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            _shut(end)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
