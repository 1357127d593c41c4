"""What backends on other machines have in common: a bound on every wait, a pause after an outage, and a memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pypicloud_lite.access.passwords import MAX_PASSWORD
from pypicloud_lite.kernel.errors import AccessUnavailable

T = TypeVar("T")

MAX_SECONDS = 60
"""How old a fact from another machine may be when it is used."""

_MAX_NAME = 256
_SOON = 10.0
_TRY_SECONDS = 0.5


class Unreachable(AccessUnavailable):
    """Nothing was heard of the server, or only that it is not there: asking again at once is of no use."""


class Guard:
    """Asks another machine, each time for ``seconds`` at most, and not at all for a ``pause`` after an outage.

    An outage is :class:`Unreachable`, no answer in time, or a failure that took half of that time: the next callers
    then get :class:`AccessUnavailable` at once. After each pause one of them tries, and waits half a second at most:
    its question goes on without it, and finds out for the others. A quick failure is no outage, so that a name which
    the server trips over shuts nobody else out. Thread-safe; at most ``slots`` questions are under way.
    """

    def __init__(
        self,
        what: str,
        seconds: float,
        *,
        pause: float = 5.0,
        slots: int = 32,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._seconds = seconds
        self._pause = pause
        self._slots = threading.BoundedSemaphore(slots)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._shut_until: float | None = None
        self._reason = ""

    def ask(self, question: Callable[[], T]) -> T:
        """What the question returns or raises.

        It runs in a thread of its own: no library bounds resolving a name, several addresses, the handshake and an
        answer that drips in all together. One that is given up ends by its own timeouts, and its answer is dropped.
        """
        tries = self._enter()
        patience = min(self._seconds, _TRY_SECONDS) if tries else self._seconds
        began = time.monotonic()
        if not self._slots.acquire(timeout=patience):
            raise self._tripped(f"{self._what} has too many questions under way")
        running = _Running(question, lambda error: self._settle(error, time.monotonic() - began))
        threading.Thread(target=running.run, name="access-question", daemon=True).start()
        if not running.done.wait(max(0.0, patience - (time.monotonic() - began))):
            if tries:
                raise AccessUnavailable(self._reason)
            raise self._tripped(f"{self._what} gave no answer within {self._seconds:g} s")
        if running.error is not None:
            raise running.error
        return running.result

    def _enter(self) -> bool:
        """Whether this one tries on behalf of all; the others go on to fail until it knows."""
        with self._lock:
            if self._shut_until is None:
                return False
            now = self._monotonic()
            if now < self._shut_until:
                raise AccessUnavailable(self._reason)
            self._shut_until = now + max(self._pause, self._seconds)
            return True

    def _settle(self, error: BaseException | None, took: float) -> None:
        self._slots.release()
        failed = isinstance(error, AccessUnavailable)
        if failed and (isinstance(error, Unreachable) or took > self._seconds / 2):
            self._tripped(str(error))
        elif took <= self._seconds:
            with self._lock:
                self._shut_until = None

    def _tripped(self, reason: str) -> AccessUnavailable:
        with self._lock:
            self._shut_until = self._monotonic() + self._pause
            self._reason = reason
        return AccessUnavailable(reason)


class _Running(Generic[T]):
    result: T

    def __init__(self, question: Callable[[], T], settle: Callable[[BaseException | None], None]) -> None:
        self.done = threading.Event()
        self.error: BaseException | None = None
        self._question = question
        self._settle = settle

    def run(self) -> None:
        try:
            self.result = self._question()
        except BaseException as error:  # noqa: BLE001  whoever asked raises it
            self.error = error
        finally:
            self._settle(self.error)
            self.done.set()


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A fact, which may be that there is none."""

    value: T
    until: float


class Memory(Generic[T]):
    """Facts by name, each for ``seconds`` from the moment it was asked for; the oldest of ``most`` goes first.

    ``changes`` counts how often a fact turned out to be another one than before. Thread-safe.
    """

    def __init__(self, seconds: float, *, most: int = 10_000, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Known[T]] = OrderedDict()
        self.changes = 0

    def recall(self, name: str) -> Known[T] | None:
        """What is known and not too old."""
        known = self._known.get(name)
        return known if known is not None and known.until > self._monotonic() else None

    def learn(self, name: str, ask: Callable[[], T]) -> T:
        """Ask now, whatever is known; what it raises is not remembered."""
        until = self.expiry()
        value = ask()
        self.keep(name, value, until)
        return value

    def expiry(self) -> float:
        """Until when a fact that is asked for now may be used."""
        return self._monotonic() + self._seconds

    def keep(self, name: str, value: T, until: float) -> None:
        """Remember a fact until then, unless a later one is known already."""
        with self._lock:
            before = self._known.get(name)
            if before is not None:
                if before.until > until:
                    return
                if before.value != value:
                    self.changes += 1
            self._known[name] = Known(value, until)
            self._known.move_to_end(name)
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def forget(self, name: str) -> None:
        """The fact is none any more."""
        with self._lock:
            if self._known.pop(name, None) is not None:
                self.changes += 1

    def values(self) -> list[T]:
        """Everything that is not too old."""
        with self._lock:
            return [known.value for known in self._known.values() if known.until > self._monotonic()]


class People(Generic[T]):
    """A :class:`Memory` of who is known and, for ten seconds at most and apart from it, of who is not.

    Apart, so that guessed names push nobody out.
    """

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._found: Memory[T] = Memory(seconds, monotonic=monotonic)
        self._missing: Memory[None] = Memory(min(seconds, _SOON), monotonic=monotonic)

    @property
    def changes(self) -> int:
        """How often somebody became another one, or left."""
        return self._found.changes

    def recall(self, name: str) -> Known[T] | Known[None] | None:
        """Who that is, as far as it is known."""
        return self._found.recall(name) or self._missing.recall(name)

    def expiry(self) -> tuple[float, float]:
        """Until when what is asked for now may be used: that there is somebody, and that there is nobody."""
        return self._found.expiry(), self._missing.expiry()

    def keep(self, name: str, value: T | None, until: tuple[float, float]) -> None:
        """Remember what was asked for at the time of that :meth:`expiry`."""
        if value is None:
            self._found.forget(name)
            self._missing.keep(name, None, until[1])
        else:
            self._missing.forget(name)
            self._found.keep(name, value, until[0])

    def learn(self, name: str, ask: Callable[[], T | None]) -> T | None:
        """Ask now, whatever is known; what it raises is not remembered."""
        until = self.expiry()
        value = ask()
        self.keep(name, value, until)
        return value


def is_name(username: str) -> bool:
    """Whether it may be somebody's name at all; else no server is asked."""
    return 0 < len(username) <= _MAX_NAME and username.isprintable() and username == username.strip()


def is_password(password: str) -> bool:
    """Whether a server may be asked for it: not empty, which some take for no password asked, and not endless."""
    if not password or "\0" in password or len(password) > MAX_PASSWORD:
        return False
    try:
        return len(password.encode()) <= MAX_PASSWORD
    except UnicodeEncodeError:
        return False
