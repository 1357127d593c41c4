"""Leaves a server alone that fails: asking it again would only make everybody wait."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from pypicloud_lite.kernel.errors import UpstreamAddressRefused, UpstreamError, UpstreamUnavailable

_LONGEST_HOLD = 600.0
_MOST_HOSTS = 64


class ServerFailed(Exception):
    """What is raised within :meth:`Breaker.asking` to count as a failure; its cause is what happened."""


class Breaker:
    """Open after ``failures`` in a row, for ``pause`` seconds; then one caller probes, and the others still wait.

    A probe that fails opens it again. Thread-safe.
    """

    def __init__(self, name: str, failures: int, pause: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._failures = failures
        self._pause = pause
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._count = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether callers are refused now (but the one who probes)."""
        with self._lock:
            return self._open_until is not None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Within it, ask; :class:`ServerFailed` counts against the server.

        Leaving in peace counts for it, and so does any other ``UpstreamError``, as it was given an answer to judge; not
        one that is raised before there is any. Other errors say nothing. ``UpstreamUnavailable`` while it is open.
        """
        probe = self._enter()
        try:
            yield
        except ServerFailed:
            self._failed()
            raise
        except (UpstreamUnavailable, UpstreamAddressRefused):
            self._unsettled(probe)
            raise
        except UpstreamError:
            self._succeeded()
            raise
        except BaseException:
            self._unsettled(probe)
            raise
        else:
            self._succeeded()

    def hold(self, seconds: float) -> float:
        """The server itself asked to be left alone for so long; how long it will be: more than ten minutes are ten."""
        granted = min(max(seconds, 0.0), _LONGEST_HOLD)
        with self._lock:
            until = self._monotonic() + granted
            self._open_until = max(until, self._open_until or until)
            self._probing = False
        return granted

    def _enter(self) -> bool:
        """Whether this caller is the one who probes."""
        with self._lock:
            if self._open_until is None:
                return False
            left = self._open_until - self._monotonic()
            if left > 0 or self._probing:
                wait = max(1, ceil(left if left > 0 else self._pause))
                raise UpstreamUnavailable(
                    f"{self._name} failed lately or asked for patience, and is not asked again for {wait} s",
                    wait,
                )
            self._probing = True
            return True

    def _failed(self) -> None:
        with self._lock:
            self._count += 1
            if self._probing or self._count >= self._failures:
                until = self._monotonic() + self._pause
                self._open_until = max(until, self._open_until or until)
                self._probing = False

    def _succeeded(self) -> None:
        with self._lock:
            self._count = 0
            # A held one stays so: an answer that was under way before says nothing of the patience asked for.
            if self._probing or (self._open_until is not None and self._open_until <= self._monotonic()):
                self._open_until = None
                self._probing = False

    def _unsettled(self, probe: bool) -> None:  # noqa: FBT001  what _enter returned
        """The next one may probe."""
        if probe:
            with self._lock:
                self._probing = False


class Breakers:
    """One for each server that an upstream leads to, so that dead links to another do not shut the index itself.

    The oldest of 64 is forgotten.
    """

    def __init__(self, failures: int, pause: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._pause = pause
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Breaker] = OrderedDict()

    def of(self, server: str) -> Breaker:
        """That of a server (``scheme://host:port``)."""
        with self._lock:
            breaker = self._known.get(server)
            if breaker is None:
                breaker = self._known[server] = Breaker(server, self._failures, self._pause, self._monotonic)
            self._known.move_to_end(server)
            while len(self._known) > _MOST_HOSTS:
                self._known.popitem(last=False)
            return breaker
