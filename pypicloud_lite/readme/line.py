"""READMEs in line for the one child of this process, and the thread that serves them."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import Empty, SimpleQueue

import structlog

from pypicloud_lite.readme.model import Markup
from pypicloud_lite.readme.worker import Limits, Outcome, Worker

_log = structlog.get_logger("pypicloud_lite.readme")

_SHUTDOWN_SECONDS = 30.0

_Job = tuple["Future[Outcome]", Markup, str]


class Line:
    """Thread and child begin with the first README; the child ends when there was none for ``idle_seconds``."""

    def __init__(self, limits: Limits, idle_seconds: float) -> None:
        self._worker = Worker(limits)
        self._idle_seconds = idle_seconds
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """Of the child, while one runs."""
        return self._worker.pid

    def submit(self, markup: Markup, text: str) -> Future[Outcome]:
        """Get in line; not thread-safe. The outcome is no exception, but it is cancelled if the line closes before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="readme", daemon=True)
            self._thread.start()
        future: Future[Outcome] = Future()
        self._queue.put((future, markup, text))
        return future

    def close(self) -> None:
        """End the child after the README that it is at; whatever waits is cancelled. Nothing may come after."""
        self._closing = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(_SHUTDOWN_SECONDS)

    def disown(self) -> None:
        """In a process that was forked from this one's, where the thread is not: let go of the child."""
        self._worker.disown()

    def _serve(self) -> None:
        while True:
            try:
                job = self._queue.get(timeout=self._idle_seconds)
            except Empty:
                self._worker.end()
                continue
            if job is None:
                self._worker.end()
                return
            future, markup, text = job
            if self._closing:
                future.cancel()
            else:
                future.set_result(self._outcome(markup, text))

    def _outcome(self, markup: Markup, text: str) -> Outcome:
        try:
            return self._worker.render(markup, text)
        except Exception:  # noqa: BLE001 - the thread must live on, and whoever waits must hear of it
            _log.exception("a README could not be given to the process that renders")
            self._worker.end()
            return Outcome(None, "an error of the server", lasting=False)
