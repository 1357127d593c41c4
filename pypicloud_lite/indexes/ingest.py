"""What comes into an index: bytes, then the catalog's row, then the manifest.

What was acknowledged is in the row and in the manifest. A process that dies in between leaves either bytes that
nothing names, or a row that is not ``done``, which :meth:`Changes.settle` brings to its end: a ``pending`` one gets its
manifest, a ``removing`` one goes. Only the manifest of a row that is ``removing``, which it stays until it is gone,
is ever deleted; so a row that is ``done`` has its manifest, whoever dies when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pypicloud_lite.catalog.model import FileRecord, Origin
from pypicloud_lite.catalog.port import Catalog, FilenameTaken
from pypicloud_lite.indexes.changes import Changes
from pypicloud_lite.indexes.history import overwritten
from pypicloud_lite.indexes.incoming import (
    Admit,
    Adopted,
    MayOverwrite,
    NewFile,
    Stored,
    check_existing,
    check_rebuilding,
    check_reservation,
)
from pypicloud_lite.indexes.layout import new_home
from pypicloud_lite.indexes.manifest import encode_manifest
from pypicloud_lite.indexes.sidecars import Sidecars
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.errors import (
    BackendUnavailable,
    CatalogUnavailable,
    CommitUnknown,
    InvalidArtifact,
    PpcError,
)
from pypicloud_lite.storage.port import Spool, Storage

_ROUNDS = 20
# What the storage reads back as one document, with room for the serial that is not known yet.
_MAX_MANIFEST = 7 * 1024 * 1024


class Ingest:
    """Adds and replaces files of an index; ``changes`` does the rest."""

    def __init__(self, storage: Storage, catalog: Catalog, clock: Clock) -> None:
        self._storage = storage
        self._catalog = catalog
        self._clock = clock
        self._sidecars = Sidecars(storage, catalog)
        self.changes = Changes(storage, catalog)

    def add(
        self,
        new: NewFile,
        spool: Spool,
        author: Author,
        may_overwrite: MayOverwrite,
        admit: Admit = lambda _catalog: None,
    ) -> Stored:
        """Store a file; durable in bytes, row and manifest when this returns.

        :class:`FileExists` when the name stands for other bytes and ``may_overwrite`` says no; ``admit`` may refuse
        for its own reasons. Nothing of a refused attempt stays. Consumes the spool unless the same bytes are there
        already.
        """
        sha256 = spool.digests.sha256
        lost: FileRecord | None = None
        for _ in range(_ROUNDS):
            existing = self._existing(new, sha256, may_overwrite)
            if existing is None or existing.digests.sha256 != sha256:
                break
            if self.changes.settle(existing):
                if self._sidecars.is_whole(existing):
                    return Stored(existing, created=False)
                # Who uploads again what got lost in the storage repairs it.
                lost = existing
                break
        record = self._store_bytes(new, spool)
        try:
            row, replaced = self._enter(record, new, author, may_overwrite, admit, lost)
        except CommitUnknown:
            # These bytes may be somebody's: what nobody names is found later, as a leftover.
            raise
        except PpcError:
            self._sidecars.discard(record)
            raise
        if row.key != record.key:
            self._sidecars.discard(record)
            return Stored(row, created=False)
        self._acknowledge(row, new.core, new.display_name)
        if replaced is not None:
            self._sidecars.discard(replaced)
            if replaced.digests.sha256 != row.digests.sha256:
                # They are about other bytes.
                names = {str(row.filename)}
                self.changes.attached.remove_results(row.index, row.project, names, author, before=row.serial)
        return Stored(row, created=True)

    def adopt(self, file: Adopted, author: Author, instead_of: FileRecord | None = None) -> FileRecord:
        """Catalogue bytes that are there already; :class:`FilenameTaken` when the name is.

        The sidecars go to our own layout and name the old key, which is never written to. ``instead_of`` is the row of
        what lay under that key before; its yank stays.
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
            signed=file.signature is not None,
            yanked=instead_of.yanked if instead_of else False,
            yanked_reason=instead_of.yanked_reason if instead_of else None,
            origin=Origin.IMPORT,
        )
        if file.metadata is not None:
            self._storage.write(record.metadata_key, file.metadata)
        if file.signature is not None:
            self._storage.write(record.signature_key, file.signature)
        try:
            row = self._enter_adopted(record, file, author, instead_of)
        except FilenameTaken:
            self.forget_sidecars(record)
            raise
        self._acknowledge(row, file.core, file.display_name)
        if instead_of is not None:
            self.forget_sidecars(instead_of)
        return row

    def _enter_adopted(
        self, record: FileRecord, file: Adopted, author: Author, instead_of: FileRecord | None
    ) -> FileRecord:
        """The row; :class:`FilenameTaken` also where a deletion came between: what was deleted does not come back."""
        filename = str(record.filename)
        with self._catalog.write(author) as catalog:
            if instead_of is None and catalog.reservation(record.index, filename) is None:
                return catalog.add_file(record, file.core, file.display_name)
            there = catalog.file(record.index, filename)
            if instead_of is not None and there is not None and there.id == instead_of.id and there.is_listed:
                row = catalog.replace_file(there, record, file.core)
                if row is not None:
                    return row
            raise FilenameTaken(f"{filename} was deleted or replaced meanwhile: it is left as it is")

    def forget_sidecars(self, record: FileRecord) -> None:
        """Remove what lies beside a file's bytes, and never those, which are another's."""
        self._sidecars.discard(record, with_bytes=False)

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
            self._sidecars.discard(record)
            raise
        return record

    def _enter(
        self,
        record: FileRecord,
        new: NewFile,
        author: Author,
        may_overwrite: MayOverwrite,
        admit: Admit,
        lost: FileRecord | None,
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
                        admit(catalog)
                        # Once more, now that no other writer can reserve the name, or change the index.
                        check_rebuilding(catalog, new.filename)
                        reservation = catalog.reservation(new.index, str(new.filename))
                        check_reservation(reservation, new.filename, record.digests.sha256, may_overwrite)
                        return catalog.add_file(record, new.core, new.display_name), None
                except FilenameTaken:
                    continue
            is_lost = lost is not None and existing.id == lost.id
            if existing.digests.sha256 == record.digests.sha256 and not is_lost:
                if self.changes.settle(existing):
                    return existing, None
                continue
            told = record if is_lost else replace(record, history=overwritten(existing, record, self._clock()))
            with self._catalog.write(author) as catalog:
                admit(catalog)
                check_existing(existing, new.filename, record.digests.sha256, may_overwrite)
                row = catalog.replace_file(existing, told, new.core)
            if row is not None:
                return row, existing
        raise CatalogUnavailable(f"{new.filename} changes all the time: upload it again later")

    def _acknowledge(self, row: FileRecord, core: Mapping[str, Any], display_name: str) -> None:
        """Write the manifest and say so in the row."""
        if not self._sidecars.tell_new(row, core, display_name):
            raise BackendUnavailable(f"{row.filename} was deleted while it was being uploaded: upload it again")
