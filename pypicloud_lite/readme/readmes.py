"""READMEs for pages: asked for by many threads, rendered by one child, kept in memory."""

from __future__ import annotations

import hashlib
import math
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial

import structlog

from pypicloud_lite.kernel.cache import Cache
from pypicloud_lite.readme.line import Line
from pypicloud_lite.readme.model import Kind, Markup, Rendered, Shown, plain, rendered
from pypicloud_lite.readme.worker import Limits, Outcome

_log = structlog.get_logger("pypicloud_lite.readme")

_TRY_AGAIN = 60.0
_OVERHEAD = 500


class Readmes:
    """Descriptions as HTML. Thread-safe; after a fork each process has a child of its own.

    ``cache_size`` is in bytes of memory. A request waits ``patience`` seconds at most; only ``waiting`` requests of
    this process do so at a time, and only ``places`` READMEs are in line. Whoever does not wait, or not long enough,
    gets the plain text; who asks later gets what came of it. A child that had nothing to do for ``idle_seconds`` ends.
    """

    def __init__(
        self,
        cache_size: int = 32 * 1024 * 1024,
        *,
        patience: float = 1.0,
        waiting: int = 4,
        places: int = 16,
        limits: Limits | None = None,
        idle_seconds: float = 300.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience
        self._places = places
        self._new_line = partial(Line, limits or Limits(), idle_seconds)
        self._new_cache = partial(Cache[Rendered], cache_size, _weight, monotonic)
        self._new_turns = partial(threading.BoundedSemaphore, waiting)
        self._begin()
        _call_after_fork(self._forked)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._line = self._new_line()
        self._cache = self._new_cache()
        self._turns = self._new_turns()
        self._futures: dict[bytes, Future[Outcome]] = {}

    def render(self, text: str, content_type: str | None) -> Rendered:
        """The README as HTML, now or after ``patience``; whatever it says, no exception.

        ``content_type`` is the Description-Content-Type of its metadata. The same README has the same HTML, but
        for the date that reStructuredText can insert.
        """
        markup = Markup.parse(content_type)
        if markup.kind is Kind.PLAIN or not text.strip():
            return plain(Shown.of(text))
        key = _key(markup, text)
        with self._lock:
            kept = self._cache.get(key)
        if kept is not None:
            return kept
        shown = Shown.of(text)
        outcome = self._outcome(key, markup, shown)
        return plain(shown, fell_back=True, pending=True) if outcome is None else _result(markup, shown, outcome)

    @property
    def child(self) -> int | None:
        """The process that renders, while there is one."""
        return self._line.pid

    def close(self) -> None:
        """End the child after the README that it is at. What waits stays plain text; the next README starts another."""
        with self._lock:
            line = self._line
            self._line = self._new_line()
        line.close()

    def _forked(self) -> None:
        """Nothing of the parent's is of use: a lock may be held by a thread that is not here."""
        self._line.disown()
        self._begin()

    def _outcome(self, key: bytes, markup: Markup, shown: Shown) -> Outcome | None:
        """What comes of it within the patience; each README is in line once, whoever asks for it."""
        with self._lock:
            future, new = self._futures.get(key), False
            if future is None and len(self._futures) < self._places:
                future = self._futures[key] = self._line.submit(markup, shown.text)
                new = True
        if future is None:
            return None
        if new:
            # Called at once where it is done already.
            future.add_done_callback(partial(self._keep, key, markup, shown))
        return self._awaited(future)

    def _awaited(self, future: Future[Outcome]) -> Outcome | None:
        patience = self._patience if self._turns.acquire(blocking=False) else None
        try:
            return future.result(patience or 0)
        except (TimeoutError, CancelledError):
            return None
        finally:
            if patience is not None:
                self._turns.release()

    def _keep(self, key: bytes, markup: Markup, shown: Shown, future: Future[Outcome]) -> None:
        with self._lock:
            self._futures.pop(key, None)
            if future.cancelled():
                return
            outcome = future.result()
            self._cache.put(key, _result(markup, shown, outcome), math.inf if outcome.lasting else _TRY_AGAIN)
        if outcome.html is None:
            _log.info("a README is shown as plain text", why=outcome.why, sha256=key.hex()[:16])


def _result(markup: Markup, shown: Shown, outcome: Outcome) -> Rendered:
    if outcome.html is None:
        return plain(shown, fell_back=True)
    return rendered(shown, markup.kind, outcome.html)


def _weight(value: Rendered) -> int:
    return sys.getsizeof(value.html) + _OVERHEAD


def _key(markup: Markup, text: str) -> bytes:
    digest = hashlib.sha256(f"{markup.kind};{markup.variant}\0".encode())
    digest.update(text.encode(errors="surrogatepass"))
    return digest.digest()


def _call_after_fork(method: Callable[[], None]) -> None:
    """Hooks cannot be taken back: this one does not keep the method's object."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        alive = reference()
        if alive is not None:
            alive()

    os.register_at_fork(after_in_child=call)
