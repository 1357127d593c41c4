"""The catalog's changes in SQL."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pypicloud_lite.catalog.model import (
    CatalogState,
    FileRecord,
    ManifestState,
    ProjectRecord,
    ProjectStatus,
    Reservation,
)
from pypicloud_lite.catalog.port import FilenameTaken
from pypicloud_lite.catalog.restore import Restoration
from pypicloud_lite.catalog.rows import dumped, file_values, new_id, optional_text, reservation_values
from pypicloud_lite.catalog.search_rows import SearchRows
from pypicloud_lite.catalog.sql_attachments import AttachmentChanges, AttachmentWriting
from pypicloud_lite.catalog.sql_indexes import IndexChanges, IndexWriting
from pypicloud_lite.catalog.sql_reader import STATE, SqlReader
from pypicloud_lite.catalog.tables import (
    attachments,
    catalog_state,
    file_metadata,
    filename_taken,
    files,
    projects,
    reservations,
)
from pypicloud_lite.db.failures import violates
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import CatalogUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName

_LOCK = STATE.with_for_update()
_SET_STATE = update(catalog_state).values(serial=bindparam("new_serial"), revision=bindparam("new_revision"))
_SET_REBUILDING = update(catalog_state).values(rebuilding_since=bindparam("since"), revision=bindparam("new_revision"))
_SET_REBUILT = update(catalog_state).values(
    rebuilding_since=None, rebuilt_at=bindparam("at"), revision=bindparam("new_revision")
)
_PROJECT_ID = select(projects.c.id).where(
    projects.c.index_name == bindparam("index"), projects.c.name == bindparam("project")
)
_INSERT_PROJECT = insert(projects)
_TOUCH_PROJECT = (
    update(projects)
    .where(projects.c.id == bindparam("project_id"))
    .values(serial=bindparam("new_serial"), revision=bindparam("new_revision"))
)
_COUNT = _TOUCH_PROJECT.values(file_count=projects.c.file_count + bindparam("more"))
_COUNT_AND_NAME = _COUNT.values(display_name=bindparam("new_display_name"))
_COUNT_AND_DUE = _COUNT.values(document_due=bindparam("now"))
_SET_STATUS = _TOUCH_PROJECT.values(
    status=bindparam("new_status"), status_reason=bindparam("new_reason"), document_due=bindparam("now")
)
_DOCUMENT_DONE = (
    update(projects)
    .where(projects.c.id == bindparam("project_id"), projects.c.serial == bindparam("told"))
    .values(document_due=None)
)
_ANY_FILE = select(files.c.id).where(files.c.project_id == bindparam("project_id")).limit(1)
_ANY_ATTACHMENT = (
    select(attachments.c.id)
    .where(attachments.c.index_name == bindparam("index"), attachments.c.project == bindparam("project"))
    .limit(1)
)
_FORGET_PROJECT = delete(projects).where(projects.c.id == bindparam("project_id"))
_FORGET_RESERVATIONS = delete(reservations).where(
    reservations.c.index_name == bindparam("index"), reservations.c.project == bindparam("name")
)
_INSERT_FILE = insert(files)
_INSERT_CORE = insert(file_metadata)
_DELETE_FILE = delete(files).where(files.c.id == bindparam("file_id"))
_DELETE_REMOVING = _DELETE_FILE.where(files.c.manifest == "removing")
_BEGIN_REMOVAL = (
    update(files).where(files.c.id == bindparam("file_id"), files.c.manifest != "removing").values(manifest="removing")
)
_IS_THERE = select(files.c.id).where(files.c.id == bindparam("file_id"))
_IS_LISTED = _IS_THERE.where(files.c.manifest != "removing")
_MARK_MANIFEST = (
    update(files)
    .where(files.c.id == bindparam("file_id"), files.c.serial == bindparam("told"), files.c.manifest != "removing")
    .values(manifest=bindparam("new_manifest"))
)
_YANK = (
    update(files)
    .where(files.c.id == bindparam("file_id"))
    .values(
        yanked=bindparam("new_yanked"),
        yanked_reason=bindparam("new_reason"),
        serial=bindparam("new_serial"),
        manifest="pending",
    )
)
_INSERT_RESERVATION = insert(reservations)
_DELETE_RESERVATION = delete(reservations).where(
    reservations.c.index_name == bindparam("index"), reservations.c.filename == bindparam("filename_")
)


def new_revision() -> int:
    """A cache key that was never used before."""
    return secrets.randbits(63)


class SqlWriter(AttachmentWriting, IndexWriting, SqlReader):
    """:class:`~pypicloud_lite.catalog.port.CatalogWriter` on one connection.

    It locks the state's row at once, on every database: writers queue there, and what one of them reads stays
    true until it commits. The serial is drawn by the first change.
    """

    __slots__ = ("_author", "_clock", "_drawn", "_state", "refused", "search_rows")

    def __init__(self, connection: Connection, author: Author, clock: Clock) -> None:
        super().__init__(connection)
        self._author = author
        self._clock = clock
        self._drawn = False
        self.search_rows = SearchRows(connection)
        row = connection.execute(_LOCK).one_or_none()
        if row is None:
            raise CatalogUnavailable("The database has not been set up: run ppc-db upgrade")
        self._state = CatalogState(*row)
        self.refused: FilenameTaken | None = None

    def add_file(self, record: FileRecord, core: Mapping[str, Any], display_name: str) -> FileRecord:
        """See the port."""
        serial = self.draw_serial()
        project_id = self._project_id(record.index, record.project)
        if project_id is None:
            project_id = self._insert_project(record, display_name, serial)
        else:
            self._touch(_COUNT_AND_NAME, project_id, more=1, new_display_name=display_name)
        self._execute(_DELETE_RESERVATION, index=str(record.index), filename_=record.filename.value)
        added = self._insert_file(replace(record, serial=serial), project_id, core)
        self._journal_file("add file", added)
        self.search_rows.file_came(project_id, added)
        return added

    def replace_file(self, old: FileRecord, record: FileRecord, core: Mapping[str, Any]) -> FileRecord | None:
        """See the port. The new row has a new id: who still holds the old one cannot mark it."""
        project_id = self._project_id(record.index, record.project)
        listed = self._delete_file(old.id) if project_id is not None else None
        if project_id is None or listed is None:
            return None
        serial = self.draw_serial()
        added = self._insert_file(replace(record, serial=serial), project_id, core)
        self._touch(_COUNT, project_id, more=0 if listed else 1)
        self._journal_file("replace file", added, {"replaced_sha256": old.digests.sha256})
        self.search_rows.file_went(project_id, old.version)
        self.search_rows.file_came(project_id, added)
        return added

    def mark_manifest(self, record: FileRecord, *, done: bool) -> bool:
        """See the port."""
        state = "done" if done else "pending"
        return bool(self._execute(_MARK_MANIFEST, file_id=record.id, told=record.serial, new_manifest=state))

    def yank(self, records: Sequence[FileRecord], reason: str | None, *, yanked: bool) -> Sequence[FileRecord]:
        """See the port."""
        reason = optional_text(reason) if yanked else None
        differing = [record for record in records if (record.yanked, record.yanked_reason) != (yanked, reason)]
        changed: list[FileRecord] = []
        for record in differing:
            if not self._connection.execute(_IS_LISTED, {"file_id": record.id}).first():
                continue
            state, serial = ManifestState.PENDING, self.draw_serial()
            now = replace(record, yanked=yanked, yanked_reason=reason, serial=serial, manifest=state)
            self._execute(_YANK, file_id=record.id, new_yanked=yanked, new_reason=reason, new_serial=serial)
            self._journal_file("yank file" if yanked else "un-yank file", now, {"reason": reason})
            changed.append(now)
        for index, project in {(record.index, record.project) for record in changed}:
            project_id = self._touch_named(_TOUCH_PROJECT, index, project)
            if project_id is not None:
                self.search_rows.file_went(project_id, None)
        return changed

    def set_status(self, index: IndexName, name: ProjectName, status: ProjectStatus, reason: str | None) -> bool:
        """See the port."""
        project = self.project(index, name)
        if project is None:
            return False
        reason = optional_text(reason)
        if (project.status, project.status_reason) != (status, reason):
            self.draw_serial()
            values = {"new_status": status.value, "new_reason": reason, "now": self._clock()}
            self._touch(_SET_STATUS, project.id, **values)
            self.search_rows.file_went(project.id, None)
            detail = {"status": status.value, "reason": reason, "before": project.status.value}
            self.record("set status", index, name, None, detail)
        return True

    def mark_document(self, project: ProjectRecord) -> bool:
        """See the port."""
        return bool(self._execute(_DOCUMENT_DONE, project_id=project.id, told=project.serial))

    def forget_project(self, index: IndexName, name: ProjectName) -> bool:
        """See the port."""
        project_id = self._project_id(index, name)
        if project_id is None or self._connection.execute(_ANY_FILE, {"project_id": project_id}).first():
            return False
        if self._connection.execute(_ANY_ATTACHMENT, {"index": str(index), "project": name.value}).first():
            return False
        self.draw_serial()
        self.search_rows.project_goes(project_id)
        self._execute(_FORGET_RESERVATIONS, index=str(index), name=name.value)
        self._execute(_FORGET_PROJECT, project_id=project_id)
        self.record("forget project", index, name, None, {})
        return True

    def begin_removal(self, record: FileRecord) -> bool:
        """See the port."""
        if self._execute(_BEGIN_REMOVAL, file_id=record.id):
            self.draw_serial()
            project_id = self._touch_named(_COUNT, record.index, record.project, more=-1)
            if project_id is not None:
                self.search_rows.file_went(project_id, record.version)
            self._journal_file("begin removal", record)
            return True
        return bool(self._connection.execute(_IS_THERE, {"file_id": record.id}).scalar())

    def remove_file(self, record: FileRecord, *, reserve: bool = True) -> bool:
        """See the port."""
        listed = self._delete_file(record.id)
        if listed is None:
            return False
        serial = self.draw_serial()
        more = -1 if listed else 0
        project_id = self._touch_named(_COUNT_AND_DUE, record.index, record.project, more=more, now=self._clock())
        if listed and project_id is not None:
            self.search_rows.file_went(project_id, record.version)
        filename = record.filename.value
        if reserve:
            self._execute(_DELETE_RESERVATION, index=str(record.index), filename_=filename)
            reservation = Reservation(record.index, record.project, filename, record.digests.sha256, serial)
            self._execute(_INSERT_RESERVATION, **reservation_values(reservation))
        self._journal_file("remove file", record)
        return True

    def restore_project(
        self,
        project: ProjectRecord,
        files: Sequence[tuple[FileRecord, Mapping[str, Any]]],
        reservations: Sequence[Reservation],
    ) -> None:
        """See the port."""
        for project_id in Restoration(self, self._connection, project).run(files, reservations):
            self.search_rows.file_went(project_id, None)

    def unchanged_since(self, index: IndexName, name: ProjectName, seen: ProjectRecord | None) -> bool:
        """See the port."""
        now = self.project(index, name)
        return (now and now.revision) == (seen and seen.revision)

    def fill_search(self, count: int) -> bool:
        """See the port."""
        return self.search_rows.fill(count)

    def set_rebuilding(self, since: datetime | None) -> None:
        """See the port."""
        if since is None:
            self._execute(_SET_REBUILT, at=self._clock(), new_revision=new_revision())
        else:
            self._execute(_SET_REBUILDING, since=since, new_revision=new_revision())

    def draw_serial(self, at_least: int = 0) -> int:
        """This scope's serial: above every one before, and above ``at_least``.

        And above the time in milliseconds: a database that was restored from a backup has forgotten the serials
        that it gave since, and they stand in manifests. It must not give them again.
        """
        if not self._drawn or self._state.serial <= at_least:
            serial = max(self._state.serial, at_least, int(self._clock().timestamp() * 1000)) + 1
            self._state = replace(self._state, serial=serial)
            self._drawn = True
            self._execute(_SET_STATE, new_serial=serial, new_revision=new_revision())
        return self._state.serial

    def record(
        self, action: str, index: IndexName, project: ProjectName, subject: str | None, detail: Mapping[str, Any]
    ) -> None:
        """Append to the journal, in this transaction."""
        append(
            self._connection,
            self._clock(),
            self._author,
            action,
            subject=subject,
            detail=detail,
            serial=self._state.serial,
            index=str(index),
            project=project.value,
        )

    def record_index(self, action: str, index: IndexName, detail: Mapping[str, Any]) -> None:
        """As :meth:`record`, of an index: no change of the catalog's, so it has no serial."""
        now, subject = self._clock(), str(index)
        append(self._connection, now, self._author, action, subject=subject, detail=detail, index=subject)

    def refuse(self, message: str) -> FilenameTaken:
        """Have this scope end as refused, whoever catches what is returned to be raised."""
        self.refused = FilenameTaken(message)
        return self.refused

    def _attached(self) -> AttachmentChanges:
        return AttachmentChanges(self, self._connection, self._clock())

    def _defined(self) -> IndexChanges:
        return IndexChanges(self, self._connection, self._clock())

    def _journal_file(self, action: str, record: FileRecord, more: Mapping[str, Any] | None = None) -> None:
        detail = {
            "sha256": record.digests.sha256,
            "size": record.size,
            "yanked": record.yanked,
            "origin": record.origin.value,
            **(more or {}),
        }
        self.record(action, record.index, record.project, record.filename.value, detail)

    def _project_id(self, index: IndexName, name: ProjectName) -> int | None:
        parameters = {"index": str(index), "project": name.value}
        found: int | None = self._connection.execute(_PROJECT_ID, parameters).scalar()
        return found

    def _insert_project(self, record: FileRecord, display_name: str, serial: int) -> int:
        result = self._connection.execute(
            _INSERT_PROJECT,
            {
                "index_name": str(record.index),
                "name": record.project.value,
                "display_name": display_name,
                "serial": serial,
                "revision": new_revision(),
                "file_count": 1,
                "status": ProjectStatus.ACTIVE.value,
                "status_reason": None,
            },
        )
        return new_id(result)

    def _insert_file(self, record: FileRecord, project_id: int, core: Mapping[str, Any]) -> FileRecord:
        try:
            result = self._connection.execute(_INSERT_FILE, file_values(record, project_id))
        except IntegrityError as error:
            if not violates(error, filename_taken):
                raise
            raise self.refuse(
                f"{record.filename} is already in {record.index}: a file is never replaced by another; "
                "raise the version"
            ) from error
        added = replace(record, id=new_id(result))
        self._execute(_INSERT_CORE, file_id=added.id, core=dumped(core))
        return added

    def _delete_file(self, file_id: int) -> bool | None:
        """Whether the row was listed until now; None where there was none. A removal that began has left the count."""
        if self._execute(_DELETE_REMOVING, file_id=file_id):
            return False
        return True if self._execute(_DELETE_FILE, file_id=file_id) else None

    def _touch(self, statement: Any, project_id: int, **values: Any) -> None:
        """Give the project the scope's serial and a new revision, and what else the statement sets."""
        serial, revision = self._state.serial, new_revision()
        self._execute(statement, project_id=project_id, new_serial=serial, new_revision=revision, **values)

    def _touch_named(self, statement: Any, index: IndexName, name: ProjectName, **values: Any) -> int | None:
        project_id = self._project_id(index, name)
        if project_id is not None:
            self._touch(statement, project_id, **values)
        return project_id

    def _execute(self, statement: Any, **parameters: Any) -> int:
        """Run one statement; returns how many rows it met."""
        return self._connection.execute(statement, parameters).rowcount
