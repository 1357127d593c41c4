"""The only writer of an index: bytes, then the catalog's row, then the manifest; deletion the other way round.

What was acknowledged is in the row and in the manifest. A process that dies in between leaves either bytes that
nothing names, or a row that is not ``done``, which ``settle`` brings to its end: a ``pending`` one gets its manifest,
a ``removing`` one goes. Only the manifest of a row that is ``removing``, which it stays until it is gone, is ever
deleted; so a row that is ``done`` has its manifest, whoever dies when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pypicloud_lite.catalog.model import Author, FileRecord, ManifestState, Origin, Reservation
from pypicloud_lite.catalog.port import Catalog, FilenameTaken
from pypicloud_lite.indexes.layout import new_home, project_document
from pypicloud_lite.indexes.manifest import encode_manifest, encode_project
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.digests import Digests, digests_of
from pypicloud_lite.kernel.errors import (
    BackendUnavailable,
    CatalogUnavailable,
    Conflict,
    PpcError,
    StorageUnavailable,
)
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.storage.port import Spool, Storage

_ROUNDS = 20
HOUSEKEEPING = Author("housekeeping")


class FileExists(Conflict):
    """The index has this filename with other bytes, or had it and keeps it reserved."""

    code = "file-exists"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file on its way in; ``metadata`` are the exact bytes of METADATA, for wheels only."""

    index: IndexName
    filename: Filename
    display_name: str
    core: Mapping[str, Any]
    requires_python: str | None = None
    summary: str | None = None
    metadata: bytes | None = None
    signature: bytes | None = None
    uploader: str | None = None
    uploaded_at: datetime | None = None
    origin: Origin = Origin.UPLOAD


