"""Blobs as files in a folder."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import BeforeValidator, ByteSize, Field, field_validator
from pydantic_core import PydanticCustomError

from pypicloud_lite.kernel.errors import (
    ConfigError,
    InsufficientStorage,
    InvalidName,
    PpcError,
    StorageUnavailable,
)
from pypicloud_lite.kernel.names import StorageKey, shown
from pypicloud_lite.settings.declare import Plugin, Settings
from pypicloud_lite.settings.values import parse_duration
from pypicloud_lite.storage.backends import local_tree
from pypicloud_lite.storage.backends.local_synced import SyncedFolders
from pypicloud_lite.storage.backends.local_tree import TEMPORARIES, folders
from pypicloud_lite.storage.port import CHUNK, BlobInfo, BlobNotFound, BlobTooLarge, DigestMismatch, Span, Spool
from pypicloud_lite.storage.spool import FileSpool, disk_error

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


_SHORTEST_RESCAN = 5


def _off_or_seconds(value: Any) -> Any:
    if value == "off":
        return value
    seconds = parse_duration(value)
    if isinstance(seconds, int) and seconds < _SHORTEST_RESCAN:
        raise PydanticCustomError("rescan", "must be off, or at least 5 s, such as 60 s or 10 min")
    return seconds


class LocalSettings(Settings):
    """``storage.*`` of the backend ``file``."""

    dir: Path = Field(
        alias="storage.dir",
        description="Folder in which the files lie; created when missing",
        json_schema_extra={"example": "%(here)s/data/packages"},
    )
    accel_prefix: str | None = Field(
        default=None,
        alias="storage.accel_prefix",
        description="nginx location (internal, alias storage.dir) that sends the files: X-Accel-Redirect",
    )
    reserve: ByteSize = Field(
        default=ByteSize(64 * 1024 * 1024),
        ge=0,
        alias="storage.reserve",
        description="An upload that would leave less than this free is refused; bytes, or like 64 MiB",
    )

    rescan: Annotated[Literal["off"] | int, BeforeValidator(_off_or_seconds)] = Field(
        default="off",
        alias="storage.rescan",
        description=(
            "off, or how often to look for files that were dropped into the folder or taken out of it by hand, such "
            "as 60 s (at least 5 s). ppc-resync does the same once"
        ),
        json_schema_extra={"example": "60 s"},
    )

    @property
    def rescan_seconds(self) -> int | None:
        """The interval; None for never."""
        return None if self.rescan == "off" else self.rescan

    @field_validator("accel_prefix")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is not None and (not value.startswith("/") or any(c.isspace() or c in "?#%" for c in value)):
            raise ValueError("write it as an nginx location that begins with '/', such as /protected/")
        return value


class LocalStorage:
    """A :class:`~pypicloud_lite.storage.port.Storage` in a folder of one file system.

    Temporaries lie in ``.tmp`` below the root and are published by a hard link, which never replaces; files
    and folders are synced before a method returns. Symbolic links, and whatever else is no regular file, are
    as good as absent.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self._root = settings.dir
        self._reserve = int(settings.reserve)
        self._accel_prefix = settings.accel_prefix
        self._synced = SyncedFolders()

    def spool(self, expected_size: int | None = None) -> Spool:
        """Begin a temporary in ``.tmp``."""
        with _doing("begin a temporary file"):
            return self._temporary(expected_size)

    def _temporary(self, expected_size: int | None = None) -> _LocalSpool:
        name = secrets.token_hex(16)
        with folders(self._root, [TEMPORARIES], create=True) as opened:
            if expected_size is not None:
                self._check_room(opened[-1], expected_size)
            descriptor = os.open(name, _NEW, 0o666, dir_fd=opened[-1])
        return _LocalSpool(self._root, name, os.fdopen(descriptor, "w+b", buffering=0))

    def _check_room(self, descriptor: int, expected_size: int) -> None:
        status = os.fstatvfs(descriptor)
        free = status.f_bavail * status.f_frsize
        if free - expected_size < self._reserve:
            raise InsufficientStorage(
                f"The storage has {free} bytes free: {expected_size} more would leave less than the "
                f"{self._reserve} that storage.reserve keeps. Free some space"
            )

    def put(self, key: StorageKey, spool: Spool) -> None:
        """Sync, link, sync the folders."""
        if not isinstance(spool, _LocalSpool) or spool.closed:
            raise ValueError("put takes an open spool of this storage")
        _refuse_reserved(key)
        with _doing(f"publish {shown(key.value)}"):
            if (size := spool.sync()) != spool.size:
                raise DigestMismatch(
                    f"{shown(key.value)}: {spool.size} bytes were written to the temporary file and {size} "
                    "are there. Send the file again"
                )
            with folders(self._root, [TEMPORARIES]) as opened:
                local_tree.publish(
                    self._root,
                    key,
                    lambda name, folder: local_tree.link_new(spool.name, opened[-1], name, folder),
                    self._synced,
                )
        spool.published()

    def copy(self, source: StorageKey, target: StorageKey, size: int) -> None:
        """Link it, or copy the bytes where that cannot be."""
        _refuse_reserved(target)
        with _reading(source, "copy"):
            found = local_tree.stat_regular(self._root, source).st_size
        if found != size:
            raise DigestMismatch(f"{shown(source.value)} has {found} bytes and should have {size}: nothing was copied")
        with _reading(source, "copy"):
            if local_tree.link_again(self._root, source, target, self._synced):
                return
        with self.spool(size) as spool, self.open(source) as reader:
            for chunk in reader:
                spool.write(chunk)
            self.put(target, spool)

    def write(self, key: StorageKey, data: bytes) -> None:
        """Write a temporary, sync it and rename it into place."""
        _refuse_reserved(key)
        with _doing(f"write {shown(key.value)}"), self._temporary() as spool:
            spool.write(data)
            spool.sync()
            with folders(self._root, [TEMPORARIES]) as opened:
                local_tree.publish(
                    self._root,
                    key,
                    lambda name, folder: os.rename(spool.name, name, src_dir_fd=opened[-1], dst_dir_fd=folder),
                    self._synced,
                )
            spool.published()

    def read(self, key: StorageKey, limit: int = 8 * 1024 * 1024) -> bytes:
        """Read a small document whole."""
        with self.open(key) as reader:
            if reader.size > limit:
                raise BlobTooLarge(f"{shown(key.value)} has {reader.size} bytes, and at most {limit} are read at once")
            return b"".join(reader)

    def open(self, key: StorageKey, span: Span | None = None) -> LocalReader:
        """Open the file; its size is what it has now."""
        with _reading(key):
            file = local_tree.open_regular(self._root, key)
            size = os.fstat(file.fileno()).st_size
        if span is None:
            return LocalReader(key, file, size, 0, size)
        if span.start >= size:
            file.close()
            raise ValueError(f"{shown(key.value)} has {size} bytes; a span cannot start at {span.start}")
        return LocalReader(key, file, size, span.start, min(span.stop, size))

    def stat(self, key: StorageKey) -> BlobInfo:
        """Ask the file system; files have no attributes."""
        with _reading(key):
            return local_tree.described(key, local_tree.stat_regular(self._root, key))

    def delete(self, key: StorageKey) -> None:
        """Unlink, and remove the folders that this left empty."""
        with contextlib.suppress(BlobNotFound), _reading(key, "delete"):
            local_tree.remove(self._root, key)

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Walk the folders that can hold such keys."""
        with _doing("list its folders"):
            yield from local_tree.walk(self._root, prefix)

    def signed_url(self, key: StorageKey, filename: str) -> str | None:  # noqa: ARG002 - the port's signature
        """None: a file is streamed, or sent by nginx."""
        return None

    def accelerated(self, key: StorageKey) -> str | None:
        """The key below ``storage.accel_prefix``."""
        if self._accel_prefix is None:
            return None
        return f"{self._accel_prefix.rstrip('/')}/{quote(key.value)}"

    def probe(self) -> None:
        """Write, sync, read and remove a small temporary."""
        word = secrets.token_bytes(16)
        try:
            with _doing("write and read a test file"), self._temporary() as spool:
                spool.write(word)
                spool.sync()
                reader = spool.reader()
                found = reader.read()
                reader.close()
        except InsufficientStorage as error:
            raise StorageUnavailable(error.message) from error
        if found != word:
            raise StorageUnavailable("The storage did not give back the test file that was written to it")

    def prepare(self) -> None:
        """Create the folder where it is missing; a full disk does not keep the server from starting."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise ConfigError(f"storage.dir = {self._root} cannot be used as a folder: {reason}") from error
        if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigError(
                f"storage.dir = {self._root} must be readable and writable for the user that runs the server"
            )

    def sweep(self, older_than: datetime) -> int:
        """Remove temporaries last written before ``older_than``: an upload that still grows is kept."""
        count = 0
        with _doing("remove old temporary files"), folders(self._root, [TEMPORARIES], create=True) as opened:
            for name in os.listdir(opened[-1]):  # noqa: PTH208 - a descriptor has no path
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=opened[-1], follow_symlinks=False)
                    if not stat.S_ISDIR(status.st_mode) and status.st_mtime < older_than.timestamp():
                        os.unlink(name, dir_fd=opened[-1])
                        count += 1
        return count


