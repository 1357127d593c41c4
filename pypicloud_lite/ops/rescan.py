"""Folders that people touch: files that were dropped in or taken out by hand are noticed while the server runs.

One process of all that serve the folder looks, once in an interval. A look lists the folder and, only where the
listing or the catalog is not as it was, compares both. Bytes that are being uploaded lie in our own layout, which
nothing is ever taken over from; a file that is being copied into the folder is taken when it is whole and nobody
writes it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import structlog

from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.ops.foreign import ForeignFiles, Seen, Taken, seen_in
from pypicloud_lite.ops.inventory import Foreign, Inventory, take_inventory
from pypicloud_lite.ops.report import Report
from pypicloud_lite.storage.port import BlobInfo, Storage

RESCAN = Author("rescan")
_log = structlog.get_logger("pypicloud_lite.rescan")

# A file written more recently may still grow.
_SETTLED = timedelta(seconds=2)
# So many files may go at once; of more, only half of all.
_FEW = 10
_MAX_TOLD = 10_000

Turn = Callable[[], AbstractContextManager[bool]]
"""Whether it is this process's turn to look; nobody else looks while the scope is open."""

Wait = Callable[[float], bool]
"""Sleeps for some seconds; true when the process is about to end."""


class Rescan:
    """Call :meth:`look` from time to time; it remembers what it told and what it saw."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        ingest: Ingest,
        index: IndexName,
        clock: Clock,
        turn: Turn,
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._clock = clock
        self._index = index
        self._turn = turn
        self._foreign = ForeignFiles(storage, catalog, ingest, index, RESCAN)
        self._before: tuple[int, int] | None = None
        self._left: dict[str, Seen] = {}
        self._told: set[str] = set()

    def look(self, wait: Wait) -> Report | None:
        """Take in what is new, take out what is gone; None where it was not this process's turn.

        Cost: one listing, and next to nothing else while neither the folder nor the catalog changes. ``wait`` is
        called, once, where a file was written just now.
        """
        with self._turn() as mine:
            if not mine:
                return None
            with self._catalog.read(snapshot=False) as catalog:
                state = catalog.state()
            if state.rebuilt_at is None or state.rebuilding_since is not None:
                # The first rebuild sees all of it.
                return None
            report = Report()
            began = self._clock()
            fingerprint = _Fingerprint()
            inventory = take_inventory(fingerprint.of(self._storage.list()))
            report.files = len(inventory.sizes)
            now = fingerprint.value(), state.revision
            if now != self._before:
                all_settled = self._take_in(inventory, report, wait)
                self._take_out(inventory, report, began)
                self._before = now if all_settled else None
            self._tell(inventory, report)
            return report

    def _take_in(self, inventory: Inventory, report: Report, wait: Wait) -> bool:
        """Everything that is new; false where something has to be looked at again."""
        with self._catalog.read() as catalog:
            seen = seen_in(catalog.all_files(self._index))
        self._left = {key: left for key, left in self._left.items() if key in inventory.sizes}
        found = [one for one in inventory.foreign if not self._is_known(one, seen)]
        elsewhere = self._foreign.elsewhere(found) - seen.keys()
        later = self._take([one for one in found if one.info.key.value not in elsewhere], report)
        if later and not wait(_SETTLED.total_seconds()):
            fresh = {one.info.key: one for one in take_inventory(self._storage.list()).foreign}
            later = self._take([fresh[one.info.key] for one in later if one.info.key in fresh], report)
        return not later

    def _is_known(self, foreign: Foreign, seen: Mapping[str, Seen]) -> bool:
        before = self._left.get(foreign.info.key.value) or seen.get(foreign.info.key.value)
        return before is not None and before.is_still(foreign)

    def _take(self, found: Sequence[Foreign], report: Report) -> list[Foreign]:
        """Those that are settled, oldest first; returns those that are not."""
        later: list[Foreign] = []
        for foreign in sorted(found, key=lambda one: (one.info.modified, one.info.key)):
            young = timedelta() <= self._clock() - foreign.info.modified < _SETTLED
            outcome = Taken.LATER if young else self._foreign.take(foreign, report, whole_only=True)
            if outcome is Taken.LATER:
                later.append(foreign)
            elif outcome is Taken.LEFT:
                self._left[foreign.info.key.value] = Seen(foreign.info.size, foreign.info.modified)
        return later

    def _take_out(self, inventory: Inventory, report: Report, began: datetime) -> None:
        """Rows whose bytes are gone, unless so many are that the folder itself must be."""
        missing = self._foreign.missing(inventory.sizes, began)
        if not missing:
            return
        if not inventory.sizes or (len(missing) > _FEW and len(missing) > len(inventory.sizes)):
            report.remarks.append(
                f"{len(missing)} files are gone and {len(inventory.sizes)} are there: is this the right folder? "
                "Nothing was taken out; ppc-resync does it, if it is meant"
            )
            return
        for row in missing:
            self._foreign.drop(row, report)

    def _tell(self, inventory: Inventory, report: Report) -> None:
        """Each remark once, as long as it stays so."""
        remarks = [*report.remarks, *(f"{key}: not a distribution file, left alone" for key in inventory.strays)]
        for remark in dict.fromkeys(remarks):
            if remark not in self._told:
                _log.warning("rescan", remark=remark)
        if len(self._told) > _MAX_TOLD:
            self._told.clear()
        self._told.update(remarks)
        changed = {name: count for name, count in report.counts().items() if count and name != "files"}
        if changed:
            _log.info("the folder was changed by hand", **changed)


class _Fingerprint:
    """Of a listing, taken as it passes by; it does not depend on the listing's order."""

    def __init__(self) -> None:
        self._sum = 0

    def of(self, blobs: Iterator[BlobInfo]) -> Iterator[BlobInfo]:
        for info in blobs:
            line = f"{info.key.value}\0{info.size}\0{info.modified.timestamp()}"
            digest = hashlib.blake2b(line.encode("utf-8", "surrogateescape"), digest_size=16).digest()
            self._sum ^= int.from_bytes(digest, "big")
            yield info

    def value(self) -> int:
        return self._sum
