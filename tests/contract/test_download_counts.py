"""Counts of downloads on each kind of database: exact with many writers, kept in an outage, thinned, nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from structlog.testing import capture_logs

from pypicloud_lite.catalog.tables import projects
from pypicloud_lite.db.schema import metadata
from pypicloud_lite.downloads.counter import DownloadCounter
from pypicloud_lite.downloads.counts import DownloadCounts
from pypicloud_lite.downloads.tables import EARLIER, downloads
from pypicloud_lite.downloads.thinning import KEPT_DAYS, Thinning
from pypicloud_lite.kernel.errors import CatalogUnavailable
from pypicloud_lite.testing.databases import counted_statements, open_database

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 28)

WRITER = """
import sys
from pypicloud_lite.downloads.counter import DownloadCounter
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.testing.databases import open_database

# Some hundred releases that every process counts, and some that are its own, in another order.
database, mine, rounds = open_database(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
counter = DownloadCounter(database, system_clock)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(rounds):
    for number in (range(150), range(149, -1, -1))[mine % 2]:
        counter.note(number // 3, f"1.{number}")
        counter.note(1000 + 2 * number + mine, "1.0")
    counter.write()
    print("written", flush=True)
for _ in range(7):
    counter.note(1, "unwritten")
print("noted", flush=True)
sys.stdin.readline()
"""


class Clock:
    def __init__(self) -> None:
        self.day = TODAY

    def __call__(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(database_url):
    database = open_database(database_url)
    with database.write() as connection:
        metadata.create_all(connection, [projects, downloads])
    yield database
    database.dispose()


def rows(database):
    table = downloads.c
    with database.read() as connection:
        found = connection.execute(select(table.project_id, table.version, table.day, table["count"])).all()
    return sorted(tuple(row) for row in found)


def total(database, project_id):
    return DownloadCounts(database, Clock()).of(project_id, 1).total


def add(database, *values):
    with database.write() as connection:
        names = ("project_id", "version", "day", "count")
        connection.execute(insert(downloads), [dict(zip(names, row, strict=True)) for row in values])


def test_what_was_counted_is_added_up_by_version_and_day(database, clock):
    counter, counts = DownloadCounter(database, clock), DownloadCounts(database, clock)
    for version, times in (("1.0", 3), ("2.0", 1)):
        for _ in range(times):
            counter.note(7, version)
    counter.note(8, "1.0")
    assert counts.of(7, 30).total == 0
    assert counter.write() == 3
    clock.day += timedelta(days=2)
    counter.note(7, "1.0")
    assert counter.write() == 1
    assert counter.write() == 0
    found = counts.of(7, 4)
    assert found.days == [
        (TODAY - timedelta(days=1), 0),
        (TODAY, 4),
        (TODAY + timedelta(days=1), 0),
        (TODAY + timedelta(days=2), 1),
    ]
    assert (found.versions, found.recent, found.total) == ({"1.0": 4, "2.0": 1}, 5, 5)
    # The total does not depend on how many days are asked for.
    assert (counts.of(7, 1).recent, counts.of(7, 1).total) == (1, 5)
    assert counts.of(9, 30).versions == {}


def test_versions_and_numbers_of_any_size(database, clock):
    long = "1." + "0" * 198
    add(database, (2**62, long, TODAY, 2**53))
    counter = DownloadCounter(database, clock)
    for version in (long, "1.0", "1.0+Local", "1.0+local"):
        counter.note(2**62, version)
    counter.write()
    found = DownloadCounts(database, clock).of(2**62, 400)
    assert found.versions == {long: 2**53 + 1, "1.0": 1, "1.0+Local": 1, "1.0+local": 1}
    assert found.days[-1] == (TODAY, 2**53 + 4)
    assert len(found.days) == 400


def test_the_counts_of_a_project_are_one_query_and_a_write_is_one_statement_for_many(database, clock):
    counter = DownloadCounter(database, clock)
    for number in range(400):
        counter.note(number % 3, f"1.{number}")
    with counted_statements(database) as seen:
        counter.write()
    assert len(seen) == 1
    with counted_statements(database) as seen:
        assert DownloadCounts(database, clock).of(1, 400).total == 133
    assert len(seen) == 1


def test_threads_count_exactly_while_it_is_written_down(database, clock):
    counter = DownloadCounter(database, clock)
    done = threading.Event()

    def count():
        for number in range(3000):
            counter.note(number % 5, "1.0")

    def write():
        while not done.is_set():
            counter.write()

    counting = [threading.Thread(target=count) for _ in range(4)]
    writing = [threading.Thread(target=write) for _ in range(2)]
    for thread in (*counting, *writing):
        thread.start()
    for thread in counting:
        thread.join()
    done.set()
    for thread in writing:
        thread.join()
    counter.write()
    assert rows(database) == [(number, "1.0", TODAY, 2400) for number in range(5)]


def start(url, number, rounds):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER, url, str(number), str(rounds)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd="/",
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


def test_processes_that_write_at_once_add_up_exactly_and_none_is_in_the_way(database, database_url):
    rounds = 5
    processes = [start(database_url, number, rounds) for number in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        go_on(process)
    for process in processes:
        output, _ = process.communicate("\n", timeout=60)
        # No write failed: a deadlock would be an error here, as nothing tries again.
        assert (process.returncode, output.split()) == (0, ["written"] * rounds + ["noted"])
    found = {(project_id, version): count for project_id, version, _day, count in rows(database)}
    shared = {(number // 3, f"1.{number}"): 2 * rounds for number in range(150)}
    own = {(1000 + number, "1.0"): rounds for number in range(300)}
    assert found == shared | own


def test_a_process_that_is_killed_loses_what_it_had_not_written_and_nothing_else(database, database_url):
    with start(database_url, 0, 2) as process:
        go_on(process)
        assert [process.stdout.readline() for _ in range(4)] == ["ready\n", "written\n", "written\n", "noted\n"]
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert total(database, 1) == 2 * 3
    assert sum(count for *_, count in rows(database)) == 2 * 300


def test_an_outage_loses_nothing_and_memory_is_bounded(database, clock, monkeypatch):
    counter = DownloadCounter(database, clock, max_kinds=600)
    for number in range(590):
        counter.note(number, "1.0")
    # The first 500 rows are written, the others are not.
    write, calls = database.write, []

    def failing():
        calls.append(1)
        if len(calls) == 2:
            raise CatalogUnavailable("down")
        return write()

    monkeypatch.setattr(database, "write", failing)
    with pytest.raises(CatalogUnavailable):
        counter.write()
    monkeypatch.undo()
    assert len(rows(database)) == 500
    # Meanwhile others are counted, also such as wait to be written, until there is no room for more.
    for number in (*range(580, 590), *range(5000, 5600)):
        counter.note(number, "1.0")
    with capture_logs() as logs:
        counter.write()
    assert [(entry["log_level"], entry["count"]) for entry in logs] == [("warning", 90)]
    found = {project_id: count for project_id, _, _, count in rows(database)}
    assert found == dict.fromkeys((*range(580), *range(5000, 5510)), 1) | dict.fromkeys(range(580, 590), 2)


def test_old_days_become_one_sum_for_each_version(database, clock):
    project_id = new_project(database, "demo")
    oldest = TODAY - timedelta(days=KEPT_DAYS)
    older = [
        (project_id, f"1.{number}", oldest - timedelta(days=1 + day), 2) for number in range(3) for day in range(300)
    ]
    kept = [(project_id, "1.0", oldest, 5), (project_id, "1.0", TODAY, 6)]
    add(database, *older, *kept, (project_id, "1.1", EARLIER, 1000))
    thinning = Thinning(database, clock)
    thinning.run()
    sums = [(project_id, "1.0", EARLIER, 600), (project_id, "1.1", EARLIER, 1600), (project_id, "1.2", EARLIER, 600)]
    assert rows(database) == sorted([*sums, *kept])
    found = DownloadCounts(database, clock).of(project_id, 400)
    assert (found.total, found.recent) == (2811, 6)
    with counted_statements(database) as seen:
        thinning.run()
    assert seen == []
    clock.day += timedelta(days=1)
    thinning.run()
    assert rows(database) == sorted([(project_id, "1.0", EARLIER, 605), *sums[1:], kept[1]])


def test_two_processes_that_thin_at_once_sum_up_once(database, clock):
    project_id = new_project(database, "demo")
    old = TODAY - timedelta(days=KEPT_DAYS + 1)
    add(database, *((project_id, f"1.{number}", old, number) for number in range(1, 400)))
    barrier = threading.Barrier(3)
    counter = DownloadCounter(database, clock)

    def thin():
        barrier.wait()
        Thinning(database, clock).run()

    threads = [threading.Thread(target=thin) for _ in range(2)]
    for thread in threads:
        thread.start()
    barrier.wait()
    for number in range(1, 400):
        counter.note(project_id, f"1.{number}")
    counter.write()
    for thread in threads:
        thread.join()
    Thinning(database, clock).run()
    expected = [
        (project_id, f"1.{number}", day, count)
        for number in range(1, 400)
        for day, count in ((EARLIER, number), (TODAY, 1))
    ]
    assert rows(database) == sorted(expected)


def test_the_counts_of_a_project_that_is_gone_are_removed(database, clock):
    there = new_project(database, "there")
    add(database, (there, "1.0", TODAY, 1), (there + 1, "1.0", TODAY, 2), (there + 2, "1.0", EARLIER, 3))
    Thinning(database, clock).run()
    assert rows(database) == [(there, "1.0", TODAY, 1)]


def new_project(database, name):
    values = {"index_name": "root/main", "name": name, "display_name": name, "status": "active"}
    with database.write() as connection:
        result = connection.execute(insert(projects), {**values, "serial": 1, "revision": 1, "file_count": 0})
        return result.inserted_primary_key[0]
