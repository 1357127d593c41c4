"""What a file contains, for its page: read within limits, kept for a while, and never by many at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import structlog

from pypicloud_lite.artifacts.listing import Listing, read_listing
from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.kernel.cache import Cache
from pypicloud_lite.kernel.errors import BackendUnavailable, InvalidArtifact
from pypicloud_lite.storage.blob_file import BlobFile, OtherSize
from pypicloud_lite.storage.port import BlobNotFound, BlobTooLarge, Storage

_log = structlog.get_logger("pypicloud_lite.browse")

MOST_ENTRIES = 20_000
"""How many members of one file are kept, and so can be shown."""

_LIMITS = Limits(seconds=8.0, name_bytes=4 * 1024 * 1024)
_MOST_WALKED = 256 * 1024 * 1024
_UNLISTED_SECONDS = 60.0
_ENTRY_BYTES = 300
_BYTES_A_CHARACTER = 2
_SLOW = "Reading it takes longer than this page waits: download it, or load the page again later."
_MISSING = "Its bytes are not in the storage: tell an administrator of this index."
_CHANGED = "Its bytes in the storage are not those that were catalogued: tell an administrator of this index."
_LARGE = f"Only archives of up to {_MOST_WALKED // 1024**2} MiB are read through for this page: download it."


class TooManyReadings(BackendUnavailable):
    """Other files are being read, as many as this process reads at once."""

    code = "too-many-readings"
    retry_after = 5


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Why the members of a file cannot be told, in a sentence or two."""

    reason: str


class Contents:
    """Listings of files, by their bytes. Thread-safe.

    A file is read once, whoever asks for it, and ``reading`` files at a time. Only ``waiting`` more requests of this
    process wait, for ``patience`` seconds at most: all others are told to come back, so that nobody can occupy the
    threads of a server by asking for many files. What was read is kept, in ``cache_size`` bytes of memory.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        reading: int = 2,
        waiting: int = 2,
        patience: float = 3.0,
        cache_size: int = 16 * 1024 * 1024,
        limits: Limits = _LIMITS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._patience = patience
        self._limits = limits
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._cache = Cache[Listing | Unlisted](cache_size, _weight, monotonic)
        self._futures: dict[tuple[str, str], Future[Listing | Unlisted]] = {}
        self._places = threading.BoundedSemaphore(reading)
        self._queue = threading.BoundedSemaphore(reading + waiting)

    def of(self, record: FileRecord) -> Listing | Unlisted:
        """What a file contains, or why that cannot be told.

        :class:`TooManyReadings` when others are being read, ``StorageUnavailable`` when the storage does not answer.
        """
        # Refusals name the file: the same bytes under another name, of a project that is hidden, are another entry.
        key = record.digests.sha256, str(record.filename)
        with self._lock:
            kept = self._cache.get(key)
        if kept is not None:
            return kept
        if not self._queue.acquire(blocking=False):
            raise _busy(record)
        try:
            return self._shared(key, record)
        finally:
            self._queue.release()

    def _shared(self, key: tuple[str, str], record: FileRecord) -> Listing | Unlisted:
        with self._lock:
            kept = self._cache.get(key)
            if kept is not None:
                return kept
            future, first = self._futures.get(key), False
            if future is None:
                future, first = Future(), True
                self._futures[key] = future
        if not first:
            try:
                return future.result(self._patience)
            except TimeoutError:
                raise _busy(record) from None
        try:
            found, seconds = self._in_turn(record)
        except BaseException as error:
            with self._lock:
                del self._futures[key]
            future.set_exception(error)
            raise
        with self._lock:
            del self._futures[key]
            self._cache.put(key, found, seconds)
        future.set_result(found)
        return found

    def _in_turn(self, record: FileRecord) -> tuple[Listing | Unlisted, float]:
        if not self._places.acquire(timeout=self._patience):
            raise _busy(record)
        try:
            return self._read(record)
        finally:
            self._places.release()

    def _read(self, record: FileRecord) -> tuple[Listing | Unlisted, float]:
        """What came of it, and for how many seconds that holds."""
        began = self._monotonic()
        try:
            return self._listing(record), float("inf")
        except InvalidArtifact as error:
            slow = self._monotonic() - began >= self._limits.seconds
            reason = _SLOW if slow else error.message
        except BlobNotFound:
            reason = _MISSING
        except OtherSize:
            reason = _CHANGED
        _log.info("what a file contains cannot be told", filename=str(record.filename), why=reason)
        return Unlisted(reason), _UNLISTED_SECONDS

    def _listing(self, record: FileRecord) -> Listing | Unlisted:
        if record.size > _MOST_WALKED and not str(record.filename).endswith((".whl", ".egg", ".zip")):
            return Unlisted(_LARGE)
        file = BlobFile(self._storage, record.key, record.size)
        return read_listing(file, record.filename, self._limits, most=MOST_ENTRIES, metadata=self._metadata(record))

    def _metadata(self, record: FileRecord) -> bytes | None:
        if record.metadata_sha256 is None:
            return None
        try:
            return self._storage.read(record.metadata_key, self._limits.metadata_bytes)
        except (BlobNotFound, BlobTooLarge):
            return None  # the one inside the file is read


def _busy(record: FileRecord) -> TooManyReadings:
    return TooManyReadings(f"Many files are being looked into just now: load the page of {record.filename} again soon")


def _weight(found: Listing | Unlisted) -> int:
    if isinstance(found, Unlisted):
        return _ENTRY_BYTES + len(found.reason)
    names = sum(len(entry.path) + len(entry.target or "") for entry in found.entries)
    characters = names + len(found.metadata or "")
    return _ENTRY_BYTES * (len(found.entries) + 1) + _BYTES_A_CHARACTER * characters
