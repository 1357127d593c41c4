"""The database goes away, or is locked: an error that says so, at once, and no restart afterwards."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.downloads.counter import DownloadCounter
from pypicloud_lite.downloads.counts import DownloadCounts
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.errors import BackendUnavailable, CatalogUnavailable
from pypicloud_lite.testing.catalog_values import AUTHOR, DEMO, INDEX, add, file_record
from pypicloud_lite.testing.databases import CutOff, DatabaseMissing, new_database, open_database
from pypicloud_lite.testing.world import PASSWORDS, World


@pytest.fixture(params=["postgres", "mysql"])
def server(request, tmp_path, missing):
    """A migrated database behind a proxy: the proxy, and the database by way of it."""
    try:
        with new_database(request.param, tmp_path) as url:
            direct = open_database(url)
            upgrade(direct)
            direct.dispose()
            proxy = CutOff({"postgres": 5432, "mysql": 3306}[request.param])
            database = open_database(make_url(url).set(port=proxy.port).render_as_string(hide_password=False))
            try:
                yield proxy, database
            finally:
                database.dispose()
                proxy.close()
    except DatabaseMissing as error:
        missing(request.param, str(error))


@pytest.fixture
def sqlite(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/catalog.sqlite", lock_timeout=0.1)
    upgrade(database)
    yield database
    database.dispose()


def test_cut_between_scopes(server):
    proxy, database = server
    catalog = SqlCatalog(database, system_clock)
    added = add(catalog, file_record())
    proxy.cut()
    for _ in range(3):
        with pytest.raises(CatalogUnavailable, match="does not answer") as caught, catalog.read() as reader:
            reader.files(INDEX, DEMO)
        assert caught.value.__cause__ is not None
    with pytest.raises(CatalogUnavailable):
        add(catalog, file_record("demo-2.tar.gz"))
    with pytest.raises(CatalogUnavailable):
        catalog.probe()
    proxy.mend()
    with catalog.read() as reader:
        assert reader.files(INDEX, DEMO) == [added]
    assert add(catalog, file_record("demo-2.tar.gz")).serial > added.serial


def test_downloads_that_were_counted_wait_for_the_database(server):
    proxy, database = server
    counter, counts = DownloadCounter(database, system_clock), DownloadCounts(database, system_clock)
    for number in range(700):
        counter.note(1, f"1.{number}")
    counter.write()
    proxy.cut()
    for _ in range(3):
        for number in range(700):
            counter.note(1, f"1.{number}")
        with pytest.raises(CatalogUnavailable):
            counter.write()
    proxy.mend()
    assert counter.write() == 700
    assert counter.write() == 0
    assert counts.of(1, 1).versions == {f"1.{number}": 4 for number in range(700)}


def test_downloads_that_were_counted_wait_for_another_writer(sqlite):
    counter, counts = DownloadCounter(sqlite, system_clock), DownloadCounts(sqlite, system_clock)
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        counter.note(1, "1.0")
        with pytest.raises(CatalogUnavailable, match="locked"):
            counter.write()
        counter.note(1, "1.0")
        other.execute("ROLLBACK")
    assert counter.write() == 1
    assert counts.of(1, 1).versions == {"1.0": 2}


def test_a_restart_costs_one_error(server):
    """However many connections were in the pool."""
    proxy, database = server
    catalog = SqlCatalog(database, system_clock)
    with catalog.read() as one, catalog.read() as two, catalog.read() as three:
        assert one.is_empty() == two.is_empty() == three.is_empty()
    proxy.cut()
    proxy.mend()
    with pytest.raises(CatalogUnavailable):
        catalog.probe()
    for _ in range(3):
        catalog.probe()
    with catalog.read() as one, catalog.read() as two, catalog.read() as three:
        assert one.is_empty() == two.is_empty() == three.is_empty()
    assert database.engine.pool.checkedout() == 0


def test_cut_inside_a_scope(server):
    """Also from a method, and from leaving; nothing of it is committed."""
    proxy, database = server
    catalog = SqlCatalog(database, system_clock)
    with pytest.raises(CatalogUnavailable), catalog.write(AUTHOR) as writer:  # noqa: PT012  the scope is what is tested
        writer.add_file(file_record(), {}, "Demo")
        proxy.cut()
    proxy.mend()
    with pytest.raises(CatalogUnavailable), catalog.write(AUTHOR) as writer:  # noqa: PT012  the scope is what is tested
        proxy.cut()
        writer.add_file(file_record(), {}, "Demo")
    proxy.mend()
    with catalog.read() as reader:
        assert reader.is_empty()
    assert database.engine.pool.checkedout() == 0


def test_a_reader_that_was_cut_off_may_leave(server):
    """What it has read was right."""
    proxy, database = server
    catalog = SqlCatalog(database, system_clock)
    with catalog.read() as reader:
        assert reader.is_empty()
        proxy.cut()
    proxy.mend()
    catalog.probe()


def test_a_browser_is_shown_a_page_meanwhile(server, tmp_path):
    """With the number that the log has, and nobody greeted, since nobody can be asked whose cookie it is."""
    proxy, database = server
    url = database.engine.url.render_as_string(hide_password=False)
    world = World(tmp_path, {"db.url": url, "pypi.auth": "config sql"})
    try:
        world.app.post("/login", {"username": "reader", "password": PASSWORDS["reader"]}, status=303)
        proxy.cut()
        for path, status in (("/search?q=x", 503), ("/account/", 503), ("/no/such/page/at/all", 404)):
            page = world.app.get(path, headers={"Accept": "text/html,*/*;q=0.8"}, status=status)
            assert "<h1>" in page
            assert ">reader<" not in page
            assert (f">{page.headers['X-Request-Id']}<" in page) is (status == 503)
        proxy.mend()
        world.app.get("/account/", status="*")
        assert ">reader<" in world.app.get("/account/", status=200)
    finally:
        world.close()


def test_a_writer_waits_its_turn_and_no_longer(server):
    """A lock that is never given back: 503, not a worker that hangs."""
    _proxy, database = server
    settings = {"lock_timeout": 1.0}
    impatient = open_database(database.engine.url.render_as_string(hide_password=False), **settings)
    try:
        catalog = SqlCatalog(database, system_clock)
        with catalog.write(AUTHOR), pytest.raises(CatalogUnavailable, match="locked"):
            add(SqlCatalog(impatient, system_clock), file_record())
        add(SqlCatalog(impatient, system_clock), file_record())
    finally:
        impatient.dispose()


def test_every_connection_in_use(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/x.sqlite", pool_size=1, max_overflow=0, pool_timeout=0.05)
    try:
        with database.read(), pytest.raises(CatalogUnavailable, match="in use"), database.read():
            pytest.fail("there was no second connection")
        database.probe()
    finally:
        database.dispose()


def test_sqlite_locked_by_another_process(sqlite):
    """F13: readers go on, writers give up after the lock timeout, and all is well afterwards."""
    catalog = SqlCatalog(sqlite, system_clock)
    add(catalog, file_record())
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(CatalogUnavailable, match="locked"):
            add(catalog, file_record("demo-2.tar.gz"))
        assert time.monotonic() - began < 2
        with catalog.read() as reader:
            assert len(reader.files(INDEX, DEMO)) == 1
        other.execute("ROLLBACK")
    add(catalog, file_record("demo-2.tar.gz"))


def test_sqlite_locked_by_another_thread(sqlite):
    catalog = SqlCatalog(sqlite, system_clock)
    with catalog.write(AUTHOR), pytest.raises(CatalogUnavailable, match="locked"):
        add(catalog, file_record())
    add(catalog, file_record())


def test_sqlite_is_durable_and_private(sqlite):
    with sqlite.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    modes = {Path(sqlite.path + suffix).stat().st_mode & 0o777 for suffix in ("", "-wal", "-shm")}
    assert modes == {0o600}


def test_sqlite_where_no_file_can_be(tmp_path):
    (tmp_path / "file").write_text("in the way")
    database = open_database(f"sqlite:///{tmp_path}/file/x.sqlite")
    with pytest.raises(CatalogUnavailable):
        SqlCatalog(database, system_clock).probe()


def test_sqlite_file_that_is_none(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"not a database " * 99)
    database = open_database(f"sqlite:///{tmp_path}/x.sqlite")
    with pytest.raises(CatalogUnavailable) as caught:
        SqlCatalog(database, system_clock).probe()
    assert isinstance(caught.value, BackendUnavailable)
    database.dispose()


def test_committed_means_durable(tmp_path):
    """Killed right after the scope was left: the row is there."""
    url = f"sqlite:///{tmp_path}/x.sqlite"
    program = """
