"""Which files exist in which index.

The port of the catalog; its contract suite is ``pypicloud_lite.testing.catalog``. Scopes are short: none is ever
open while bytes move. A database that does not answer, or stays locked, is
:class:`~pypicloud_lite.kernel.errors.CatalogUnavailable` from every method and from entering and leaving a scope.
The answers are the same on SQLite, PostgreSQL and MariaDB: times are aware and in UTC to the microsecond, names
compare by their bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from pypicloud_lite.catalog.attachment_port import AttachmentReader, AttachmentWriter
from pypicloud_lite.catalog.model import (
    CatalogState,
    ConfiguredIndex,
    FileRecord,
    IndexRow,
    JournalEntry,
    ProjectOverview,
    ProjectRecord,
    ProjectStatus,
    ReleaseRecord,
    Reservation,
    Reserved,
    Space,
    UploadedProject,
)
from pypicloud_lite.catalog.search_port import SearchReader
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import Conflict
from pypicloud_lite.kernel.names import IndexName, ProjectName


class FilenameTaken(Conflict):
    """The index has this filename already: the unique constraint said so. The scope is rolled back."""

    code = "filename-taken"


class CatalogReader(SearchReader, AttachmentReader, Protocol):
    """One consistent snapshot, if nothing else was asked for; each method is one query unless it says otherwise."""

    def project(self, index: IndexName, name: ProjectName) -> ProjectRecord | None:
        """The project, also when it has no file any more."""

    def projects(self, index: IndexName) -> Sequence[ProjectRecord]:
        """Every project that has a listed file, by name."""

    def overview(self, index: IndexName) -> Sequence[ProjectOverview]:
        """What :meth:`projects` names, each with what a list tells of it."""

    def projects_named(self, index: IndexName, part: str, after: str, limit: int) -> Sequence[ProjectRecord]:
        """The first ``limit`` projects, with or without files, whose name holds ``part`` and comes after ``after``.

        By name; ``part`` may be spelled in any way, and with empty texts these are the first of all.
        """

    def space(self, index: IndexName, offset: int, limit: int) -> Space:
        """The room that all files take together, and the ``limit`` largest projects but for the first ``offset``.

        All of it is zero when there are not more than ``offset`` projects.
        """

    def reserved(self, index: IndexName) -> Reserved:
        """How many names are reserved."""

    def having_files(self, index: IndexName, names: Iterable[ProjectName]) -> set[ProjectName]:
        """Those of ``names`` that have a listed file and are not quarantined; one query for each 500."""

    def files(self, index: IndexName, project: ProjectName) -> Sequence[FileRecord]:
        """Every file of a project, in the order they came: by ``uploaded_at``, so that it survives a rebuild.

        Those that are being removed too: who shows files asks each for ``is_listed``.
        """

    def project_with_files(
        self, index: IndexName, name: ProjectName
    ) -> tuple[ProjectRecord | None, Sequence[FileRecord]]:
        """:meth:`project` and :meth:`files` in one query, for pages that want both."""

    def file(self, index: IndexName, filename: str) -> FileRecord | None:
        """The file of that name, whatever its project: the caller compares ``project``."""

    def core_metadata(self, file_id: int) -> Mapping[str, Any]:
        """The core metadata of a file under PEP 566 JSON names; empty when nothing was kept."""

    def release_metadata(self, index: IndexName, project: ProjectName, version: str) -> Mapping[str, Any]:
        """The core metadata of a release, as :meth:`core_metadata`.

        That of its first wheel with any, else of its first file with any; empty when none has some. Files that are
        not listed count for nothing, here and in the two questions below.
        """

    def newest_releases(self, index: IndexName, limit: int) -> Sequence[ReleaseRecord]:
        """The releases that came last, the newest first; none of a quarantined project, as below."""

    def releases_like(
        self, index: IndexName, names: Sequence[str], summaries: Sequence[str], *, every: bool
    ) -> Sequence[ReleaseRecord]:
        """Every release of the projects that may be meant, the newest first.

        Meant are those whose normalised name holds one of ``names``, or whose files have a summary that holds one
        of ``summaries`` (``every``: each of them); all of them when nothing is asked for. Letters count alike in
        either case. Databases fold other letters than ASCII's in different ways, so only the longest run of ASCII in a
        word is looked for: the caller compares again what it shows.
        """

    def uploads_of(self, index: IndexName, uploader: str, limit: int) -> Sequence[UploadedProject]:
        """The projects of the ``limit`` files that the user uploaded last, those uploaded to last first.

        None that is quarantined; files that are not listed count for nothing. Costs no more than ``limit`` files,
        however many there are.
        """

    def reservations(self, index: IndexName, project: ProjectName) -> Sequence[Reservation]:
        """The deleted filenames of a project."""

    def reservation(self, index: IndexName, filename: str) -> Reservation | None:
        """The reservation of one filename."""

    def indexes(self) -> tuple[int, Sequence[IndexRow]]:
        """Every definition in the catalog, by name, and their revision."""

    def configured_indexes(self) -> Sequence[ConfiguredIndex]:
        """What :meth:`~CatalogWriter.note_configured` noted last, by name."""

    def dropped_indexes(self) -> Sequence[IndexName]:
        """Those that :meth:`~CatalogWriter.drop_index` removed and of which there may still be something, by name."""

    def holders(self, indexes: Sequence[IndexName], name: ProjectName) -> tuple[int, Sequence[ProjectRecord]]:
        """The project in each of the indexes that has it, in their order, and the revision of all definitions."""

    def files_of(self, projects: Sequence[ProjectRecord]) -> Mapping[IndexName, Sequence[FileRecord]]:
        """As :meth:`files`, of one project in several indexes: one query for all of them."""

    def projects_of(self, indexes: Sequence[IndexName]) -> Sequence[ProjectRecord]:
        """As :meth:`projects`, of several indexes: by name, and of one name in the order of the indexes."""

    def project_counts(self, indexes: Sequence[IndexName]) -> Mapping[IndexName, int]:
        """How many projects each has that list a file and are not quarantined; one query for all of them."""

    def projects_within(
        self, indexes: Sequence[IndexName], part: str, after: str, limit: int
    ) -> Sequence[ProjectRecord]:
        """The first ``limit`` of the projects that :meth:`project_counts` counts, by name, then by index.

        As with :meth:`projects_named` their names hold ``part`` and come after ``after``. One query for all indexes.
        """

    def state(self) -> CatalogState:
        """The serial and the revision of the whole catalog."""

    def is_empty(self) -> bool:
        """Whether there is no project at all."""

    def all_files(self, index: IndexName) -> Iterator[FileRecord]:
        """Every file of an index, by project: one query for each 1,000, made as they are asked for."""

    def pending(self, uploaded_before: datetime, limit: int) -> Sequence[FileRecord]:
        """Files whose manifest is not known to be written or that are being removed, oldest first."""

    def documents_due(self, since_before: datetime, limit: int) -> Sequence[ProjectRecord]:
        """Projects whose ``project.json`` is not known to say what the row says, oldest first."""

    def keys_in_use(self, keys: Iterable[str]) -> set[str]:
        """Those of ``keys`` that some row names as ``key`` or ``home``, an attachment's too; one query for each 500."""

    def journal(self, after: int = 0, limit: int = 1000) -> Sequence[JournalEntry]:
        """Entries with a serial above ``after``, in order.

        At least ``limit`` of them when there are as many: the entries of one serial come together.
        """


