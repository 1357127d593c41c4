"""Mirrors with their parts, and what is done about them beside answering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.db.engine import Database
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.indexes.settings import IndexSettings
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import ConfigError, NotFound
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.asking import Asking
from pypicloud_lite.mirror.documents import Documents
from pypicloud_lite.mirror.eviction import Eviction
from pypicloud_lite.mirror.fetch_store import FetchStore
from pypicloud_lite.mirror.fetching import Fetching
from pypicloud_lite.mirror.flights import Threads, WaitingRoom
from pypicloud_lite.mirror.identity import ServerName
from pypicloud_lite.mirror.names import MirrorNames
from pypicloud_lite.mirror.ours import Ours
from pypicloud_lite.mirror.page_store import PageStore
from pypicloud_lite.mirror.pages import MirrorPages
from pypicloud_lite.mirror.pinning import Pinning
from pypicloud_lite.mirror.registry import Mirrors, Plan
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.mirror.showing import MIRROR_INDEX, Showing
from pypicloud_lite.mirror.terms import Terms
from pypicloud_lite.mirror.usage import Usage
from pypicloud_lite.settings.load import Loaded
from pypicloud_lite.storage.port import Storage
from pypicloud_lite.upstream.deferred import DeferredUpstream
from pypicloud_lite.upstream.hops import via
from pypicloud_lite.upstream.port import Upstream
from pypicloud_lite.upstream.settings import UpstreamSettings, places

if TYPE_CHECKING:
    from pypicloud_lite.upstream.uploading import Uploader

_WAITING = 12
"""Requests of one process that may wait for upstreams at once: half of its threads."""
_OTHERS = 6
"""And those on behalf of other servers of this kind, for which the former may be waiting."""
_FILES = 64
"""Files that one process brings at a time: each is a thread and a descriptor or two."""


def build_mirrors(
    settings: Loaded,
    default: IndexName,
    database: Database,
    catalog: Catalog,
    storage: Storage,
    ingest: Ingest,
    registry: Registry,
    clock: Clock,
) -> Mirrors:
    """Construct them; asks nobody. ``ConfigError`` where an upstream's certificate cannot be read, or the like."""
    problems: list[str] = []
    hosts = places(settings.get(IndexSettings).mirror_hosts, "index.mirror_hosts", problems)
    if problems:
        raise ConfigError(*problems)
    build = _Builder(settings, hosts, default, database, catalog, storage, ingest, registry, clock=clock)
    mirrors = Mirrors(registry, build, build.ours)
    # What the configuration has wrong is told at the start.
    _ = mirrors.built_in
    return mirrors


class _Builder:
    """Makes mirrors; what limits a process's threads is shared by all of them."""

    def __init__(
        self,
        settings: Loaded,
        hosts: frozenset[tuple[str, int]],
        default: IndexName,
        database: Database,
        catalog: Catalog,
        storage: Storage,
        ingest: Ingest,
        registry: Registry,
        *,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._hosts = hosts
        self._default = default
        self._database = database
        self._catalog = catalog
        self._storage = storage
        self._ingest = ingest
        self._registry = registry
        self._clock = clock
        self._server = ServerName(database)
        self._room, self._others_room = WaitingRoom(_WAITING), WaitingRoom(_OTHERS)
        self._threads, self._file_threads = Threads(), Threads(_FILES)
        self._curation = settings.get(MirrorSettings).curation()
        self.ours = Ours(default, has_mirror=True)

    def __call__(self, plan: Plan, before: Mirror | None) -> Mirror:
        index, database, clock, room = plan.index, self._database, self._clock, self._room
        is_defined = "mirror_url" in plan.options
        own = self._settings.get(MirrorSettings)
        showing, terms = Showing(own, self._default, index, is_defined=is_defined), Terms.of(own, plan.options)
        upstreams = self._upstreams(plan) if showing.is_on else ()
        usage = before.usage if before is not None else Usage(database, index, clock)
        store = PageStore(database, index)
        asking = Asking(index, upstreams, store, self._catalog, usage, clock, terms)
        fetching = before.fetching if before is not None else self._fetching(index, store, usage)
        threads = self._threads
        return Mirror(
            showing=showing,
            ours=self.ours if showing.is_on else Ours(self._default, has_mirror=False),
            curation=self._curation,
            pages=MirrorPages(
                store, asking, self._curation, room, self._others_room, usage, clock, terms, threads=threads
            ),
            names=MirrorNames(database, index, upstreams, room, clock, threads),
            upstreams=upstreams,
            fetching=fetching,
            documents=Documents(database, index, fetching, room, clock, threads),
            usage=usage,
            room=room,
            server=self._server,
            catalog=self._catalog,
            storage=self._storage,
            clock=clock,
            terms=terms,
            index=index,
        )

    def _fetching(self, index: IndexName, store: PageStore, usage: Usage) -> Fetching:
        return Fetching(
            index,
            FetchStore(self._database, index),
            self._storage,
            self._catalog,
            self._ingest,
            usage,
            self._clock,
            pinning=Pinning(store),
            threads=self._file_threads,
            admit=partial(self._admit, index),
        )

    def _admit(self, index: IndexName, reader: CatalogReader) -> None:
        """Into a mirror that was removed while the file came, nothing comes any more."""
        if index == MIRROR_INDEX:
            return
        definition = self._registry.current(reader, reader.state().definitions).get(index)
        if definition is None or not definition.is_mirror:
            raise NotFound(f"There is no mirror index {index} here any more")

    def _upstreams(self, plan: Plan) -> Sequence[Upstream]:
        settings, server = self._settings.get(UpstreamSettings), self._server
        url = plan.options.get("mirror_url")
        if url is not None:
            peer = settings.peer_at(url.strip(), self._hosts, is_trusted=plan.is_trusted)
            return [DeferredUpstream(peer, lambda: via(server()))]
        # Here, as importing the client takes a third of a second, and most servers start without.
        from pypicloud_lite.upstream.http import HttpUpstream

        return [HttpUpstream(peer, via=lambda: via(server())) for peer in settings.peers()]


def uploader(settings: Loaded) -> Callable[[], Uploader]:
    """Makes what uploads to other servers, when it is wanted first."""

    @cache
    def make() -> Uploader:
        from pypicloud_lite.upstream.uploading import Uploader

        return Uploader(settings.get(UpstreamSettings).peers()[0])

    return make


def mirror_chores(mirrors: Mirrors, eviction: Eviction, settings: MirrorSettings) -> Mapping[str, Callable[[], object]]:
    """What is done about mirrors by the minute."""

    def write() -> None:
        for mirror in mirrors.in_use():
            mirror.usage.write()

    def forget() -> None:
        for mirror in mirrors.in_use():
            mirror.forget()

    def uses() -> None:
        if mirrors.in_use():
            eviction.forget_uses()

    def make_room() -> None:
        if settings.quota is not None and mirrors.in_use():
            eviction.evict(settings.quota)

    return {
        "write down what mirrors did": write,
        "forget what mirrors do not need": forget,
        "forget uses of files that are gone": uses,
        "make room in the mirrors": make_room,
    }