class LocalReader:
    """A :class:`~pypicloud_lite.storage.port.BlobReader` on a file."""

    def __init__(self, key: StorageKey, file: io.FileIO, size: int, start: int, stop: int) -> None:
        self.size = size
        self._key = key
        self._file = file
        self._start = start
        self._stop = stop

    def __iter__(self) -> Iterator[bytes]:
        position = self._start
        with _doing(f"read {shown(self._key.value)}"):
            self._file.seek(position)
            while position < self._stop:
                chunk = self._file.read(min(CHUNK, self._stop - position))
                if not chunk:
                    raise StorageUnavailable(
                        f"{shown(self._key.value)} ends after {position} bytes; it had {self.size}"
                    )
                position += len(chunk)
                yield chunk

    def close(self) -> None:
        """Give the descriptor back; harmless when repeated."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _LocalSpool(FileSpool):
    """A spool with a name in ``.tmp``."""

    def __init__(self, root: Path, name: str, file: io.FileIO) -> None:
        super().__init__(file, self._unlink)
        self.name = name
        self._root = root
        self._published = False

    def published(self) -> None:
        """Close it; its bytes have another name now."""
        self._published = True
        self.close()

    def _unlink(self) -> None:
        # What cannot be removed now is swept later.
        if not self._published:
            with contextlib.suppress(OSError, PpcError), folders(self._root, [TEMPORARIES]) as opened:
                os.unlink(self.name, dir_fd=opened[-1])


def _refuse_reserved(key: StorageKey) -> None:
    if key.value.partition("/")[0] == TEMPORARIES:
        raise InvalidName(f"{shown(key.value)}: keys below {TEMPORARIES} are kept for temporaries")


@contextlib.contextmanager
def _doing(what: str) -> Iterator[None]:
    """Translate the operating system's errors."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise disk_error(error, what) from error


@contextlib.contextmanager
def _reading(key: StorageKey, verb: str = "read") -> Iterator[None]:
    """Translate errors, absence too."""
    if key.value.partition("/")[0] == TEMPORARIES:
        raise BlobNotFound(f"The storage holds nothing at {shown(key.value)}")
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        if local_tree.is_absent(error):
            raise BlobNotFound(f"The storage holds nothing at {shown(key.value)}") from error
        raise disk_error(error, f"{verb} {shown(key.value)}") from error


backend = Plugin(LocalSettings, LocalStorage)
