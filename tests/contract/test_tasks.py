"""Long work that one process of all does at a time, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import AuditQuestion, entries
from pypicloud_lite.kernel.errors import CatalogUnavailable, StorageUnavailable
from pypicloud_lite.ops.running import Interrupted, TaskRunner
from pypicloud_lite.ops.tasks import HEARTBEAT_LOST, TaskRunning, Tasks, TaskState
from pypicloud_lite.testing.databases import counted_statements, open_database

ALICE, BOB = Author("alice", "192.0.2.7"), Author("bob")
BEGAN = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


class Time:
    """Moved by the test."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def databases(database_url):
    """The same database, as two processes have it."""
    made = [open_database(database_url) for _ in range(2)]
    upgrade(made[0])
    yield made
    for one in made:
        one.dispose()


@pytest.fixture
def tasks(databases, time):
    return Tasks(databases[0], time)


@pytest.fixture
def elsewhere(databases, time):
    return Tasks(databases[1], time)


def states(tasks, kind="sweep"):
    return [(one.state, one.started_by) for one in tasks.latest(kind, 10)]


def test_one_of_two_processes_wins_and_the_other_is_told_who_did(tasks, elsewhere):
    first = tasks.claim("sweep", ALICE, "sweep up")
    with pytest.raises(TaskRunning, match=r"A sweep runs already: alice started it at 2026-03-04T05:06:07"):
        elsewhere.claim("sweep", BOB, "sweep up")
    other = elsewhere.claim("mop", BOB, "mop up")
    assert (first.state, first.total, other.kind) == (TaskState.RUNNING, 0, "mop")
    assert elsewhere.latest("sweep", 10) == [first]
    tasks.finish(first, 1, 1, {})
    assert elsewhere.claim("sweep", BOB, "sweep up").id > first.id


def test_of_sixteen_at_once_one_wins_and_the_journal_names_it_alone(tasks, elsewhere, databases):
    barrier = threading.Barrier(16)

    def claim(number):
        barrier.wait()
        try:
            return (tasks, elsewhere)[number % 2].claim("sweep", Author(f"u{number}"), "sweep up").started_by
        except TaskRunning:
            return None

    with ThreadPoolExecutor(16) as pool:
        winners = [one for one in pool.map(claim, range(16)) if one is not None]
    assert len(winners) == 1
    assert states(tasks) == [(TaskState.RUNNING, winners[0])]
    with databases[0].read() as connection:
        told = entries(connection, AuditQuestion(action="sweep up"))
    assert [one.author.name for one in told] == winners


def test_one_without_a_sign_of_life_is_taken_over_by_one_of_all(tasks, elsewhere, time):
    lost = tasks.claim("sweep", ALICE, "sweep up")
    time.pass_by(HEARTBEAT_LOST.total_seconds())
    with pytest.raises(TaskRunning):
        elsewhere.claim("sweep", BOB, "sweep up")
    time.pass_by(1)
    assert states(elsewhere) == [(TaskState.INTERRUPTED, "alice")]
    barrier = threading.Barrier(8)

    def take_over(number):
        barrier.wait()
        try:
            return (tasks, elsewhere)[number % 2].claim("sweep", BOB, "sweep up")
        except TaskRunning:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [one for one in pool.map(take_over, range(8)) if one is not None]
    assert len(winners) == 1
    assert states(tasks) == [(TaskState.RUNNING, "bob"), (TaskState.INTERRUPTED, "alice")]
    assert tasks.beat(lost, 1, 2) is False
    assert elsewhere.beat(winners[0], 1, 2) is True


def test_a_sign_of_life_keeps_it_and_tells_how_far_it_is(tasks, elsewhere, time):
    mine = tasks.claim("sweep", ALICE, "sweep up")
    for done in range(1, 4):
        time.pass_by(50)
        assert tasks.beat(mine, done, 5 << 40)
    with pytest.raises(TaskRunning):
        elsewhere.claim("sweep", BOB, "sweep up")
    (seen,) = elsewhere.latest("sweep", 10)
    assert (seen.done, seen.total, seen.started_at, seen.heartbeat_at) == (3, 5 << 40, BEGAN, time.now)


