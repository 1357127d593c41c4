"""Long work of which one process of all does one at a time, as the database tells all of them.

Whoever inserts the row has the work. A process that gives no sign of life for a minute has lost it: its run is
interrupted, and whoever starts the next one takes over. What a run found is written however it went.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.failures import violates
from pypicloud_lite.db.types import storable
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append, cut
from pypicloud_lite.kernel.clock import Clock, iso_utc
from pypicloud_lite.kernel.errors import Conflict
from pypicloud_lite.ops.tables import claimed, tasks

HEARTBEAT_LOST = timedelta(seconds=60)
"""After so long without a sign of life a run counts as dead. The clocks of all hosts differ by less."""

_KEPT = 50
_t = tasks.c
_COLUMNS = (_t.id, _t.kind, _t.state, _t.started_by, _t.started_at, _t.heartbeat_at, _t.done, _t.total)
_LATEST = (
    select(*_COLUMNS, _t.report, _t.error)
    .where(_t.kind == bindparam("kind_"))
    .order_by(_t.id.desc())
    .limit(bindparam("count"))
)
_OUTDATED = select(_t.id).where(_t.kind == bindparam("kind_")).order_by(_t.id.desc()).limit(1).offset(bindparam("kept"))
_END_STALE = (
    update(tasks)
    .where(_t.claim == bindparam("kind_"), _t.heartbeat_at < bindparam("before"))
    .values(claim=None, state="interrupted")
)
_BEAT = (
    update(tasks)
    .where(_t.id == bindparam("task"), _t.claim.is_not(None))
    .values(heartbeat_at=bindparam("now"), done=bindparam("done_"), total=bindparam("total_"))
)


class TaskRunning(Conflict):
    """Another run of the same kind has not ended."""

    code = "task-running"


class TaskState(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Task:
    """One run. ``total`` is 0 until it is known; ``heartbeat_at`` is its last sign of life, or its end.

    ``report`` is what it found, of a run that is done; ``error`` says why another one is not.
    """

    id: int
    kind: str
    state: TaskState
    started_by: str | None
    started_at: datetime
    heartbeat_at: datetime
    done: int = 0
    total: int = 0
    report: Mapping[str, Any] | None = None
    error: str | None = None


class Tasks:
    """The runs of all processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def claim(self, kind: str, author: Author, action: str) -> Task:
        """Begin a run, which the journal tells as ``action``; :class:`TaskRunning` says whose run is in the way."""
        now = self._clock()
        # A transaction of its own: with one statement in each, none of them waits for another one's.
        with self._database.write() as connection:
            connection.execute(_END_STALE, {"kind_": kind, "before": now - HEARTBEAT_LOST})
        values = {
            "kind": kind,
            "claim": kind,
            "state": TaskState.RUNNING.value,
            "started_by": cut(author.name, 255),
            "started_at": now,
            "heartbeat_at": now,
            "done": 0,
            "total": 0,
        }
        try:
            with self._database.write() as connection:
                inserted = connection.execute(insert(tasks), values).inserted_primary_key
                append(connection, now, author, action)
        except IntegrityError as error:
            if not violates(error, claimed):
                raise
            raise self._in_the_way(kind) from error
        assert inserted is not None, "an insert of one row has a key"  # noqa: S101  for the type checker
        self._forget_old(kind)
        return Task(int(inserted[0]), kind, TaskState.RUNNING, author.name, now, now)

    def beat(self, task: Task, done: int, total: int) -> bool:
        """Give a sign of life; False when the run counts as interrupted, and another one may have begun."""
        values = {"task": task.id, "now": self._clock(), "done_": done, "total_": total}
        with self._database.write() as connection:
            return connection.execute(_BEAT, values).rowcount == 1

    def finish(self, task: Task, done: int, total: int, report: Mapping[str, Any]) -> None:
        """Write what a run found, also when it counted as interrupted meanwhile: it did end."""
        self._end(task, TaskState.DONE, done=done, total=total, report=json.dumps(report), error=None)

    def fail(self, task: Task, state: TaskState, error: str) -> None:
        """Say why a run is not done; nothing where it ended already."""
        self._end(task, state, error=storable(error), only_running=True)

    def latest(self, kind: str, limit: int) -> Sequence[Task]:
        """The newest runs first; one query. One that gives no sign of life any more is told as interrupted."""
        with self._database.read(snapshot=False) as connection:
            return self._latest(connection, kind, limit)

    def _latest(self, connection: Connection, kind: str, limit: int) -> Sequence[Task]:
        found = []
        for row in connection.execute(_LATEST, {"kind_": kind, "count": limit}).mappings():
            report = None if row["report"] is None else json.loads(row["report"])
            run = Task(**{**row, "state": TaskState(row["state"]), "report": report})
            lost = run.state is TaskState.RUNNING and self._clock() - run.heartbeat_at > HEARTBEAT_LOST
            found.append(replace(run, state=TaskState.INTERRUPTED) if lost else run)
        return found

    def _in_the_way(self, kind: str) -> TaskRunning:
        running = next((one for one in self.latest(kind, 1) if one.state is TaskState.RUNNING), None)
        if running is None:
            return TaskRunning(f"Another {kind} ended just now: look at what it found, or start again")
        return TaskRunning(
            f"A {kind} runs already: {running.started_by or 'somebody'} started it at {iso_utc(running.started_at)}. "
            "Wait for its report, or start again if it gives no sign of life for a minute"
        )

    def _end(self, task: Task, state: TaskState, *, only_running: bool = False, **values: Any) -> None:
        statement = update(tasks).where(_t.id == task.id)
        if only_running:
            statement = statement.where(_t.claim.is_not(None))
        ended = statement.values(claim=None, state=state.value, heartbeat_at=self._clock(), **values)
        with self._database.write() as connection:
            connection.execute(ended)

    def _forget_old(self, kind: str) -> None:
        with self._database.write() as connection:
            oldest = connection.execute(_OUTDATED, {"kind_": kind, "kept": _KEPT}).scalar()
            if oldest is not None:
                connection.execute(delete(tasks).where(_t.kind == kind, _t.id <= oldest, _t.claim.is_(None)))
