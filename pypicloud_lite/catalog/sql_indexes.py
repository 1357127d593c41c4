"""Named indexes in SQL: their definitions, and one project in several of them."""

from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Protocol

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, true, update

from pypicloud_lite.catalog.model import ConfiguredIndex, FileRecord, IndexRow, ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.rows import SELECT_FILES, SELECT_PROJECTS, dumped, file_records, index_name, project_records
from pypicloud_lite.catalog.sql_overviews import name_part
from pypicloud_lite.catalog.tables import catalog_state, configured_indexes, dropped_indexes, files, indexes, projects
from pypicloud_lite.kernel.errors import CatalogUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName

_INDEXES = (
    select(catalog_state.c.definitions, indexes.c.index_name, indexes.c.kind, indexes.c.options, indexes.c.created_at)
    .select_from(catalog_state.outerjoin(indexes, true()))
    .order_by(indexes.c.index_name)
)
_CONFIGURED = select(
    configured_indexes.c.index_name,
    configured_indexes.c.kind,
    configured_indexes.c.source,
    configured_indexes.c.bases,
    configured_indexes.c.is_default,
).order_by(configured_indexes.c.index_name)
_DROPPED = select(dropped_indexes.c.index_name).order_by(dropped_indexes.c.index_name)
_in_one_of = projects.c.index_name.in_(bindparam("indexes", expanding=True))
_HOLDERS = select(catalog_state.c.definitions, *SELECT_PROJECTS.selected_columns).select_from(
    catalog_state.outerjoin(projects, and_(_in_one_of, projects.c.name == bindparam("name")))
)
_FILES_OF = SELECT_FILES.where(files.c.project_id.in_(bindparam("ids", expanding=True))).order_by(files.c.id)
_PROJECTS_OF = SELECT_PROJECTS.where(_in_one_of, projects.c.file_count > 0).order_by(projects.c.name)
_shown_in_one_of = and_(_in_one_of, projects.c.file_count > 0, projects.c.status != ProjectStatus.QUARANTINED.value)
_COUNTS = select(projects.c.index_name, func.count()).where(_shown_in_one_of).group_by(projects.c.index_name)
_NAMED_IN = (
    SELECT_PROJECTS.where(
        _shown_in_one_of,
        projects.c.name > bindparam("after"),
        # What is looked for has none of the signs that LIKE knows.
        projects.c.name.like(bindparam("part")),
    )
    .order_by(projects.c.name, projects.c.index_name)
    .limit(bindparam("count"))
)
_known = projects.alias()
_UNKNOWN_NAMES = (
    select(projects.c.name, func.max(projects.c.display_name))
    .select_from(
        projects.outerjoin(_known, and_(_known.c.index_name == bindparam("index"), _known.c.name == projects.c.name))
    )
    .where(_in_one_of, _known.c.id.is_(None))
    .group_by(projects.c.name)
)


class SqlIndexes:
    """The questions about named indexes, on one connection."""

    __slots__ = ()

    _connection: Connection

    def indexes(self) -> tuple[int, Sequence[IndexRow]]:
        """See the port."""
        rows = self._connection.execute(_INDEXES).all()
        if not rows:
            raise CatalogUnavailable("The database has not been set up: run ppc-db upgrade")
        return rows[0][0], [
            IndexRow(index_name(name), kind, json.loads(options), created_at)
            for _, name, kind, options, created_at in rows
            if name is not None
        ]

    def configured_indexes(self) -> Sequence[ConfiguredIndex]:
        """See the port."""
        return [
            ConfiguredIndex(index_name(name), kind, source, tuple(map(index_name, json.loads(bases))), is_default)
            for name, kind, source, bases, is_default in self._connection.execute(_CONFIGURED)
        ]

    def dropped_indexes(self) -> Sequence[IndexName]:
        """See the port."""
        return [index_name(name) for name in self._connection.execute(_DROPPED).scalars()]

    def holders(self, indexes: Sequence[IndexName], name: ProjectName) -> tuple[int, Sequence[ProjectRecord]]:
        """See the port."""
        order = {str(one): place for place, one in enumerate(indexes)}
        rows = self._connection.execute(_HOLDERS, {"indexes": list(order), "name": name.value}).all()
        if not rows:
            raise CatalogUnavailable("The database has not been set up: run ppc-db upgrade")
        found = project_records(row[1:] for row in rows if row[1] is not None)
        found.sort(key=lambda one: order[str(one.index)])
        return rows[0][0], found

    def files_of(self, projects: Sequence[ProjectRecord]) -> Mapping[IndexName, Sequence[FileRecord]]:
        """See the port."""
        found: dict[IndexName, list[FileRecord]] = {one.index: [] for one in projects}
        if found:
            for record in file_records(self._connection.execute(_FILES_OF, {"ids": [one.id for one in projects]})):
                found[record.index].append(record)
            for records in found.values():
                records.sort(key=attrgetter("uploaded_at"))
        return found

    def projects_of(self, indexes: Sequence[IndexName]) -> Sequence[ProjectRecord]:
        """See the port."""
        order = {str(one): place for place, one in enumerate(indexes)}
        found = project_records(self._connection.execute(_PROJECTS_OF, {"indexes": list(order)}))
        found.sort(key=lambda one: (one.name, order[str(one.index)]))
        return found

    def project_counts(self, indexes: Sequence[IndexName]) -> Mapping[IndexName, int]:
        """See the port."""
        rows = self._connection.execute(_COUNTS, {"indexes": [str(one) for one in indexes]}).all()
        return {**dict.fromkeys(indexes, 0), **{index_name(name): count for name, count in rows}}

    def projects_within(
        self, indexes: Sequence[IndexName], part: str, after: str, limit: int
    ) -> Sequence[ProjectRecord]:
        """See the port."""
        wanted = name_part(part)
        if wanted is None or name_part(after) != after:
            return []
        told = {"indexes": [str(one) for one in indexes], "after": after, "part": f"%{wanted}%", "count": limit}
        return project_records(self._connection.execute(_NAMED_IN, told))


