"""Documentation and results of tests in SQL."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Protocol

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pypicloud_lite.catalog.model import Attachment, AttachmentKind
from pypicloud_lite.catalog.rows import index_name, is_filename, new_id, optional_text, project_name
from pypicloud_lite.catalog.tables import attachment_taken, attachments, projects
from pypicloud_lite.db.failures import violates
from pypicloud_lite.kernel.errors import CatalogUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey

_AT_ONCE = 1000
_KINDS = {kind.value: kind for kind in AttachmentKind}
_a = attachments.c

_SELECT: Select[Any] = select(
    _a.id,
    _a.index_name,
    _a.project,
    _a.version,
    _a.kind,
    _a.filename,
    _a.for_file,
    _a.size,
    _a.sha256,
    _a.storage_key,
    _a.uploaded_at,
    _a.uploader,
    _a.serial,
)
_OF_PROJECT = _SELECT.where(_a.index_name == bindparam("index"), _a.project == bindparam("name")).order_by(_a.id)
_OF_PROJECTS = _SELECT.where(
    _a.index_name.in_(bindparam("indexes", expanding=True)), _a.project == bindparam("name")
).order_by(_a.id)
_NAMED = _SELECT.where(_a.index_name == bindparam("index"), _a.filename == bindparam("filename"))
_SOME = _SELECT.where(_a.id > bindparam("last")).order_by(_a.id).limit(_AT_ONCE)
_INSERT = insert(attachments)
_DELETE = delete(attachments).where(_a.id == bindparam("attachment_id"))
_PROJECT_ID = select(projects.c.id).where(
    projects.c.index_name == bindparam("index"), projects.c.name == bindparam("name")
)
_INSERT_PROJECT = insert(projects)
_REVISE = update(projects).where(projects.c.id == bindparam("project_id")).values(revision=bindparam("new_revision"))
_TOUCH = _REVISE.values(serial=bindparam("new_serial"))
_TOUCH_AND_DUE = _TOUCH.values(document_due=bindparam("now"))


class SqlAttachments:
    """The questions, on one connection."""

    __slots__ = ()

    _connection: Connection

    def attachments(self, index: IndexName, project: ProjectName) -> Sequence[Attachment]:
        """See the port."""
        found = _attachments(self._connection.execute(_OF_PROJECT, {"index": str(index), "name": project.value}))
        found.sort(key=attrgetter("uploaded_at"))
        return found

    def attachments_of(self, indexes: Sequence[IndexName], project: ProjectName) -> Sequence[Attachment]:
        """See the port."""
        parameters = {"indexes": [str(one) for one in indexes], "name": project.value}
        found = _attachments(self._connection.execute(_OF_PROJECTS, parameters))
        found.sort(key=attrgetter("uploaded_at"))
        return found

    def attachment(self, index: IndexName, filename: str) -> Attachment | None:
        """See the port."""
        if not is_filename(filename):
            return None
        found = _attachments(self._connection.execute(_NAMED, {"index": str(index), "filename": filename}))
        return found[0] if found else None

    def all_attachments(self) -> Iterator[Attachment]:
        """See the port."""
        batch = _attachments(self._connection.execute(_SOME, {"last": 0}))
        while batch:
            yield from batch
            if len(batch) < _AT_ONCE:
                return
            batch = _attachments(self._connection.execute(_SOME, {"last": batch[-1].id}))


class Writer(Protocol):
    """What changes of attachments need of a writer."""

    def attachment(self, index: IndexName, filename: str) -> Attachment | None:
        """The attachment of that name."""

    def draw_serial(self, at_least: int = 0) -> int:
        """The serial of its scope."""

    def refuse(self, message: str) -> Exception:
        """Have the scope end as refused; what to raise."""

    def record(
        self, action: str, index: IndexName, project: ProjectName, subject: str | None, detail: Mapping[str, Any]
    ) -> None:
        """Append to the journal."""


class AttachmentChanges:
    """The changes, within a writer's transaction."""

    def __init__(self, writer: Writer, connection: Connection, now: datetime) -> None:
        self._writer = writer
        self._connection = connection
        self._now = now

    def add(self, attachment: Attachment, display_name: str) -> Attachment:
        """See the port."""
        serial = self._writer.draw_serial()
        project_id = self._project_id(attachment)
        if project_id is None:
            self._insert_project(attachment, display_name, serial)
        else:
            self._touch(project_id, serial)
        added = self._insert(replace(attachment, serial=serial))
        self._note("add", added)
        return added

    def replace(self, old: Attachment, attachment: Attachment) -> Attachment | None:
        """See the port. The new row has a new id."""
        project_id = self._project_id(attachment)
        if project_id is None or not self._delete(old.id):
            return None
        serial = self._writer.draw_serial()
        self._touch(project_id, serial)
        added = self._insert(replace(attachment, serial=serial))
        self._note("replace", added, {"replaced_sha256": old.sha256})
        return added

    def remove(self, attachment: Attachment) -> bool:
        """See the port."""
        if not self._delete(attachment.id):
            return False
        serial = self._writer.draw_serial()
        project_id = self._project_id(attachment)
        if project_id is not None:
            # Nothing else in the storage tells of this serial.
            self._touch(project_id, serial, is_due=True)
        self._note("remove", attachment)
        return True

    def restore(self, told: Sequence[Attachment], *, to_known: bool) -> int:
        """See the port."""
        changed: list[Attachment] = []
        for one in told:
            row = self._writer.attachment(one.index, one.filename)
            if row is not None and (row.serial >= one.serial or not self._delete(row.id)):
                continue
            self._insert(one)
            changed.append(one)
        if not changed:
            return 0
        serial = self._writer.draw_serial(max(one.serial for one in changed))
        project_id = self._project_id(changed[0])
        if project_id is None:
            raise CatalogUnavailable(f"Project {changed[0].project} went while it was being restored: try again")
        if to_known:
            self._touch(project_id, serial)
        else:
            self._connection.execute(_REVISE, {"project_id": project_id, "new_revision": secrets.randbits(63)})
        detail = {"attachments": len(changed)}
        self._writer.record("restore attachments", changed[0].index, changed[0].project, None, detail)
        return len(changed)

    def _project_id(self, one: Attachment) -> int | None:
        parameters = {"index": str(one.index), "name": one.project.value}
        found: int | None = self._connection.execute(_PROJECT_ID, parameters).scalar()
        return found

    def _insert_project(self, one: Attachment, display_name: str, serial: int) -> None:
        self._connection.execute(
            _INSERT_PROJECT,
            {
                "index_name": str(one.index),
                "name": one.project.value,
                "display_name": display_name,
                "serial": serial,
                "revision": secrets.randbits(63),
                "file_count": 0,
                "status": "active",
                "status_reason": None,
                "document_due": self._now,
            },
        )

    def _touch(self, project_id: int, serial: int, *, is_due: bool = False) -> None:
        values = {"project_id": project_id, "new_serial": serial, "new_revision": secrets.randbits(63)}
        if is_due:
            self._connection.execute(_TOUCH_AND_DUE, {**values, "now": self._now})
        else:
            self._connection.execute(_TOUCH, values)

    def _insert(self, one: Attachment) -> Attachment:
        try:
            result = self._connection.execute(_INSERT, _values(one))
        except IntegrityError as error:
            if not violates(error, attachment_taken):
                raise
            raise self._writer.refuse(f"{one.filename} is already in {one.index}") from error
        return replace(one, id=new_id(result))

    def _delete(self, attachment_id: int) -> bool:
        return bool(self._connection.execute(_DELETE, {"attachment_id": attachment_id}).rowcount)

    def _note(self, what: str, one: Attachment, more: Mapping[str, Any] | None = None) -> None:
        noun = "documentation" if one.kind is AttachmentKind.DOCZIP else "test result"
        detail = {"version": one.version, "sha256": one.sha256, "size": one.size, **(more or {})}
        self._writer.record(f"{what} {noun}", one.index, one.project, one.filename, detail)


