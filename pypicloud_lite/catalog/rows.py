"""Between rows and values.

What the catalog stored was valid when it came in, so values are rebuilt without being parsed and checked again:
a project's page is thousands of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import CursorResult, Select, bindparam, func, select

from pypicloud_lite.catalog.model import (
    FileRecord,
    JournalEntry,
    ManifestState,
    Origin,
    ProjectOverview,
    ProjectRecord,
    ProjectStatus,
    Reservation,
)
from pypicloud_lite.catalog.tables import files, projects, reservations
from pypicloud_lite.db.types import storable
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.tables import journal
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey

_MANIFESTS = {state.value: state for state in ManifestState}
_ORIGINS = {origin.value: origin for origin in Origin}
_STATUSES = {status.value: status for status in ProjectStatus}

_f = files.c

SELECT_FILES: Select[Any] = select(
    _f.id,
    _f.index_name,
    projects.c.name,
    _f.filename,
    _f.version,
    _f.packagetype,
    _f.python,
    _f.size,
    _f.sha256,
    _f.blake2b_256,
    _f.md5,
    _f.storage_key,
    _f.home,
    _f.uploaded_at,
    _f.uploader,
    _f.requires_python,
    _f.summary,
    _f.metadata_sha256,
    _f.signed,
    _f.yanked,
    _f.yanked_reason,
    _f.origin,
    _f.manifest,
    _f.serial,
    _f.history,
).join_from(files, projects, projects.c.id == _f.project_id)

SELECT_PROJECTS: Select[Any] = select(
    projects.c.id,
    projects.c.index_name,
    projects.c.name,
    projects.c.display_name,
    projects.c.serial,
    projects.c.revision,
    projects.c.file_count,
    projects.c.status,
    projects.c.status_reason,
)

SELECT_RESERVATIONS: Select[Any] = select(
    reservations.c.index_name,
    reservations.c.project,
    reservations.c.filename,
    reservations.c.sha256,
    reservations.c.serial,
).where(reservations.c.index_name == bindparam("index"))

SELECT_JOURNAL: Select[Any] = select(
    journal.c.serial,
    journal.c.at,
    journal.c.author,
    journal.c.address,
    journal.c.credential,
    journal.c.action,
    journal.c.index_name,
    journal.c.project,
    journal.c.subject,
    journal.c.detail,
)


LISTED_FILES = (
    select(func.count())
    .select_from(files)
    .where(files.c.project_id == projects.c.id, files.c.manifest != "removing")
    .scalar_subquery()
)
"""The number of files that a project lists, within a statement about ``projects``."""


def new_id(result: CursorResult[Any]) -> int:
    """The id of the row that was just inserted."""
    key = result.inserted_primary_key
    assert key is not None, "an insert of one row has a key"  # noqa: S101  for the type checker
    return int(key[0])


@lru_cache(maxsize=1024)
def index_name(text: str) -> IndexName:
    """An index's name as it is stored."""
    return IndexName.parse(text)


@lru_cache(maxsize=8192)
def project_name(text: str) -> ProjectName:
    """A project's name as it is stored."""
    return ProjectName(text)


def file_records(rows: Iterable[Sequence[Any]]) -> list[FileRecord]:
    """Rows of ``SELECT_FILES``."""
    return [_file_record(row) for row in rows]


def _file_record(row: Sequence[Any]) -> FileRecord:
    (
        file_id,
        index,
        name,
        value,
        version,
        packagetype,
        python,
        size,
        sha256,
        blake2b_256,
        md5,
        storage_key,
        home,
        uploaded_at,
        uploader,
        requires_python,
        summary,
        metadata_sha256,
        signed,
        yanked,
        yanked_reason,
        origin,
        manifest,
        serial,
        history,
    ) = row
    project = project_name(name)
    key = StorageKey.trusted(storage_key)
    return FileRecord(
        index_name(index),
        project,
        Filename(value, project, version, packagetype, python),
        size,
        Digests.trusted(sha256, blake2b_256, md5),
        key,
        key if home == storage_key else StorageKey.trusted(home),
        uploaded_at,
        uploader,
        requires_python,
        summary,
        metadata_sha256,
        signed,
        yanked,
        yanked_reason,
        _ORIGINS[origin],
        _MANIFESTS[manifest],
        serial,
        file_id,
        history,
    )


