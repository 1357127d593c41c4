"""Old counts lose their day, and those of projects that are gone go too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, exists, select

from pypicloud_lite.catalog.tables import projects
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.upsert import adding
from pypicloud_lite.downloads.tables import EARLIER, downloads
from pypicloud_lite.kernel.clock import Clock

KEPT_DAYS = 400
"""How long a count stands under its own day."""

_AT_ONCE = 500

_OLD = (
    select(downloads.c.project_id, downloads.c.version, downloads.c.day, downloads.c["count"])
    .where(downloads.c.day > EARLIER, downloads.c.day < bindparam("before"))
    .order_by(downloads.c.day)
    .limit(_AT_ONCE)
)
_DELETE = delete(downloads).where(
    downloads.c.project_id == bindparam("of_project"),
    downloads.c.version == bindparam("of_version"),
    downloads.c.day == bindparam("of_day"),
    downloads.c["count"] == bindparam("seen"),
)
_GONE = (
    select(downloads.c.project_id)
    .distinct()
    .where(~exists(select(projects.c.id).where(projects.c.id == downloads.c.project_id)))
)
_FORGET = delete(downloads).where(downloads.c.project_id == bindparam("gone"))


class Thinning:
    """Keeps the table small: a version has at most ``KEPT_DAYS`` + 2 rows.

    Several processes may do it at once: who deletes a row is who adds it to the version's sum.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._done: date | None = None

    def run(self) -> None:
        """Once a day; a few queries where there is nothing to do."""
        today = self._clock().date()
        if self._done == today:
            return
        while self._thin(today - timedelta(days=KEPT_DAYS)):
            pass
        self._forget()
        self._done = today

    def _thin(self, before: date) -> bool:
        """Sum up some of them; False when there were none."""
        with self._database.read(snapshot=False) as connection:
            old = connection.execute(_OLD, {"before": before}).all()
        if old:
            self._sum_up(sorted(old))
        return bool(old)

    def _sum_up(self, rows: Sequence[Any]) -> None:
        with self._database.write() as connection:
            sums: Counter[tuple[int, str]] = Counter()
            for project_id, version, day, count in rows:
                key = {"of_project": project_id, "of_version": version, "of_day": day, "seen": count}
                if connection.execute(_DELETE, key).rowcount:
                    sums[project_id, version] += count
            if sums:
                connection.execute(
                    adding(connection, downloads, "count"),
                    [
                        {"project_id": project_id, "version": version, "day": EARLIER, "count": count}
                        for (project_id, version), count in sorted(sums.items())
                    ],
                )

    def _forget(self) -> None:
        with self._database.read(snapshot=False) as connection:
            gone = list(connection.execute(_GONE).scalars())
        for project_id in sorted(gone):
            with self._database.write() as connection:
                connection.execute(_FORGET, {"gone": project_id})
