"""The Simple API: what is listed for whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord, ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.kernel.errors import CameRound, UpstreamError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.service import Listing, Mirror
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.serve.cache import Page, PageCache
from pypicloud_lite.serve.negotiation import Representation
from pypicloud_lite.serve.pages import ProjectPage, files_html, list_html, list_json, project_html, project_json
from pypicloud_lite.serve.visible import unknown
from pypicloud_lite.upstream.hops import hops


@dataclass(frozen=True, slots=True)
class Moved:
    """The page is another server's."""

    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A page. ``listing`` is what it shows of an upstream, ``failed`` that the upstream gave nothing to show."""

    page: Page
    listing: Listing | None = None
    failed: bool = False


class SimpleApi:
    """Pages of one catalog; a warm page of our own files costs one indexed query, with an upstream's two more."""

    def __init__(self, catalog: Catalog, gate: Gate, cache: PageCache, mirror: Mirror) -> None:
        self._catalog = catalog
        self._gate = gate
        self._cache = cache
        self._mirror = mirror

    @property
    def mirrors(self) -> bool:
        """Whether the mirror's own index answers."""
        return self._mirror.showing.has_index

    def project(
        self, identity: Identity, index: IndexName, name: ProjectName, form: Representation, root: str
    ) -> Answer | Moved:
        """The page of a project; raises what the gate says of one that is unknown or hidden."""
        visible = self._gate.allows(identity, Permission.READ, name)
        if not visible and not identity.is_authenticated:
            raise self._gate.unknown(identity, name)
        with self._catalog.read(snapshot=False) as catalog:
            found = self._mirror.ours.find(catalog, name)
            record = found.record
            show = self._mirror.showing.show(index, name, is_ours=record is not None)
            # The mirror shows nothing of its own: what counts there is whether the name is ours.
            has_files = record is not None and record.file_count > 0 and index != self._mirror.index
            if not visible or (show is Show.NOTHING and not has_files):
                raise unknown(catalog, self._gate, identity, name)
            found.require_known()
            if show is Show.NOTHING and record is not None:
                key = ("project", index, name, form is Representation.JSON, root)
                return Answer(self._cache.get(key, record.revision, lambda: self._own(catalog, record, form, root)))
        if show is Show.REDIRECT:
            return Moved(self._mirror.page_address(name))
        if record is not None and record.status is ProjectStatus.QUARANTINED:
            return Answer(Page.of(_written(ProjectPage.of(record, ()), form, root), record.serial))
        own = record if has_files else None
        return self._merged(identity, index, name, own, form, root, show)

    def _own(self, catalog: CatalogReader, record: ProjectRecord, form: Representation, root: str) -> Page:
        page = ProjectPage.of(record, catalog.files(record.index, record.name))
        return Page.of(_written(page, form, root), record.serial)

    def _merged(
        self,
        identity: Identity,
        index: IndexName,
        name: ProjectName,
        own: ProjectRecord | None,
        form: Representation,
        root: str,
        show: Show,
    ) -> Answer:
        """Our own files, where there are some, and the upstream's; for no longer than it is asked is a scope open."""
        may_ask, direct = self._gate.allows(identity, Permission.FILL_CACHE, name), show is Show.LINKS
        listing, failed = None, False
        try:
            listing = self._mirror.listing(name, may_ask=may_ask, direct=direct)
        except (UpstreamError, CameRound):
            if own is None:
                raise
            failed = True
        if listing is None and own is None:
            raise self._gate.nowhere(identity, name, may_ask=may_ask)

        def draw() -> Page:
            read = listing.read() if listing is not None else None
            if own is None and not may_ask and (read is None or not read.files):
                raise self._gate.nowhere(identity, name, may_ask=may_ask)
            ours = self._files(own) if own is not None else ()
            page = ProjectPage.merged(name, own, ours, read)
            return Page.of(_written(page, form, root), page.serial)

        key = ("merged", index, name, form is Representation.JSON, root, direct, may_ask)
        revision = (own.revision if own is not None else None, listing.key if listing is not None else None)
        return Answer(self._cache.get(key, revision, draw), listing, failed)

    def came_by(self, answer: Answer | Moved) -> tuple[str, ...]:
        """The servers of this kind by which it comes to another one, this one last; nothing where none asks."""
        if not self._mirror.showing.is_on or not hops() or isinstance(answer, Moved):
            return ()
        return (*(answer.listing.came_by if answer.listing is not None else ()), self._mirror.server())

    def _files(self, own: ProjectRecord) -> Sequence[FileRecord]:
        with self._catalog.read(snapshot=False) as catalog:
            return catalog.files(own.index, own.name)

    def upstream_names(self, identity: Identity) -> tuple[int, Iterator[str]]:
        """A number that changes with the upstream's list of projects, and the list; see :meth:`Mirror.listed_names`."""
        self._gate.require_login_where_private(identity)
        return self._mirror.listed_names(may_ask=self._gate.may_fill_cache(identity))

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
        """The list of projects that the caller may read; never a refusal, an empty list at worst.

        Its serial is the highest of what it shows: one that hidden projects raise would tell of them. A quarantined
        project is not in it: what lists no files is not offered.
        """
        with self._catalog.read(snapshot=False) as catalog:
            revision = catalog.state().revision

            def draw() -> Page:
                may_read = self._gate.readable(identity)
                shown = [
                    record
                    for record in catalog.projects(index)
                    if record.status is not ProjectStatus.QUARANTINED and may_read(record.name)
                ]
                serial = max((record.serial for record in shown), default=0)
                write = list_json if form is Representation.JSON else list_html
                return Page.of(b"".join(write((record.name.value for record in shown), serial)), serial)

            key = ("projects", index, self._gate.view_key(identity), form is Representation.JSON)
            return self._cache.get(key, revision, draw)


def _written(page: ProjectPage, form: Representation, root: str) -> bytes:
    return project_json(page, root) if form is Representation.JSON else project_html(page, root)
