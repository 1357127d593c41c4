"""Asking upstreams for a project: one thread of all processes at a time, the upstreams in order, the outcome written.

The first upstream that has a project has all of it. One that gives no answer ends the search: the next one's project
of that name may be somebody else's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import PpcError, UpstreamError, UpstreamNonsense, UpstreamUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.codec import KnownPage, decode, follow
from pypicloud_lite.mirror.page_store import GONE, PageRow, PageStore
from pypicloud_lite.mirror.rounds import Rounds, came_round_for
from pypicloud_lite.mirror.terms import Terms
from pypicloud_lite.mirror.usage import Usage, What
from pypicloud_lite.upstream.hashes import known
from pypicloud_lite.upstream.hops import hops
from pypicloud_lite.upstream.port import Absent, NotModified, Upstream, UpstreamPage

_log = structlog.get_logger("pypicloud_lite.mirror")

_TURN_FOR_EACH = 15.0
"""Seconds that a turn lasts for each upstream: longer than it may take for a page."""
PATIENCE = 12.0
"""Seconds that anybody waits for another's answer."""
_MOMENT = 1.0
"""The same on behalf of another server, whose answer that may wait for: then neither would ever have one."""
_PAUSE_STALE = 30.0
_PAUSE_EMPTY = 2.0
"""Seconds for which an upstream's failure stands: with an old page to show, and without."""
_FIRST_POLL, _LAST_POLL = 0.02, 0.5


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
        terms: Terms,
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
        self._terms = terms
        self._sleep = sleep
        self._monotonic = monotonic
        self._rounds = Rounds(monotonic)

    def ask(self, project: ProjectName) -> PageRow:
        """The row after somebody asked: this thread, or another process whose turn it is.

        What an upstream failed to answer is told by the row; errors of the database pass through. On behalf of another
        server of this kind also ``CameRound``, where its own answer is missing; that is written down for nobody else.
        """
        begun, turn = self._clock(), self._claim(project)
        if turn is None:
            row = self._wait(project, _MOMENT if hops() else PATIENCE)
            if row is not None and self._is_answered(row, begun):
                return row
            turn = self._claim(project)
        if turn is not None:
            return self._ask_in_turn(project, turn)
        if not hops():
            raise UpstreamUnavailable("Another process asks the index upstream for this: try again in a moment", 2)
        # Whose turn it is may be waiting for the server that asks now.
        self._ask_all(project)
        return self._row(project)

    def _ask_in_turn(self, project: ProjectName, turn: str) -> PageRow:
        try:
            self._usage.count(What.PAGE_MISS)
            self._ask_all(project)
        except UpstreamError as error:
            self._usage.count(What.FAILURE)
            row = self._store.look(project)
            pause = _PAUSE_STALE if row is not None and row.is_shown else _PAUSE_EMPTY
            self._store.settle_error(project, error, self._clock(), pause)
            _log.warning("an index upstream gave no answer", project=str(project), error=error.message)
        except PpcError:
            self._store.release(project, turn)
            raise
        except Exception:  # noqa: BLE001  told in the log and in the row
            # A fault of ours, which its answer brings about: it would do so at every request.
            _log.exception("what an index upstream says could not be taken in", project=str(project))
            failed = UpstreamNonsense("What the index upstream says could not be taken in: the server's log has more")
            self._store.settle_error(project, failed, self._clock(), _PAUSE_STALE)
        except BaseException:
            self._store.release(project, turn)
            raise
        return self._row(project)

    def _ask_all(self, project: ProjectName) -> None:
        """Ask the upstreams, and write down what the first says that has something to say."""
        row, others, came_round = self._row(project), set(hops()), False
        if others and self._rounds.knows(project, others):
            raise came_round_for(project)
        for upstream in self._upstreams:
            mine = row.is_shown and row.upstream == upstream.name
            said = upstream.project(project, row.validator if mine else None)
            if isinstance(said, Absent):
                came_round = came_round or said.came_round
            elif others.intersection(said.came_by):
                came_round = True
            else:
                self._settle(project, row, upstream.name, said)
                return
        if came_round and others:
            self._rounds.remember(project, others)
            raise came_round_for(project)
        if row.is_shown and self._terms.keeps_gone and self.has(row.upstream):
            if row.error_kind != GONE:
                _log.warning("a project is gone from an index upstream: its last links stay", project=str(project))
            self._store.settle_gone(project, self._clock(), self._terms.fresh)
        else:
            self._store.settle_absent(project, self._clock(), self._terms.missing)

    def has(self, upstream: str | None) -> bool:
        """Whether it is one of those that are asked."""
        return any(one.name == upstream for one in self._upstreams)

    def _settle(self, project: ProjectName, row: PageRow, upstream: str, said: UpstreamPage | NotModified) -> None:
        validator, now, fresh = said.freshness.validator, self._clock(), self._terms.fresh
        if isinstance(said, UpstreamPage):
            page = self._followed(row, said)
        else:
            content = self._store.content(row) if said.came_by else None
            before = None if content is None else decode(project, content[0])
            if before is None or before.came_by == said.came_by:
                self._store.settle_unchanged(project, validator, now, fresh)
                return
            page = replace(before, came_by=said.came_by)
        self._store.settle_page(project, page, upstream, validator, now, fresh)

    def _followed(self, row: PageRow, said: UpstreamPage) -> KnownPage:
        content = self._store.content(row)
        with self._catalog.read(snapshot=False) as catalog:
            stored = {str(one.filename): one.digests.sha256 for one in catalog.files(self._index, said.project)}
        before = None if content is None else decode(said.project, content[0])
        page = follow(before, said, stored, self._clock())
        bare = [file.link.filename.value for file in page.files if not known(file.link.hashes)]
        if bare and not self._terms.takes_unhashed:
            _log.warning(
                "an index upstream lists files without a hash: they are not shown, as nothing would tell wrong ones",
                project=str(said.project),
                count=len(bare),
                files=bare[:3],
            )
        if page.changed:
            _log.error(
                "an index upstream lists files with other hashes than before: they are not shown any more",
                project=str(said.project),
                files=list(page.changed),
            )
        return page

    def _claim(self, project: ProjectName) -> str | None:
        return self._store.claim(project, self._clock(), _TURN_FOR_EACH * len(self._upstreams))

    def _is_answered(self, row: PageRow, begun: datetime) -> bool:
        """Whether there is an answer that may be believed, or one that came while this thread waited for it."""
        if row.asking_until is None and row.checked_at is not None and row.checked_at >= begun:
            return True
        return row.fresh_until is not None and self._clock() < row.fresh_until

    def _wait(self, project: ProjectName, patience: float) -> PageRow | None:
        """Somebody else asks: look at the row until it has its answer, or its turn is over; None: for too long."""
        end, pause = self._monotonic() + patience, _FIRST_POLL
        while True:
            row = self._row(project)
            if row.asking_until is None or row.asking_until < self._clock():
                return row
            if self._monotonic() + pause > end:
                return None
            self._sleep(pause)
            pause = min(2 * pause, _LAST_POLL)

    def _row(self, project: ProjectName) -> PageRow:
        row = self._store.look(project)
        if row is None:
            raise UpstreamUnavailable(f"Project {project} was forgotten just now: try again", 1)
        return row
