"""Downloads, counted in memory and written down now and then: a download itself writes nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date

import structlog

from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.upsert import adding
from pypicloud_lite.downloads.tables import downloads
from pypicloud_lite.kernel.clock import Clock

_log = structlog.get_logger("pypicloud_lite.downloads")

# Rows that one transaction writes: on SQLite other writers wait for it.
_AT_ONCE = 500

Key = tuple[int, str, date]


class DownloadCounter:
    """Those of this process since they were last written down. Thread-safe, bounded.

    What a process that is killed has not written yet is lost: at most what came within a minute. What cannot be
    written is kept. Past ``max_kinds`` different (project, version, day) only those that are known are counted on,
    and how many others there were is logged; 20,000 take about 5 MB.
    """

    def __init__(self, database: Database, clock: Clock, *, max_kinds: int = 20_000) -> None:
        self._database = database
        self._clock = clock
        self._max_kinds = max_kinds
        self._lock = threading.Lock()
        # The end of the process waits for what another thread is writing.
        self._writing = threading.Lock()
        self._counts: dict[Key, int] = {}
        self._uncounted = 0

    def note(self, project_id: int, version: str) -> None:
        """Count one; no I/O."""
        self._add((project_id, version, self._clock().date()), 1)

    def write(self) -> int:
        """Write down what was counted; how many rows that were.

        A commit of which nobody knows counts as failed: those rows may then be counted twice, never not at all.
        """
        with self._writing:
            with self._lock:
                taken, self._counts = self._counts, {}
                uncounted, self._uncounted = self._uncounted, 0
            if uncounted:
                _log.warning("downloads of too many different releases at once: some are not counted", count=uncounted)
            rows = sorted(taken.items())
            for start in range(0, len(rows), _AT_ONCE):
                try:
                    self._write(rows[start : start + _AT_ONCE])
                except BaseException:
                    for key, count in rows[start:]:
                        self._add(key, count)
                    raise
            return len(rows)

    def _write(self, rows: Sequence[tuple[Key, int]]) -> None:
        with self._database.write() as connection:
            connection.execute(
                adding(connection, downloads, "count"),
                [
                    {"project_id": project_id, "version": version, "day": day, "count": count}
                    for (project_id, version, day), count in rows
                ],
            )

    def _add(self, key: Key, count: int) -> None:
        with self._lock:
            known = self._counts.get(key)
            if known is not None:
                self._counts[key] = known + count
            elif len(self._counts) < self._max_kinds:
                self._counts[key] = count
            else:
                self._uncounted += count
