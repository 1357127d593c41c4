"""The only writer of an index: bytes, then the catalog's row, then the manifest; deletion the other way round.

What was acknowledged is in the row and in the manifest. A process that dies in between leaves either bytes that
nothing names, or a row that is not ``done``, which ``settle`` brings to its end: a ``pending`` one gets its manifest,
a ``removing`` one goes. Only the manifest of a row that is ``removing``, which it stays until it is gone, is ever
deleted; so a row that is ``done`` has its manifest, whoever dies when.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from pypicloud_lite.catalog.model import Author, FileRecord, ManifestState, Origin, Reservation
from pypicloud_lite.catalog.port import Catalog, FilenameTaken
from pypicloud_lite.indexes.incoming import (
    Adopted,
    MayOverwrite,
    NewFile,
    Stored,
    check_existing,
    check_rebuilding,
    check_reservation,
)
from pypicloud_lite.indexes.layout import new_home, project_document
from pypicloud_lite.indexes.manifest import encode_manifest, encode_project
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.errors import (
    BackendUnavailable,
    CatalogUnavailable,
    CommitUnknown,
    InvalidArtifact,
    PpcError,
)
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.storage.port import BlobNotFound, Spool, Storage

_ROUNDS = 20
# What the storage reads back as one document, with room for the serial that is not known yet.
_MAX_MANIFEST = 7 * 1024 * 1024
_log = structlog.get_logger("pypicloud_lite.ingest")
HOUSEKEEPING = Author("housekeeping")


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
        lost: FileRecord | None = None
        for _ in range(_ROUNDS):
            existing = self._existing(new, sha256, may_overwrite)
            if existing is None or existing.digests.sha256 != sha256:
                break
            if self.settle(existing):
                if self._is_whole(existing):
                    return Stored(existing, created=False)
                # Who uploads again what got lost in the storage repairs it.
                lost = existing
                break
        record = self._store_bytes(new, spool)
        try:
            row, replaced = self._enter(record, new, author, may_overwrite, lost)
        except CommitUnknown:
            # These bytes may be somebody's: what nobody names is found later, as a leftover.
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
            try:
                self.settle(record)
            except PpcError as error:
                # One that cannot be finished must not keep the others waiting.
                _log.warning("cannot be finished yet", filename=str(record.filename), error=error.message)
        return len(pending)

    def remove(self, record: FileRecord, author: Author) -> bool:
        """Delete a file: manifest, row, then bytes; its name stays reserved. False when it was gone already.

        The row is marked first and for good. An upload of the same bytes that passes by has either ended before
        that, or finishes the removal itself and then brings the file in anew: it never relies on a manifest that
        is about to be deleted.
        """
        with self._catalog.write(author) as catalog:
            if not catalog.begin_removal(record):
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
        # The row's removal will draw a serial of its own; what matters until then is that this one is above the file's.
        serial = record.serial + 1
        mine = Reservation(record.index, record.project, str(record.filename), record.digests.sha256, serial)
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
            if existing is None:
                check_rebuilding(catalog, new.filename)
        if existing is not None:
            check_existing(existing, new.filename, sha256, may_overwrite)
        check_reservation(reservation, new.filename, sha256, may_overwrite)
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
        if len(encode_manifest(record, new.core, new.display_name)) > _MAX_MANIFEST:
            raise InvalidArtifact(
                f"{new.filename}: its metadata has more than {_MAX_MANIFEST} bytes: shorten the description"
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
        self,
        record: FileRecord,
        new: NewFile,
        author: Author,
        may_overwrite: MayOverwrite,
        lost: FileRecord | None = None,
    ) -> tuple[FileRecord, FileRecord | None]:
        """Let the unique constraint decide; the bytes lie under a key of their own, so each round may retry.

        The row that holds the name now, and the one that it replaced. A row with another key is somebody
        else's upload of the same bytes, settled. ``lost`` is a row whose bytes are gone: it is replaced.
        """
        for _ in range(_ROUNDS):
            existing = self._existing(new, record.digests.sha256, may_overwrite)
            if existing is None:
                try:
                    with self._catalog.write(author) as catalog:
                        # Once more, now that no other writer can reserve the name.
                        check_rebuilding(catalog, new.filename)
                        reservation = catalog.reservation(new.index, str(new.filename))
                        check_reservation(reservation, new.filename, record.digests.sha256, may_overwrite)
                        return catalog.add_file(record, new.core, new.display_name), None
                except FilenameTaken:
                    continue
            is_lost = lost is not None and existing.id == lost.id
            if existing.digests.sha256 == record.digests.sha256 and not is_lost:
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

    def _is_whole(self, record: FileRecord) -> bool:
        """Whether the bytes of a catalogued file are there: one request."""
        try:
            return self._storage.stat(record.key).size == record.size
        except BlobNotFound:
            return False

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
            except PpcError:
                return
