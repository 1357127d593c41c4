"""What becomes of files and projects that are there: removed, yanked, given a status, forgotten.

Every change is one transaction, which tells the journal who asked for it, and then what lies in the storage follows:
a manifest or ``project.json`` that says the same, or nothing any more. It is acknowledged when both are so. A process
that dies in between leaves a row that says what is still to be done, and ``settle_pending`` does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from pypicloud_lite.catalog.model import Attachment, FileRecord, ManifestState, Origin, ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.indexes.attaching import Attaching
from pypicloud_lite.indexes.sidecars import HOUSEKEEPING, Sidecars
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.storage.port import Storage

_log = structlog.get_logger("pypicloud_lite.changes")

# Rows that one transaction removes: other writers wait for it.
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Selection:
    """Files of one project: the one of that name, those of a release (a normalised version), or all of them."""

    index: IndexName
    project: ProjectName
    filename: str | None = None
    version: str | None = None

    def rows(self, catalog: CatalogReader) -> list[FileRecord]:
        """Those of them that are there, also when they are being removed: one query."""
        if self.filename is not None:
            row = catalog.file(self.index, self.filename) if self.filename.isascii() else None
            found: Sequence[FileRecord] = [row] if row is not None and row.project == self.project else []
        else:
            found = catalog.files(self.index, self.project)
        return [row for row in found if self.version in {None, row.version}]

    def __str__(self) -> str:
        if self.filename is not None:
            return f"file {self.filename!a}"
        return f"release {self.version}" if self.version is not None else "file"


class Changes:
    """Changes what is in an index."""

    def __init__(self, storage: Storage, catalog: Catalog) -> None:
        self._catalog = catalog
        self._storage = storage
        self._sidecars = Sidecars(storage, catalog)
        self.attached = Attaching(storage, catalog)

    def remove(self, selection: Selection, author: Author) -> list[FileRecord]:
        """As :meth:`remove_all`; the files alone."""
        return self.remove_all(selection, author)[0]

    def remove_all(self, selection: Selection, author: Author) -> tuple[list[FileRecord], list[Attachment]]:
        """Delete files: from the lists all at once, then manifests, rows, bytes; their names stay reserved.

        With a release go its documentation and results of tests, before anything else: who dies at it leaves files
        without documentation, never the reverse. With a file go the results that are about it.

        What was deleted, or was being deleted by somebody who may have died. The rows are marked first and for good:
        an upload of the same bytes that passes by has either ended before that, or finishes the removal itself and
        then brings the file in anew. It never relies on a manifest that is about to be deleted.
        """
        index, project = selection.index, selection.project
        attached: list[Attachment] = []
        if selection.filename is None:
            attached = self.attached.remove_of_release(index, project, selection.version, author)
        with self._catalog.write(author) as catalog:
            rows = [row for row in selection.rows(catalog) if catalog.begin_removal(row)]
        if rows:
            self._finish_removals(rows, author)
        return rows, attached

    def remove_rows(
        self, records: Sequence[FileRecord], author: Author, documentation: Sequence[Attachment] = ()
    ) -> list[FileRecord]:
        """As :meth:`remove`, of exactly those rows of one project: what came under one of the names since, stays.

        Of ``documentation`` goes what belongs to releases that have no other file; before the files, as always.
        """
        if documentation:
            index, project, going = documentation[0].index, documentation[0].project, {row.id for row in records}
            with self._catalog.read() as catalog:
                files = catalog.files(index, project)
            staying = {row.version for row in files if row.is_listed and row.id not in going}
            self.attached.remove([one for one in documentation if one.version not in staying], author)
        with self._catalog.write(author) as catalog:
            there = [catalog.file(record.index, str(record.filename)) for record in records]
            rows = [
                row
                for record, row in zip(records, there, strict=True)
                if row is not None and row.id == record.id and catalog.begin_removal(row)
            ]
        if rows:
            self._finish_removals(rows, author)
        return rows

    def yank(self, selection: Selection, author: Author, reason: str | None, *, yanked: bool) -> list[FileRecord]:
        """Set or clear the mark of PEP 592 on all of them; every file that was meant, as it is now."""
        with self._catalog.write(author) as catalog:
            rows = [row for row in selection.rows(catalog) if row.is_listed]
            changed = {row.id: row for row in catalog.yank(rows, reason, yanked=yanked)}
        for row in changed.values():
            self._sidecars.tell(row)
        for row in rows:
            # Changed before, perhaps by a process that died before the manifest said so.
            if row.id not in changed:
                self.settle(row)
        return [changed.get(row.id, row) for row in rows]

    def set_status(
        self,
        index: IndexName,
        project: ProjectName,
        status: ProjectStatus,
        reason: str | None,
        author: Author,
        admit: Callable[[ProjectRecord], None],
    ) -> bool:
        """Give a project its status (PEP 792); False when there is no such project.

        ``admit`` sees the project as it is, inside the write scope, and raises where it may not be changed.
        """
        with self._catalog.write(author) as catalog:
            before = catalog.project(index, project)
            if before is not None:
                admit(before)
            known = catalog.set_status(index, project, status, reason)
        if known:
            self._sidecars.tell_project(index, project)
        return known

    def forget(self, index: IndexName, project: ProjectName, author: Author) -> bool:
        """Forget a project without files, its name and its reserved filenames; False when it has files or is unknown.

        A process that dies before ``project.json`` is gone leaves one that a rebuild would believe: the name is then
        kept private for longer, never freed too early.
        """
        with self._catalog.write(author) as catalog:
            forgotten = catalog.forget_project(index, project)
        if forgotten:
            self._sidecars.tell_project(index, project)
        return forgotten

    def tell_project(self, index: IndexName, project: ProjectName) -> None:
        """Write ``project.json`` as the catalog has it."""
        self._sidecars.tell_project(index, project)

    def settle(self, record: FileRecord) -> bool:
        """Make sure that the manifest of a catalogued file says what its row says, or that its removal ends.

        False when the file is not there any more.
        """
        if record.manifest is ManifestState.DONE:
            return True
        if record.manifest is ManifestState.REMOVING:
            self._finish_removals([record], HOUSEKEEPING)
            return False
        return self._sidecars.tell(record)

    def settle_pending(self, since_before: datetime, limit: int = 100) -> int:
        """Settle what processes that died left behind; how many files and projects there were."""
        with self._catalog.read() as catalog:
            pending = catalog.pending(since_before, limit)
            due = catalog.documents_due(since_before, limit)
        removing: dict[tuple[IndexName, ProjectName], list[FileRecord]] = {}
        for record in pending:
            if record.is_listed:
                _attempt(partial(self.settle, record), filename=str(record.filename))
            else:
                removing.setdefault((record.index, record.project), []).append(record)
        for (_index, name), records in removing.items():
            _attempt(partial(self._finish_removals, records, HOUSEKEEPING), project=str(name))
        for project in due:
            _attempt(partial(self._sidecars.tell_project, project.index, project.name), project=str(project.name))
        return len(pending) + len(due)

    def _finish_removals(self, records: Sequence[FileRecord], author: Author) -> None:
        """Of one project; any number of callers may do this at once: each step is harmless when it was done already.

        The reservations are in ``project.json`` before the rows go, as the rows would not bring them there if this
        process died in between. Costs two documents, however many files there are. What was only kept for an upstream
        reserves nothing: it may come again.
        """
        index, project = records[0].index, records[0].project
        own = {str(record.filename) for record in records if record.origin is not Origin.CACHE}
        if own:
            self.attached.remove_results(index, project, own, author)
        for record in records:
            self._storage.delete(record.manifest_key)
        self._sidecars.reserve(index, project, [record for record in records if record.origin is not Origin.CACHE])
        for start in range(0, len(records), _AT_ONCE):
            with self._catalog.write(author) as catalog:
                for record in records[start : start + _AT_ONCE]:
                    catalog.remove_file(record, reserve=record.origin is not Origin.CACHE)
        self._sidecars.tell_project(index, project)
        for record in records:
            self._sidecars.discard(record)


def _attempt(settle: Callable[[], object], **what: str) -> None:
    """One that cannot be finished must not keep the others waiting."""
    try:
        settle()
    except PpcError as error:
        _log.warning("cannot be finished yet", error=error.message, **what)