def project_records(rows: Iterable[Sequence[Any]]) -> list[ProjectRecord]:
    """Rows of ``SELECT_PROJECTS``."""
    return [
        ProjectRecord(
            index_name(index),
            project_name(name),
            display_name,
            serial,
            revision,
            file_count,
            _STATUSES[status],
            status_reason,
            project_id,
        )
        for project_id, index, name, display_name, serial, revision, file_count, status, status_reason in rows
    ]


def project_overviews(rows: Iterable[Sequence[Any]]) -> list[ProjectOverview]:
    """Rows of a list of projects: name, display name, status, what the newest file says, and what all do."""
    return [
        ProjectOverview(
            project_name(name),
            display_name,
            _STATUSES[status],
            summary,
            updated_at,
            created_at,
            # PostgreSQL's sum of whole numbers is a Decimal.
            int(size),
        )
        for name, display_name, status, summary, updated_at, created_at, size in rows
    ]


def reservation_records(rows: Iterable[Sequence[Any]]) -> list[Reservation]:
    """Rows of ``SELECT_RESERVATIONS``."""
    return [
        Reservation(index_name(index), project_name(project), filename, sha256, serial)
        for index, project, filename, sha256, serial in rows
    ]


def journal_entries(rows: Iterable[Sequence[Any]]) -> list[JournalEntry]:
    """Rows of ``SELECT_JOURNAL``."""
    return [
        JournalEntry(
            serial,
            at,
            Author(author, address, credential),
            action,
            index_name(index),
            project_name(project),
            subject,
            json.loads(detail),
        )
        for serial, at, author, address, credential, action, index, project, subject, detail in rows
    ]


def file_values(record: FileRecord, project_id: int) -> dict[str, Any]:
    """The columns of a file but for its id."""
    return {
        "project_id": project_id,
        "index_name": str(record.index),
        "filename": record.filename.value,
        "version": record.filename.version,
        "packagetype": record.filename.packagetype,
        "python": record.filename.python,
        "size": record.size,
        "sha256": record.digests.sha256,
        "blake2b_256": record.digests.blake2b_256,
        "md5": record.digests.md5,
        "storage_key": record.key.value,
        "home": record.home.value,
        "uploaded_at": record.uploaded_at,
        "uploader": optional_text(record.uploader, 255),
        "requires_python": optional_text(record.requires_python),
        "summary": optional_text(record.summary),
        "metadata_sha256": record.metadata_sha256,
        "signed": record.signed,
        "yanked": record.yanked,
        "yanked_reason": optional_text(record.yanked_reason),
        "origin": record.origin.value,
        "manifest": record.manifest.value,
        "serial": record.serial,
        "history": record.history,
    }


def reservation_values(reservation: Reservation) -> dict[str, Any]:
    """The columns of a reservation but for its id."""
    return {
        "index_name": str(reservation.index),
        "project": reservation.project.value,
        "filename": reservation.filename,
        "sha256": reservation.sha256,
        "serial": reservation.serial,
    }


def optional_text(text: str | None, limit: int | None = None) -> str | None:
    """Text as every database takes it, cut at ``limit`` characters."""
    return None if text is None else storable(text[:limit])


def dumped(value: Mapping[str, Any]) -> str:
    """JSON in ASCII with sorted keys, so that equal values are equal text."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def is_filename(text: str) -> bool:
    """Whether a row could have this filename at all; MariaDB would find ``a.whl`` for ``a.whl `` too."""
    return text.isascii() and text.isprintable() and " " not in text


def is_storable(text: str) -> bool:
    """Whether a row could hold this text at all."""
    return storable(text) == text
