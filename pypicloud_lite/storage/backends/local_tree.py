"""Folders below a root, entered without ever following a symbolic link.

Every step is an ``openat`` with ``O_NOFOLLOW`` relative to the folder before it, so a link planted anywhere
below the root, even between two of our own calls, is refused by the kernel. The root itself may be a link: it
is the operator's.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pypicloud_lite.kernel.errors import InvalidName, StorageUnavailable
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.backends.local_synced import SyncedFolders
from pypicloud_lite.storage.port import BlobInfo

TEMPORARIES = ".tmp"
"""The folder below the root in which unpublished bytes lie; no key begins with it."""

# O_NONBLOCK: opening a named pipe must not wait for its other end.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
# An empty folder can be removed between entering it and publishing into it; each try must lose that race.
_TRIES = 100


def is_absent(error: OSError) -> bool:
    """Whether ``error`` means that nothing which may be read lies at a path."""
    return error.errno in _ABSENT


@contextlib.contextmanager
def folders(root: Path, segments: Sequence[str], *, create: bool = False) -> Iterator[list[int]]:
    """Descriptors of the root and of each folder on the way down, the deepest last."""
    opened: list[int] = []
    try:
        try:
            opened.append(os.open(root, _FOLDER))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise StorageUnavailable(f"storage.dir {root} cannot be opened: {reason}") from error
        for segment in segments:
            opened.append(_enter(segment, opened[-1], create=create))
        yield opened
    finally:
        for descriptor in reversed(opened):
            os.close(descriptor)


def _enter(name: str, parent: int, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)


def open_regular(root: Path, key: StorageKey) -> io.FileIO:
    """Open the regular file at ``key``; anything else that lies there is as good as absent."""
    *segments, name = key.value.split("/")
    with folders(root, segments) as opened:
        descriptor = os.open(name, _READ, dir_fd=opened[-1])
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return os.fdopen(descriptor, "rb", buffering=0)


def stat_regular(root: Path, key: StorageKey) -> os.stat_result:
    """Ask about the regular file at ``key``, without opening it."""
    *segments, name = key.value.split("/")
    with folders(root, segments) as opened:
        status = os.stat(name, dir_fd=opened[-1], follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return status


def publish(root: Path, key: StorageKey, place: Callable[[str, int], None], synced: SyncedFolders) -> None:
    """Call ``place(name, folder)`` in the key's folder, created as needed; durable on return.

    Every folder up to the root is synced, not only those created here: another thread may have created one a
    moment ago and not have synced it yet. But for those of which ``synced`` knows better.
    """
    *segments, name = key.value.split("/")
    for remaining in reversed(range(_TRIES)):
        try:
            with folders(root, segments, create=True) as opened:
                place(name, opened[-1])
                synced.sync(opened)
                return
        except FileNotFoundError:
            if not remaining:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def link_again(root: Path, source: StorageKey, target: StorageKey, synced: SyncedFolders) -> bool:
    """Give the file at ``source`` a second name, as :func:`publish` does; False where there are no such links.

    The file's time becomes the present: under its new name it must not look like something left long ago.
    """
    *segments, old = source.value.split("/")
    with folders(root, segments) as opened:
        try:
            os.utime(old, dir_fd=opened[-1], follow_symlinks=False)
            publish(
                root,
                target,
                lambda new, folder: os.link(old, new, src_dir_fd=opened[-1], dst_dir_fd=folder, follow_symlinks=False),
                synced,
            )
        except OSError as error:
            if error.errno in _NO_LINKS or error.errno in {errno.EACCES, errno.EXDEV}:
                return False
            raise
    return True


def link_new(temporary: str, temporaries: int, name: str, folder: int) -> None:
    """Give a temporary its final name; ``FileExistsError`` when that is taken."""
    try:
        os.link(temporary, name, src_dir_fd=temporaries, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        with contextlib.suppress(OSError):  # a second name in .tmp is harmless, and swept later
            os.unlink(temporary, dir_fd=temporaries)
        return
    # A file system without hard links. Keys are random: to look first is as good as it gets.
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(temporary, name, src_dir_fd=temporaries, dst_dir_fd=folder)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def remove(root: Path, key: StorageKey) -> None:
    """Remove the regular file at ``key``, then the folders that this left empty."""
    *segments, name = key.value.split("/")
    with folders(root, segments) as opened:
        if not stat.S_ISREG(os.stat(name, dir_fd=opened[-1], follow_symlinks=False).st_mode):
            return
        os.unlink(name, dir_fd=opened[-1])
        depth = len(segments)
        # Only an empty folder can be removed; any refusal ends the climb.
        with contextlib.suppress(OSError):
            while depth:
                os.rmdir(segments[depth - 1], dir_fd=opened[depth - 1])
                depth -= 1
        os.fsync(opened[depth])


def walk(root: Path, prefix: str) -> Iterator[BlobInfo]:
    """Every blob whose key begins with ``prefix``; no descriptor is held between two of them."""
    top = prefix.split("/")[:-1]
    if top[:1] == [TEMPORARIES] or any(segment in {"", ".", ".."} for segment in top):
        return
    pending = [top]
    while pending:
        segments = pending.pop()
        blobs, names = _entries(root, segments)
        yield from (blob for blob in blobs if blob.key.value.startswith(prefix))
        for name in names:
            below = "/".join([*segments, name, ""])
            if below.startswith(prefix) or prefix.startswith(below):
                pending.append([*segments, name])


def _entries(root: Path, segments: list[str]) -> tuple[list[BlobInfo], list[str]]:
    """One folder's blobs and its subfolders; empty when it has gone or is no folder."""
    blobs: list[BlobInfo] = []
    subfolders: list[str] = []
    try:
        with folders(root, segments) as opened, os.scandir(opened[-1]) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if segments or entry.name != TEMPORARIES:
                        subfolders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    blobs += _described(entry, segments)
    except OSError as error:
        if not is_absent(error):
            raise
    return blobs, subfolders


def _described(entry: os.DirEntry[str], segments: list[str]) -> Iterator[BlobInfo]:
    # A name that is no key was not written by us; a file that has gone meanwhile was not there to the end.
    with contextlib.suppress(InvalidName, FileNotFoundError):
        key = StorageKey("/".join([*segments, entry.name]))
        yield described(key, entry.stat(follow_symlinks=False))


def described(key: StorageKey, status: os.stat_result) -> BlobInfo:
    """What a file's status says of the blob."""
    return BlobInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
