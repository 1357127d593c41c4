"""The catalog's contract on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.testing.catalog import CatalogContract
from pypicloud_lite.testing.catalog_values import NOW, add, file_record
from pypicloud_lite.testing.databases import (
    KINDS,
    DatabaseMissing,
    counted_statements,
    empty_tables,
    new_database,
    open_database,
)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory, missing):
    """``migrated(kind)``: a database at the newest revision, made once in a session."""
    made = {}
    with ExitStack() as stack:

        def make(kind):
            if kind not in made:
                try:
                    url = stack.enter_context(new_database(kind, tmp_path_factory.mktemp("catalog")))
                except DatabaseMissing as error:
                    missing(kind, str(error))
                made[kind] = open_database(url)
                stack.callback(made[kind].dispose)
                upgrade(made[kind])
            return made[kind]

        yield make


class TestSqlCatalog(CatalogContract):
    @pytest.fixture(params=KINDS)
    def database(self, request, migrated):
        database = migrated(request.param)
        empty_tables(database)
        return database

    @pytest.fixture
    def catalog(self, database):
        return SqlCatalog(database, lambda: NOW)

    @pytest.fixture
    def count_queries(self, database):
        @contextmanager
        def count():
            with counted_statements(database) as statements:
                yield statements

        return count

    def test_a_serial_is_never_below_the_time(self, database):
        """What a database that is restored from a backup has forgotten, it does not give again."""
        moment = datetime(2026, 3, 4, tzinfo=UTC)
        first = add(SqlCatalog(database, lambda: moment), file_record("demo-1.0.tar.gz"))
        second = add(SqlCatalog(database, lambda: moment), file_record("demo-2.0.tar.gz"))
        third = add(SqlCatalog(database, lambda: moment - timedelta(days=1)), file_record("demo-3.0.tar.gz"))
        milliseconds = int(moment.timestamp() * 1000)
        assert [one.serial - milliseconds for one in (first, second, third)] == [1, 2, 3]
