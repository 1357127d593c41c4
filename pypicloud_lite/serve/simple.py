"""The Simple API: what is listed for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord, ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.kernel.errors import CameRound, UpstreamError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import Listing
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.serve.cache import Page, PageCache
from pypicloud_lite.serve.negotiation import Representation
from pypicloud_lite.serve.pages import ProjectPage, files_html, list_html, list_json, project_html, project_json
from pypicloud_lite.serve.resolving import Resolved, Resolver
from pypicloud_lite.serve.visible import unknown
from pypicloud_lite.upstream.hops import hops


@dataclass(frozen=True, slots=True)
class Moved:
    """The page is another server's."""

    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A page. ``listing`` is what it shows of an upstream, ``failed`` that the upstream gave nothing to show.

    ``came_by``: the servers of this kind by which what it shows of upstreams came here.
    """

    page: Page
    listing: Listing | None = None
    failed: bool = False
    came_by: tuple[str, ...] = ()


class SimpleApi:
    """Pages of one catalog; a warm page of our own files costs one indexed query, and each mirror one or two more."""

    def __init__(self, catalog: Catalog, gate: Gate, cache: PageCache, resolver: Resolver, mirrors: Mirrors) -> None:
        self._catalog = catalog
        self._gate = gate
        self._cache = cache
        self._resolver = resolver
        self._mirrors = mirrors

    def project(
        self, identity: Identity, index: IndexName, name: ProjectName, form: Representation, root: str
    ) -> Answer | Moved:
        """The page of a project; raises what the gate says of one that is unknown or hidden."""
        with self._catalog.read(snapshot=False) as catalog:
            resolved = self._resolver.resolve(catalog, identity, index, name)
            visible = self._gate.allows(identity, Permission.READ, name, index)
            withheld = resolved.withheld
            if not visible or not (resolved.mirrors or resolved.holders):
                raise unknown(catalog, self._gate, identity, name, index)
            if withheld is not None:
                return Answer(Page.of(_written(ProjectPage.of(withheld, ()), form, root), withheld.serial))
            if not resolved.mirrors:
                if not resolved.with_files:
                    raise unknown(catalog, self._gate, identity, name, index)
                return Answer(self._own(catalog, resolved, form, root))
        if resolved.mirrors[0].show is Show.REDIRECT and not resolved.with_files:
            return Moved(resolved.mirrors[0].mirror.page_address(name))
        return self._merged(identity, resolved, form, root)

    def _own(self, catalog: CatalogReader, resolved: Resolved, form: Representation, root: str) -> Page:
        holders = resolved.with_files

        def draw() -> Page:
            page = ProjectPage.merged(resolved.name, holders, catalog.files_of(holders), ())
            return Page.of(_written(page, form, root), page.serial)

        key = ("project", resolved.chain.index.name, resolved.name, form is Representation.JSON, root, *_ids(holders))
        return self._cache.get(key, _revisions(holders), draw)

    def _merged(self, identity: Identity, resolved: Resolved, form: Representation, root: str) -> Answer:
        """Our own files, where there are some, and the mirrors'; for no longer than one is asked is a scope open."""
        name, holders = resolved.name, resolved.with_files
        seen = Asked.all(resolved)
        listings = seen.listings
        if not listings and not holders:
            if seen.error is not None:
                raise seen.error
            raise self._gate.nowhere(identity, name, resolved.chain.index.name, may_ask=seen.may_ask)

        def draw() -> Page:
            reads = [listing.read() for listing in listings]
            if not holders and not seen.may_ask and not any(read.files for read in reads):
                raise self._gate.nowhere(identity, name, resolved.chain.index.name, may_ask=False)
            page = ProjectPage.merged(name, holders, self._files(holders), reads)
            return Page.of(_written(page, form, root), page.serial)

        shown = tuple((one.mirror.index, one.show, one.may_ask) for one in resolved.mirrors)
        key = ("merged", resolved.chain.index.name, name, form is Representation.JSON, root, shown)
        revision = (_revisions(holders), tuple(listing.key for listing in listings))
        page = self._cache.get((*key, *_ids(holders)), revision, draw)
        return Answer(page, seen.worst, seen.error is not None and not listings, seen.came_by)

    def came_by(self, answer: Answer | Moved) -> tuple[str, ...]:
        """The servers of this kind by which it comes to another one, this one last; nothing where none asks."""
        if not hops() or isinstance(answer, Moved) or not self._mirrors.are_any:
            return ()
        return (*answer.came_by, self._mirrors.built_in.server())

    def _files(self, holders: Sequence[ProjectRecord]) -> Mapping[IndexName, Sequence[FileRecord]]:
        if not holders:
            return {}
        with self._catalog.read(snapshot=False) as catalog:
            return catalog.files_of(holders)

    def upstream_names(self, identity: Identity, index: IndexName) -> tuple[int, Iterator[str]] | None:
        """A number that changes with a mirror's list of projects, and the list; see :meth:`Mirror.listed_names`.

        None where the index is no mirror. For who may read there: the names are not asked for one by one.
        """
        chain = self._resolver.chain(identity, index)
        mirror = self._mirrors.of(index) if chain.index.is_mirror else None
        if mirror is None:
            return None
        if not self._gate.may_read_somewhere(identity, index):
            raise self._gate.unknown_index(identity, index)
        return mirror.listed_names(may_ask=self._gate.may_fill_cache(identity, index))

    def files(self, identity: Identity, index: IndexName) -> Page:
        """Every file that the caller may read; an empty page at worst. Costs a query for each 1,000 files."""
        with self._catalog.read(snapshot=False) as catalog:
            revision = catalog.state().revision

            def draw() -> Page:
                may_read = self._gate.readable(identity)
                shown = {
                    record.name: record.serial
                    for record in catalog.projects(index)
                    if record.status is not ProjectStatus.QUARANTINED and may_read(record.name)
                }
                files = (one for one in catalog.all_files(index) if one.is_listed and one.project in shown)
                return Page.of(files_html(files, "../"), max(shown.values(), default=0))

            return self._cache.get(("files", index, self._gate.view_key(identity)), revision, draw)

    def projects(self, identity: Identity, index: IndexName, form: Representation) -> Page:
        """The list of projects that the caller may read; an empty list at worst, of an index that he may know of.

        Those of all stages of the index; what mirrors have is not listed. Its serial is the highest of what it shows:
        one that hidden projects raise would tell of them. A quarantined project is not in it: what lists no files is
        not offered.
        """
        with self._catalog.read(snapshot=False) as catalog:
            state = catalog.state()
            chain = self._resolver.chain(identity, index, catalog, state.definitions)
            if not self._gate.may_know_of(identity, index):
                raise self._gate.unknown_index(identity, index)

            def draw() -> Page:
                may_read = {stage: self._gate.readable(identity, stage) for stage in chain.stages}
                shown = {
                    record.name: record.serial
                    for record in catalog.projects_of(chain.stages)
                    if record.status is not ProjectStatus.QUARANTINED
                    and may_read[record.index](record.name)
                    and may_read[index](record.name)
                }
                serial = max(shown.values(), default=0)
                write = list_json if form is Representation.JSON else list_html
                return Page.of(b"".join(write((name.value for name in shown), serial)), serial)

            key = ("projects", index, self._gate.view_key(identity), form is Representation.JSON)
            return self._cache.get(key, (state.revision, state.definitions), draw)


