"""Taking turns over one folder: a lock and a time in a file of it, the same for every process and host that has it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.storage.backends.local_tree import TEMPORARIES

# Of an interval: clocks and threads are not exact.
_NEARLY = 0.9


@contextmanager
def turn_in_folder(folder: Path, seconds: float, clock: Clock) -> Iterator[bool]:
    """Whether it is this process's turn, once in so many seconds; nobody else's while this is open.

    The lock ends with its process, and the file's time tells when the last turn ended well.
    """
    place = folder / TEMPORARIES
    try:
        place.mkdir(exist_ok=True)
        descriptor = os.open(place / "rescan", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageUnavailable(f"storage.dir {folder} cannot be used: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        now, status = clock().timestamp(), os.fstat(descriptor)
        # A file without content is new: nobody has looked yet. Times from the future do not count.
        if status.st_size and 0 <= now - status.st_mtime < seconds * _NEARLY:
            yield False
            return
        yield True
        os.pwrite(descriptor, b"1", 0)
        os.utime(descriptor, (now, now))
    finally:
        os.close(descriptor)
