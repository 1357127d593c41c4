"""Files that are not here, for callers who may have them fetched: sent while they come, and kept."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord, Origin, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidName, NotFound
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.documents import Document
from pypicloud_lite.mirror.fetching import Wanted
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.mirror.transfers import TransferReader
from pypicloud_lite.serve.downloads import Download, Downloads, Part, split_part
from pypicloud_lite.serve.visible import may_fall_back


@dataclass(frozen=True, slots=True)
class Coming:
    """A file that the upstream has, and what of it was asked for."""

    mirror: Mirror
    wanted: Wanted
    part: Part

    @property
    def etag(self) -> str | None:
        """That which the file will have once it is here."""
        sha256 = self.wanted.file.link.hashes.get("sha256")
        return f'"{sha256}"' if sha256 and self.part is Part.FILE else None


class MirroredDownloads:
    """What stands for an address under which the catalog has nothing."""

    def __init__(
        self, catalog: Catalog, gate: Gate, mirrors: Mirrors, downloads: Downloads, default: IndexName
    ) -> None:
        self._catalog = catalog
        self._gate = gate
        self._mirrors = mirrors
        self._downloads = downloads
        self._default = default

    def find(
        self,
        identity: Identity,
        author: Author,
        index: IndexName,
        spelling: str | None,
        filename: str,
        digest: str | None,
    ) -> Download | Coming | None:
        """The file in the mirror: here, or to be fetched; None where the caller is to hear that there is none.

        Without a ``spelling`` of its project the filename tells of it.
        """
        name, part = split_part(filename)
        mirror = self._of(index)
        project = self._project(identity, index, spelling, name) if mirror.showing.is_on else None
        if project is None or (index != mirror.index and not may_fall_back(self._gate, self._mirrors, identity)):
            return None
        # At the mirror's own addresses: a whitelist says nothing of what another index shows as its own.
        is_let_in = index == mirror.index and self._mirrors.whitelists(project)
        with self._catalog.read(snapshot=False) as catalog:
            if spelling is None and name.isascii() and catalog.file(self._default, name) is not None:
                # It is ours, whatever else its name could be read as.
                return None
            if not self._shows(catalog, mirror, index, project, is_let_in=is_let_in):
                return None
            record = catalog.file(mirror.index, name) if name.isascii() else None
        if index != mirror.index and self._is_here(record, project):
            # METADATA may be known though the file has none that could be read.
            with suppress(NotFound):
                return self._downloads.find(identity, mirror.index, project.value, filename, digest)
        may_ask = self._gate.allows(identity, Permission.FILL_CACHE, project, index)
        if not may_ask or part is Part.SIGNATURE:
            return None
        wanted = mirror.wanted(project, name, author, may_ask=may_ask)
        is_it = wanted is not None and (digest is None or _begins_with(wanted, digest))
        return Coming(mirror, wanted, part) if wanted is not None and is_it else None

    def _project(self, identity: Identity, index: IndexName, spelling: str | None, filename: str) -> ProjectName | None:
        """The project that is meant, if the caller may read it."""
        try:
            project = ProjectName.parse(spelling) if spelling is not None else Filename.parse(filename).project
        except InvalidName:
            return None
        return project if self._gate.allows(identity, Permission.READ, project, index) else None

    @staticmethod
    def _shows(
        catalog: CatalogReader, mirror: Mirror, index: IndexName, project: ProjectName, *, is_let_in: bool
    ) -> bool:
        """Whether the index shows the upstream's files of a project as its own; never what may be ours.

        ``is_let_in``: that there is a project of that name here does not keep them out.
        """
        found = mirror.ours.find(catalog, project)
        ours = found.record
        if found.may_still_come or (ours is not None and ours.status is ProjectStatus.QUARANTINED):
            return False
        return mirror.showing.show(index, project, is_ours=ours is not None and not is_let_in) is Show.FILES

    def open(self, coming: Coming) -> TransferReader:
        """The file from its first byte on, as it comes; see :meth:`Mirror.open`."""
        return coming.mirror.open(coming.wanted)

    def metadata(self, coming: Coming) -> Document:
        """METADATA of a wheel."""
        return coming.mirror.metadata(coming.wanted)

    def check(self, record: FileRecord) -> None:
        """Raise where a file that was kept for the upstream is not passed on: by a rule, or as its name is ours now."""
        if record.origin is not Origin.CACHE:
            return
        mirror = self._of(record.index)
        mirror.check_cached(record)
        with self._catalog.read(snapshot=False) as catalog:
            ours = catalog.project(self._default, record.project)
        if ours is None:
            return
        is_let_in = mirror.showing.merges(record.project) or self._mirrors.whitelists(record.project)
        if not is_let_in or ours.status is ProjectStatus.QUARANTINED:
            raise self._downloads.missing(record.filename.value)

    def hit(self, record: FileRecord) -> None:
        """A file is sent: count it, if it was kept for the upstream."""
        if record.origin is Origin.CACHE:
            self._of(record.index).hit(record)

    def _of(self, index: IndexName) -> Mirror:
        """The mirror of that name; for an index that is none, that of which the default index shows something."""
        return (self._mirrors.of(index) if index != self._default else None) or self._mirrors.built_in

    @staticmethod
    def _is_here(record: FileRecord | None, project: ProjectName) -> bool:
        return record is not None and record.is_listed and record.project == project


def _begins_with(wanted: Wanted, digest: str) -> bool:
    return wanted.file.link.hashes.get("sha256", "").startswith(digest)
