"""Bytes by key, and nothing about packages.

A backend is held to these docstrings by the contract suite ``pypicloud_lite.testing.storage``. Every method may
be called from many threads at once. Few errors escape: :class:`BlobNotFound`, :class:`DigestMismatch`
and :class:`~pypicloud_lite.kernel.errors.StorageUnavailable` (and its neighbour ``InsufficientStorage`` where a
backend knows that it is full); a driver's own error is translated, with the cause chained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.errors import BackendUnavailable, NotFound, PpcError
from pypicloud_lite.kernel.names import StorageKey

CHUNK = 256 * 1024
"""How many bytes move at once, everywhere."""


class BlobNotFound(NotFound):
    """Nothing lies at this key."""

    code = "blob-not-found"


class BlobTooLarge(PpcError):
    """A document is larger than its reader takes."""

    code = "blob-too-large"


class DigestMismatch(BackendUnavailable):
    """The bytes that arrived are not the bytes that were sent; nothing was published, and sending again may do."""

    code = "digest-mismatch"


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes ``start`` to ``stop`` (exclusive) of a blob; a valid span is never empty."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"not a span: {self.start} to {self.stop}")


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What the storage itself knows of a blob.

    ``attributes`` are the user metadata of an object store, keys in lower case with ``-`` for ``_``; listings
    leave them empty (asking costs a request per blob), ``stat`` fills them.
    """

    key: StorageKey
    size: int
    modified: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)


class BlobReader(Protocol):
    """An open blob: iterate once over its bytes, then (or instead) close it.

    ``size`` is the length of the whole blob, whatever the span. A connection or descriptor is held until
    ``close``; closing twice is harmless. Iteration raises ``StorageUnavailable`` when the storage breaks off,
    and never ends early in silence.
    """

    size: int

    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Spool(Protocol):
    """A temporary, on the backend's own file system where it has one, written and hashed in one pass.

    Use as a context manager: leaving it removes the temporary, unless ``put`` consumed it. A process that is
    killed leaves it behind, invisible to ``list``; ``Storage.sweep`` removes it later.
    """

    @property
    def size(self) -> int:
        """Bytes written so far."""

    @property
    def digests(self) -> Digests:
        """Of all bytes written so far."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; raises ``InsufficientStorage`` when the disk is full."""

    def reader(self) -> ReadSeek:
        """The bytes, from the start, for reading archives; close it before ``put``."""

    def tail(self) -> Tail:
        """A second reader, for bytes that are still coming: it is good after ``put`` and ``close`` too."""

    def close(self) -> None:
        """Remove the temporary; harmless after ``put`` and when repeated."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Tail(Protocol):
    """A spool's bytes as they come, for threads that read at different places."""

    def fileno(self) -> int:
        """The descriptor, by which another process of this host may open it (``/proc``)."""

    def read_at(self, position: int, size: int) -> bytes:
        """Up to ``size`` bytes that are there by now; none beyond them."""

    def duplicate(self) -> Tail:
        """Another one, to be closed by itself."""

    def close(self) -> None:
        """Give the descriptor back; closing twice is harmless."""


class ReadSeek(Protocol):
    """The part of a binary file that archive readers need."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...
    def seekable(self) -> bool: ...


class Storage(Protocol):
    """Blobs by key."""

    def spool(self, expected_size: int | None = None) -> Spool:
        """Begin a temporary.

        ``expected_size`` in bytes, where the caller knows it: ``InsufficientStorage`` is raised at once when
        that would leave less free than the backend keeps in reserve.
        """

    def put(self, key: StorageKey, spool: Spool) -> None:
        """Publish a spool of this storage under ``key``: all or nothing, durable on return, and verified.

        Consumes the spool. A key that exists already is never replaced: ``FileExistsError`` is a bug of the
        caller (keys are random), raised where the backend can see it. ``DigestMismatch``: nothing is there.
        """

    def copy(self, source: StorageKey, target: StorageKey, size: int) -> None:
        """Publish under ``target`` what lies at ``source``, without moving its bytes where the backend can do that.

        For a source that nobody writes to. All or nothing, durable on return; ``BlobNotFound``, and ``DigestMismatch``
        when it has not ``size`` bytes: then nothing is there. ``target`` is never replaced, as by :meth:`put`; removing
        one of the two leaves the other.
        """

    def write(self, key: StorageKey, data: bytes) -> None:
        """Write a small document (at most 8 MiB), replacing what is there: readers see the old or the new.

        Durable on return.
        """

    def read(self, key: StorageKey, limit: int = 8 * 1024 * 1024) -> bytes:
        """Read a small document; ``BlobNotFound``, or ``BlobTooLarge`` when it has more than ``limit`` bytes."""

    def open(self, key: StorageKey, span: Span | None = None) -> BlobReader:
        """Open a blob, or a span of it; ``BlobNotFound``.

        The span is cut at the blob's end; one that starts at or after the end is a ``ValueError``.
        """

    def stat(self, key: StorageKey) -> BlobInfo:
        """Ask for size, time and attributes: one request; ``BlobNotFound``."""

    def delete(self, key: StorageKey) -> None:
        """Remove a blob; one that is not there is success. Folders that become empty go too."""

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Every blob whose key starts with ``prefix``, in no order, temporaries left out.

        Lazy; costs one request per page of keys (or one directory read per folder), never one per blob. Blobs
        whose name is no valid :class:`StorageKey` are left out. Each one that lies there from the beginning to
        the end of the listing is named exactly once.
        """

    def signed_url(self, key: StorageKey, filename: str) -> str | None:
        """A URL from which anyone may fetch the blob for a while, or None: then stream it.

        The same string for some time, so that HTTP caches hit. No request is made.
        """

    def accelerated(self, key: StorageKey) -> str | None:
        """A path for nginx's ``X-Accel-Redirect``, percent-encoded; None where that is not configured."""

    def probe(self) -> None:
        """Prove that reading and writing would work now; ``StorageUnavailable`` says what is wrong."""

    def prepare(self) -> None:
        """Called once at start: check (or create, where configured) folder or bucket.

        :class:`~pypicloud_lite.kernel.errors.ConfigError` names the setting to change.
        """

    def sweep(self, older_than: datetime) -> int:
        """Remove temporaries and unfinished transfers begun before ``older_than``; how many there were."""
