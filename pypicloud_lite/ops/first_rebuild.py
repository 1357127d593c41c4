"""The very first rebuild: a new catalog beside a storage that may have files.

From its announcement until its end a project or a filename that the catalog does not know is answered with 503,
for reading and for uploading: it may still come.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.ops.report import Report
from pypicloud_lite.storage.port import Storage

_log = structlog.get_logger("pypicloud_lite.resync")

_HEARTBEAT_LOST = timedelta(seconds=120)
_AUTHOR = Author("ppc-resync")

RunResync = Callable[[Callable[[], None]], Report]
"""Runs a resync, calling its argument as a heartbeat now and then."""


class FirstRebuild:
    """Claimed by one process at a time; another takes over from one that gives no sign of life."""

    def __init__(self, storage: Storage, catalog: Catalog, clock: Clock, resync: RunResync) -> None:
        self._storage = storage
        self._catalog = catalog
        self._clock = clock
        self._resync = resync

    def claim(self) -> bool:
        """Whether it is this process's to do; announced when this returns. One query where there is nothing to do.

        Announced before the storage is asked, so that an outage just then frees no name.
        """
        with self._catalog.read() as catalog:
            if not self._is_due(catalog):
                return False
        with self._catalog.write(_AUTHOR) as catalog:
            # Between both looks another process may have claimed it, or the first upload of all have come.
            if not self._is_due(catalog):
                return False
            catalog.set_rebuilding(self._clock())
        return True

    def settle_trivial(self) -> None:
        """End it before anyone is served, where the storage is empty too: one query where it ended before."""
        with self._catalog.read(snapshot=False) as catalog:
            if not self._is_due(catalog):
                return
        if self.is_trivial() and self.claim():
            self.run()

    def is_trivial(self) -> bool:
        """Whether the storage is empty too: one request."""
        return next(iter(self._storage.list()), None) is None

    def run(self) -> Report:
        """Do what was claimed; when it fails, the claim runs out and somebody tries again."""
        report = Report() if self.is_trivial() else self._rebuild()
        with self._catalog.write(_AUTHOR) as catalog:
            catalog.set_rebuilding(None)
        return report

    def _rebuild(self) -> Report:
        _log.info("the catalog is empty and the storage is not: rebuilding")
        report = self._resync(self._beat)
        _log.info("rebuilt", **report.counts())
        for remark in report.remarks:
            _log.warning("resync", remark=remark)
        return report

    def _is_due(self, catalog: CatalogReader) -> bool:
        state = catalog.state()
        if state.rebuilding_since is not None:
            return _abandoned(state.rebuilding_since, self._clock())
        # Not "is empty": an upload that came before this look would leave all that lay there before it unlisted.
        return state.rebuilt_at is None

    def _beat(self) -> None:
        with self._catalog.write(_AUTHOR) as catalog:
            catalog.set_rebuilding(self._clock())


def _abandoned(since: datetime, now: datetime) -> bool:
    return now - since > _HEARTBEAT_LOST
