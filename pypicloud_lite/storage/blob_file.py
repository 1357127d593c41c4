"""A blob as a file to seek and read in, of which only the spans that are asked for are fetched."""

from __future__ import annotations

import os

from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.port import Span, Storage

_FIRST = 32 * 1024
_MOST = 4 * 1024 * 1024


class OtherSize(PpcError):
    """The blob is not as long as the catalog says: somebody changed it."""

    code = "other-size"


class BlobFile:
    """Reads through one window of 32 KiB, which doubles up to 4 MiB as long as the reading goes straight on.

    So the end of a large archive costs little, and all of it few requests. Not thread-safe. No connection is held
    between two calls. Raises what the storage's ``open`` does, and :class:`OtherSize`.
    """

    def __init__(self, storage: Storage, key: StorageKey, size: int) -> None:
        self._storage = storage
        self._key = key
        self._size = size
        self._position = 0
        self._start = 0
        self._window = b""
        self._ahead = _FIRST

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move, within the blob or past its end; nothing is fetched."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            # What open() itself raises; zipfile asks for this of short files.
            raise OSError("seek before the beginning of the blob")
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Read ``size`` bytes, fewer only at the end; all that is left when it is negative."""
        left = max(self._size - self._position, 0)
        missing = left if size < 0 else min(size, left)
        parts: list[bytes] = []
        while missing:
            at = self._position - self._start
            if not 0 <= at < len(self._window):
                self._fetch(missing)
                at = self._position - self._start
            part = self._window[at : at + missing]
            parts.append(part)
            missing -= len(part)
            self._position += len(part)
        return b"".join(parts)

    def _fetch(self, wanted: int) -> None:
        straight_on = bool(self._window) and self._position == self._start + len(self._window)
        self._ahead = min(self._ahead * 2, _MOST) if straight_on else _FIRST
        length = max(wanted, self._ahead)
        # Archives are read from their end backwards, and so reaches the window there; never over what it just held.
        start = self._position if straight_on else min(self._position, max(self._size - length, 0))
        stop = min(start + length, self._size)
        self._window = b""
        try:
            with self._storage.open(self._key, Span(start, stop)) as blob:
                actual, window = blob.size, b"".join(blob)
        except ValueError:
            raise self._other_size("less") from None
        if actual != self._size:
            raise self._other_size(str(actual))
        self._start, self._window = start, window

    def _other_size(self, actual: str) -> OtherSize:
        return OtherSize(f"The blob {self._key} has {actual} bytes where {self._size} are catalogued")
