"""The documents beside the bytes: each file's manifest, each project's ``project.json``.

A document is written from its row, and the row then marked as told, by its serial. Where the row has changed meanwhile
the document is written again: whoever comes last has told the last state. A row that nobody marked, as its process
died or the storage was away, is found by :mod:`~pypicloud_lite.indexes.changes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pypicloud_lite.catalog.model import FileRecord, Reservation
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.layout import project_document
from pypicloud_lite.indexes.manifest import encode_manifest, encode_project
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import CatalogUnavailable, PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.storage.port import BlobNotFound, Storage

HOUSEKEEPING = Author("housekeeping")
_ROUNDS = 20


class Sidecars:
    """Writes and removes what lies beside the bytes, and asks for those."""

    def __init__(self, storage: Storage, catalog: Catalog) -> None:
        self._storage = storage
        self._catalog = catalog

    def tell_new(self, row: FileRecord, core: Mapping[str, Any], display_name: str) -> bool:
        """Write the manifest of a row that was made just now; False when it is being removed already."""
        return self._write(row, core, display_name) or self.tell(row)

    def tell(self, record: FileRecord) -> bool:
        """Write the manifest of a catalogued file; False when the file is gone, being removed or replaced."""
        for _ in range(_ROUNDS):
            with self._catalog.read() as catalog:
                row = catalog.file(record.index, str(record.filename))
                core = catalog.core_metadata(record.id)
                project = catalog.project(record.index, record.project)
            if row is None or row.id != record.id or not row.is_listed:
                # This manifest must not bring it back.
                self._storage.delete(record.manifest_key)
                return False
            if self._write(row, core, project.display_name if project else str(row.project)):
                return True
        raise CatalogUnavailable(f"{record.filename} changes all the time: try again later")

    def _write(self, row: FileRecord, core: Mapping[str, Any], display_name: str) -> bool:
        self._storage.write(row.manifest_key, encode_manifest(row, core, display_name))
        with self._catalog.write(HOUSEKEEPING) as catalog:
            return catalog.mark_manifest(row, done=True)

    def reserve(self, index: IndexName, name: ProjectName, removing: Sequence[FileRecord]) -> None:
        """Bring the reservations of files that are being removed into ``project.json``, before their rows go."""
        with self._catalog.read() as catalog:
            project = catalog.project(index, name)
            reservations = catalog.reservations(index, name)
            there = [catalog.file(index, str(record.filename)) for record in removing]
        mine = [_reservation(old) for old, row in zip(removing, there, strict=True) if row and row.id == old.id]
        if project is not None and mine:
            self._storage.write(project_document(index, name), encode_project(project, [*reservations, *mine]))

    def tell_project(self, index: IndexName, name: ProjectName) -> None:
        """Write ``project.json`` from the catalog, or delete it where the project is forgotten."""
        for _ in range(_ROUNDS):
            with self._catalog.read() as catalog:
                project = catalog.project(index, name)
                reservations = catalog.reservations(index, name)
            if project is not None:
                self._storage.write(project_document(index, name), encode_project(project, reservations))
                with self._catalog.write(HOUSEKEEPING) as catalog:
                    told = catalog.mark_document(project)
            else:
                self._storage.delete(project_document(index, name))
                with self._catalog.read() as catalog:
                    told = catalog.project(index, name) is None
            if told:
                return
        raise CatalogUnavailable(f"Project {name} changes all the time: try again later")

    def is_whole(self, record: FileRecord) -> bool:
        """Whether the bytes of a catalogued file are there: one request, by their length."""
        try:
            return self._storage.stat(record.key).size == record.size
        except BlobNotFound:
            return False

    def discard(self, record: FileRecord, *, with_bytes: bool = True) -> None:
        """Remove a file that no row names any more, or what lies beside it; what fails is garbage, found later."""
        keys = [record.manifest_key]
        if record.metadata_sha256 is not None:
            keys.append(record.metadata_key)
        if record.signed:
            keys.append(record.signature_key)
        if with_bytes:
            keys.append(record.key)
        for key in keys:
            try:
                self._storage.delete(key)
            except PpcError:
                return


def _reservation(record: FileRecord) -> Reservation:
    """That of a file whose row is still there.

    The row's removal will draw a serial of its own; what matters until then is that this one is above the file's.
    """
    serial = record.serial + 1
    return Reservation(record.index, record.project, str(record.filename), record.digests.sha256, serial)
