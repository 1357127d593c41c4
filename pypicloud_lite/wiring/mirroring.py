"""The mirror with its parts, and what it does beside answering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING

from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.db.engine import Database
from pypicloud_lite.indexes.changes import Changes
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.indexes.settings import IndexSettings
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.asking import Asking, Times
from pypicloud_lite.mirror.documents import Documents
from pypicloud_lite.mirror.eviction import Eviction
from pypicloud_lite.mirror.fetch_store import FetchStore
from pypicloud_lite.mirror.fetching import Fetching
from pypicloud_lite.mirror.flights import WaitingRoom
from pypicloud_lite.mirror.identity import ServerName
from pypicloud_lite.mirror.names import MirrorNames
from pypicloud_lite.mirror.ours import Ours
from pypicloud_lite.mirror.page_store import PageStore
from pypicloud_lite.mirror.pages import MirrorPages
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.mirror.showing import MIRROR_INDEX, NamedShowing, Showing
from pypicloud_lite.mirror.usage import Usage
from pypicloud_lite.settings.load import Loaded
from pypicloud_lite.storage.port import Storage
from pypicloud_lite.upstream.hops import via
from pypicloud_lite.upstream.port import Upstream
from pypicloud_lite.upstream.settings import Peer, UpstreamSettings

if TYPE_CHECKING:
    from pypicloud_lite.upstream.uploading import Uploader

_WAITING = 12
"""Requests of one process that may wait for upstreams at once: half of its threads."""
_OTHERS = 6
"""And those on behalf of other servers of this kind, for which the former may be waiting."""


@dataclass(frozen=True, slots=True)
class MirrorParts:
    """What all mirrors of a process share: also the rooms of those who wait for upstreams."""

    settings: Loaded
    default: IndexName
    database: Database
    catalog: Catalog
    storage: Storage
    ingest: Ingest
    clock: Clock
    registry: Registry
    room: WaitingRoom = field(default_factory=lambda: WaitingRoom(_WAITING))
    others_room: WaitingRoom = field(default_factory=lambda: WaitingRoom(_OTHERS))

    def built_in(self) -> Mirror:
        """``root/pypi`` over the configured upstreams; asks nobody.

        ``ConfigError`` where an upstream's certificate cannot be read, or the like.
        """
        own = self.settings.get(MirrorSettings)
        showing = Showing(own, self.default)
        peers = self.settings.get(UpstreamSettings).peers() if showing.is_on else ()
        return self._mirror(MIRROR_INDEX, showing, peers, Times(float(own.freshness), float(own.missing_for)))

    def named(self, definition: IndexDefinition) -> Mirror:
        """One that a definition names; an ``UpstreamError`` where its address is none."""
        own, options = self.settings.get(MirrorSettings), definition.options
        direct = bool(options.get("mirror_use_external_urls"))
        trusted = self.settings.get(IndexSettings).mirrors_by == "admins" or definition.source is not Source.DATABASE
        peer = self.settings.get(UpstreamSettings).peer_of(options["mirror_url"], trusted=trusted)
        # 0 means that every reader has it asked for; a second keeps a crowd from doing so.
        fresh = float(options.get("mirror_cache_expiry", own.freshness)) or 1.0
        return self._mirror(
            definition.name,
            NamedShowing(own, self.default, direct=direct),
            (peer,),
            Times(fresh, float(own.missing_for)),
            lists_kept=bool(options.get("mirror_no_project_list")),
            hides_metadata=options.get("mirror_provides_core_metadata") is False,
        )

    def _mirror(
        self, index: IndexName, showing: Showing, peers: Sequence[Peer], times: Times, **options: bool
    ) -> Mirror:
        database, catalog, clock = self.database, self.catalog, self.clock
        curation = self.settings.get(MirrorSettings).curation()
        server, usage = ServerName(database), Usage(database, index, clock)
        upstreams = _upstreams(peers, server)
        store = PageStore(database, index)
        asking = Asking(index, upstreams, store, catalog, usage, clock, times)
        fetching = Fetching(
            index,
            FetchStore(database, index),
            self.storage,
            catalog,
            self.ingest,
            usage,
            clock,
            admit=partial(self.registry.require, index),
        )
        return Mirror(
            showing=showing,
            ours=Ours(self.default, has_mirror=showing.is_on),
            curation=curation,
            pages=MirrorPages(store, asking, curation, self.room, self.others_room, usage, clock, times),
            names=MirrorNames(database, index, upstreams, self.room, clock),
            upstreams=upstreams,
            fetching=fetching,
            documents=Documents(database, index, fetching, self.room, clock),
            usage=usage,
            room=self.room,
            server=server,
            catalog=catalog,
            storage=self.storage,
            clock=clock,
            index=index,
            **options,
        )


def _upstreams(peers: Sequence[Peer], server: ServerName) -> Sequence[Upstream]:
    if not peers:
        return ()
    # Here, as importing the client takes a third of a second, and most servers start without.
    from pypicloud_lite.upstream.http import HttpUpstream

    return [HttpUpstream(peer, via=lambda: via(server())) for peer in peers]


def uploader(settings: Loaded) -> Callable[[], Uploader]:
    """Makes what uploads to other servers, when it is wanted first."""

    @cache
    def make() -> Uploader:
        from pypicloud_lite.upstream.uploading import Uploader

        return Uploader(settings.get(UpstreamSettings).peers()[0])

    return make


def mirror_chores(
    mirrors: Mirrors, database: Database, changes: Changes, settings: MirrorSettings
) -> Mapping[str, Callable[[], object]]:
    """What is done about mirrors by the minute; each has the quota for itself."""

    def each(act: Callable[[Mirror], object]) -> Callable[[], object]:
        def chore() -> None:
            for mirror in mirrors.all():
                act(mirror)

        return chore

    def eviction(mirror: Mirror) -> Eviction:
        return Eviction(database, changes, mirror.index)

    chores: dict[str, Callable[[], object]] = {
        "write down what the mirrors did": each(lambda mirror: mirror.usage.write()),
        "forget what the mirrors do not need": each(lambda mirror: mirror.forget()),
        "forget uses of files that are gone": each(lambda mirror: eviction(mirror).forget_uses()),
    }
    if settings.quota is not None:
        quota = settings.quota
        chores["make room in the mirrors"] = each(lambda mirror: eviction(mirror).evict(quota))
    return chores
