"""What each worker does beside answering: finish what dead processes left, and the very first rebuild."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from pypicloud_lite.catalog.model import Author
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.ops.resync import Report
from pypicloud_lite.storage.port import Storage

_log = structlog.get_logger("pypicloud_lite.housekeeping")

_INTERVAL = 60.0
_PENDING_FOR = timedelta(seconds=30)
_SPOOL_AGE = timedelta(hours=24)
_HEARTBEAT_LOST = timedelta(seconds=120)
_AUTHOR = Author("housekeeping")

RunResync = Callable[[Callable[[], None]], Report]
"""Runs a resync, calling its argument as a heartbeat now and then."""


class Housekeeping:
    """A background thread per process; several processes may do the same work without harm."""

    def __init__(self, storage: Storage, catalog: Catalog, ingest: Ingest, clock: Clock, resync: RunResync) -> None:
        self._storage = storage
        self._catalog = catalog
        self._ingest = ingest
        self._clock = clock
        self._resync = resync
        self._stop = threading.Event()
        self._announced = False

    def start(self) -> None:
        """Begin in this process, and again in each one forked from it (gunicorn with preload).

        A first rebuild is announced before this returns: no request may learn from an empty catalog that a
        project does not exist.
        """
        try:
            self._announce()
        except PpcError as error:
            _log.warning("the catalog cannot be looked at, it will be tried again", error=error.message)
        os.register_at_fork(after_in_child=self._start_thread)
        self._start_thread()

    def stop(self) -> None:
        """End after the step under way."""
        self._stop.set()

    def _start_thread(self) -> None:
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="housekeeping", daemon=True).start()

    def _run(self) -> None:
        stop = self._stop
        while True:
            self.step()
            if stop.wait(_INTERVAL):
                return

    def step(self) -> None:
        """One round; an outage is logged and tried again at the next."""
        try:
            self.first_rebuild()
            now = self._clock()
            settled = self._ingest.settle_pending(now - _PENDING_FOR)
            swept = self._storage.sweep(now - _SPOOL_AGE)
        except PpcError as error:
            _log.warning("housekeeping failed, it will be tried again", error=error.message)
        except Exception:  # noqa: BLE001  a bug here must not end the thread
            _log.exception("housekeeping failed, it will be tried again")
        else:
            if settled or swept:
                _log.info("finished what was left behind", manifests=settled, temporaries=swept)

    def first_rebuild(self) -> bool:
        """Rebuild an empty catalog whose storage is not; take over from a process that died doing so."""
        if not self._announced and not self._announce():
            return False
        _log.info("the catalog is empty and the storage is not: rebuilding")
        report = self._resync(self._beat)
        self._announced = False
        with self._catalog.write(_AUTHOR) as catalog:
            catalog.set_rebuilding(None)
        _log.info("rebuilt", **{name: value for name, value in report.as_dict().items() if name != "remarks"})
        for remark in report.remarks:
            _log.warning("resync", remark=remark)
        return True

    def _announce(self) -> bool:
        """Whether the rebuild is this process's to do. Costs one query where there is none, and lists nothing."""
        now = self._clock()
        with self._catalog.read() as catalog:
            since = catalog.state().rebuilding_since
            if not _abandoned(since, now) if since else not catalog.is_empty():
                return False
        if since is None and next(iter(self._storage.list()), None) is None:
            return False
        with self._catalog.write(_AUTHOR) as catalog:
            if catalog.state().rebuilding_since != since or (since is None and not catalog.is_empty()):
                # Between both looks another process took it over, or the first upload of all came.
                return False
            catalog.set_rebuilding(self._clock())
        self._announced = True
        return True

    def _beat(self) -> None:
        with self._catalog.write(_AUTHOR) as catalog:
            catalog.set_rebuilding(self._clock())


def _abandoned(since: datetime, now: datetime) -> bool:
    return now - since > _HEARTBEAT_LOST
