"""The catalog's questions about the whole index in SQL, as administrators ask them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, func, select

from pypicloud_lite.catalog.model import Amount, Origin, ProjectRecord, ProjectSpace, Reserved, Space
from pypicloud_lite.catalog.rows import SELECT_PROJECTS, project_name, project_records
from pypicloud_lite.catalog.sql_releases import SqlReleases
from pypicloud_lite.catalog.tables import files, projects, reservations
from pypicloud_lite.kernel.names import IndexName

_RUNS = re.compile(r"[-_.]+")
_PART = re.compile(r"[a-z0-9-]*", re.ASCII)

_NAMED = (
    SELECT_PROJECTS.where(
        projects.c.index_name == bindparam("index"),
        projects.c.name > bindparam("after"),
        # What is looked for has none of the signs that LIKE knows.
        projects.c.name.like(bindparam("part")),
    )
    .order_by(projects.c.name)
    .limit(bindparam("count"))
)


def _amounts_by_origin() -> Iterator[ColumnElement[int]]:
    """Of one project, for each origin the number of its files and their size."""
    for origin in Origin:
        came_so = files.c.origin == origin.value
        yield func.sum(case((came_so, 1), else_=0)).label(f"{origin}_files")
        yield func.sum(case((came_so, files.c.size), else_=0)).label(f"{origin}_size")


_by_project = (
    select(files.c.project_id, func.sum(files.c.size).label("size"), *_amounts_by_origin())
    .where(files.c.index_name == bindparam("index"), files.c.manifest != "removing")
    .group_by(files.c.project_id)
    .subquery()
)
_amounts = [_by_project.c[f"{origin}_{what}"] for origin in Origin for what in ("files", "size")]
# Windows without any partition: the sums of all projects come along with each of those that are shown.
_SPACE = (
    select(
        projects.c.name,
        projects.c.display_name,
        func.count().over(),
        *_amounts,
        *(func.sum(column).over() for column in _amounts),
    )
    .join_from(projects, _by_project, _by_project.c.project_id == projects.c.id)
    .order_by(_by_project.c.size.desc(), projects.c.name)
    .limit(bindparam("count"))
    .offset(bindparam("offset"))
)
_RESERVED = select(
    select(func.count())
    .select_from(reservations)
    .where(reservations.c.index_name == bindparam("index"))
    .scalar_subquery(),
    select(func.count())
    .select_from(projects)
    .where(projects.c.index_name == bindparam("index"), projects.c.file_count == 0)
    .scalar_subquery(),
)


class SqlOverviews(SqlReleases):
    """The part of :class:`~pypicloud_lite.catalog.port.CatalogReader` that is about all of an index."""

    __slots__ = ()

    def projects_named(self, index: IndexName, part: str, after: str, limit: int) -> Sequence[ProjectRecord]:
        """See the port."""
        wanted = name_part(part)
        if wanted is None or name_part(after) != after:
            return []
        parameters = {"index": str(index), "after": after, "part": f"%{wanted}%", "count": limit}
        return project_records(self._connection.execute(_NAMED, parameters))

    def space(self, index: IndexName, offset: int, limit: int) -> Space:
        """See the port."""
        parameters = {"index": str(index), "offset": offset, "count": limit}
        rows = self._connection.execute(_SPACE, parameters).all()
        largest = []
        for name, display_name, _, *numbers in rows:
            own = _by_origin(numbers[: len(_amounts)])
            largest.append(ProjectSpace(project_name(name), display_name, _whole(own), own[Origin.CACHE]))
        if not rows:
            return Space(Amount(), dict.fromkeys(Origin, Amount()), 0, ())
        every = _by_origin(rows[0][-len(_amounts) :])
        return Space(_whole(every), every, int(rows[0][2]), largest)

    def reserved(self, index: IndexName) -> Reserved:
        """See the port."""
        return Reserved(*self._connection.execute(_RESERVED, {"index": str(index)}).one())


def name_part(text: str) -> str | None:
    """A part of a project's name, normalised as names are; None for what is in no name."""
    part = _RUNS.sub("-", text).lower()
    return part if _PART.fullmatch(part) else None


def _by_origin(numbers: Sequence[Any]) -> Mapping[Origin, Amount]:
    # Sums are Decimals on PostgreSQL and MariaDB.
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return {origin: Amount(int(count), int(size)) for origin, (count, size) in zip(Origin, pairs, strict=True)}


def _whole(parts: Mapping[Origin, Amount]) -> Amount:
    return Amount(sum(one.files for one in parts.values()), sum(one.size for one in parts.values()))