@dataclass(frozen=True, slots=True)
class Answered:
    """What one mirror lists."""

    index: IndexName
    listing: Listing


@dataclass(frozen=True, slots=True)
class Asked:
    """What the mirrors of a project answered. ``may_ask``: the caller may have all of them asked."""

    answers: Sequence[Answered]
    may_ask: bool
    error: UpstreamError | CameRound | None

    @classmethod
    def all(cls, resolved: Resolved) -> Self:
        """Ask each, where the caller may; what one of them does not answer does not keep the others from it."""
        answers, error = [], None
        for one in resolved.mirrors:
            try:
                listing = one.mirror.listing(resolved.name, may_ask=one.may_ask, direct=one.show is Show.LINKS)
            except (UpstreamError, CameRound) as failure:
                error = error or failure
                continue
            if listing is not None:
                answers.append(Answered(one.mirror.index, listing))
        return cls(answers, all(one.may_ask for one in resolved.mirrors), error)

    @property
    def listings(self) -> Sequence[Listing]:
        """What they list."""
        return [one.listing for one in self.answers]

    @property
    def worst(self) -> Listing | None:
        """The one that can be believed least."""
        listings = self.listings
        return next((one for one in listings if one.is_stale), listings[0] if listings else None)

    @property
    def came_by(self) -> tuple[str, ...]:
        """The servers of this kind by which any of it came, each once."""
        return tuple(dict.fromkeys(server for listing in self.listings for server in listing.came_by))


def _ids(holders: Sequence[ProjectRecord]) -> tuple[int, ...]:
    return tuple(one.id for one in holders)


def _revisions(holders: Sequence[ProjectRecord]) -> tuple[int, ...]:
    return tuple(one.revision for one in holders)


def _written(page: ProjectPage, form: Representation, root: str) -> bytes:
    return project_json(page, root) if form is Representation.JSON else project_html(page, root)
