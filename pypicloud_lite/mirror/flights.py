"""Work that several threads want done is done once, and no more of it waits than a server can spare threads for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from contextvars import copy_context
from typing import Generic, TypeVar

from pypicloud_lite.kernel.errors import UpstreamUnavailable

_T = TypeVar("_T")
_AT_ONCE = 32
"""Pieces of work that one process does at a time without anybody waiting."""


class Threads:
    """So many threads of a process may work at once for which nobody waits: of all mirrors together."""

    def __init__(self, most: int = _AT_ONCE) -> None:
        self._free = threading.Semaphore(most)

    def take(self) -> bool:
        """Whether there was one; it has to be given back."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        """It has ended."""
        self._free.release()


class Flights(Generic[_T]):
    """For each key, whoever comes first does the work; who comes meanwhile waits for what comes of it."""

    def __init__(self, threads: Threads | None = None) -> None:
        self._threads = threads or Threads()
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[_T]] = {}

    def once(self, key: Hashable, work: Callable[[], _T], patience: float) -> _T:
        """What ``work`` returns or raises, done here or by another thread.

        ``UpstreamUnavailable`` where that takes longer than ``patience`` seconds.
        """
        with self._lock:
            flight = self._under_way.get(key)
            if flight is None:
                mine = self._under_way[key] = Future()
        if flight is not None:
            try:
                return flight.result(patience)
            except FutureTimeoutError:
                if flight.done():
                    raise
                raise UpstreamUnavailable(f"Others have waited for {key} for too long: try again later", 2) from None
        return self._fly(key, mine, work)

    def begin(self, key: Hashable, work: Callable[[], _T]) -> bool:
        """Do the work on a thread of its own, in the caller's context; False where it is under way, or too much is."""
        with self._lock:
            if key in self._under_way or not self._threads.take():
                return False
            mine = self._under_way[key] = Future()
        arguments = (self._fly_alone, key, mine, work)
        thread = threading.Thread(target=copy_context().run, args=arguments, name=f"mirror {key}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._threads.give_back()
            self._end(key)
            mine.set_exception(error)
            return False
        return True

    def _fly_alone(self, key: Hashable, mine: Future[_T], work: Callable[[], _T]) -> None:
        try:
            self._fly(key, mine, work)
        except Exception:  # noqa: BLE001  whoever waits has it from the future; nobody else is there
            return
        finally:
            self._threads.give_back()

    def _fly(self, key: Hashable, mine: Future[_T], work: Callable[[], _T]) -> _T:
        try:
            result = work()
        except BaseException as error:
            self._end(key)
            mine.set_exception(error)
            raise
        self._end(key)
        mine.set_result(result)
        return result

    def _end(self, key: Hashable) -> None:
        with self._lock:
            self._under_way.pop(key, None)


class WaitingRoom:
    """So many threads of a process may wait for upstreams at once; the others serve what is here.

    When it is full, who comes waits a moment for a place; but once somebody did so in vain, nobody does until a
    place became free: an upstream that hangs must not hold up one thread after the other.
    """

    def __init__(self, places: int, moment: float = 1.0) -> None:
        self._places = threading.Semaphore(places)
        self._moment = moment
        self._is_stuck = False

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait within it; ``UpstreamUnavailable`` where there is no place."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """Take a place, which has to be given back by :meth:`leave`."""
        if self._places.acquire(blocking=False):
            return
        if self._is_stuck or not self._places.acquire(timeout=self._moment):
            self._is_stuck = True
            raise UpstreamUnavailable("Too many requests wait for the index upstream: try again in a moment", 1)

    def leave(self) -> None:
        """Give a place back."""
        self._is_stuck = False
        self._places.release()
