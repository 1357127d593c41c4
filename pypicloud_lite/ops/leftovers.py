"""What interrupted uploads, overwrites and deletions left in the storage: bytes that nobody is shown.

They harm nothing but the bill. A blob is a leftover only when it is older than the grace period, no manifest
speaks for it (or one of the same filename with a higher serial is in the catalog), and no row names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.layout import Place, read_attached, read_place
from pypicloud_lite.indexes.manifest import UnreadableManifest, decode_attachment, decode_manifest
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.port import BlobInfo, BlobNotFound, Storage

GRACE = timedelta(hours=24)
_BATCH = 200
_AUTHOR = Author("ppc-resync")


@dataclass(slots=True)
class _Attempt:
    """Everything that lies at one home."""

    place: Place
    blobs: list[BlobInfo] = field(default_factory=list)
    has_manifest: bool = False
    newest: datetime | None = None

    def add(self, info: BlobInfo, sidecar: str | None) -> None:
        self.blobs.append(info)
        self.has_manifest = self.has_manifest or sidecar == ".manifest.json"
        self.newest = max(self.newest or info.modified, info.modified)


class Leftovers:
    """Run after a resync, which brings back whatever still has a manifest and bytes."""

    def __init__(self, storage: Storage, catalog: Catalog, clock: Clock) -> None:
        self._storage = storage
        self._catalog = catalog
        self._clock = clock

    def find(self, grace: timedelta = GRACE) -> list[BlobInfo]:
        """Every leftover: one listing, and one read for each manifest that no row names."""
        before = self._clock() - grace
        attempts = [one for one in self._attempts().values() if one.newest is not None and one.newest < before]
        homes = [one.place.home.value for one in attempts]
        with self._catalog.read() as catalog:
            used = catalog.keys_in_use(homes)
        unnamed = self._confirmed([one for one in attempts if one.place.home.value not in used])
        return [info for one in unnamed if not one.has_manifest or self._superseded(one) for info in one.blobs]

    def remove(self, found: Sequence[BlobInfo]) -> None:
        """Delete what :meth:`find` found, manifests first."""
        for info in sorted(found, key=lambda one: not one.key.value.endswith(".manifest.json")):
            self._storage.delete(info.key)

    def _confirmed(self, unnamed: list[_Attempt]) -> list[_Attempt]:
        """Look again at the few, in write scopes: no upload can then be between its bytes and its row's commit."""
        confirmed: list[_Attempt] = []
        for start in range(0, len(unnamed), _BATCH):
            batch = unnamed[start : start + _BATCH]
            with self._catalog.write(_AUTHOR) as catalog:
                used = catalog.keys_in_use(one.place.home.value for one in batch)
            confirmed += [one for one in batch if one.place.home.value not in used]
        return confirmed

    def _attempts(self) -> dict[StorageKey, _Attempt]:
        attempts: dict[StorageKey, _Attempt] = {}
        for info in self._storage.list():
            place = read_place(info.key) or read_attached(info.key)
            if place is not None:
                attempts.setdefault(place.home, _Attempt(place)).add(info, place.sidecar)
        return attempts

    def _superseded(self, attempt: _Attempt) -> bool:
        """Whether the catalog holds a later file of the name; a manifest that cannot be read is left alone."""
        home = attempt.place.home
        if read_attached(home) is not None:
            return self._outlived(home)
        try:
            told = decode_manifest(home, self._storage.read(home.sibling(".manifest.json"))).record
        except (BlobNotFound, UnreadableManifest):
            return False
        with self._catalog.read() as catalog:
            row = catalog.file(told.index, told.filename.value)
        return row is not None and row.home != home and row.serial > told.serial

    def _outlived(self, home: StorageKey) -> bool:
        """As :meth:`_superseded`, of an attachment; a result of testing a file that is gone is left too."""
        try:
            told = decode_attachment(home, self._storage.read(home.sibling(".manifest.json")))
        except (BlobNotFound, UnreadableManifest):
            return False
        with self._catalog.read() as catalog:
            row = catalog.attachment(told.index, told.filename)
            is_there = told.for_file is None or catalog.file(told.index, told.for_file) is not None
        return not is_there or (row is not None and row.key != home and row.serial > told.serial)
