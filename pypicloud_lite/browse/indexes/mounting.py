"""The pages of named indexes, made of the services and put at their addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.indexes.overview import IndexPages
from pypicloud_lite.browse.indexes.project import ProjectsInIndexes
from pypicloud_lite.browse.indexes.promoting import Promoting
from pypicloud_lite.browse.indexes.release.views import ReleaseServices, ReleaseViews
from pypicloud_lite.browse.indexes.switch import IndexSwitch
from pypicloud_lite.browse.indexes.views import IndexPageViews
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.publish.promotion import Promotion
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.publish.yanking import Yanking
from pypicloud_lite.serve.project_files import ProjectLookup
from pypicloud_lite.web.routing import View


class Parts(Protocol):
    """What of the services the pages stand on."""

    @property
    def index(self) -> IndexName: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def indexes(self) -> Indexes: ...
    @property
    def gate(self) -> Gate: ...
    @property
    def lookup(self) -> ProjectLookup: ...
    @property
    def removals(self) -> Removals: ...
    @property
    def promotion(self) -> Promotion: ...
    @property
    def yanking(self) -> Yanking: ...


class NamedIndexPages:
    """``choices`` and ``has_any`` are for other pages: the switch of a project's, and the navigation."""

    def __init__(
        self,
        parts: Parts,
        identity: RequestIdentity,
        base_url: str | None,
    ) -> None:
        self._parts = parts
        self._identity = identity
        self._base_url = base_url
        self._promoting = Promoting(parts.promotion, parts.indexes, parts.gate)
        self._switch = IndexSwitch(parts.catalog, parts.registry, parts.indexes, parts.gate)
        pages = IndexPages(parts.catalog, parts.registry, parts.indexes, parts.gate)
        self._views = IndexPageViews(pages, parts.indexes, identity, base_url)
        self.page: View = self._views.index
        self.choices = self._switch.choices
        self.has_any = pages.has_any

    def mount(self, add: Callable[..., None], project: tuple[str, ...], default: View) -> None:
        """Add them. ``project`` are the addresses of a project, of which ``default`` shows the default index's."""
        parts, views = self._parts, self._views
        shown = ProjectsInIndexes(parts.catalog, parts.gate, parts.indexes, parts.lookup, self._switch, self._promoting)
        services = ReleaseServices(shown, parts.removals, parts.yanking, self._promoting)
        releases = ReleaseViews(services, self._identity, parts.index, default, self._base_url)
        add("page", *project, GET=releases.project)
        add("indexes", *_with_slash("/indexes"), GET=views.indexes, POST=views.create)
        add("indexes.change", *_with_slash("/indexes/change"), POST=views.change)
        add("indexes.remove", *_with_slash("/indexes/remove"), GET=views.confirm, POST=views.remove)
        add("indexes.release", *_with_slash("/indexes/release"), GET=releases.confirm, POST=releases.change)
        add("indexes.promote", *_with_slash("/indexes/promote"), POST=releases.promote)


def _with_slash(path: str) -> tuple[str, str]:
    """Also with a slash, which would else be the address of an index."""
    return path, f"{path}/"
