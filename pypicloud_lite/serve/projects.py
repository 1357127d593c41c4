"""A project as the default index shows it to somebody: our own files, an upstream's, or both.

Who sees what is the matrix of ``serve/simple.py``. Nothing of a project that is ours, or kept from the caller, is asked
of an upstream.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.artifacts.reading import read_metadata_alone
from pypicloud_lite.catalog.model import FileRecord, ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import (
    InvalidName,
    InvalidRequest,
    NotFound,
    PpcError,
    UpstreamError,
)
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import FileWithheld, Listing, Mirror, Read
from pypicloud_lite.mirror.showing import MIRROR_INDEX, Show
from pypicloud_lite.serve.shown import Place, ShownFile
from pypicloud_lite.serve.visible import may_fall_back, unknown

Core = Mapping[str, Any]
"""Core metadata by its JSON names; values of any type."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What is here of a name, for somebody who may see it, and what of an upstream is shown with it.

    ``record`` is None where the name is not ours; ``files`` are our own that are listed, where they were asked for.
    """

    name: ProjectName
    record: ProjectRecord | None
    files: Sequence[FileRecord]
    show: Show

    @property
    def own(self) -> ProjectRecord | None:
        """Our project, where it has files."""
        return self.record if self.record is not None and self.record.file_count else None

    @property
    def is_quarantined(self) -> bool:
        """Whether only administrators are shown it."""
        return self.record is not None and self.record.status is ProjectStatus.QUARANTINED


@dataclass(frozen=True, slots=True)
class Merged:
    """Our own files of a project, where there are some, and what its upstream lists.

    ``listing`` is None where the upstream has no such project, or gave no answer: then ``failure`` says why.
    ``kept`` is the project of the mirror's own index, with ``cached`` files.
    """

    looked: Looked
    listing: Listing | None
    failure: UpstreamError | None
    may_ask: bool
    kept: ProjectRecord | None
    cached: Sequence[FileRecord]

    @property
    def key(self) -> Hashable:
        """Another one where anything is another."""
        own = self.looked.own
        return (
            own.revision if own is not None else None,
            self.listing.key if self.listing is not None else None,
            self.kept.revision if self.kept is not None else None,
        )

    def whole(self) -> Whole:
        """All of it; a query at most."""
        own = self.looked.own
        read = self.listing.read() if self.listing is not None else None
        files = {one.filename.value: ShownFile.ours(one) for one in self.looked.files} if own is not None else {}
        cached = {one.filename.value: one for one in self.cached if one.is_listed}
        for page in read.files if read is not None else ():
            name = page.filename.value
            files.setdefault(name, ShownFile.of_upstream(page, cached.get(name)))
        return Whole(own or self._project(read), tuple(files.values()), read, is_ours=own is not None)

    def _project(self, read: Read | None) -> ProjectRecord:
        """As if the upstream's project were ours."""
        name = self.looked.name
        return ProjectRecord(
            MIRROR_INDEX,
            name,
            name.value,
            read.serial if read is not None else 0,
            0,
            status=read.status if read is not None else ProjectStatus.ACTIVE,
            status_reason=read.status_reason if read is not None else None,
            id=self.kept.id if self.kept is not None else 0,
        )


@dataclass(frozen=True, slots=True)
class Whole:
    """A project with every file that is shown; of one filename it is our own."""

    project: ProjectRecord
    files: Sequence[ShownFile]
    read: Read | None
    is_ours: bool

    def named_by(self, core: Core) -> ProjectRecord:
        """The project as its metadata spell it, where it is not ours and they spell the same name."""
        name = core.get("name")
        if self.is_ours or not isinstance(name, str) or not _is_spelling(name, self.project.name):
            return self.project
        return replace(self.project, display_name=name)


