"""Room: cached files that nobody asked for the longest go when there are more than the quota lets be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, delete, func, select

from pypicloud_lite.catalog.model import Amount, ManifestState, Origin
from pypicloud_lite.catalog.tables import files, projects
from pypicloud_lite.db.engine import Database
from pypicloud_lite.indexes.changes import Changes, Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.tables import mirror_uses

_log = structlog.get_logger("pypicloud_lite.mirror")

_AT_ONCE = 100
EVICTION = Author("mirror eviction")
_f, _u = files.c, mirror_uses.c


@dataclass(frozen=True, slots=True)
class Cached:
    """A cached file, as it goes."""

    index: IndexName
    project: ProjectName
    filename: str
    size: int


class Eviction:
    """Of the mirror indexes that ``indexes`` gives, all together; uploaded files are never touched."""

    def __init__(self, database: Database, changes: Changes, indexes: Callable[[], Sequence[IndexName]]) -> None:
        self._database = database
        self._changes = changes
        self.indexes = indexes

    def of(self, index: IndexName) -> Eviction:
        """That of one index."""
        return Eviction(self._database, self._changes, lambda: (index,))

    def space(self) -> Amount:
        """The room that cached files take; one query."""
        statement = select(func.count(), func.coalesce(func.sum(_f.size), 0)).where(*self._mine())
        with self._database.read(snapshot=False) as connection:
            count, size = connection.execute(statement).one()
        return Amount(int(count), int(size))

    def evict(self, quota: int, author: Author = EVICTION) -> list[Cached]:
        """Remove files until the others take ``quota`` bytes at most; those that went.

        Any number of processes may do this at once. A file that is being downloaded is sent to its end where the
        storage lets it, as any that is deleted.
        """
        gone = []
        excess = self.space().size - quota
        while excess > 0:
            oldest = list(self._oldest())
            if not oldest:
                break
            for file in oldest:
                if excess <= 0:
                    break
                self.remove(file, author)
                gone.append(file)
                excess -= file.size
        if gone:
            _log.info("cached files made room", files=len(gone), bytes=sum(file.size for file in gone))
        return gone

    def forget_uses(self) -> int:
        """Forget uses of files that are not here; how many there were."""
        here = select(_f.filename).where(_f.index_name == _u.index_name, _f.filename == _u.filename).exists()
        statement = delete(mirror_uses).where(_u.index_name.in_(self._names()), ~here)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount

    def unused_since(self, before: datetime) -> list[Cached]:
        """Cached files that nobody asked for since then; of one without a use nothing is known."""
        used = (_u.index_name == _f.index_name) & (_u.filename == _f.filename) & (_u.used_at < before)
        statement = self._select().join(mirror_uses, used).order_by(_u.used_at)
        with self._database.read(snapshot=False) as connection:
            return [_cached(*row) for row in connection.execute(statement)]

    def remove(self, file: Cached, author: Author = EVICTION) -> None:
        """Remove one file from the cache; it comes again when somebody wants it."""
        self._changes.remove(Selection(file.index, file.project, file.filename), author)
        with self._database.write() as connection:
            connection.execute(
                delete(mirror_uses).where(_u.index_name == str(file.index), _u.filename == file.filename)
            )

    def remove_project(self, index: IndexName, project: ProjectName, author: Author) -> list[Cached]:
        """Remove all cached files of a project; those that went."""
        gone = [
            Cached(index, project, one.filename.value, one.size)
            for one in self._changes.remove(Selection(index, project), author)
        ]
        names = [file.filename for file in gone]
        with self._database.write() as connection:
            for start in range(0, len(names), _AT_ONCE):
                some = names[start : start + _AT_ONCE]
                connection.execute(delete(mirror_uses).where(_u.index_name == str(index), _u.filename.in_(some)))
        return gone

    def files(self, project: ProjectName | None = None) -> list[Cached]:
        """Every cached file, or those of a project."""
        statement = self._select().order_by(projects.c.name, _f.filename)
        if project is not None:
            statement = statement.where(projects.c.name == project.value)
        with self._database.read(snapshot=False) as connection:
            return [_cached(*row) for row in connection.execute(statement)]

    def _oldest(self) -> Iterator[Cached]:
        """Some of those to go first. One that has no use written down has only just come."""
        statement = (
            self._select()
            .outerjoin(mirror_uses, (_u.index_name == _f.index_name) & (_u.filename == _f.filename))
            .order_by(_u.used_at.is_(None), _u.used_at, _f.id)
            .limit(_AT_ONCE)
        )
        with self._database.read(snapshot=False) as connection:
            for row in connection.execute(statement).all():
                yield _cached(*row)

    def _select(self) -> Select[Any]:
        return (
            select(_f.index_name, projects.c.name, _f.filename, _f.size)
            .select_from(files.join(projects, projects.c.id == _f.project_id))
            .where(*self._mine())
        )

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return (
            _f.index_name.in_(self._names()),
            _f.origin == Origin.CACHE.value,
            _f.manifest != ManifestState.REMOVING.value,
        )

    def _names(self) -> list[str]:
        return [str(index) for index in self.indexes()]


def _cached(index: str, project: str, filename: str, size: int) -> Cached:
    return Cached(IndexName.parse(index), ProjectName(project), filename, size)