import os, signal, sys
from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.testing.catalog_values import AUTHOR, add, file_record
from pypicloud_lite.testing.databases import open_database

database = open_database(sys.argv[1])
upgrade(database)
catalog = SqlCatalog(database, system_clock)
add(catalog, file_record())
with catalog.write(AUTHOR) as writer:
    writer.add_file(file_record("demo-2.tar.gz"), {}, "Demo")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", program, url], check=False, timeout=60, env=environ())
    assert died.returncode == -9
    database = open_database(url)
    try:
        with SqlCatalog(database, system_clock).read() as reader:
            assert [str(one.filename) for one in reader.files(INDEX, DEMO)] == ["demo-1.0.tar.gz"]
    finally:
        database.dispose()


def environ():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_a_fork_opens_its_own_connections(database_url):
    """The child uses the database and ends; the parent's connections are none the worse."""
    program = """
import os, sys, warnings
from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.testing.catalog_values import DEMO, INDEX, add, file_record
from pypicloud_lite.testing.databases import open_database

database = open_database(sys.argv[1])
upgrade(database)
catalog = SqlCatalog(database, system_clock)
add(catalog, file_record())
engine = database.engine
with catalog.read() as reader:
    child = os.fork()
    if child == 0:
        assert database.engine is not engine
        add(catalog, file_record("demo-2.tar.gz"))
        database.dispose()
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
    assert len(reader.files(INDEX, DEMO)) in (1, 2)
with catalog.read() as reader:
    assert len(reader.files(INDEX, DEMO)) == 2
assert engine.pool.checkedin() == 1, engine.pool.status()
database.dispose()
"""
    subprocess.run([sys.executable, "-c", program, database_url], check=True, timeout=60, env=environ())


def test_threads_share_one_engine(tmp_path):
    """However many ask first at once."""
    database = open_database(f"sqlite:///{tmp_path}/x.sqlite")
    barrier, engines = threading.Barrier(8), []

    def ask():
        barrier.wait()
        engines.append(database.engine)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, engines))) == 1
    database.dispose()
