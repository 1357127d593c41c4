"""When cached files were last asked for, and what the mirror had to do: counted in memory, written now and then."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select

from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.upsert import adding, replacing
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.tables import mirror_counts, mirror_uses

_KEPT_DAYS = 90
_AT_ONCE = 500
_c, _u = mirror_counts.c, mirror_uses.c


class What(StrEnum):
    """What is counted; BYTES are those that came from upstreams in files."""

    HIT = "file hit"
    MISS = "file miss"
    BYTES = "bytes fetched"
    PAGE_HIT = "page hit"
    PAGE_MISS = "page miss"
    FAILURE = "failure"


class Usage:
    """Of this process since it was last written down; what a killed process did not write is lost. Thread-safe."""

    def __init__(self, database: Database, index: IndexName, clock: Clock) -> None:
        self._database = database
        self._index = index
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[tuple[date, What]] = Counter()
        self._uses: dict[str, datetime] = {}

    def count(self, what: What, amount: int = 1) -> None:
        """So many more of it; no I/O."""
        with self._lock:
            self._counts[self._clock().date(), what] += amount

    def used(self, filename: str) -> None:
        """Somebody asked for this file; no I/O."""
        with self._lock:
            self._uses[filename] = self._clock()

    def write(self) -> None:
        """Write down what was counted; what cannot be written is kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            uses, self._uses = self._uses, {}
        try:
            self._write_counts(counts)
            counts = Counter()
            self._write_uses(uses)
        except BaseException:
            with self._lock:
                self._counts.update(counts)
                self._uses = {**uses, **self._uses}
            raise

    def totals(self, days: int) -> Mapping[What, int]:
        """What was written in the last ``days`` days; one query."""
        since = (self._clock() - timedelta(days=days)).date()
        statement = (
            select(_c.what, func.sum(_c.count))
            .where(_c.index_name == str(self._index), _c.day > since)
            .group_by(_c.what)
        )
        with self._database.read(snapshot=False) as connection:
            found = {str(what): int(count) for what, count in connection.execute(statement)}
        return {what: found.get(what.value, 0) for what in What}

    def prune(self) -> None:
        """Forget the counts of long ago."""
        before = (self._clock() - timedelta(days=_KEPT_DAYS)).date()
        with self._database.write() as connection:
            connection.execute(delete(mirror_counts).where(_c.index_name == str(self._index), _c.day < before))

    def _write_counts(self, counts: Mapping[tuple[date, What], int]) -> None:
        rows = [
            {"index_name": str(self._index), "day": day, "what": what.value, "count": count}
            for (day, what), count in sorted(counts.items())
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(adding(connection, mirror_counts, "count"), rows)

    def _write_uses(self, uses: Mapping[str, datetime]) -> None:
        rows = [
            {"index_name": str(self._index), "filename": filename, "used_at": at}
            for filename, at in sorted(uses.items())
        ]
        for start in range(0, len(rows), _AT_ONCE):
            with self._database.write() as connection:
                connection.execute(replacing(connection, mirror_uses), rows[start : start + _AT_ONCE])
