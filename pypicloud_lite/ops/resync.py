"""Rebuilding the catalog from storage, in place, while serving: design promise 2.

The index is never smaller than the truth for a moment, and what changes after this begins is left alone: each
project is read, then compared and entered in one transaction that gives up when the project has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from pypicloud_lite.catalog.model import Attachment, FileRecord, ManifestState
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.indexes.manifest import (
    Manifest,
    ProjectDocument,
    UnreadableManifest,
    decode_manifest,
    decode_project,
)
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import CatalogUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.ops.attached import AttachedFiles, lacking, project_with
from pypicloud_lite.ops.comparison import Known, differing, outdated, project_of, still_reserved, surviving
from pypicloud_lite.ops.foreign import ForeignFiles, Seen, seen_in
from pypicloud_lite.ops.inventory import Foreign, Inventory, OwnProject, take_inventory
from pypicloud_lite.ops.outages import Refused, insist
from pypicloud_lite.ops.report import Report
from pypicloud_lite.storage.port import BlobNotFound, BlobTooLarge, Storage

RESYNC = Author("ppc-resync")
_READERS = 16
_ATTEMPTS = 5

Progress = Callable[[int, int], None]
"""Told how many projects and foreign files have been looked at, and of how many."""


class Resync:
    """One run: build, call :meth:`run` once."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        ingest: Ingest,
        index: IndexName,
        clock: Clock,
        heartbeat: Callable[[], None] = lambda: None,
        progress: Progress = lambda _done, _total: None,
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._ingest = ingest
        self._index = index
        self._clock = clock
        self._heartbeat = heartbeat
        self._progress = progress
        self._done = self._total = 0
        self._foreign = ForeignFiles(storage, catalog, ingest, index, RESYNC)
        self._attached = AttachedFiles(storage, catalog, ingest.changes.attached, RESYNC)
        self._report = Report()

    def run(self) -> Report:
        """List, restore what manifests say, take over foreign files, drop rows whose bytes are gone.

        An outage of storage or database is raised as it comes: what was done until then stays and is right.
        """
        began = self._clock()
        inventory = take_inventory(self._storage.list(), lambda _count: self._heartbeat())
        self._report.files = len(inventory.sizes)
        self._total = len(inventory.own) + len(inventory.foreign)
        named: set[str] = set()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="resync") as pool:
            for (index, project), own in inventory.own.items():
                self._restore(pool, inventory, index, project, own, named)
                self._step()
            self._import(inventory, named)
            for index, project in self._check_rows(inventory, began):
                # A row hid what project.json says of its name.
                self._restore(pool, inventory, index, project, inventory.project(index, project), named)
        self._attached.check_rows(inventory, began, self._report)
        self._report.remarks = list(dict.fromkeys(self._report.remarks))
        self._report.remarks += [f"{key}: not a distribution file, left alone" for key in inventory.strays]
        return self._report

    def _step(self) -> None:
        """One project or foreign file more."""
        self._done += 1
        self._heartbeat()
        self._progress(self._done, self._total)

    def _restore(
        self,
        pool: ThreadPoolExecutor,
        inventory: Inventory,
        index: IndexName,
        project: ProjectName,
        own: OwnProject,
        named: set[str],
    ) -> None:
        for _ in range(_ATTEMPTS):
            with self._catalog.read() as catalog:
                seen = catalog.project(index, project)
                rows = catalog.files(index, project) if seen else []
                reserved = catalog.reservations(index, project) if seen else []
                attached = catalog.attachments(index, project) if seen else []
            remarks: list[str] = []
            manifests = self._manifests(pool, inventory, own, index, project, remarks)
            document = self._document(own, remarks)
            named.update(str(manifest.record.key) for manifest in manifests)
            deleted = [*reserved, *(document.reservations if document else ())]
            manifests = surviving(manifests, deleted, remarks)
            known = Known(seen, rows, reserved)
            told = self._attached.told(pool, inventory, (index, project), remarks)
            filenames = [str(one.filename) for one in (*rows, *(manifest.record for manifest in manifests))]
            if self._enter(known, manifests, document, lacking(attached, told, filenames)):
                self._report.remarks += remarks
                self._repair(known, manifests, document)
                return
            # The project changed meanwhile: look at it again as it is now.
            fresh = take_inventory(self._storage.list(f"{index}/{project}/"))
            own = fresh.project(index, project)
            inventory.own[index, project] = own
            inventory.sizes.update(fresh.sizes)
            inventory.attached.update(fresh.attached)
        raise CatalogUnavailable(f"{index}/{project} changes all the time: run ppc-resync again when it is quiet")

    def _enter(
        self,
        known: Known,
        manifests: Sequence[Manifest],
        document: ProjectDocument | None,
        attached: Sequence[Attachment],
    ) -> bool:
        """Compare outside of a transaction first: a healthy project costs no write."""
        missing = differing(known.rows, manifests)
        told = project_with(project_of(known.project, manifests, document), known.project, attached)
        reserved = still_reserved(document, manifests)
        if told is None or not (missing or attached or known.lacks(told, reserved)):
            return True
        with self._catalog.write(RESYNC) as catalog:
            if not catalog.unchanged_since(told.index, told.name, known.project):
                return False
            if missing or known.lacks(told, reserved):
                catalog.restore_project(told, [(manifest.record, manifest.core) for manifest in missing], reserved)
            if attached:
                self._report.restored += catalog.restore_attachments(attached, to_known=known.project is not None)
        before = {row.filename.value for row in known.rows}
        self._report.restored += sum(manifest.record.filename.value not in before for manifest in missing)
        return True

    def _repair(self, known: Known, manifests: Sequence[Manifest], document: ProjectDocument | None) -> None:
        """Where the catalog knows more than storage, storage is told."""
        for row in outdated(known.rows, manifests):
            self._tell_again(row)
        if known.project is not None and known.outlives(document):
            self._ingest.changes.tell_project(known.project.index, known.project.name)
            self._report.remarks.append(f"{known.project.name}: project.json was out of date, written anew")

    def _manifests(
        self,
        pool: ThreadPoolExecutor,
        inventory: Inventory,
        own: OwnProject,
        index: IndexName,
        project: ProjectName,
        remarks: list[str],
    ) -> list[Manifest]:
        """Every manifest whose bytes are there; of two for one filename the higher serial wins."""
        best: dict[str, Manifest] = {}
        for home, outcome in zip(own.manifests, pool.map(self._read_manifest, own.manifests), strict=True):
            if outcome is None:
                continue
            if isinstance(outcome, str):
                remarks.append(outcome)
                continue
            record = outcome.record
            if (record.index, record.project) != (index, project):
                remarks.append(f"{home}: its manifest speaks of {record.index}/{record.project}, skipped")
            elif inventory.sizes.get(record.key.value) != record.size:
                remarks.append(f"{home}: its manifest is there but the file is missing or of another size")
            else:
                rival = best.get(record.filename.value)
                if rival is None or rival.record.serial < record.serial:
                    best[record.filename.value] = outcome
        return list(best.values())

    def _read_manifest(self, home: StorageKey) -> Manifest | str | None:
        try:
            return decode_manifest(
                home, insist(self._storage, lambda: self._storage.read(home.sibling(".manifest.json")))
            )
        except BlobNotFound:
            return None
        except (UnreadableManifest, BlobTooLarge, Refused) as error:
            return error.message

    def _document(self, own: OwnProject, remarks: list[str]) -> ProjectDocument | None:
        if own.document is None:
            return None
        key = own.document
        try:
            return decode_project(key, insist(self._storage, lambda: self._storage.read(key)))
        except BlobNotFound:
            return None
        except (UnreadableManifest, BlobTooLarge, Refused) as error:
            remarks.append(error.message)
            return None

    def _import(self, inventory: Inventory, named: set[str]) -> None:
        """Oldest first, so that serials follow the order in which the files came."""
        with self._catalog.read() as catalog:
            seen = seen_in(catalog.all_files(self._index))
        found = [one for one in inventory.foreign if not _is_known(one, seen, named)]
        elsewhere = self._foreign.elsewhere(found) - seen.keys()
        for foreign in sorted(found, key=lambda one: (one.info.modified, one.info.key)):
            if foreign.info.key.value not in elsewhere:
                self._foreign.take(foreign, self._report)
                self._step()

    def _check_rows(self, inventory: Inventory, began: datetime) -> set[tuple[IndexName, ProjectName]]:
        """Rows whose bytes or manifest are not there; the projects of which something was removed.

        What the listing did not show is asked for once more, one by one, before anything is done about it.
        """
        removed: set[tuple[IndexName, ProjectName]] = set()
        missing = self._foreign.missing(inventory.sizes, began)
        if missing and not inventory.sizes:
            self._report.remarks.append("The storage has no file at all: is it the right one? Nothing was removed")
            return removed
        for row in missing:
            if self._foreign.drop(row, self._report):
                removed.add((row.index, row.project))
        for row in self._untold(inventory, began):
            if not self._is_there(row.manifest_key):
                self._tell_again(row)
        return removed

    def _untold(self, inventory: Inventory, began: datetime) -> list[FileRecord]:
        """Rows whose manifest the listing did not show."""
        told = {home for own in inventory.own.values() for home in own.manifests}
        with self._catalog.read() as catalog:
            return [
                row
                for row in catalog.all_files(self._index)
                if row.home not in told and row.uploaded_at < began and row.manifest is ManifestState.DONE
            ]

    def _is_there(self, key: StorageKey) -> bool:
        try:
            self._storage.stat(key)
        except BlobNotFound:
            return False
        return True

    def _tell_again(self, row: FileRecord) -> None:
        """Write a manifest from its row, as one that never was written."""
        with self._catalog.write(RESYNC) as catalog:
            if not catalog.mark_manifest(row, done=False):
                return
        if self._ingest.changes.settle(replace(row, manifest=ManifestState.PENDING)):
            self._report.remarks.append(f"{row.manifest_key}: was missing or out of date, written anew")


def _is_known(foreign: Foreign, seen: Mapping[str, Seen], named: set[str]) -> bool:
    before = seen.get(foreign.info.key.value)
    return before.is_still(foreign) if before is not None else foreign.info.key.value in named
