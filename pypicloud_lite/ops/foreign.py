"""Files that other hands put into the storage, or took out of it, held against the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from pypicloud_lite.catalog.model import FileRecord, ManifestState
from pypicloud_lite.catalog.port import Catalog, FilenameTaken
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InsufficientStorage, InvalidArtifact
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.ops.adoption import Adoption, StillChanging
from pypicloud_lite.ops.inventory import Foreign
from pypicloud_lite.ops.outages import Refused, insist
from pypicloud_lite.ops.report import Report
from pypicloud_lite.storage.port import BlobNotFound, Storage

# Object stores tell the time of a listing more exactly than that of a single object.
_SAME_TIME = timedelta(seconds=1)


class Taken(Enum):
    """What became of a foreign file."""

    IN = "in"
    LEFT = "left"  # for good, until it changes
    LATER = "later"  # it was being written, or could not be read


@dataclass(frozen=True, slots=True)
class Seen:
    """Size and time of a file when it was taken over."""

    size: int
    modified: datetime

    def is_still(self, foreign: Foreign) -> bool:
        """Whether it looks the same now."""
        return self.size == foreign.info.size and abs(self.modified - foreign.info.modified) < _SAME_TIME


def seen_in(rows: Iterable[FileRecord]) -> Mapping[str, Seen]:
    """Those rows whose bytes lie where another server or a person put them, by key."""
    return {row.key.value: Seen(row.size, row.uploaded_at) for row in rows if row.key != row.home}


class ForeignFiles:
    """Takes foreign files over, and takes rows out whose bytes are gone."""

    def __init__(self, storage: Storage, catalog: Catalog, ingest: Ingest, index: IndexName, author: Author) -> None:
        self._storage = storage
        self._catalog = catalog
        self._ingest = ingest
        self._index = index
        self._author = author
        self._adoption = Adoption(storage, ingest, index, author)

    def take(self, foreign: Foreign, report: Report, *, whole_only: bool = False) -> Taken:
        """Catalogue a file that the catalog does not know, or knows with other content.

        With ``whole_only`` a file that is no sound distribution is left: it may be half of one. Costs one read of
        the whole file.
        """
        row = self._holder(foreign)
        if row is not None and row.key != foreign.info.key:
            report.remarks.append(f"{foreign.info.key}: {row.filename} is there already as {row.key}, skipped")
            return Taken.LEFT
        if row is not None and Seen(row.size, row.uploaded_at).is_still(foreign):
            # Somebody else took it over meanwhile.
            return Taken.IN
        if row is None and self._is_deleted(foreign):
            # Its removal could not reach the bytes any more; listing it again would undo what was acknowledged.
            report.remarks.append(
                f"{foreign.info.key}: {foreign.filename} was deleted here, skipped; upload it if it is to come back"
            )
            return Taken.LEFT
        try:
            adopted = insist(
                self._storage, lambda: self._adoption.adopt(foreign, instead_of=row, whole_only=whole_only)
            )
        except (BlobNotFound, StillChanging):
            return Taken.LATER
        except InvalidArtifact as error:
            report.remarks.append(f"{foreign.info.key}: not taken over: {error.message}")
            return Taken.LEFT
        except (Refused, InsufficientStorage) as error:
            report.remarks.append(f"{foreign.info.key}: cannot be read, skipped: {error.message}")
            return Taken.LATER
        except FilenameTaken:
            report.remarks.append(f"{foreign.info.key}: another file of that name came first, skipped")
            return Taken.LEFT
        report.imported += adopted.is_new
        report.replaced += adopted.is_replaced
        report.remarks += adopted.remarks
        return Taken.IN

    def _holder(self, foreign: Foreign) -> FileRecord | None:
        with self._catalog.read() as catalog:
            return catalog.file(self._index, foreign.filename.value)

    def _is_deleted(self, foreign: Foreign) -> bool:
        with self._catalog.read() as catalog:
            return catalog.reservation(self._index, foreign.filename.value) is not None

    def elsewhere(self, found: Sequence[Foreign]) -> set[str]:
        """Keys that rows of any index name: a deletion of it here must not reach one of another index."""
        with self._catalog.read() as catalog:
            return catalog.keys_in_use(one.info.key.value for one in found)

    def missing(self, sizes: Mapping[str, int], began: datetime) -> list[FileRecord]:
        """Rows whose bytes the listing did not show; those that changed since it began are left out."""
        with self._catalog.read() as catalog:
            return [
                row
                for row in catalog.all_files(self._index)
                if row.key.value not in sizes and row.uploaded_at < began and row.manifest is ManifestState.DONE
            ]

    def drop(self, row: FileRecord, report: Report) -> bool:
        """Take a row out whose bytes are gone; False when they are there after all, or the row is gone.

        Its name stays reserved, so that an older manifest does not come back in its place. But not that of a foreign
        file: whoever took it out may put it in again, and its sidecars go.
        """
        try:
            self._storage.stat(row.key)
        except BlobNotFound:
            pass
        else:
            return False
        foreign = row.key != row.home
        if foreign:
            self._ingest.forget_sidecars(row)
        with self._catalog.write(self._author) as catalog:
            gone = catalog.remove_file(row, reserve=not foreign)
        if gone:
            report.removed += 1
            report.remarks.append(f"{row.key}: the file is gone, {row.filename} is not listed any more")
        return gone
