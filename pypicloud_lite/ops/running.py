"""Runs the long work of this process, while a second thread gives signs of life and tells the progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import CatalogUnavailable, PpcError
from pypicloud_lite.ops.tasks import Task, Tasks, TaskState

_log = structlog.get_logger("pypicloud_lite.tasks")

_BEAT_SECONDS = 1.0
_PAUSE_SECONDS = 2.0
_ATTEMPTS = 15
_MAX_REMARKS = 200
_STOPPED = "The server was stopped or started anew: what was done until then stays, start it again for the rest"
_LOST = "It gave no sign of life for too long: what was done until then stays"


class Interrupted(PpcError):
    """The run has to end at its next step."""

    code = "interrupted"


class Run:
    """What work tells of itself, from any thread; ``check`` and ``progress`` raise :class:`Interrupted`."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.done = self.total = 0
        self.why_not: str | None = None
        self.ended = threading.Event()

    def check(self) -> None:
        """Nothing, as long as the work is this process's to do."""
        if self.why_not is not None:
            raise Interrupted(self.why_not)

    def progress(self, done: int, total: int) -> None:
        """So much of so much is done; no I/O."""
        self.done, self.total = done, total
        self.check()


Work = Callable[[Run], Mapping[str, Any]]
"""Does it and returns the report; ``remarks`` in it are lines for a person."""


class TaskRunner:
    """One for each process; a run belongs to the process that claimed it and ends with it."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._stopping = threading.Event()
        self._runs: set[Run] = set()

    def start(self, kind: str, author: Author, action: str, work: Work) -> None:
        """Begin in the background; ``TaskRunning`` where another run of this kind has not ended, in any process."""
        run = Run(self._tasks.claim(kind, author, action))
        threading.Thread(target=self._in_background, args=(run, work), name=f"task {kind}", daemon=True).start()

    def run(self, kind: str, author: Author, action: str, work: Work) -> Mapping[str, Any]:
        """As :meth:`start`, but here and now: returns the report, and raises what the work raises."""
        return self._work(Run(self._tasks.claim(kind, author, action)), work)

    def stop(self) -> None:
        """This process ends: its runs do so at their next step, and are told as interrupted at once."""
        self._stopping.set()
        for run in list(self._runs):
            run.why_not = _STOPPED
            self._tasks.fail(run.task, TaskState.INTERRUPTED, _STOPPED)

    def _in_background(self, run: Run, work: Work) -> None:
        try:
            self._work(run, work)
        except PpcError as error:
            _log.warning("the work was not done", kind=run.task.kind, error=error.message)
        except Exception:  # noqa: BLE001  the thread ends here, and the log is all that is left of it
            _log.exception("the work was not done", kind=run.task.kind)

    def _work(self, run: Run, work: Work) -> Mapping[str, Any]:
        self._runs.add(run)
        beating = threading.Thread(target=self._beat, args=(run,), name=f"beat {run.task.kind}", daemon=True)
        beating.start()
        try:
            report = work(run)
        except BaseException as error:
            self._end(run, beating)
            state = TaskState.INTERRUPTED if isinstance(error, Interrupted) else TaskState.FAILED
            said = error.message if isinstance(error, PpcError) else "The server failed: its log has the details"
            self._tell(lambda: self._tasks.fail(run.task, state, said))
            raise
        self._end(run, beating)
        self._tell(lambda: self._tasks.finish(run.task, run.done, run.total, _cut(report)))
        return report

    def _end(self, run: Run, beating: threading.Thread) -> None:
        """Nobody beats any more once the end is told."""
        run.ended.set()
        beating.join()
        self._runs.discard(run)

    def _beat(self, run: Run) -> None:
        while not run.ended.wait(_BEAT_SECONDS):
            try:
                if not self._tasks.beat(run.task, run.done, run.total):
                    run.why_not = run.why_not or _LOST
                    return
            except PpcError as error:
                _log.warning("no sign of life could be given, it will be tried again", error=error.message)

    def _tell(self, tell: Callable[[], None]) -> None:
        """A database that is away for a moment must not cost the result."""
        for _ in range(_ATTEMPTS):
            try:
                tell()
            except CatalogUnavailable as error:
                _log.warning("the result could not be written, it will be tried again", error=error.message)
                self._stopping.wait(_PAUSE_SECONDS)
            else:
                return


def _cut(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """The report as it is kept: of very many remarks the first, and how many more there were."""
    remarks = list(report.get("remarks", ()))
    return {**report, "remarks": remarks[:_MAX_REMARKS], "remarks_left_out": max(0, len(remarks) - _MAX_REMARKS)}
