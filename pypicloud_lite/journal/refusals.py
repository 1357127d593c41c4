"""Refusals, counted and written down now and then: a flood of them is a few lines, and costs no transaction each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import Author, Outcome
from pypicloud_lite.journal.sql import append
from pypicloud_lite.kernel.clock import Clock

_log = structlog.get_logger("pypicloud_lite.journal")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused to whom: equal ones are counted together. ``action`` as in ``refuse login``."""

    author: Author
    action: str
    subject: str
    status: int
    project: str = ""


@dataclass(slots=True)
class _Seen:
    first: datetime
    count: int = 1
    last: datetime | None = field(default=None)


class Refusals:
    """Those of this process since they were last written down. Thread-safe, bounded.

    What a process that is killed has not written yet is lost: at most what came within a minute. Past ``max_kinds``
    different ones the rest is counted together.
    """

    def __init__(self, database: Database, clock: Clock, *, max_kinds: int = 1000) -> None:
        self._database = database
        self._clock = clock
        self._max_kinds = max_kinds
        self._lock = threading.Lock()
        self._seen: OrderedDict[Refusal, _Seen] = OrderedDict()

    def note(self, refusal: Refusal) -> None:
        """Count one; no I/O."""
        now = self._clock()
        with self._lock:
            if refusal not in self._seen and len(self._seen) >= self._max_kinds:
                refusal = Refusal(Author(None), refusal.action, "(many others)", refusal.status)
            seen = self._seen.get(refusal)
            if seen is None:
                self._seen[refusal] = _Seen(now)
            else:
                seen.count += 1
                seen.last = now

    def write(self) -> int:
        """Write down what was counted, in one transaction; how many lines. What cannot be written is kept."""
        with self._lock:
            taken, self._seen = self._seen, OrderedDict()
        if not taken:
            return 0
        try:
            with self._database.write() as connection:
                for refusal, seen in taken.items():
                    detail: dict[str, object] = {"count": seen.count, "status": refusal.status}
                    if seen.last is not None:
                        detail["until"] = seen.last.isoformat()
                    append(
                        connection,
                        seen.first,
                        refusal.author,
                        refusal.action,
                        subject=refusal.subject,
                        detail=detail,
                        outcome=Outcome.REFUSED,
                        project=refusal.project,
                    )
        except BaseException:
            self._give_back(taken)
            raise
        return len(taken)

    def _give_back(self, taken: OrderedDict[Refusal, _Seen]) -> None:
        with self._lock:
            for refusal, seen in taken.items():
                known = self._seen.get(refusal)
                if known is not None:
                    seen.count += known.count
                    seen.last = known.last or known.first
                if known is not None or len(self._seen) < self._max_kinds:
                    self._seen[refusal] = seen
