"""What storage tells of documentation and results of tests, held against the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from pypicloud_lite.catalog.model import Attachment, ProjectRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.attaching import Attaching
from pypicloud_lite.indexes.manifest import UnreadableManifest, decode_attachment
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.ops.inventory import Inventory
from pypicloud_lite.ops.outages import Refused, insist
from pypicloud_lite.ops.report import Report
from pypicloud_lite.storage.port import BlobNotFound, BlobTooLarge, Storage


class AttachedFiles:
    """Reads the manifests of attachments, and looks after rows whose bytes or manifest are gone."""

    def __init__(self, storage: Storage, catalog: Catalog, attaching: Attaching, author: Author) -> None:
        self._storage = storage
        self._catalog = catalog
        self._attaching = attaching
        self._author = author

    def told(
        self,
        pool: ThreadPoolExecutor,
        inventory: Inventory,
        place: tuple[IndexName, ProjectName],
        remarks: list[str],
    ) -> list[Attachment]:
        """Every attachment of a project whose bytes are there; of two of one name the higher serial wins."""
        best: dict[str, Attachment] = {}
        homes = inventory.project(*place).attached
        for home, outcome in zip(homes, pool.map(self._read, homes), strict=True):
            if outcome is None:
                continue
            if isinstance(outcome, str):
                remarks.append(outcome)
            elif (outcome.index, outcome.project) != place:
                remarks.append(f"{home}: its manifest speaks of {outcome.index}/{outcome.project}, skipped")
            elif inventory.attached.get(home.value) != outcome.size:
                remarks.append(f"{home}: its manifest is there but the file is missing or of another size")
            elif outcome.filename not in best or best[outcome.filename].serial < outcome.serial:
                best[outcome.filename] = outcome
        return list(best.values())

    def _read(self, home: StorageKey) -> Attachment | str | None:
        try:
            return decode_attachment(
                home, insist(self._storage, lambda: self._storage.read(home.sibling(".manifest.json")))
            )
        except BlobNotFound:
            return None
        except (UnreadableManifest, BlobTooLarge, Refused) as error:
            return error.message

    def check_rows(self, inventory: Inventory, began: datetime, report: Report) -> None:
        """Take out rows whose bytes are gone, and write manifests that are missing.

        What the listing did not show is asked for once more, one by one, before anything is done about it.
        """
        if not (inventory.sizes or inventory.attached):
            # The wrong storage, perhaps.
            return
        told = {home for own in inventory.own.values() for home in own.attached}
        with self._catalog.read() as catalog:
            doubtful = [
                one
                for one in catalog.all_attachments()
                if one.uploaded_at < began and (one.key.value not in inventory.attached or one.key not in told)
            ]
        for one in doubtful:
            if not self._is_there(one.key):
                self._attaching.remove([one], self._author)
                report.removed += 1
                report.remarks.append(f"{one.key}: the file is gone, {one.filename} is not listed any more")
            elif not self._is_there(one.manifest_key) and self._attaching.tell(one):
                report.remarks.append(f"{one.manifest_key}: was missing, written anew")

    def _is_there(self, key: StorageKey) -> bool:
        try:
            self._storage.stat(key)
        except BlobNotFound:
            return False
        return True


def lacking(rows: Sequence[Attachment], told: Sequence[Attachment], filenames: Iterable[str]) -> list[Attachment]:
    """Those that the catalog does not have, or an older one of that name.

    A result of testing a file that is not among ``filenames`` outlived it: it was left by who died removing both.
    """
    known, there = {row.filename: row.serial for row in rows}, set(filenames)
    return [
        one
        for one in told
        if known.get(one.filename, -1) < one.serial and (one.for_file is None or one.for_file in there)
    ]


def project_with(
    told: ProjectRecord | None, seen: ProjectRecord | None, attached: Sequence[Attachment]
) -> ProjectRecord | None:
    """The project as storage tells it, where only what is attached tells of it too."""
    if not attached:
        return told
    serial = max(one.serial for one in attached)
    if told is not None:
        return replace(told, serial=max(told.serial, serial))
    first = attached[0]
    return seen or ProjectRecord(first.index, first.project, str(first.project), serial, revision=0)
