"""The counts of one project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Date, String, bindparam, cast, func, null, select, union_all

from pypicloud_lite.db.engine import Database
from pypicloud_lite.downloads.tables import downloads
from pypicloud_lite.kernel.clock import Clock

_SUM = func.sum(downloads.c["count"])
_OF = select(downloads.c.version, cast(null(), Date).label("day"), _SUM).where(
    downloads.c.project_id == bindparam("project_id")
)
_COUNTS = union_all(
    _OF.group_by(downloads.c.version),
    select(cast(null(), String(1)), downloads.c.day, _SUM)
    .where(downloads.c.project_id == bindparam("project_id"), downloads.c.day >= bindparam("since"))
    .group_by(downloads.c.day),
)


@dataclass(frozen=True, slots=True)
class Counts:
    """``days`` are consecutive ones in UTC, the oldest first, with those on which there was nothing.

    ``versions`` and ``total`` are of all times, versions that were deleted included.
    """

    days: Sequence[tuple[date, int]]
    versions: Mapping[str, int]

    @property
    def recent(self) -> int:
        """Of all these days."""
        return sum(count for _, count in self.days)

    @property
    def total(self) -> int:
        """Of all times."""
        return sum(self.versions.values())


class DownloadCounts:
    """Questions about what was written down: at most a minute behind what is downloaded."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, project_id: int, days: int) -> Counts:
        """The counts of a project, by day for the last ``days`` with today; one query, whoever may see them."""
        today = self._clock().date()
        first = today - timedelta(days=days - 1)
        by_day: dict[date, int] = {}
        versions: dict[str, int] = {}
        with self._database.read(snapshot=False) as connection:
            for version, day, count in connection.execute(_COUNTS, {"project_id": project_id, "since": first}):
                if version is None:
                    by_day[day] = int(count)
                else:
                    versions[version] = int(count)
        every = [first + timedelta(days=number) for number in range(days)]
        return Counts([(day, by_day.get(day, 0)) for day in every], versions)
