"""Removing files that are kept for an upstream, in the background of one process: one such work at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.eviction import Cached, Eviction
from pypicloud_lite.ops.running import Run, TaskRunner
from pypicloud_lite.ops.tasks import Task, Tasks

_KIND = "mirror"


class MirrorRoom:
    """Starts them; ``quota`` is in bytes, None for none."""

    def __init__(self, runner: TaskRunner, tasks: Tasks, eviction: Eviction, quota: int | None) -> None:
        self._runner = runner
        self._tasks = tasks
        self._eviction = eviction
        self._quota = quota

    def start(self, author: Author, index: IndexName, project: ProjectName | None) -> None:
        """Remove the cached files of a project in a mirror index, or for None those of all that are above the quota.

        Those that nobody asked for the longest go first.

        ``TaskRunning`` where any process is at it already. What goes comes again when somebody wants it.
        """
        quota = self._quota
        if project is None and quota is None:
            raise InvalidRequest("mirror.quota is not set: there is no limit to make room for")

        def work(run: Run) -> Mapping[str, Any]:
            run.check()
            if project is not None:
                return _report(project, self._eviction.remove_project(index, project, author))
            return _report(None, self._eviction.evict(quota or 0, author))

        self._runner.start(_KIND, author, "remove cached files", work)

    def latest(self, limit: int) -> Sequence[Task]:
        """The last of them, of all processes, the newest first: one query."""
        return self._tasks.latest(_KIND, limit)


def _report(project: ProjectName | None, gone: Sequence[Cached]) -> Mapping[str, Any]:
    size = sum(file.size for file in gone)
    return {"project": None if project is None else project.value, "files": len(gone), "size": size}
