"""The catalog's questions in SQL.

Statements are built once, here, so that SQLAlchemy compiles each of them once for a process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, outerjoin, select, union

from pypicloud_lite.catalog.model import (
    CatalogState,
    FileRecord,
    JournalEntry,
    ProjectOverview,
    ProjectRecord,
    Reservation,
)
from pypicloud_lite.catalog.rows import (
    SELECT_FILES,
    SELECT_JOURNAL,
    SELECT_PROJECTS,
    SELECT_RESERVATIONS,
    file_records,
    is_filename,
    is_storable,
    journal_entries,
    project_name,
    project_overviews,
    project_records,
    reservation_records,
)
from pypicloud_lite.catalog.sql_attachments import SqlAttachments
from pypicloud_lite.catalog.sql_indexes import SqlIndexes
from pypicloud_lite.catalog.sql_overviews import SqlOverviews
from pypicloud_lite.catalog.sql_search import SqlSearch
from pypicloud_lite.catalog.tables import attachments, catalog_state, file_metadata, files, projects, reservations
from pypicloud_lite.journal.tables import journal
from pypicloud_lite.kernel.errors import CatalogUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName

_FILES_AT_ONCE = 1000
_KEYS_AT_ONCE = 500

_of_index = projects.c.index_name == bindparam("index")

_PROJECT = SELECT_PROJECTS.where(_of_index, projects.c.name == bindparam("name"))
_HAVING_FILES = select(projects.c.name).where(
    _of_index,
    projects.c.name.in_(bindparam("names", expanding=True)),
    projects.c.file_count > 0,
    projects.c.status != "quarantined",
)
_PROJECTS = SELECT_PROJECTS.where(_of_index, projects.c.file_count > 0).order_by(projects.c.name)
_newest = (
    select(
        files.c.project_id,
        files.c.summary,
        files.c.uploaded_at,
        func.min(files.c.uploaded_at).over(partition_by=files.c.project_id).label("created_at"),
        func.sum(files.c.size).over(partition_by=files.c.project_id).label("size"),
        func.row_number()
        .over(partition_by=files.c.project_id, order_by=(files.c.uploaded_at.desc(), files.c.id.desc()))
        .label("place"),
    )
    .where(files.c.index_name == bindparam("index"), files.c.manifest != "removing")
    .subquery()
)
_OVERVIEW = (
    select(
        projects.c.name,
        projects.c.display_name,
        projects.c.status,
        _newest.c.summary,
        _newest.c.uploaded_at,
        _newest.c.created_at,
        _newest.c.size,
    )
    .join_from(projects, _newest, _newest.c.project_id == projects.c.id)
    .where(_newest.c.place == 1)
    .order_by(projects.c.name)
)
_FILES = SELECT_FILES.where(_of_index, projects.c.name == bindparam("name")).order_by(files.c.id)
_PROJECT_AND_FILES = (
    select(*SELECT_PROJECTS.selected_columns, *SELECT_FILES.selected_columns)
    .select_from(outerjoin(projects, files, files.c.project_id == projects.c.id))
    .where(_of_index, projects.c.name == bindparam("name"))
    .order_by(files.c.id)
)
_PROJECT_WIDTH = len(SELECT_PROJECTS.selected_columns)
_FILE = SELECT_FILES.where(files.c.index_name == bindparam("index"), files.c.filename == bindparam("filename"))
_FIRST_FILES = SELECT_FILES.where(_of_index).order_by(projects.c.name, files.c.id).limit(_FILES_AT_ONCE)
_NEXT_FILES = (
    SELECT_FILES.where(
        _of_index,
        projects.c.name >= bindparam("name"),
        or_(
            projects.c.name > bindparam("name"),
            and_(projects.c.name == bindparam("name"), files.c.id > bindparam("last")),
        ),
    )
    .order_by(projects.c.name, files.c.id)
    .limit(_FILES_AT_ONCE)
)
_CORE = select(file_metadata.c.core).where(file_metadata.c.file_id == bindparam("file_id"))
_RESERVATIONS = SELECT_RESERVATIONS.where(reservations.c.project == bindparam("name")).order_by(reservations.c.filename)
_RESERVATION = SELECT_RESERVATIONS.where(reservations.c.filename == bindparam("filename"))
STATE = select(
    catalog_state.c.serial,
    catalog_state.c.revision,
    catalog_state.c.rebuilding_since,
    catalog_state.c.rebuilt_at,
    catalog_state.c.definitions,
)
_ANY_PROJECT = select(projects.c.id).limit(1)
_PENDING = (
    SELECT_FILES.where(files.c.manifest.in_(("pending", "removing")), files.c.uploaded_at < bindparam("before"))
    .order_by(files.c.uploaded_at, files.c.id)
    .limit(bindparam("count"))
)
_DOCUMENTS_DUE = (
    SELECT_PROJECTS.where(projects.c.document_due < bindparam("before"))
    .order_by(projects.c.document_due, projects.c.id)
    .limit(bindparam("count"))
)
_KEYS = union(
    select(files.c.storage_key).where(files.c.storage_key.in_(bindparam("keys", expanding=True))),
    select(files.c.home).where(files.c.home.in_(bindparam("keys", expanding=True))),
    select(attachments.c.storage_key).where(attachments.c.storage_key.in_(bindparam("keys", expanding=True))),
)
_page = (
    select(journal.c.serial)
    .where(journal.c.serial > bindparam("after"))
    .order_by(journal.c.serial)
    .limit(bindparam("count"))
    .subquery()
)
_JOURNAL = SELECT_JOURNAL.where(
    journal.c.serial > bindparam("after"),
    journal.c.serial <= select(func.max(_page.c.serial)).scalar_subquery(),
).order_by(journal.c.serial, journal.c.id)


class SqlReader(SqlOverviews, SqlSearch, SqlIndexes, SqlAttachments):
    """:class:`~pypicloud_lite.catalog.port.CatalogReader` on one connection."""

    __slots__ = ()

    def project(self, index: IndexName, name: ProjectName) -> ProjectRecord | None:
        """See the port."""
        rows = self._connection.execute(_PROJECT, {"index": str(index), "name": name.value}).all()
        return project_records(rows)[0] if rows else None

    def projects(self, index: IndexName) -> Sequence[ProjectRecord]:
        """See the port."""
        return project_records(self._connection.execute(_PROJECTS, {"index": str(index)}))

    def overview(self, index: IndexName) -> Sequence[ProjectOverview]:
        """See the port."""
        return project_overviews(self._connection.execute(_OVERVIEW, {"index": str(index)}))

    def files(self, index: IndexName, project: ProjectName) -> Sequence[FileRecord]:
        """See the port."""
        found = file_records(self._connection.execute(_FILES, {"index": str(index), "name": project.value}))
        found.sort(key=attrgetter("uploaded_at"))
        return found

    def project_with_files(
        self, index: IndexName, name: ProjectName
    ) -> tuple[ProjectRecord | None, Sequence[FileRecord]]:
        """See the port."""
        rows = self._connection.execute(_PROJECT_AND_FILES, {"index": str(index), "name": name.value}).all()
        if not rows:
            return None, []
        # a project without files is one row, whose second half is empty
        found = file_records(row[_PROJECT_WIDTH:] for row in rows if row[_PROJECT_WIDTH] is not None)
        found.sort(key=attrgetter("uploaded_at"))
        return project_records([rows[0][:_PROJECT_WIDTH]])[0], found

    def file(self, index: IndexName, filename: str) -> FileRecord | None:
        """See the port."""
        if not is_filename(filename):
            return None
        rows = self._connection.execute(_FILE, {"index": str(index), "filename": filename}).all()
        return file_records(rows)[0] if rows else None

    def core_metadata(self, file_id: int) -> Mapping[str, Any]:
        """See the port."""
        core = self._connection.execute(_CORE, {"file_id": file_id}).scalar()
        return json.loads(core) if core else {}

    def reservations(self, index: IndexName, project: ProjectName) -> Sequence[Reservation]:
        """See the port."""
        parameters = {"index": str(index), "name": project.value}
        return reservation_records(self._connection.execute(_RESERVATIONS, parameters))

    def reservation(self, index: IndexName, filename: str) -> Reservation | None:
        """See the port."""
        if not is_filename(filename):
            return None
        rows = self._connection.execute(_RESERVATION, {"index": str(index), "filename": filename}).all()
        return reservation_records(rows)[0] if rows else None

    def state(self) -> CatalogState:
        """See the port."""
        row = self._connection.execute(STATE).one_or_none()
        if row is None:
            raise CatalogUnavailable("The database has not been set up: run ppc-db upgrade")
        return CatalogState(*row)

    def is_empty(self) -> bool:
        """See the port."""
        return self._connection.execute(_ANY_PROJECT).first() is None

    def all_files(self, index: IndexName) -> Iterator[FileRecord]:
        """See the port."""
        parameters: dict[str, str | int] = {"index": str(index)}
        batch = file_records(self._connection.execute(_FIRST_FILES, parameters))
        while batch:
            yield from batch
            if len(batch) < _FILES_AT_ONCE:
                return
            last = batch[-1]
            parameters.update(name=last.project.value, last=last.id)
            batch = file_records(self._connection.execute(_NEXT_FILES, parameters))

    def pending(self, uploaded_before: datetime, limit: int) -> Sequence[FileRecord]:
        """See the port."""
        parameters = {"before": uploaded_before, "count": limit}
        return file_records(self._connection.execute(_PENDING, parameters))

    def documents_due(self, since_before: datetime, limit: int) -> Sequence[ProjectRecord]:
        """See the port."""
        return project_records(self._connection.execute(_DOCUMENTS_DUE, {"before": since_before, "count": limit}))

    def having_files(self, index: IndexName, names: Iterable[ProjectName]) -> set[ProjectName]:
        """See the port."""
        asked = sorted({name.value for name in names})
        found: set[ProjectName] = set()
        for start in range(0, len(asked), _KEYS_AT_ONCE):
            parameters = {"index": str(index), "names": asked[start : start + _KEYS_AT_ONCE]}
            found.update(project_name(one) for one in self._connection.execute(_HAVING_FILES, parameters).scalars())
        return found

    def keys_in_use(self, keys: Iterable[str]) -> set[str]:
        """See the port."""
        asked = sorted({key for key in keys if is_storable(key)})
        found: set[str] = set()
        for start in range(0, len(asked), _KEYS_AT_ONCE):
            batch = asked[start : start + _KEYS_AT_ONCE]
            found.update(self._connection.execute(_KEYS, {"keys": batch}).scalars())
        # MariaDB takes no notice of spaces at the end.
        return found.intersection(asked)

    def journal(self, after: int = 0, limit: int = 1000) -> Sequence[JournalEntry]:
        """See the port."""
        return journal_entries(self._connection.execute(_JOURNAL, {"after": after, "count": limit}))