def test_no_result_is_lost_not_even_of_one_that_was_taken_over(tasks, elsewhere, time):
    slow = tasks.claim("sweep", ALICE, "sweep up")
    time.pass_by(61)
    newer = elsewhere.claim("sweep", BOB, "sweep up")
    report = {"files": 3, "remarks": ["odd \N{SNOWMAN}"]}
    tasks.finish(slow, 3, 3, report)
    assert states(elsewhere) == [(TaskState.RUNNING, "bob"), (TaskState.DONE, "alice")]
    assert elsewhere.latest("sweep", 10)[1].report == report
    assert elsewhere.beat(newer, 0, 0)
    # What comes late changes nothing.
    tasks.fail(slow, TaskState.FAILED, "late")
    assert states(elsewhere)[1] == (TaskState.DONE, "alice")


def test_the_last_runs_are_kept(tasks):
    for number in range(60):
        tasks.finish(tasks.claim("sweep", ALICE, "sweep up"), 1, 1, {"number": number})
    kept = tasks.latest("sweep", 100)
    assert [one.report["number"] for one in kept] == list(range(59, 9, -1))
    assert len(tasks.latest("sweep", 3)) == 3


def test_to_look_costs_one_query(tasks, databases):
    tasks.claim("sweep", ALICE, "sweep up")
    with counted_statements(databases[0]) as statements:
        tasks.latest("sweep", 20)
    assert len(statements) == 1


def test_a_run_tells_its_report_and_lets_others_in_afterwards(tasks, elsewhere):
    def work(run):
        run.progress(2, 2)
        with pytest.raises(TaskRunning):
            TaskRunner(elsewhere).run("sweep", BOB, "sweep up", lambda _run: {})
        return {"remarks": [str(number) for number in range(250)]}

    assert len(TaskRunner(tasks).run("sweep", ALICE, "sweep up", work)["remarks"]) == 250
    (ended,) = elsewhere.latest("sweep", 10)
    assert (ended.state, ended.done, ended.total) == (TaskState.DONE, 2, 2)
    assert (len(ended.report["remarks"]), ended.report["remarks_left_out"]) == (200, 50)


@pytest.mark.parametrize(
    ("error", "told"),
    [(StorageUnavailable("The bucket is away"), "The bucket is away"), (ValueError("secret"), "The server failed")],
)
def test_a_run_that_fails_says_why_and_is_no_obstacle(tasks, error, told):
    def work(_run):
        raise error

    with pytest.raises(type(error)):
        TaskRunner(tasks).run("sweep", ALICE, "sweep up", work)
    (ended,) = tasks.latest("sweep", 10)
    assert ended.state is TaskState.FAILED
    assert ended.error.startswith(told)
    tasks.claim("sweep", BOB, "sweep up")


def test_a_process_that_ends_says_so_at_once_and_its_work_ends_at_the_next_step(tasks, elsewhere):
    runner = TaskRunner(tasks)

    def work(run):
        runner.stop()
        assert states(elsewhere) == [(TaskState.INTERRUPTED, "alice")]
        elsewhere.claim("sweep", BOB, "sweep up")
        run.progress(1, 2)
        raise AssertionError("it went on")

    with pytest.raises(Interrupted):
        runner.run("sweep", ALICE, "sweep up", work)
    assert states(tasks) == [(TaskState.RUNNING, "bob"), (TaskState.INTERRUPTED, "alice")]


def test_work_that_was_taken_over_ends_at_its_next_step(tasks, elsewhere, time):
    def work(run):
        time.pass_by(61)
        elsewhere.claim("sweep", BOB, "sweep up")
        # The next sign of life finds out.
        while run.why_not is None:
            run.ended.wait(0.01)
        run.check()

    with pytest.raises(Interrupted, match="no sign of life"):
        TaskRunner(tasks).run("sweep", ALICE, "sweep up", work)
    assert states(tasks)[0] == (TaskState.RUNNING, "bob")


def test_an_outage_at_the_end_costs_no_result(databases, time, monkeypatch):
    tasks, tried = Tasks(databases[0], time), []
    finish = tasks.finish

    def unsteady(*told):
        tried.append(told)
        if len(tried) < 3:
            raise CatalogUnavailable("away")
        finish(*told)

    monkeypatch.setattr(tasks, "finish", unsteady)
    monkeypatch.setattr("pypicloud_lite.ops.running._PAUSE_SECONDS", 0)
    TaskRunner(tasks).run("sweep", ALICE, "sweep up", lambda _run: {"files": 1})
    assert len(tried) == 3
    assert states(tasks) == [(TaskState.DONE, "alice")]