class AttachmentWriting(ABC):
    """The port's methods, for a writer."""

    __slots__ = ()

    @abstractmethod
    def _attached(self) -> AttachmentChanges:
        """What makes the changes, in the writer's transaction."""

    def add_attachment(self, attachment: Attachment, display_name: str) -> Attachment:
        """See the port."""
        return self._attached().add(attachment, display_name)

    def replace_attachment(self, old: Attachment, attachment: Attachment) -> Attachment | None:
        """See the port."""
        return self._attached().replace(old, attachment)

    def remove_attachment(self, attachment: Attachment) -> bool:
        """See the port."""
        return self._attached().remove(attachment)

    def restore_attachments(self, attachments: Sequence[Attachment], *, to_known: bool) -> int:
        """See the port."""
        return self._attached().restore(attachments, to_known=to_known)


def _attachments(rows: Iterable[Sequence[Any]]) -> list[Attachment]:
    return [
        Attachment(
            index_name(index),
            project_name(project),
            version,
            _KINDS[kind],
            filename,
            for_file,
            size,
            sha256,
            StorageKey.trusted(key),
            uploaded_at,
            uploader,
            serial,
            attachment_id,
        )
        for (
            attachment_id,
            index,
            project,
            version,
            kind,
            filename,
            for_file,
            size,
            sha256,
            key,
            uploaded_at,
            uploader,
            serial,
        ) in rows
    ]


def _values(one: Attachment) -> dict[str, Any]:
    return {
        "index_name": str(one.index),
        "project": one.project.value,
        "version": one.version,
        "kind": one.kind.value,
        "filename": one.filename,
        "for_file": one.for_file,
        "size": one.size,
        "sha256": one.sha256,
        "storage_key": one.key.value,
        "uploaded_at": one.uploaded_at,
        "uploader": optional_text(one.uploader, 255),
        "serial": one.serial,
    }
