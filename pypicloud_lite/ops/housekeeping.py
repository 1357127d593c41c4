"""What each worker does beside answering: finish what dead processes left, and the very first rebuild."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

import structlog

from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.kernel.moment import one_moment
from pypicloud_lite.ops.first_rebuild import FirstRebuild
from pypicloud_lite.ops.rescan import Rescan
from pypicloud_lite.ops.search_filling import SearchFilling
from pypicloud_lite.storage.port import Storage

_log = structlog.get_logger("pypicloud_lite.housekeeping")

_INTERVAL = 60.0
_RETRY = 2.0
_PENDING_FOR = timedelta(seconds=30)
_SPOOL_AGE = timedelta(hours=24)


class Housekeeping:
    """A background thread per process; several processes may do the same work without harm."""

    def __init__(
        self,
        storage: Storage,
        ingest: Ingest,
        first_rebuild: FirstRebuild,
        clock: Clock,
        prepare: Callable[[], None],
        *,
        rescan: tuple[Rescan, float] | None = None,
        chores: Mapping[str, Callable[[], object]] = MappingProxyType({}),
        at_stop: Callable[[], None] = lambda: None,
        filling: SearchFilling | None = None,
    ) -> None:
        self._storage = storage
        self._ingest = ingest
        self._first_rebuild = first_rebuild
        self._clock = clock
        self._prepare = prepare
        self._rescan = rescan
        self._chores = chores
        self._at_stop = at_stop
        self._filling = filling
        self._prepared = False
        self._claimed = False
        self._pid = 0
        self._turns: dict[int, threading.Lock] = {}
        self._stop = threading.Event()

    def ensure(self) -> None:
        """Begin in this process, once; called before every request, and costs next to nothing.

        Not earlier than the first request (or gunicorn's hook for a new worker): a process that forks must have no
        thread in the middle of a transaction. A first rebuild is announced before this returns: no request may
        learn from an empty catalog that a project does not exist.
        """
        pid = os.getpid()
        if self._pid == pid:
            return
        # One lock for each process: a parent's may be held for ever in its child.
        with self._turns.setdefault(pid, threading.Lock()):
            if self._pid != pid:
                self._begin()
                self._pid = pid

    def _begin(self) -> None:
        self._attempt("prepare", self._make_ready)
        self._attempt("look at the catalog", self._announce)
        self._stop = threading.Event()
        threading.Thread(target=self._run, args=(self._stop,), name="housekeeping", daemon=True).start()
        if self._rescan is not None:
            arguments = (self._stop, *self._rescan)
            threading.Thread(target=self._look_around, args=arguments, name="rescan", daemon=True).start()
        if self._filling is not None:
            threading.Thread(target=self._fill, args=(self._stop, self._filling), name="search", daemon=True).start()

    def stop(self) -> None:
        """End after the step under way, and what else this process does in the background."""
        self._stop.set()
        self._attempt("end what runs", self._at_stop)

    def step(self) -> None:
        """One round; what fails is logged and tried again at the next, and stops nothing else."""
        self._attempt("prepare", self._make_ready)
        self._attempt("rebuild", self._rebuild)
        self._attempt("finish what was left behind", self._settle)
        self._attempt("remove old temporaries", self._sweep)
        self.do_chores()

    def do_chores(self) -> None:
        """What other features keep for later; also once more when the process ends."""
        with one_moment():
            for what, chore in self._chores.items():
                self._attempt(what, chore)

    def _run(self, stop: threading.Event) -> None:
        while True:
            self.step()
            if stop.wait(_INTERVAL if self._prepared else _RETRY):
                return

    def _look_around(self, stop: threading.Event, rescan: Rescan, seconds: float) -> None:
        """A thread of its own: reading what was dropped in may take a while, and settling must not wait for it."""
        while True:
            self._attempt("look for files that were put in or taken out by hand", lambda: rescan.look(stop.wait))
            if stop.wait(seconds):
                return

    def _fill(self, stop: threading.Event, filling: SearchFilling) -> None:
        """Until it is done for good."""
        while not stop.is_set():
            self._attempt("make projects findable", lambda: filling.run(stop.wait))
            if filling.is_done or stop.wait(_RETRY):
                return

    def _make_ready(self) -> None:
        if not self._prepared:
            self._prepare()
            self._prepared = True

    def _announce(self) -> None:
        self._claimed = self._first_rebuild.claim()
        if self._claimed and self._first_rebuild.is_trivial():
            self._rebuild()

    def _rebuild(self) -> None:
        if self._claimed or self._first_rebuild.claim():
            self._claimed = False
            self._first_rebuild.run()

    def _settle(self) -> None:
        count = self._ingest.changes.settle_pending(self._clock() - _PENDING_FOR)
        if count:
            _log.info("finished uploads and deletions that were left behind", count=count)

    def _sweep(self) -> None:
        count = self._storage.sweep(self._clock() - _SPOOL_AGE)
        if count:
            _log.info("removed old temporaries", count=count)

    @staticmethod
    def _attempt(what: str, do: Callable[[], object]) -> None:
        try:
            do()
        except PpcError as error:
            _log.warning("housekeeping failed, it will be tried again", what=what, error=error.message)
        except Exception:  # noqa: BLE001  a bug here must not end the thread
            _log.exception("housekeeping failed, it will be tried again", what=what)
