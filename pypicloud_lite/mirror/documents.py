"""METADATA of wheels that are not here: fetched by itself, or made from a few parts of the wheel, and kept."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import bindparam, delete, select

from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.reading import read_metadata_partly
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.upsert import replacing
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.errors import (
    InvalidArtifact,
    InvalidName,
    NotFound,
    UpstreamNonsense,
    UpstreamTooLarge,
    UpstreamWithoutRanges,
)
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.fetching import Fetching, Wanted
from pypicloud_lite.mirror.flights import Flights, Threads, WaitingRoom
from pypicloud_lite.mirror.tables import mirror_metadata
from pypicloud_lite.upstream.hashes import known
from pypicloud_lite.upstream.port import Absent
from pypicloud_lite.upstream.spans import SpanReader

_log = structlog.get_logger("pypicloud_lite.mirror")

_PATIENCE = 30.0
_WHOLE_PATIENCE = 600.0
_LIMITS = Limits(seconds=8)
_m = mirror_metadata.c
_KEPT = select(_m.wheel, _m.content, _m.sha256).where(
    _m.index_name == bindparam("index_"), _m.filename == bindparam("filename_")
)


@dataclass(frozen=True, slots=True)
class Document:
    """METADATA as it is in the wheel."""

    content: bytes
    sha256: str


class Documents:
    """Of one mirror index. Thread-safe; of all threads of a process one asks for a document."""

    def __init__(
        self,
        database: Database,
        index: IndexName,
        fetching: Fetching,
        room: WaitingRoom,
        clock: Clock,
        threads: Threads,
    ) -> None:
        self._database = database
        self._index = index
        self._fetching = fetching
        self._room = room
        self._clock = clock
        self._flights: Flights[Document] = Flights(threads)

    def read(self, wanted: Wanted, stored: Callable[[], bytes | None], *, whole: bool = True) -> Document:
        """METADATA of a wheel; ``NotFound`` where it has none, an ``UpstreamError`` where nobody answers.

        One query where it is known. Otherwise the upstream's own document, a few parts of the wheel, or, where the
        upstream does not send parts, the whole of it, which is then kept: ``stored`` reads METADATA of what is here.
        Without ``whole`` that is ``NotFound`` instead.
        """
        kept = self._kept(wanted) if known(wanted.file.link.hashes) else None
        if kept is not None:
            return kept
        with self._room.place():
            work = f"METADATA of {wanted.name}" if whole else f"METADATA of {wanted.name}, by parts"
            return self._flights.once(work, lambda: self._found(wanted, stored, whole=whole), _PATIENCE)

    def prune(self, before: datetime) -> int:
        """Forget documents that were made before then: they are made again when somebody asks."""
        old = _m.index_name == str(self._index), _m.made_at < before
        with self._database.write() as connection:
            return connection.execute(delete(mirror_metadata).where(*old)).rowcount

    def _found(self, wanted: Wanted, stored: Callable[[], bytes | None], *, whole: bool) -> Document:
        has_hash = bool(known(wanted.file.link.hashes))
        content = self._asked_for(wanted)
        if content is None and has_hash:
            content = self._taken_out(wanted)
        if content is None and whole:
            self._fetching.bring(wanted).wait(_WHOLE_PATIENCE)
            content = stored()
        if content is None:
            raise NotFound(f"{wanted.name} has no METADATA that could be read")
        document = Document(content, digests_of(content).sha256)
        if has_hash:
            # Else it could be that of another wheel tomorrow.
            self._keep(wanted, document)
        return document

    @staticmethod
    def _asked_for(wanted: Wanted) -> bytes | None:
        if wanted.file.link.core_metadata is None:
            return None
        said = wanted.upstream.metadata(wanted.file.link)
        return None if isinstance(said, Absent) else said

    @staticmethod
    def _taken_out(wanted: Wanted) -> bytes | None:
        link = wanted.file.link
        try:
            return read_metadata_partly(SpanReader(wanted.upstream, link), link.filename, limits=_LIMITS).raw
        except (UpstreamWithoutRanges, UpstreamTooLarge, UpstreamNonsense, InvalidArtifact, InvalidName) as error:
            _log.info("METADATA is not to be had from parts of a wheel", filename=wanted.name, error=error.message)
            return None

    def _kept(self, wanted: Wanted) -> Document | None:
        with self._database.read(snapshot=False) as connection:
            row = connection.execute(_KEPT, {"index_": str(self._index), "filename_": wanted.name}).first()
        # A wheel whose hash is another one by now has other METADATA.
        if row is None or row[0] != _identity(wanted):
            return None
        return Document(zlib.decompress(bytes(row[1])), row[2])

    def _keep(self, wanted: Wanted, document: Document) -> None:
        row = {
            "index_name": str(self._index),
            "filename": wanted.name,
            "wheel": _identity(wanted),
            "sha256": document.sha256,
            "content": zlib.compress(document.content),
            "made_at": self._clock(),
        }
        with self._database.write() as connection:
            connection.execute(replacing(connection, mirror_metadata), row)


def _identity(wanted: Wanted) -> str:
    """The strongest hash of the wheel; the column has room for 128 digits and a name."""
    hashes = wanted.file.link.hashes
    name = next((kind for kind in ("sha256", "sha512", "sha384", "blake2b") if kind in hashes), None)
    name = name or min(hashes, default="")
    return f"{name}:{hashes.get(name, '')}"[:140]