class Projects:
    """Looks for projects of the default index."""

    def __init__(self, catalog: Catalog, gate: Gate, mirrors: Mirrors, index: IndexName) -> None:
        self._catalog = catalog
        self._gate = gate
        self._mirrors = mirrors
        self._index = index

    @property
    def _mirror(self) -> Mirror:
        return self._mirrors.built_in

    @property
    def upstream_address(self) -> str:
        """The Simple API of the first upstream, without credentials."""
        return self._mirror.upstreams[0].name

    def unknown(self, reader: CatalogReader, identity: Identity, name: ProjectName) -> PpcError:
        """What is said of a project that is not there, to this caller."""
        return unknown(reader, self._gate, identity, name)

    @contextmanager
    def look(
        self, identity: Identity, name: ProjectName, *, with_files: bool
    ) -> Iterator[tuple[CatalogReader, Looked]]:
        """A read scope, and what is in it; raises what the gate says of one that is unknown or hidden.

        One query for a project of ours, as ``serve/visible.py`` has it; nobody is asked. One that is quarantined is
        shown to administrators alone, and with nothing of an upstream.
        """
        visible = self._gate.allows(identity, Permission.READ, name)
        if not visible and not identity.is_authenticated:
            raise self._gate.unknown(identity, name)
        falls_back = may_fall_back(self._gate, self._mirrors, identity)
        with self._catalog.read(snapshot=False) as reader:
            # The files of a hidden one are not read: they would take their time.
            found = self._mirror.ours.find(reader, name, with_files=visible and with_files)
            record = found.record
            is_ours = record is not None
            show = self._mirror.showing.show(self._index, name, is_ours=is_ours) if falls_back else Show.NOTHING
            if record is not None and record.status is ProjectStatus.QUARANTINED:
                visible, show = visible and identity.is_admin, Show.NOTHING
            if not visible or (show is Show.NOTHING and (record is None or not record.file_count)):
                raise unknown(reader, self._gate, identity, name)
            found.require_known()
            yield reader, Looked(name, record, [one for one in found.files if one.is_listed], show)

    def merge(self, identity: Identity, looked: Looked) -> Merged:
        """With what the upstream lists; asks it where the caller may have it asked. No scope may be open.

        An ``UpstreamError`` where there is nothing of ours to show instead.
        """
        name, own = looked.name, looked.own
        may_ask = self._gate.allows(identity, Permission.FILL_CACHE, name)
        listing, failure = None, None
        try:
            listing = self._mirror.listing(name, may_ask=may_ask, direct=looked.show is Show.LINKS)
        except UpstreamError as error:
            if own is None:
                raise
            failure = error
        if own is None and (listing is None or not (may_ask or listing.read().files)):
            raise self._gate.nowhere(identity, name, may_ask=may_ask)
        with self._catalog.read(snapshot=False) as reader:
            kept, cached = reader.project_with_files(self._mirror.index, name)
        return Merged(looked, listing, failure, may_ask, kept, cached)

    def nowhere(self, identity: Identity, name: ProjectName, *, may_ask: bool) -> PpcError:
        """What is said of a project that is nowhere, to this caller."""
        return self._gate.nowhere(identity, name, may_ask=may_ask)

    def core(self, merged: Merged, version: str, files: Sequence[ShownFile], author: Author) -> Core:
        """Core metadata of a release: of our own files, of cached ones, or METADATA of a wheel, which is asked for.

        Empty where nobody has any that can be read. Nothing as large as a wheel is fetched for it. An
        ``UpstreamError`` where nobody answers.
        """
        places = {one.place for one in files}
        indexes = ((Place.OURS, self._index), (Place.CACHED, self._mirror.index))
        with self._catalog.read(snapshot=False) as reader:
            for index in (index for place, index in indexes if place in places):
                core = reader.release_metadata(index, merged.looked.name, version)
                if core:
                    return core
        wheel = _wheel_to_read(files)
        return {} if wheel is None or not merged.may_ask else self._asked_for(wheel, author)

    def _asked_for(self, wheel: ShownFile, author: Author) -> Core:
        filename = wheel.filename
        try:
            wanted = self._mirror.wanted(filename.project, filename.value, author, may_ask=True)
            if wanted is None:
                return {}
            return read_metadata_alone(self._mirror.metadata(wanted, whole=False).content, filename).values
        except (NotFound, InvalidRequest, FileWithheld):
            # There is none, or it is not this wheel's, or not to be had any more.
            return {}


def _is_spelling(text: str, name: ProjectName) -> bool:
    try:
        return ProjectName.parse(text) == name
    except InvalidName:
        return False


def _wheel_to_read(files: Sequence[ShownFile]) -> ShownFile | None:
    """The wheel whose METADATA costs the least: one with a document beside it, else the smallest."""
    wheels = [one for one in files if one.filename.is_wheel and one.place is not Place.OURS]
    return min(
        wheels, key=lambda one: (not one.metadata, one.size is None, one.size or 0, one.filename.value), default=None
    )
