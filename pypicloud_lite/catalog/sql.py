"""The catalog in SQL: its scopes. Questions are in ``sql_reader``, changes in ``sql_writer``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pypicloud_lite.catalog.port import FilenameTaken
from pypicloud_lite.catalog.sql_reader import SqlReader
from pypicloud_lite.catalog.sql_writer import SqlWriter
from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock


class SqlCatalog:
    """:class:`~pypicloud_lite.catalog.port.Catalog` on SQLite, PostgreSQL or MariaDB."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[SqlReader]:
        """See the port."""
        with self._database.read(snapshot=snapshot) as connection:
            yield SqlReader(connection)

    @contextmanager
    def write(self, author: Author) -> Iterator[SqlWriter]:
        """See the port."""
        with self._database.write() as connection:
            writer = SqlWriter(connection, author, self._clock)
            yield writer
            if writer.refused is not None:
                # Caught inside the scope, yet what came before it is not committed either.
                raise FilenameTaken(writer.refused.message) from writer.refused
            writer.search_rows.settle()

    def probe(self) -> None:
        """See the port."""
        with self.read(snapshot=False) as reader:
            reader.state()
