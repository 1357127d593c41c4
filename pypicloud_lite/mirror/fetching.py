"""Bringing files of an upstream here: one request for a file at a time, whatever threads and processes want it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from pypicloud_lite.artifacts.model import CoreMetadata, Limits
from pypicloud_lite.artifacts.reading import read_artifact, read_metadata_partly
from pypicloud_lite.catalog.model import Origin
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.incoming import Admit, NewFile
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.errors import PpcError, UpstreamError, UpstreamUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.codec import Known
from pypicloud_lite.mirror.fetch_store import Elsewhere, FetchStore
from pypicloud_lite.mirror.flights import Threads
from pypicloud_lite.mirror.pinning import Pinning
from pypicloud_lite.mirror.transfers import Transfer
from pypicloud_lite.mirror.usage import Usage, What
from pypicloud_lite.storage.port import Spool, Storage, Tail
from pypicloud_lite.upstream.hashes import known
from pypicloud_lite.upstream.port import Upstream

_log = structlog.get_logger("pypicloud_lite.mirror")

_TURN = 30.0
_RENEW = 5.0
_TURN_TO_STORE = 300.0
"""Seconds: of a turn, after which it is told that it goes on, and for sending a whole file to the storage."""
_PATIENCE = 10.0
"""Seconds that a process waits for one on another host, whose bytes it cannot read, before it asks by itself."""
_POLL = 0.05
_LIMITS = Limits(seconds=20)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as it is to come, from where, and on whose behalf. ``by_length``: it may come without a hash.

    ``is_external``: clients are sent to the upstream for it.
    """

    file: Known
    upstream: Upstream
    author: Author
    by_length: bool = False
    is_external: bool = False

    @property
    def name(self) -> str:
        """The filename."""
        return self.file.link.filename.value

    @property
    def key(self) -> tuple[ProjectName, str]:
        """What it is known by: ``a-2-1.tar.gz`` may be a file of two projects."""
        return self.file.link.filename.project, self.name


