"""Asking upstreams for a project: one thread of all processes at a time, the upstreams in order, the outcome written.

The first upstream that has a project has all of it. One that gives no answer ends the search: the next one's project
of that name may be somebody else's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import UpstreamError, UpstreamUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.codec import KnownPage, decode, follow
from pypicloud_lite.mirror.page_store import PageRow, PageStore
from pypicloud_lite.mirror.usage import Usage, What
from pypicloud_lite.upstream.port import Absent, NotModified, Upstream, UpstreamPage

_log = structlog.get_logger("pypicloud_lite.mirror")

_TURN_FOR_EACH = 15.0
"""Seconds that a turn lasts for each upstream: longer than it may take for a page."""
PATIENCE = 12.0
"""Seconds that anybody waits for another's answer."""
_PAUSE_STALE = 30.0
_PAUSE_EMPTY = 2.0
"""Seconds for which an upstream's failure stands: with an old page to show, and without."""
_FIRST_POLL, _LAST_POLL = 0.02, 0.5


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds: how long a page is believed, and for how long a name is not asked for that was not there."""

    fresh: float = 600.0
    missing: float = 60.0


class Asking:
    """Brings what upstreams say of a project into its row."""

    def __init__(
        self,
        index: IndexName,
        upstreams: Sequence[Upstream],
        store: PageStore,
        catalog: Catalog,
        usage: Usage,
        clock: Clock,
        times: Times,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = index
        self._upstreams = upstreams
        self._store = store
        self._catalog = catalog
        self._usage = usage
        self._clock = clock
        self._times = times
        self._sleep = sleep
        self._monotonic = monotonic

    def ask(self, project: ProjectName) -> PageRow:
        """The row after somebody asked: this thread, or another process whose turn it is.

        What an upstream failed to answer is told by the row; errors of the database pass through.
        """
        turn = self._store.claim(project, self._clock(), _TURN_FOR_EACH * len(self._upstreams))
        if turn is None:
            return self._wait(project)
        try:
            self._usage.count(What.PAGE_MISS)
            self._take_turn(project)
        except UpstreamError as error:
            self._usage.count(What.FAILURE)
            row = self._store.look(project)
            pause = _PAUSE_STALE if row is not None and row.is_shown else _PAUSE_EMPTY
            self._store.settle_error(project, error, self._clock(), pause)
            _log.warning("an index upstream gave no answer", project=str(project), error=error.message)
        except BaseException:
            self._store.release(project, turn)
            raise
        return self._row(project)

    def _take_turn(self, project: ProjectName) -> None:
        row = self._row(project)
        for upstream in self._upstreams:
            mine = row.is_shown and row.upstream == upstream.name
            said = upstream.project(project, row.validator if mine else None)
            if isinstance(said, UpstreamPage):
                page = self._followed(row, said)
                self._store.settle_page(
                    project, page, upstream.name, said.freshness.validator, self._clock(), self._times.fresh
                )
                return
            if isinstance(said, NotModified):
                self._store.settle_unchanged(project, said.freshness.validator, self._clock(), self._times.fresh)
                return
            assert isinstance(said, Absent)  # noqa: S101  for the type checker
        self._store.settle_absent(project, self._clock(), self._times.missing)

    def _followed(self, row: PageRow, said: UpstreamPage) -> KnownPage:
        content = self._store.content(row)
        with self._catalog.read(snapshot=False) as catalog:
            stored = {str(one.filename): one.digests.sha256 for one in catalog.files(self._index, said.project)}
        before = None if content is None else decode(said.project, content[0])
        page = follow(before, said, stored, self._clock())
        if page.changed:
            _log.error(
                "an index upstream lists files with other hashes than before: they are not shown any more",
                project=str(said.project),
                files=list(page.changed),
            )
        return page

    def _wait(self, project: ProjectName) -> PageRow:
        """Another process asks: look at the row until it has its answer, or its turn is over."""
        end, pause = self._monotonic() + PATIENCE, _FIRST_POLL
        while True:
            row = self._row(project)
            if row.asking_until is None or row.asking_until < self._clock():
                return row
            if self._monotonic() + pause > end:
                raise UpstreamUnavailable("Another process asks the index upstream for this: try again in a moment", 2)
            self._sleep(pause)
            pause = min(2 * pause, _LAST_POLL)

    def _row(self, project: ProjectName) -> PageRow:
        row = self._store.look(project)
        if row is None:
            raise UpstreamUnavailable(f"Project {project} was forgotten just now: try again", 1)
        return row
