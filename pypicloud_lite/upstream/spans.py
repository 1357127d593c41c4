"""A file at an upstream as something that is read here and there, at the cost of few requests."""

from __future__ import annotations

import os

from pypicloud_lite.kernel.errors import UpstreamNonsense, UpstreamTooLarge
from pypicloud_lite.upstream.port import Link, Upstream

_TAIL = 64 * 1024
"""Bytes from the end that the first read there brings: in most wheels the directory, and METADATA before it."""
_AHEAD = 16 * 1024


class SpanReader:
    """The part of a binary file that readers of archives need, over :meth:`Upstream.span`.

    At most ``most_requests`` requests and ``most_bytes`` bytes; beyond them ``UpstreamTooLarge``. What was read is kept
    until this is. Not thread-safe; what :meth:`Upstream.span` raises passes through.
    """

    def __init__(
        self, upstream: Upstream, link: Link, *, most_requests: int = 8, most_bytes: int = 4 * 1024 * 1024
    ) -> None:
        self._upstream = upstream
        self._link = link
        self._requests_left = most_requests
        self._bytes_left = most_bytes
        self._parts: list[tuple[int, bytes]] = []
        self._position = 0
        self._size = link.size

    @property
    def size(self) -> int:
        """Bytes of the whole file; a request where the link does not say."""
        if self._size is None:
            self._ask(0, 0)
        return self._size or 0

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move; no request, but for the size."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}
        self._position = max(0, offset + (self.size if whence == os.SEEK_END else origin[whence]))
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes; none at the end."""
        start = self._position
        stop = self.size if size < 0 else min(start + size, self.size)
        if start >= stop:
            return b""
        data = self._known(start, stop)
        if data is None:
            tail = max(0, self.size - _TAIL)
            self._ask(
                *((tail, self.size - 1) if start >= tail else (start, min(max(stop, start + _AHEAD), self.size) - 1))
            )
            data = self._known(start, stop)
            if data is None:
                raise UpstreamNonsense(f"{self._upstream.name} sends another part of {self._link.filename}")
        self._position = stop
        return data

    def _known(self, start: int, stop: int) -> bytes | None:
        for begin, data in self._parts:
            if begin <= start and stop <= begin + len(data):
                return data[start - begin : stop - begin]
        return None

    def _ask(self, first: int, last: int) -> None:
        self._requests_left -= 1
        self._bytes_left -= last - first + 1
        if self._requests_left < 0 or self._bytes_left < 0:
            raise UpstreamTooLarge(f"{self._link.filename} takes too many parts to read: fetch it as a whole")
        part = self._upstream.span(self._link, first, last)
        if self._size is not None and part.size != self._size:
            raise UpstreamNonsense(f"{self._link.filename} has another size each time that it is asked for")
        self._size = part.size
        self._parts.append((first, part.data))
