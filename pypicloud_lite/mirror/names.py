"""Every project that the upstreams list: kept packed in the database, given out piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, or_, select, update

from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.turns import take_turn
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import UpstreamError, UpstreamUnavailable
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.flights import Flights, Threads, WaitingRoom
from pypicloud_lite.mirror.tables import mirror_names
from pypicloud_lite.upstream.packed import merged, names_in
from pypicloud_lite.upstream.port import NotModified, Upstream, UpstreamNames, Validator

_log = structlog.get_logger("pypicloud_lite.mirror")

_FRESH = 1800.0
_PAUSE = 60.0
_TURN = 300.0
"""Seconds: more than twice what an upstream may take."""
_PATIENCE = 90.0
_n = mirror_names.c


@dataclass(frozen=True, slots=True)
class NamesRow:
    """What is known of one upstream's list, but for the names."""

    upstream: str
    etag: str | None
    last_modified: str | None
    revision: int
    fresh_until: datetime | None
    has_content: bool


class MirrorNames:
    """The names of one mirror index. Thread-safe; of all threads and processes one asks an upstream."""

    def __init__(
        self,
        database: Database,
        index: IndexName,
        upstreams: Sequence[Upstream],
        room: WaitingRoom,
        clock: Clock,
        threads: Threads,
    ) -> None:
        self._database = database
        self._index = index
        self._upstreams = upstreams
        self._room = room
        self._clock = clock
        self._flights: Flights[None] = Flights(threads)

    def see(self, *, ask: bool = True) -> int:
        """Have the lists asked for where they are old, and give a number that changes with them.

        One query where all are fresh. An old list stands, while it is asked for and where its upstream gives no
        answer; ``UpstreamError`` where there is none at all.
        """
        rows = self._rows()
        failed: UpstreamError | None = None
        for upstream in self._upstreams if ask else ():
            try:
                if self._freshen(upstream, rows.get(_key(upstream))):
                    rows = self._rows()
            except UpstreamError as error:
                failed = error
        revisions = tuple(row.revision for row in rows.values() if row.has_content)
        if not revisions:
            raise failed or UpstreamUnavailable("The index upstream has not listed its projects yet: try again", 2)
        return hash(revisions)

    def names(self) -> Iterator[str]:
        """Normalised names in order, each once; a query and some MB for each upstream, however many."""
        return merged(self._of(upstream) for upstream in self._upstreams)

    def _freshen(self, upstream: Upstream, row: NamesRow | None) -> bool:
        """Whether it was asked and answered; an old list is asked for in the background."""
        if row is not None and row.fresh_until is not None and self._clock() < row.fresh_until:
            return False
        if row is not None and row.has_content:
            self._flights.begin(upstream.name, lambda: self._ask(upstream))
            return False
        with self._room.place():
            self._flights.once(upstream.name, lambda: self._ask(upstream), _PATIENCE)
        return True

    def _ask(self, upstream: Upstream) -> None:
        row = self._claimed(upstream)
        if row is None:
            # Another process does; what there is stands.
            return
        try:
            said = upstream.names(Validator(row.etag, row.last_modified) if row.has_content else None)
        except UpstreamError as error:
            _log.warning("an index upstream does not list its projects", upstream=upstream.name, error=error.message)
            self._settle(upstream, fresh_until=self._clock() + timedelta(seconds=_PAUSE))
            raise
        fresh = {"fresh_until": self._clock() + timedelta(seconds=_FRESH)}
        if isinstance(said, UpstreamNames):
            validator = said.freshness.validator
            self._settle(
                upstream,
                content=said.names.to_bytes(),
                etag=validator.etag,
                last_modified=validator.last_modified,
                # The same names are the same list, whatever the upstream named it by.
                revision=int(said.names.digest[:15], 16),
                **fresh,
            )
        elif isinstance(said, NotModified):
            self._settle(upstream, **fresh)
        else:
            # It has no list: that is a list of nothing.
            self._settle(upstream, content=b"", etag=None, last_modified=None, revision=0, **fresh)

    def _claimed(self, upstream: Upstream) -> NamesRow | None:
        now = self._clock()
        turn = {"asking_until": now + timedelta(seconds=_TURN)}
        free = or_(_n.asking_until.is_(None), _n.asking_until < now)
        key = {"index_name": str(self._index), "upstream": _key(upstream)}
        if not take_turn(self._database, mirror_names, key, free, turn):
            return None
        row = self._rows().get(_key(upstream))
        if row is None:
            raise UpstreamUnavailable("The list of projects was forgotten just now: try again", 1)
        return row

    def _settle(self, upstream: Upstream, **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(update(mirror_names).where(*self._where(upstream)).values(asking_until=None, **values))

    def _rows(self) -> Mapping[str, NamesRow]:
        columns = (_n.upstream, _n.etag, _n.last_modified, _n.revision, _n.fresh_until)
        asked = [_key(upstream) for upstream in self._upstreams]
        statement = (
            select(*columns, _n.content.is_not(None).label("has_content"))
            .where(_n.index_name == str(self._index), _n.upstream.in_(asked))
            .order_by(_n.upstream)
        )
        with self._database.read(snapshot=False) as connection:
            return {row["upstream"]: NamesRow(**row) for row in connection.execute(statement).mappings()}

    def _of(self, upstream: Upstream) -> Iterator[str]:
        with self._database.read(snapshot=False) as connection:
            content = connection.execute(select(_n.content).where(*self._where(upstream))).scalar()
        return names_in(content or b"")

    def _where(self, upstream: Upstream) -> tuple[ColumnElement[bool], ...]:
        return _n.index_name == str(self._index), _n.upstream == _key(upstream)


def _key(upstream: Upstream) -> str:
    return upstream.name[:255]
