"""The mirror with its parts, and what it does beside answering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.db.engine import Database
from pypicloud_lite.indexes.ingest import Ingest
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
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.mirror.showing import MIRROR_INDEX, Showing
from pypicloud_lite.mirror.usage import Usage
from pypicloud_lite.settings.load import Loaded
from pypicloud_lite.storage.port import Storage
from pypicloud_lite.upstream.hops import via
from pypicloud_lite.upstream.port import Upstream
from pypicloud_lite.upstream.settings import UpstreamSettings

if TYPE_CHECKING:
    from pypicloud_lite.upstream.uploading import Uploader

_WAITING = 12
"""Requests of one process that may wait for upstreams at once: half of its threads."""
_OTHERS = 6
"""And those on behalf of other servers of this kind, for which the former may be waiting."""


def build_mirror(
    settings: Loaded,
    default: IndexName,
    database: Database,
    catalog: Catalog,
    storage: Storage,
    ingest: Ingest,
    clock: Clock,
) -> Mirror:
    """Construct it; asks nobody. ``ConfigError`` where an upstream's certificate cannot be read, or the like."""
    own = settings.get(MirrorSettings)
    showing, curation = Showing(own, default), own.curation()
    server, usage, room = ServerName(database), Usage(database, MIRROR_INDEX, clock), WaitingRoom(_WAITING)
    upstreams = _upstreams(settings.get(UpstreamSettings), server) if showing.is_on else ()
    times = Times(float(own.freshness), float(own.missing_for))
    store = PageStore(database, MIRROR_INDEX)
    asking = Asking(MIRROR_INDEX, upstreams, store, catalog, usage, clock, times)
    fetching = Fetching(MIRROR_INDEX, FetchStore(database, MIRROR_INDEX), storage, catalog, ingest, usage, clock)
    return Mirror(
        showing=showing,
        ours=Ours(default, has_mirror=showing.is_on),
        curation=curation,
        pages=MirrorPages(store, asking, curation, room, WaitingRoom(_OTHERS), usage, clock, times),
        names=MirrorNames(database, MIRROR_INDEX, upstreams, room, clock),
        upstreams=upstreams,
        fetching=fetching,
        documents=Documents(database, MIRROR_INDEX, fetching, room, clock),
        usage=usage,
        room=room,
        server=server,
        catalog=catalog,
        storage=storage,
        clock=clock,
    )


def _upstreams(settings: UpstreamSettings, server: ServerName) -> Sequence[Upstream]:
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


def mirror_chores(mirror: Mirror, eviction: Eviction, settings: MirrorSettings) -> Mapping[str, Callable[[], object]]:
    """What is done about a mirror by the minute; nothing where there is none."""
    if not mirror.showing.is_on:
        return {}
    chores: dict[str, Callable[[], object]] = {
        "write down what the mirror did": mirror.usage.write,
        "forget what the mirror does not need": mirror.forget,
        "forget uses of files that are gone": eviction.forget_uses,
    }
    if settings.quota is not None:
        quota = settings.quota
        chores["make room in the mirror"] = lambda: eviction.evict(quota)
    return chores