class Fetching:
    """Brings files into the mirror's index. Thread-safe."""

    def __init__(
        self,
        index: IndexName,
        store: FetchStore,
        storage: Storage,
        catalog: Catalog,
        ingest: Ingest,
        usage: Usage,
        clock: Clock,
        *,
        pinning: Pinning,
        threads: Threads,
        admit: Admit,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = index
        self._store = store
        self._storage = storage
        self._catalog = catalog
        self._ingest = ingest
        self._usage = usage
        self._clock = clock
        self._pinning = pinning
        self._threads = threads
        self._admit = admit
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._transfers: dict[tuple[ProjectName, str], Transfer] = {}

    def bring(self, wanted: Wanted) -> Transfer:
        """Begin to bring a file, or join those for whom it comes already; it comes to its end by itself."""
        with self._lock:
            transfer = self._transfers.get(wanted.key)
            if transfer is not None:
                return transfer
            if not self._threads.take():
                raise UpstreamUnavailable("Too many files are on their way here: try again in a moment", 2)
            transfer = self._transfers[wanted.key] = Transfer(wanted.name, wanted.file.link.size)
        arguments = (self._bring, wanted, transfer)
        name = f"mirror {wanted.name}"
        thread = threading.Thread(target=copy_context().run, args=arguments, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # There are too many threads: nobody may wait for this one.
            busy = UpstreamUnavailable("This server has too much to do: try again in a moment", 2)
            with self._lock:
                self._transfers.pop(wanted.key, None)
            self._threads.give_back()
            transfer.fail(busy)
            transfer.end()
            raise busy from error
        return transfer

    def prune(self, before: datetime) -> int:
        """Forget turns that ended by themselves before then, of processes that died."""
        return self._store.prune(before)

    def _bring(self, wanted: Wanted, transfer: Transfer) -> None:
        try:
            self._bring_or_follow(wanted, transfer)
        except PpcError as error:
            self._usage.count(What.FAILURE)
            _log.warning("a file of an index upstream could not be kept", filename=wanted.name, error=error.message)
            transfer.fail(error)
        except BaseException as error:
            transfer.fail(UpstreamError(f"{wanted.name} could not be brought here: the log of the server has more"))
            _log.exception("a file of an index upstream could not be kept", filename=wanted.name)
            if not isinstance(error, Exception):
                raise
        finally:
            with self._lock:
                self._transfers.pop(wanted.key, None)
            self._threads.give_back()
            transfer.end()

    def _bring_or_follow(self, wanted: Wanted, transfer: Transfer) -> None:
        give_up = self._monotonic() + _PATIENCE
        while True:
            token = self._store.claim(wanted.name, self._clock(), _TURN)
            if token is not None:
                self._in_turn(wanted, transfer, token)
                return
            other = self._store.look(wanted.name)
            tail = None if other is None else other.tail()
            if other is not None and tail is not None:
                transfer.begin(tail)
                self._follow(wanted, transfer, other, tail)
                return
            if self._stored_size(wanted) is not None:
                # It has come; who waits asks the catalog again.
                return
            if self._monotonic() > give_up:
                self._fetch(wanted, transfer, None)
                return
            self._sleep(_POLL)

    def _in_turn(self, wanted: Wanted, transfer: Transfer, token: str) -> None:
        try:
            if self._stored_size(wanted) is None:
                self._fetch(wanted, transfer, token)
        finally:
            self._store.release(wanted.name, token)

    def _fetch(self, wanted: Wanted, transfer: Transfer, token: str | None) -> None:
        link = wanted.file.link
        with self._storage.spool(link.size) as spool:
            tail = spool.tail()
            transfer.begin(tail)
            turn = _Turn(self._store, wanted.name, token, self._clock, self._monotonic)
            turn.renew(tail=tail)

            def take(chunk: bytes) -> None:
                spool.write(chunk)
                transfer.wrote(spool.size)
                turn.renew_when_due()

            fetched = wanted.upstream.fetch(link, take, by_length=wanted.by_length)
            transfer.complete(fetched.size)
            self._usage.count(What.BYTES, fetched.size)
            turn.renew(_TURN_TO_STORE)
            self._keep(wanted, spool)

    def _keep(self, wanted: Wanted, spool: Spool) -> None:
        filename, link = wanted.file.link.filename, wanted.file.link
        metadata = _described(spool, wanted)
        raw = metadata.raw if metadata is not None and filename.is_wheel else None
        promised = (link.core_metadata or {}).get("sha256")
        if raw is not None and promised not in {None, digests_of(raw).sha256}:
            _log.error(
                "METADATA of a wheel is not what its index lists: installers resolved by the latter",
                filename=wanted.name,
            )
            raw = None
        new = NewFile(
            index=self._index,
            filename=filename,
            display_name=metadata.display_name if metadata is not None else filename.project.value,
            core=metadata.values if metadata is not None else {},
            requires_python=link.requires_python,
            summary=metadata.summary if metadata is not None else None,
            metadata=raw,
            uploaded_at=wanted.file.uploaded_at,
            origin=Origin.CACHE,
        )
        kept = self._ingest.add(new, spool, wanted.author, lambda: False, self._admit)
        if not known(link.hashes):
            self._pinning.pin(filename, kept.record.digests.sha256)

    def _follow(self, wanted: Wanted, transfer: Transfer, other: Elsewhere, tail: Tail) -> None:
        """Tell this process's readers what another process of this host writes."""
        while True:
            now = self._store.look(wanted.name)
            transfer.wrote(os.fstat(tail.fileno()).st_size)
            if now is None or now.holder != other.holder or now.until < self._clock() or now.is_over:
                break
            self._sleep(_POLL)
        size = self._stored_size(wanted)
        if size is None:
            raise UpstreamError(f"{wanted.name} stopped coming: try again later")
        transfer.complete(size)

    def _stored_size(self, wanted: Wanted) -> int | None:
        with self._catalog.read(snapshot=False) as catalog:
            record = catalog.file(self._index, wanted.name)
        if record is None or not record.is_listed or record.project != wanted.file.link.filename.project:
            return None
        return record.size


class _Turn:
    """Tells the other processes now and then that this goes on; without a token they are told nothing."""

    def __init__(
        self, store: FetchStore, filename: str, token: str | None, clock: Clock, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._filename = filename
        self._token = token
        self._clock = clock
        self._monotonic = monotonic
        self._due = 0.0

    def renew(self, seconds: float = _TURN, tail: Tail | None = None) -> None:
        """It goes on for at most so long without another word."""
        self._due = self._monotonic() + _RENEW
        if self._token is not None:
            self._store.tell(self._filename, self._token, self._clock() + timedelta(seconds=seconds), tail)

    def renew_when_due(self) -> None:
        """As :meth:`renew`, every few seconds."""
        if self._monotonic() >= self._due:
            self.renew()


def _described(spool: Spool, wanted: Wanted) -> CoreMetadata | None:
    """What the file says of itself; None where it is not as we would take it from an uploader.

    Its bytes are those that the upstream promised, and so it is passed on whatever its shape.
    """
    filename = wanted.file.link.filename
    archive = spool.reader()
    try:
        # Of a wheel METADATA is enough, and its installer looks at the rest.
        read = read_metadata_partly if filename.is_wheel else read_artifact
        return read(archive, filename, limits=_LIMITS)
    except PpcError as error:
        _log.info("a file of an index upstream is kept without its description", error=error.message)
        return None
    finally:
        archive.close()
