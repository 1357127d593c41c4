"""Temporaries in an ordinary file, and what an operating system's error means to a storage."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pypicloud_lite.kernel.digests import Digests, Hasher
from pypicloud_lite.kernel.errors import InsufficientStorage, StorageUnavailable
from pypicloud_lite.storage.port import CHUNK, ReadSeek

# EFBIG is what a file size limit of the process or the file system says.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def disk_error(error: OSError, doing: str) -> InsufficientStorage | StorageUnavailable:
    """What to raise for ``error``, met while ``doing`` (a verb phrase for the message)."""
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    if error.errno in _FULL:
        return InsufficientStorage(f"The storage has no room: cannot {doing} ({reason}). Free some space")
    return StorageUnavailable(f"The storage cannot {doing}: {reason}")


class FileSpool:
    """A :class:`~pypicloud_lite.storage.port.Spool` in ``file``, an empty one open for reading and writing.

    ``discard`` removes its name, where it has one; it is called once, when the spool is closed.
    """

    def __init__(self, file: io.FileIO, discard: Callable[[], None]) -> None:
        self._file = file
        self._discard = discard
        self._hasher = Hasher()

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._hasher.size

    @property
    def digests(self) -> Digests:
        """Of all bytes written so far."""
        return self._hasher.digests()

    @property
    def closed(self) -> bool:
        """Consumed or given up."""
        return self._file.closed

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; raises ``InsufficientStorage`` when the disk is full."""
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            raise disk_error(error, "write a temporary file") from error
        self._hasher.update(chunk)

    def reader(self) -> ReadSeek:
        """The bytes, from the start, for reading archives; close it before ``put``."""
        return io.BufferedReader(self.section(0, self.size), CHUNK)

    def section(self, start: int, length: int, progress: Callable[[], None] | None = None) -> Section:
        """``length`` bytes from ``start``, read with their own position; ``progress`` is called per read."""
        return Section(self._file, start, length, progress)

    def tail(self) -> FileTail:
        """A second reader, for bytes that are still coming: it is good after ``put`` and ``close`` too."""
        return FileTail(os.dup(self._file.fileno()))

    def sync(self) -> int:
        """Bring the bytes to the disk; the file's size as the file system sees it."""
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Remove the temporary; harmless after ``put`` and when repeated."""
        if not self._file.closed:
            self._file.close()
            self._discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FileTail:
    """A :class:`~pypicloud_lite.storage.port.Tail` of the file that ``descriptor``, its own from now on, has open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def read_at(self, position: int, size: int) -> bytes:
        """Up to ``size`` bytes that are there by now; none beyond them."""
        try:
            return os.pread(self._descriptor, size, position)
        except OSError as error:
            raise disk_error(error, "read a temporary file") from error

    def duplicate(self) -> FileTail:
        """Another one, to be closed by itself."""
        return FileTail(os.dup(self._descriptor))

    def close(self) -> None:
        """Give the descriptor back; closing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Section(io.RawIOBase):
    """A part of a file, read by position: several may be read at once without moving the file's own."""

    def __init__(self, file: io.FileIO, start: int, length: int, progress: Callable[[], None] | None) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._length = length
        self._progress = progress
        self._position = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def __len__(self) -> int:
        return self._length

    def tell(self) -> int:
        """Bytes from the section's start."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move within the section; a place after its end reads as empty."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        if origin + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed's Buffer is 3.12's
        """Fill ``buffer`` as far as the section reaches."""
        wanted = min(len(buffer), max(0, self._length - self._position))
        if not wanted:
            return 0
        if self._progress is not None:
            self._progress()
        view = memoryview(buffer)[:wanted]
        count = os.preadv(self._file.fileno(), [view], self._start + self._position)
        self._position += count
        return count
