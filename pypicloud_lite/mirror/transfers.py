"""A file on its way from an upstream: written once, read by as many as want it while it comes.

Its readers get no byte that is not in the spool, and the spool gets the last bytes only when all are known to be right:
nobody is sent the whole of a wrong file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from pypicloud_lite.kernel.errors import PpcError, UpstreamError, UpstreamTimedOut, UpstreamUnavailable
from pypicloud_lite.mirror.flights import WaitingRoom
from pypicloud_lite.storage.port import CHUNK, Tail

_SILENCE = 90.0
"""Seconds without a new byte after which a reader gives up; whoever writes has deadlines of its own."""


class HasCome(UpstreamUnavailable):
    """The file came just now by another way: the catalog has it."""

    code = "has-come"


class Transfer:
    """What the thread that writes tells, and the threads that read wait for."""

    def __init__(self, filename: str, size: int | None) -> None:
        self.filename = filename
        self._changed = threading.Condition()
        self._size = size
        self._written = 0
        self._tail: Tail | None = None
        self._error: PpcError | None = None
        self._is_whole = False
        self._is_over = False

    @property
    def size(self) -> int | None:
        """Bytes of the whole file, as far as anybody knows."""
        return self._size

    def begin(self, tail: Tail) -> None:
        """Its bytes will be found there."""
        with self._changed:
            self._tail = tail

    def wrote(self, position: int) -> None:
        """The bytes up to there can be read."""
        with self._changed:
            self._written = position
            self._changed.notify_all()

    def complete(self, size: int) -> None:
        """All of it can be read, and is right."""
        with self._changed:
            self._size = self._written = size
            self._is_whole = True
            self._changed.notify_all()

    def fail(self, error: PpcError) -> None:
        """No more will come; nothing once it was complete."""
        with self._changed:
            if not self._is_whole:
                self._error = error
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more is done about it: it is stored, or never will be."""
        with self._changed:
            self._is_over = True
            if self._tail is not None:
                self._tail.close()
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Return when it is stored or will not be; raises why not. ``UpstreamTimedOut`` after ``seconds``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_over, seconds):
                raise UpstreamTimedOut(f"{self.filename} takes too long to come: try again later")
            if self._error is not None:
                raise self._error

    def reader(self, room: WaitingRoom) -> TransferReader:
        """Wait for its first bytes; raises what kept them from coming.

        The reader keeps its place in ``room`` until all bytes are here.
        """
        room.enter()
        try:
            return TransferReader(self, self._first(), room)
        except BaseException:
            room.leave()
            raise

    def _first(self) -> Tail:
        with self._changed:
            ready = self._changed.wait_for(
                lambda: self._written or self._is_whole or self._is_over or self._error is not None, _SILENCE
            )
            if self._error is not None:
                raise self._error
            if self._is_over or (ready and self._tail is None):
                raise HasCome(f"{self.filename} has just come: ask for it again", 1)
            if self._tail is None or not ready:
                raise UpstreamTimedOut(f"{self.filename} takes too long to come: try again later")
            return self._tail.duplicate()

    def reach(self, position: int) -> tuple[int, bool]:
        """Wait for bytes beyond ``position``: up to where there are some, and whether that is all of them."""
        with self._changed:
            more = self._changed.wait_for(
                lambda: self._written > position or self._is_whole or self._error is not None or self._is_over,
                _SILENCE,
            )
            if self._written > position or self._is_whole:
                return self._written, self._is_whole
            if self._error is not None:
                raise self._error
            why = "stopped coming" if more else "takes too long to come"
            raise UpstreamError(f"{self.filename} {why}: try again later")


class TransferReader:
    """The bytes of a file from its first one on, as they come: iterate once, then close it.

    ``size`` is None where nobody knows it yet. Ends with an error, never in silence, where the rest does not come.
    """

    def __init__(self, transfer: Transfer, tail: Tail, room: WaitingRoom) -> None:
        self._transfer = transfer
        self._tail = tail
        self._room: WaitingRoom | None = room

    @property
    def size(self) -> int | None:
        """Bytes of the whole file."""
        return self._transfer.size

    def __iter__(self) -> Iterator[bytes]:
        position, end, is_whole = 0, 0, False
        while True:
            if position >= end:
                if is_whole:
                    return
                end, is_whole = self._transfer.reach(position)
                if is_whole:
                    self._leave()
                continue
            chunk = self._tail.read_at(position, min(CHUNK, end - position))
            if not chunk:
                raise UpstreamError(f"{self._transfer.filename} was cut off: try again later")
            position += len(chunk)
            yield chunk

    def close(self) -> None:
        """Give everything back; closing twice is harmless."""
        self._leave()
        self._tail.close()

    def _leave(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.leave()
