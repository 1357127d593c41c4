"""The catalog's questions about the whole index in SQL, as administrators ask them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import bindparam

from pypicloud_lite.catalog.model import ProjectRecord
from pypicloud_lite.catalog.rows import SELECT_PROJECTS, project_records
from pypicloud_lite.catalog.sql_releases import SqlReleases
from pypicloud_lite.catalog.tables import projects
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


class SqlOverviews(SqlReleases):
    """The part of :class:`~pypicloud_lite.catalog.port.CatalogReader` that is about all of an index."""

    __slots__ = ()

    def projects_named(self, index: IndexName, part: str, after: str, limit: int) -> Sequence[ProjectRecord]:
        """See the port."""
        part = _RUNS.sub("-", part).lower()
        if not (_PART.fullmatch(part) and _PART.fullmatch(after)):
            return []
        parameters = {"index": str(index), "after": after, "part": f"%{part}%", "count": limit}
        return project_records(self._connection.execute(_NAMED, parameters))
