"""The mirror as pages, downloads and commands ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from zlib import crc32

from pypicloud_lite.catalog.model import FileRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import PermissionDenied
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.codec import Known
from pypicloud_lite.mirror.documents import Document, Documents
from pypicloud_lite.mirror.fetching import Fetching, Wanted
from pypicloud_lite.mirror.flights import WaitingRoom
from pypicloud_lite.mirror.identity import ServerName
from pypicloud_lite.mirror.listing import as_taken, listed
from pypicloud_lite.mirror.names import MirrorNames
from pypicloud_lite.mirror.ours import Ours
from pypicloud_lite.mirror.page_store import PageRow
from pypicloud_lite.mirror.pages import MirrorPages, Seen
from pypicloud_lite.mirror.rounds import came_round_for
from pypicloud_lite.mirror.rules import Curation
from pypicloud_lite.mirror.showing import MIRROR_INDEX, Showing
from pypicloud_lite.mirror.terms import Terms
from pypicloud_lite.mirror.transfers import TransferReader
from pypicloud_lite.mirror.usage import Usage, What
from pypicloud_lite.storage.port import Storage
from pypicloud_lite.upstream.hashes import known
from pypicloud_lite.upstream.hops import goes_round, hops
from pypicloud_lite.upstream.port import Upstream

_NAMES_KEPT = timedelta(days=1)
_METADATA_KEPT = timedelta(days=180)
_TERMS = Terms()
_BUCKET = 600
"""Seconds: how late a file may be shown that has come of age."""


class FileWithheld(PermissionDenied):
    """The upstream has the file, and this index does not pass it on."""

    code = "file-withheld"


@dataclass(frozen=True, slots=True)
class Listing:
    """A project of the upstream for a page. ``key`` differs where the files do; reading ``files`` may be a query.

    ``error`` is why the upstream last gave no answer, of a page that is stale by that. ``upstream`` is its address
    without credentials. ``came_by`` are the servers of this kind by which it came; for another one only.
    """

    upstream: str | None
    key: tuple[int, int, int, int]
    is_stale: bool
    checked_at: datetime | None
    error: str | None
    came_by: tuple[str, ...]
    read: Callable[[], Read]


@dataclass(frozen=True, slots=True)
class Read:
    """What the upstream lists; ``files`` in its own order."""

    files: Sequence[PageFile]
    status: ProjectStatus
    status_reason: str | None
    serial: int


@dataclass(frozen=True)
class Mirror:
    """One mirror index, of its parts. Making it asks nobody."""

    showing: Showing
    ours: Ours
    curation: Curation
    pages: MirrorPages
    names: MirrorNames
    upstreams: Sequence[Upstream]
    fetching: Fetching
    documents: Documents
    usage: Usage
    room: WaitingRoom
    server: ServerName
    catalog: Catalog
    storage: Storage
    clock: Clock
    terms: Terms = _TERMS
    index: IndexName = MIRROR_INDEX
    lists_kept: bool = False
    """Whether its list of projects is of those that are known here, as the upstream's is not asked for."""
    hides_metadata: bool = False
    """Whether what the upstream says to have of METADATA is not believed."""

    def listing(self, project: ProjectName, *, may_ask: bool, direct: bool = False) -> Listing | None:
        """What the upstream lists of a project; None where it has none. One query where it is known and fresh.

        ``may_ask``: whether the caller may have it asked for. ``direct`` gives the upstream's own addresses. An
        ``UpstreamError`` where nothing is known and nobody answers, ``CameRound`` where only those could who ask.
        """
        seen = self._see(project, may_ask=may_ask)
        if seen is None:
            return None
        row, now = seen.row, self.clock()
        young = row.newest_at is not None and self.curation.is_too_young(project, row.newest_at, now)
        bucket = int(now.timestamp()) // _BUCKET if young else 0
        hangs_on_here = self.terms.is_external or not may_ask
        return Listing(
            upstream=row.upstream,
            key=(row.revision, bucket, hash(self.terms), self._revision(project) if hangs_on_here else 0),
            is_stale=seen.is_stale,
            checked_at=row.checked_at,
            error=row.error,
            came_by=self._came_by(project, row),
            read=partial(self._read, project, seen, direct=direct, may_ask=may_ask),
        )

    def listed_names(self, *, may_ask: bool) -> tuple[int, Iterator[str]]:
        """A number that changes with the list of all projects, and their names in order, as they are read.

        Names that are never asked for are not among them. An ``UpstreamError`` where no list is known. A mirror that
        fetches no such list has those of which it keeps a page.
        """
        if not self.terms.lists_names:
            kept = [name.value for name in self.pages.projects() if self.curation.asks_for(name)]
            return crc32("\n".join(kept).encode()), iter(kept)
        revision = self.names.see(ask=may_ask and not self.goes_round())
        names = self.names.names()
        if self.curation.names_nothing:
            return revision, names
        return revision ^ self.curation.fingerprint, (
            name for name in names if self.curation.asks_for(ProjectName(name))
        )

    def page_address(self, project: ProjectName) -> str:
        """The first upstream's own page of a project."""
        return f"{self.upstreams[0].name}{project}/"

    def wanted(self, project: ProjectName, filename: str, author: Author, *, may_ask: bool) -> Wanted | None:
        """A file that the upstream lists; None where it does not, :class:`FileWithheld` where a rule keeps it back."""
        seen = self._see(project, may_ask=may_ask)
        if seen is None:
            return None
        page, _ = self.pages.content(project, seen.row)
        file = page.file(filename)
        if file is None or page.status == ProjectStatus.QUARANTINED:
            return None
        by_length = not known(file.link.hashes)
        if by_length and not self.terms.takes_unhashed:
            return None
        refusal = self.curation.refusal(file.link.filename, file.uploaded_at, self.clock())
        if refusal is not None:
            raise FileWithheld(f"{refusal}. Ask an administrator of this index")
        upstream = next((one for one in self.upstreams if one.name == seen.row.upstream), None)
        if upstream is None:
            return None
        return Wanted(as_taken(file, self.terms), upstream, author, by_length, self.terms.is_external)

    def check_cached(self, record: FileRecord) -> None:
        """Raise :class:`FileWithheld` where a rule keeps back what is here already."""
        refusal = self.curation.refusal(record.filename, record.uploaded_at, self.clock())
        if refusal is None and not self.curation.asks_for(record.project):
            refusal = f"{record.filename}: this index passes nothing on of its project"
        if refusal is not None:
            raise FileWithheld(f"{refusal}. Ask an administrator of this index")

    def hit(self, record: FileRecord) -> None:
        """A cached file is sent."""
        self.usage.count(What.HIT)
        self.usage.used(record.filename.value)

    def open(self, wanted: Wanted) -> TransferReader:
        """Bring a file here, and read it while it comes: returns when its first bytes are here.

        ``HasCome`` where it came by another way meanwhile; an ``UpstreamError`` where nothing comes.
        """
        self.usage.count(What.MISS)
        self.usage.used(wanted.name)
        return self.fetching.bring(wanted).reader(self.room)

    def keep(self, wanted: Wanted, patience: float) -> None:
        """Bring a file here and wait until it is kept; raises why it is not."""
        self.usage.used(wanted.name)
        self.fetching.bring(wanted).wait(patience)

    def metadata(self, wanted: Wanted, *, whole: bool = True) -> Document:
        """METADATA of a wheel that need not be here; without ``whole`` no wheel is fetched for it."""
        return self.documents.read(wanted, partial(self._stored_metadata, wanted.name), whole=whole)

    def forget(self) -> None:
        """Forget what nobody needs: names that were not there, turns of the dead, old counts and METADATA."""
        now = self.clock()
        self.pages.prune(now - _NAMES_KEPT)
        self.fetching.prune(now - _NAMES_KEPT)
        self.documents.prune(now - _METADATA_KEPT)
        self.usage.prune()

    def goes_round(self) -> bool:
        """Whether the request at hand came from this very server, by way of its upstream."""
        return goes_round(self.server())

    def _came_by(self, project: ProjectName, row: PageRow) -> tuple[str, ...]:
        return self.pages.content(project, row)[0].came_by if hops() else ()

    def _see(self, project: ProjectName, *, may_ask: bool) -> Seen | None:
        if self.goes_round():
            # What is known of others is no answer for those others: it would never end.
            raise came_round_for(project)
        return self.pages.see(project, ask=may_ask)

    def _read(self, project: ProjectName, seen: Seen, *, direct: bool, may_ask: bool) -> Read:
        page, _ = self.pages.content(project, seen.row)
        # What is not here would have to be fetched, or is had from the upstream.
        is_external = self.terms.is_external and not direct
        here = self._here(project) if is_external or not may_ask else frozenset()

        def place(file: Known) -> IndexName | None:
            return None if direct or (is_external and file.link.filename.value not in here) else self.index

        files = listed(page, self.curation, self.clock(), place, self.terms)
        if not may_ask:
            files = (file for file in files if file.filename.value in here)
        status = ProjectStatus(page.status) if page.status in set(ProjectStatus) else ProjectStatus.ACTIVE
        shown = () if status is ProjectStatus.QUARANTINED else tuple(files)
        return Read(shown, status, page.status_reason, page.serial or 0)

    def _here(self, project: ProjectName) -> frozenset[str]:
        with self.catalog.read(snapshot=False) as catalog:
            return frozenset(one.filename.value for one in catalog.files(self.index, project) if one.is_listed)

    def _revision(self, project: ProjectName) -> int:
        """It changes with what is here of the project."""
        with self.catalog.read(snapshot=False) as catalog:
            record = catalog.project(self.index, project)
        return record.revision if record is not None else 0

    def _stored_metadata(self, filename: str) -> bytes | None:
        with self.catalog.read(snapshot=False) as catalog:
            record = catalog.file(self.index, filename)
        if record is None or not record.is_listed or record.metadata_sha256 is None:
            return None
        return self.storage.read(record.metadata_key)