class CatalogWriter(CatalogReader, AttachmentWriter, Protocol):
    """A transaction. All writers queue on one row first, so none of them can deadlock with another.

    Every method that changes what a caller can see draws the scope's serial (one for the whole scope), gives it
    and a new revision to the project, and appends to the journal in the same transaction.
    """

    def add_file(self, record: FileRecord, core: Mapping[str, Any], display_name: str) -> FileRecord:
        """Insert, creating the project where needed; drops a reservation of the name.

        ``FilenameTaken`` when the index has the filename, decided by the unique constraint alone.
        """

    def replace_file(self, old: FileRecord, record: FileRecord, core: Mapping[str, Any]) -> FileRecord | None:
        """Put ``record`` in the place of ``old``; None when ``old.id`` is no longer there."""

    def mark_manifest(self, record: FileRecord, *, done: bool) -> bool:
        """Say whether the manifest is written that tells of ``record``, its serial included. No serial, no journal.

        False, and nothing is marked, when the row is gone, being removed, or changed since (it has another serial).
        """

    def yank(self, records: Sequence[FileRecord], reason: str | None, *, yanked: bool) -> Sequence[FileRecord]:
        """Set or clear the mark of PEP 592, and say that their manifests are to be written.

        The rows that changed by it, as they are now: those that said so already, or that are gone or being removed,
        do not.
        """

    def set_status(self, index: IndexName, name: ProjectName, status: ProjectStatus, reason: str | None) -> bool:
        """Give a project its status (PEP 792), its document being due then; False when there is no such project.

        Nothing changes when it is so already.
        """

    def mark_document(self, project: ProjectRecord) -> bool:
        """Say that ``project.json`` tells of ``project``; False when that changed since. No serial, no journal."""

    def forget_project(self, index: IndexName, name: ProjectName) -> bool:
        """Forget a project without files and its reserved filenames; False when it has any, or is not there.

        Nor is one forgotten to which something is attached.
        """

    def begin_removal(self, record: FileRecord) -> bool:
        """Say that the file is being removed, from when on it is not listed; False when the row is gone.

        The first time draws a serial and tells the journal who asked for it: another process may finish it.

        Nothing but :meth:`replace_file` and :meth:`remove_file` changes the row after that.
        """

    def remove_file(self, record: FileRecord, *, reserve: bool = True) -> bool:
        """Remove the row and, if ``reserve``, reserve its filename; the project stays, its document is due.

        False, and nothing changes, when the row is gone.
        """

    def restore_project(
        self,
        project: ProjectRecord,
        files: Sequence[tuple[FileRecord, Mapping[str, Any]]],
        reservations: Sequence[Reservation],
    ) -> None:
        """Take over what storage says of one project: insert what is missing, correct what differs.

        Rows that are not named stay, and so does one whose serial is above the one given for it (unless that is
        0): it changed meanwhile. The serials given are kept (for 0 one is drawn), and the catalog's own becomes
        at least the highest of them; but where the project was there before and something changed, it gets a new
        serial.
        """

    def unchanged_since(self, index: IndexName, name: ProjectName, seen: ProjectRecord | None) -> bool:
        """Whether the project is still as it was read (None: not there): by its revision.

        It then stays so until the scope ends.
        """

    def define_index(self, row: IndexRow) -> None:
        """Define an index, or change its definition: from when this commits, ``definitions`` is another number."""

    def drop_index(self, name: IndexName) -> bool:
        """Remove the definition of an index, not what is in it, and note that; False when there was none."""

    def note_cleared(self, name: IndexName) -> None:
        """Forget that an index was dropped, as :meth:`define_index` does too. No serial, no journal."""

    def note_configured(self, indexes: Iterable[ConfiguredIndex]) -> None:
        """Remember these, instead of those remembered before. No serial, no journal."""

    def reserve_projects(self, index: IndexName, of: Sequence[IndexName]) -> int:
        """Give the index every project that others have, without files, where it has none of that name; how many.

        Their names then stay private in it, whatever becomes of those others.
        """

    def fill_search(self, count: int) -> bool:
        """Make so many of the projects findable that were there before the catalog could be searched.

        False when there is none left; a few queries for each project. No serial, no journal.
        """

    def set_rebuilding(self, since: datetime | None) -> None:
        """Begin the first rebuild, or give a sign of life; None ends it for good.

        While it runs, a project or a filename that the catalog does not know may still come.
        """


class Catalog(Protocol):
    """The scopes."""

    def read(self, *, snapshot: bool = True) -> AbstractContextManager[CatalogReader]:
        """A read-only scope on one connection, given back on leaving.

        With ``snapshot=False`` each method sees the newest commit, and a scope of one query costs one round trip.
        """

    def write(self, author: Author) -> AbstractContextManager[CatalogWriter]:
        """A transaction: committed (durably) on leaving, rolled back by any exception."""

    def probe(self) -> None:
        """Prove that the database answers now; ``CatalogUnavailable`` says what is wrong."""