class IndexChanges:
    """The changes of definitions, within a writer's transaction."""

    def __init__(self, writer: Writer, connection: Connection, now: datetime) -> None:
        self._writer = writer
        self._connection = connection
        self._now = now

    def define(self, row: IndexRow) -> None:
        """See the port."""
        values = {"kind": row.kind, "options": dumped(row.options)}
        key = indexes.c.index_name == str(row.name)
        before = self._connection.execute(select(indexes.c.options).where(key)).scalar()
        if before is None:
            new = {"index_name": str(row.name), "created_at": row.created_at or self._now, **values}
            self._connection.execute(insert(indexes), new)
            self._forget_dropped(row.name)
        elif before != values["options"]:
            self._connection.execute(update(indexes).where(key).values(**values))
        else:
            return
        self._note("define index" if before is None else "change index", row.name, row.options)

    def drop(self, name: IndexName) -> bool:
        """See the port."""
        gone = self._connection.execute(delete(indexes).where(indexes.c.index_name == str(name))).rowcount
        if gone:
            self._forget_dropped(name)
            self._connection.execute(insert(dropped_indexes), {"index_name": str(name)})
            self._note("remove index", name, {})
        return bool(gone)

    def note_cleared(self, name: IndexName) -> None:
        """See the port."""
        self._forget_dropped(name)

    def note_configured(self, noted: Iterable[ConfiguredIndex]) -> None:
        """See the port."""
        self._connection.execute(delete(configured_indexes))
        rows = [
            {
                "index_name": str(one.name),
                "kind": one.kind,
                "source": one.source,
                "bases": json.dumps([str(base) for base in one.bases]),
                "is_default": one.is_default,
            }
            for one in noted
        ]
        if rows:
            self._connection.execute(insert(configured_indexes), rows)

    def reserve(self, index: IndexName, of: Sequence[IndexName]) -> int:
        """See the port."""
        names = {"indexes": [str(one) for one in of], "index": str(index)}
        missing = self._connection.execute(_UNKNOWN_NAMES, names).all()
        if missing:
            serial = self._writer.draw_serial()
            rows = [
                {
                    "index_name": str(index),
                    "name": name,
                    "display_name": display_name,
                    "serial": serial,
                    "revision": secrets.randbits(63),
                    "file_count": 0,
                    "status": "active",
                    "status_reason": None,
                    "document_due": self._now,
                }
                for name, display_name in missing
            ]
            self._connection.execute(insert(projects), rows)
            self._writer.record_index("reserve names", index, {"names": len(rows), "of": names["indexes"]})
        return len(missing)

    def _forget_dropped(self, name: IndexName) -> None:
        self._connection.execute(delete(dropped_indexes).where(dropped_indexes.c.index_name == str(name)))

    def _note(self, action: str, name: IndexName, options: Mapping[str, Any]) -> None:
        self._writer.draw_serial()
        self._connection.execute(update(catalog_state).values(definitions=secrets.randbits(62) + 1))
        # An upstream's address may hold a password.
        told = {key: value for key, value in options.items() if key != "mirror_url"}
        self._writer.record_index(action, name, told)


class IndexWriting(ABC):
    """The port's methods, for a writer."""

    __slots__ = ()

    @abstractmethod
    def _defined(self) -> IndexChanges:
        """What makes the changes, in the writer's transaction."""

    def define_index(self, row: IndexRow) -> None:
        """See the port."""
        self._defined().define(row)

    def drop_index(self, name: IndexName) -> bool:
        """See the port."""
        return self._defined().drop(name)

    def note_cleared(self, name: IndexName) -> None:
        """See the port."""
        self._defined().note_cleared(name)

    def note_configured(self, indexes: Iterable[ConfiguredIndex]) -> None:
        """See the port."""
        self._defined().note_configured(indexes)

    def reserve_projects(self, index: IndexName, of: Sequence[IndexName]) -> int:
        """See the port."""
        return self._defined().reserve(index, of)


class Writer(Protocol):
    """What changes of definitions need of a writer."""

    def draw_serial(self, at_least: int = 0) -> int:
        """The serial of its scope."""

    def record_index(self, action: str, index: IndexName, detail: Mapping[str, Any]) -> None:
        """Append to the journal."""