@dataclass(frozen=True, slots=True)
class Adopted:
    """A file whose bytes lie in the storage already, under a key that another server chose."""

    index: IndexName
    filename: Filename
    key: StorageKey
    size: int
    digests: Digests
    uploaded_at: datetime
    display_name: str
    core: Mapping[str, Any]
    uploader: str | None = None
    requires_python: str | None = None
    summary: str | None = None
    metadata: bytes | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome: ``created`` is False when the same bytes were there already."""

    record: FileRecord
    created: bool


MayOverwrite = Callable[[], bool]
"""Asked only when it matters: whether the caller may put other bytes under a name that was used."""


class Ingest:
    """Adds, replaces and removes files of an index."""

    def __init__(self, storage: Storage, catalog: Catalog, clock: Clock) -> None:
        self._storage = storage
        self._catalog = catalog
        self._clock = clock

    def add(self, new: NewFile, spool: Spool, author: Author, may_overwrite: MayOverwrite) -> Stored:
        """Store a file; durable in bytes, row and manifest when this returns.

        :class:`FileExists` when the name stands for other bytes and ``may_overwrite`` says no. Nothing of a
        refused attempt stays. Consumes the spool unless the same bytes are there already.
        """
        sha256 = spool.digests.sha256
        for _ in range(_ROUNDS):
            existing = self._existing(new, sha256, may_overwrite)
            if existing is not None and existing.digests.sha256 == sha256:
                if self.settle(existing):
                    return Stored(existing, created=False)
                continue
            break
        record = self._store_bytes(new, spool)
        try:
            row, replaced = self._enter(record, new, author, may_overwrite)
        except CatalogUnavailable:
            # The commit may have happened: these bytes may be somebody's. Garbage collection finds out.
            raise
        except PpcError:
            self._discard(record)
            raise
        if row.key != record.key:
            self._discard(record)
            return Stored(row, created=False)
        self._acknowledge(row, new.core, new.display_name)
        if replaced is not None:
            self._discard(replaced)
        return Stored(row, created=True)

    def adopt(self, file: Adopted, author: Author) -> FileRecord:
        """Catalogue bytes that are there already; :class:`FilenameTaken` when the name is.

        The sidecars go to our own layout and name the old key, which is never written to.
        """
        home = new_home(file.index, file.filename.project, str(file.filename), file.digests.sha256)
        record = FileRecord(
            index=file.index,
            project=file.filename.project,
            filename=file.filename,
            size=file.size,
            digests=file.digests,
            key=file.key,
            home=home,
            uploaded_at=file.uploaded_at,
            uploader=file.uploader,
            requires_python=file.requires_python,
            summary=file.summary,
            metadata_sha256=digests_of(file.metadata).sha256 if file.metadata is not None else None,
            origin=Origin.IMPORT,
        )
        if file.metadata is not None:
            self._storage.write(record.metadata_key, file.metadata)
        try:
            with self._catalog.write(author) as catalog:
                row = catalog.add_file(record, file.core, file.display_name)
        except FilenameTaken:
            self._storage.delete(record.metadata_key)
            raise
        self._acknowledge(row, file.core, file.display_name)
        return row

    def settle(self, record: FileRecord) -> bool:
        """Make sure that the manifest of a catalogued file is written, or that its removal ends.

        False when the file is not there any more.
        """
        if record.manifest is ManifestState.DONE:
            return True
        if record.manifest is ManifestState.REMOVING:
            self._finish_removal(record, HOUSEKEEPING)
            return False
        with self._catalog.read() as catalog:
            core = catalog.core_metadata(record.id)
            project = catalog.project(record.index, record.project)
        display_name = project.display_name if project else str(record.project)
        self._storage.write(record.manifest_key, encode_manifest(record, core, display_name))
        with self._catalog.write(HOUSEKEEPING) as catalog:
            done = catalog.mark_manifest(record.id, done=True)
        if not done:
            # The row is being removed, or was replaced meanwhile: this manifest must not bring it back.
            self._storage.delete(record.manifest_key)
        return done

    def settle_pending(self, uploaded_before: datetime, limit: int = 100) -> int:
        """Settle what processes that died left behind; how many there were."""
        with self._catalog.read() as catalog:
            pending = catalog.pending(uploaded_before, limit)
        for record in pending:
            self.settle(record)
        return len(pending)

    def remove(self, record: FileRecord, author: Author) -> bool:
        """Delete a file: manifest, row, then bytes; its name stays reserved. False when it was gone already.

        The row is marked first and for good. An upload of the same bytes that passes by has either ended before
        that, or finishes the removal itself and then brings the file in anew: it never relies on a manifest that
        is about to be deleted.
        """
        with self._catalog.write(author) as catalog:
            if not catalog.begin_removal(record.id):
                return False
        self._finish_removal(record, author)
        return True

    def _finish_removal(self, record: FileRecord, author: Author) -> None:
        """Any number of callers may do this at once: each step is harmless when it was done already.

        The reservation is in ``project.json`` before the row goes, as the row would not bring it there if this
        process died in between.
        """
        self._storage.delete(record.manifest_key)
        self._write_reservation(record)
        with self._catalog.write(author) as catalog:
            catalog.remove_file(record)
        self.write_project_document(record.index, record.project)
        self._discard(record)

    def _write_reservation(self, record: FileRecord) -> None:
        with self._catalog.read() as catalog:
            project = catalog.project(record.index, record.project)
            reservations = catalog.reservations(record.index, record.project)
            there = catalog.file(record.index, str(record.filename))
        if project is None or there is None or there.id != record.id:
            return
        mine = Reservation(record.index, record.project, str(record.filename), record.digests.sha256)
        document = encode_project(project, [*reservations, mine])
        self._storage.write(project_document(record.index, record.project), document)

    def write_project_document(self, index: IndexName, project: ProjectName) -> None:
        """Write ``project.json`` from the catalog, and again while the project changes meanwhile."""
        written = -1
        for _ in range(_ROUNDS):
            with self._catalog.read() as catalog:
                record = catalog.project(index, project)
                reservations = catalog.reservations(index, project)
            if record is None or record.serial == written:
                return
            self._storage.write(project_document(index, project), encode_project(record, reservations))
            written = record.serial

    def _existing(self, new: NewFile, sha256: str, may_overwrite: MayOverwrite) -> FileRecord | None:
        with self._catalog.read() as catalog:
            existing = catalog.file(new.index, str(new.filename))
            reservation = None if existing else catalog.reservation(new.index, str(new.filename))
        if existing is not None:
            if existing.project != new.filename.project:
                raise FileExists(_ambiguous(new.filename))
            if existing.digests.sha256 != sha256 and not may_overwrite():
                raise FileExists(_exists(existing.filename, existing.digests.sha256))
        _check_reservation(reservation, new.filename, sha256, may_overwrite)
        return existing

    def _store_bytes(self, new: NewFile, spool: Spool) -> FileRecord:
        digests, size = spool.digests, spool.size
        project = new.filename.project
        home = new_home(new.index, project, str(new.filename), digests.sha256)
        record = FileRecord(
            index=new.index,
            project=project,
            filename=new.filename,
            size=size,
            digests=digests,
            key=home,
            home=home,
            uploaded_at=new.uploaded_at or self._clock(),
            uploader=new.uploader,
            requires_python=new.requires_python,
            summary=new.summary,
            metadata_sha256=digests_of(new.metadata).sha256 if new.metadata is not None else None,
            signed=new.signature is not None,
            origin=new.origin,
        )
        try:
            self._storage.put(record.key, spool)
            if new.metadata is not None:
                self._storage.write(record.metadata_key, new.metadata)
            if new.signature is not None:
                self._storage.write(record.signature_key, new.signature)
        except BaseException:
            self._discard(record)
            raise
        return record

    def _enter(
        self, record: FileRecord, new: NewFile, author: Author, may_overwrite: MayOverwrite
    ) -> tuple[FileRecord, FileRecord | None]:
        """Let the unique constraint decide; the bytes lie under a key of their own, so each round may retry.

        The row that holds the name now, and the one that it replaced. A row with another key is somebody
        else's upload of the same bytes, settled.
        """
        for _ in range(_ROUNDS):
            existing = self._existing(new, record.digests.sha256, may_overwrite)
            if existing is None:
                try:
                    with self._catalog.write(author) as catalog:
                        # Once more, now that no other writer can reserve the name.
                        reservation = catalog.reservation(new.index, str(new.filename))
                        _check_reservation(reservation, new.filename, record.digests.sha256, may_overwrite)
                        return catalog.add_file(record, new.core, new.display_name), None
                except FilenameTaken:
                    continue
            if existing.digests.sha256 == record.digests.sha256:
                if self.settle(existing):
                    return existing, None
                continue
            with self._catalog.write(author) as catalog:
                row = catalog.replace_file(existing, record, new.core)
            if row is not None:
                return row, existing
        raise CatalogUnavailable(f"{new.filename} changes all the time: upload it again later")

    def _acknowledge(self, row: FileRecord, core: Mapping[str, Any], display_name: str) -> None:
        """Write the manifest and say so in the row."""
        self._storage.write(row.manifest_key, encode_manifest(row, core, display_name))
        with self._catalog.write(HOUSEKEEPING) as catalog:
            if catalog.mark_manifest(row.id, done=True):
                return
        self._storage.delete(row.manifest_key)
        raise BackendUnavailable(f"{row.filename} was deleted while it was being uploaded: upload it again")

    def _discard(self, record: FileRecord) -> None:
        """Remove the bytes of a file that no row names any more; what fails here is garbage, found later."""
        keys = [record.manifest_key]
        if record.metadata_sha256 is not None:
            keys.append(record.metadata_key)
        if record.signed:
            keys.append(record.signature_key)
        keys.append(record.key)
        for key in keys:
            try:
                self._storage.delete(key)
            except StorageUnavailable:
                return


def _check_reservation(
    reservation: Reservation | None, filename: Filename, sha256: str, may_overwrite: MayOverwrite
) -> None:
    if reservation is None:
        return
    if reservation.project != filename.project:
        raise FileExists(_ambiguous(filename))
    if reservation.sha256 != sha256 and not may_overwrite():
        raise FileExists(
            f"File already exists: {reservation.filename} was here with other content and was deleted, and its "
            "name stays reserved. Upload it under a new version"
        )


def _ambiguous(filename: Filename) -> str:
    """``py-2-1.tar.gz`` is version 1 of py-2 and version 2-1 of py: rights on one are none on the other.

    Says nothing of the other project, which the caller may not be allowed to see.
    """
    return (
        f"File already exists: the name {filename} can be read as a file of another project and was used as such. "
        "Upload your change under another version"
    )


def _exists(filename: Filename, sha256: str) -> str:
    return (
        f"File already exists: {filename} is here with other content (sha256 {sha256[:16]}...). "
        "Upload your change under a new version"
    )
