"""What an upstream lists of a project: fresh where it can be had, old where not, and asked for once at a time.

A page that is a little old is shown while somebody asks in the background; one that is older is asked for while its
reader waits. An upstream that gives no answer leaves the old page standing. Only what an upstream says itself makes a
project absent.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from pypicloud_lite.kernel import errors
from pypicloud_lite.kernel.cache import Cache
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import UpstreamError, UpstreamUnavailable
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.mirror.asking import PATIENCE, Asking
from pypicloud_lite.mirror.codec import KnownPage, decode
from pypicloud_lite.mirror.flights import Flights, Threads, WaitingRoom
from pypicloud_lite.mirror.page_store import PageRow, PageStore
from pypicloud_lite.mirror.rounds import came_round_for
from pypicloud_lite.mirror.rules import Curation
from pypicloud_lite.mirror.terms import Terms
from pypicloud_lite.mirror.usage import Usage, What
from pypicloud_lite.upstream.hops import came_by, hops

_BACKGROUND = 6
"""Times the freshness: for so long after its answer a page is shown while somebody asks."""
_PARSED_BYTES = 32 * 1024 * 1024
_EACH_FILE = 1500
"""Bytes of memory that one file of a page takes, about."""
_KINDS = {
    kind.code: kind
    for kind in (
        errors.UpstreamTimedOut,
        errors.UpstreamUnreachable,
        errors.UpstreamNonsense,
        errors.UpstreamRefused,
        errors.UpstreamAddressRefused,
        errors.UpstreamTooLarge,
    )
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A project as the mirror has it now. ``is_stale``: it was to be asked for again, and is not answered yet."""

    row: PageRow
    is_stale: bool


class MirrorPages:
    """Pages of one mirror index. Thread-safe."""

    def __init__(
        self,
        store: PageStore,
        asking: Asking,
        curation: Curation,
        room: WaitingRoom,
        others_room: WaitingRoom,
        usage: Usage,
        clock: Clock,
        terms: Terms,
        *,
        threads: Threads,
    ) -> None:
        self._store = store
        self._asking = asking
        self._curation = curation
        self._room = room
        self._others_room = others_room
        self._usage = usage
        self._clock = clock
        self._terms = terms
        self._flights: Flights[PageRow] = Flights(threads)
        self._parsed: Cache[tuple[KnownPage, int]] = Cache(_PARSED_BYTES, _weight)
        self._lock = threading.Lock()

    def see(self, project: ProjectName, *, ask: bool = True) -> Seen | None:
        """The project, or None where no upstream has it; one query where it is fresh.

        With ``ask=False``, and for names that no upstream may learn of, only what is known already. An
        ``UpstreamError`` where nothing is known and nobody answers, ``CameRound`` where other servers of this kind ask
        and only they could know.
        """
        row, now = self._store.look(project), self._clock()
        if row is not None and self._came_round(project, row):
            row = None
        if not ask or not self._curation.asks_for(project):
            return self._seen(row, now)
        if row is None or row.fresh_until is None or now >= row.fresh_until or self._is_of_another(row):
            if row is not None and self._may_be_shown_meanwhile(row, now):
                self._usage.count(What.PAGE_HIT)
                self._flights.begin((project, ()), partial(self._ask_for_all, project))
                return Seen(row, is_stale=True)
            row, now = self._ask(project), self._clock()
        else:
            self._usage.count(What.PAGE_HIT)
        return self._answered(row, now)

    def refresh(self, project: ProjectName) -> Seen | None:
        """Ask for a project now, however fresh it is; as :meth:`see` else."""
        if not self._curation.asks_for(project):
            return self.see(project, ask=False)
        return self._answered(self._ask(project), self._clock())

    def expire(self, project: ProjectName) -> None:
        """Ask for it when it is wanted next, however fresh it is."""
        self._store.expire(project)

    def content(self, project: ProjectName, row: PageRow) -> tuple[KnownPage, int]:
        """The files of a project that is shown, and the revision that they are of; one query at most.

        What was read lately is kept: some tens of MB.
        """
        with self._lock:
            kept = self._parsed.get((row.id, row.revision))
        if kept is not None:
            return kept
        packed = self._store.content(row)
        if packed is None:
            raise UpstreamUnavailable(f"Project {project} was forgotten just now: try again", 1)
        read = decode(project, packed[0]), packed[1]
        with self._lock:
            self._parsed.put((row.id, packed[1]), read)
        return read

    def totals(self) -> Mapping[str, int]:
        """How many ``pages`` are kept, how many of them are ``stale``, how many names are known to be ``missing``."""
        return self._store.totals(self._clock())

    def last_error(self) -> tuple[str, datetime] | None:
        """The newest failure of an upstream that no answer has followed, and when it was."""
        return self._store.last_error()

    def projects(self) -> list[ProjectName]:
        """Every project of which a page is kept, by name."""
        return self._store.projects()

    def prune(self, before: datetime) -> int:
        """Forget names that were not there, and that nobody asked for since; how many there were."""
        return self._store.prune(before)

    def known(self, project: ProjectName) -> PageRow | None:
        """What is known of a project, absent or failed ones too; one query, nobody is asked."""
        return self._store.look(project)

    def _ask(self, project: ProjectName) -> PageRow:
        # Those on behalf of other servers do not wait for ours, which may be asking those: not for a place either.
        with (self._others_room if hops() else self._room).place():
            row = self._flights.once((project, hops()), lambda: self._asking.ask(project), PATIENCE)
        if self._came_round(project, row):
            raise came_round_for(project)
        return row

    def _ask_for_all(self, project: ProjectName) -> PageRow:
        with came_by(None):
            return self._asking.ask(project)

    def _came_round(self, project: ProjectName, row: PageRow) -> bool:
        """Whether the page came by way of a server on whose behalf it is asked for."""
        others = hops()
        return bool(others) and row.is_shown and not set(others).isdisjoint(self.content(project, row)[0].came_by)

    def _may_be_shown_meanwhile(self, row: PageRow, now: datetime) -> bool:
        if not row.is_shown or row.checked_at is None or row.fresh_until is None or self._is_of_another(row):
            return False
        return now < row.checked_at + timedelta(seconds=_BACKGROUND * self._terms.fresh)

    def _is_of_another(self, row: PageRow) -> bool:
        """Whether its upstream is none of this mirror's any more, and those that are were not asked yet."""
        return row.is_shown and row.error is None and not self._asking.has(row.upstream)

    def _seen(self, row: PageRow | None, now: datetime) -> Seen | None:
        if row is None or not row.is_shown:
            return None
        is_old = row.checked_at is None or now - row.checked_at >= timedelta(seconds=self._terms.fresh)
        return Seen(row, is_stale=is_old or row.error is not None)

    def _answered(self, row: PageRow, now: datetime) -> Seen | None:
        """A row that is not to be asked for now: shown, absent, or the error that keeps it from both."""
        if row.is_shown and row.error is None and self._terms.fresh == 0:
            # It was asked for just now, as it is each time.
            return Seen(row, is_stale=False)
        if row.is_shown or (row.absent and row.error is None):
            return self._seen(row, now)
        if row.error is None:
            raise UpstreamUnavailable("Another process asks the index upstream for this: try again in a moment", 1)
        if row.error_kind in _KINDS:
            raise _KINDS[row.error_kind](row.error)
        raise (
            UpstreamUnavailable(row.error, 2)
            if row.error_kind == UpstreamUnavailable.code
            else UpstreamError(row.error)
        )


def _weight(kept: tuple[KnownPage, int]) -> int:
    return _EACH_FILE * (1 + len(kept[0].files))
