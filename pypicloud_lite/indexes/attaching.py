"""What is attached to releases: documentation and results of tests, beside the files.

Bytes, the catalog's row, then the manifest, as for files (``ingest``); acknowledged means that all three are there. It
goes the other way round: the manifest first. Whoever writes a manifest looks at the row afterwards, and whoever removes
a row deletes the manifest once more: so none outlives its row, whoever comes between.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from pypicloud_lite.catalog.model import Attachment, AttachmentKind
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.indexes.incoming import Admit, FileExists, MayOverwrite
from pypicloud_lite.indexes.layout import documentation_filename, new_attached
from pypicloud_lite.indexes.manifest import encode_attachment
from pypicloud_lite.indexes.sidecars import Sidecars
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import BackendUnavailable, CommitUnknown, PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.storage.port import BlobNotFound, Spool, Storage

LARGEST_PAGE = 100 * 1024 * 1024
"""How many bytes one member of documentation may have, unpacked: more is neither taken in nor sent."""


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """An attachment on its way in; ``version`` is normalised, ``display_name`` is that of a project that is new."""

    index: IndexName
    project: ProjectName
    version: str
    kind: AttachmentKind
    filename: str
    uploaded_at: datetime
    for_file: str | None = None
    uploader: str | None = None
    display_name: str | None = None

    @classmethod
    def documentation(
        cls,
        index: IndexName,
        project: ProjectName,
        version: str,
        uploaded_at: datetime,
        uploader: str | None,
        display_name: str | None = None,
    ) -> NewAttachment:
        """The documentation of a release."""
        filename, kind = documentation_filename(project, version), AttachmentKind.DOCZIP
        return cls(index, project, version, kind, filename, uploaded_at, None, uploader, display_name)


@dataclass(frozen=True, slots=True)
class Attached:
    """The outcome: ``created`` is False when the same bytes were there already."""

    record: Attachment
    created: bool


class Attaching:
    """Adds and removes attachments of an index."""

    def __init__(self, storage: Storage, catalog: Catalog) -> None:
        self._storage = storage
        self._catalog = catalog
        self._sidecars = Sidecars(storage, catalog)

    def add(
        self,
        new: NewAttachment,
        spool: Spool,
        author: Author,
        may_overwrite: MayOverwrite,
        admit: Admit = lambda _catalog: None,
    ) -> Attached:
        """Store an attachment; durable in bytes, row and manifest when this returns.

        :class:`FileExists` when the name stands for other bytes and ``may_overwrite`` says no; ``admit`` may refuse for
        its own reasons. Nothing of a refused attempt stays. A project that is not there is made, without files, so that
        its name is private. Consumes the spool unless the same bytes are there already.
        """
        sha256 = spool.digests.sha256
        with self._catalog.read() as catalog:
            existing = self._existing(catalog, new, sha256, may_overwrite)
        if existing is not None and existing.sha256 == sha256 and self.settle(existing):
            return Attached(existing, created=False)
        record = Attachment(
            index=new.index,
            project=new.project,
            version=new.version,
            kind=new.kind,
            filename=new.filename,
            for_file=new.for_file,
            size=spool.size,
            sha256=sha256,
            key=new_attached(new.index, new.project, new.filename, sha256),
            uploaded_at=new.uploaded_at,
            uploader=new.uploader,
        )
        self._storage.put(record.key, spool)
        try:
            row, replaced, is_new = self._enter(record, new, author, may_overwrite, admit, lost=existing)
        except CommitUnknown:
            # These bytes may be somebody's: what nobody names is found later, as a leftover.
            raise
        except PpcError:
            self.discard(record)
            raise
        if is_new:
            self._sidecars.tell_project(new.index, new.project)
        if not self.tell(row):
            raise BackendUnavailable(f"{row.filename} was removed while it was being uploaded: upload it again")
        if row.key != record.key:
            self.discard(record)
        elif replaced is not None:
            self.discard(replaced)
        return Attached(row, created=row.key == record.key)

    def settle(self, row: Attachment) -> bool:
        """Make sure that the manifest of a row is there; False where its bytes, or the row, are not."""
        return self.is_whole(row) and self.tell(row)

    def remove(self, attachments: Sequence[Attachment], author: Author) -> None:
        """Remove them: manifests, rows, bytes. One that is gone already is success."""
        if not attachments:
            return
        for one in attachments:
            self._storage.delete(one.manifest_key)
        with self._catalog.write(author) as catalog:
            for one in attachments:
                catalog.remove_attachment(one)
        for place in dict.fromkeys((one.index, one.project) for one in attachments):
            self._sidecars.tell_project(*place)
        for one in attachments:
            self.discard(one)

    def remove_of_release(
        self, index: IndexName, project: ProjectName, version: str | None, author: Author
    ) -> list[Attachment]:
        """Remove all that is attached to a release, or to any release of the project; what there was."""
        with self._catalog.read() as catalog:
            found = [one for one in catalog.attachments(index, project) if version in {None, one.version}]
        self.remove(found, author)
        return found

    def remove_results(
        self,
        index: IndexName,
        project: ProjectName,
        filenames: Collection[str],
        author: Author,
        before: int | None = None,
    ) -> None:
        """Remove the results of testing these files of one project; with ``before`` those of a lower serial alone."""
        with self._catalog.read() as catalog:
            found = [one for one in catalog.attachments(index, project) if one.for_file in filenames]
        self.remove([one for one in found if before is None or one.serial < before], author)

    def tell(self, row: Attachment) -> bool:
        """Write the manifest of a row; False when the row is gone, and then nothing of it stays."""
        self._storage.write(row.manifest_key, encode_attachment(row))
        with self._catalog.read() as catalog:
            now = catalog.attachment(row.index, row.filename)
        if now is not None and now.id == row.id:
            return True
        self.discard(row)
        return False

    def _enter(
        self,
        record: Attachment,
        new: NewAttachment,
        author: Author,
        may_overwrite: MayOverwrite,
        admit: Admit,
        lost: Attachment | None,
    ) -> tuple[Attachment, Attachment | None, bool]:
        """The row that has the name now, the one that it replaced, and whether the project is new.

        A row with another key is somebody else's of the same bytes. ``lost`` is one that is replaced by the same bytes
        too, as its own are gone.
        """
        with self._catalog.write(author) as catalog:
            # Nobody else changes anything until this ends.
            admit(catalog)
            existing = self._existing(catalog, new, record.sha256, may_overwrite)
            if existing is None:
                is_new = catalog.project(new.index, new.project) is None
                return catalog.add_attachment(record, new.display_name or str(new.project)), None, is_new
            if existing.sha256 == record.sha256 and (lost is None or existing.id != lost.id):
                return existing, None, False
            row = catalog.replace_attachment(existing, record)
        if row is None:
            raise BackendUnavailable(f"{new.filename} was removed while it was being uploaded: upload it again")
        return row, existing, False

    @staticmethod
    def _existing(
        catalog: CatalogReader, new: NewAttachment, sha256: str, may_overwrite: MayOverwrite
    ) -> Attachment | None:
        existing = catalog.attachment(new.index, new.filename)
        if existing is None:
            if catalog.state().rebuilding_since is not None:
                raise BackendUnavailable(
                    f"The index is being rebuilt and may have {new.filename} already: try again later"
                )
            return None
        if existing.sha256 != sha256 and not may_overwrite():
            raise FileExists(
                f"{new.filename} is in {new.index} with other content (sha256 {existing.sha256[:16]}...): publish "
                "yours under a new version"
            )
        return existing

    def is_whole(self, record: Attachment) -> bool:
        """Whether its bytes are there: one request, by their length."""
        try:
            return self._storage.stat(record.key).size == record.size
        except BlobNotFound:
            return False

    def discard(self, record: Attachment) -> None:
        """Remove what no row names any more; what fails is garbage, found later."""
        try:
            for key in (record.manifest_key, record.key):
                self._storage.delete(key)
        except PpcError:
            return
