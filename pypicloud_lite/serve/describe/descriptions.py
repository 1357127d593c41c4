"""What packages are, in feeds and numbers: who is told what, and from which questions to the catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.catalog.model import FileRecord, ProjectOverview, ProjectRecord, ProjectStatus, ReleaseRecord
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.serve.cache import Page, PageCache
from pypicloud_lite.serve.describe import feeds
from pypicloud_lite.serve.describe.addresses import project_url, release_url
from pypicloud_lite.serve.describe.feeds import Feed, Item
from pypicloud_lite.serve.describe.newest import newest_readable
from pypicloud_lite.serve.describe.search import Query, best_of
from pypicloud_lite.serve.describe.statistics import statistics_html, statistics_json
from pypicloud_lite.serve.visible import unknown, visible_project

Draw = Callable[[CatalogReader, Callable[[ProjectName], bool]], bytes]


class Descriptions:
    """Documents of one catalog; a warm one costs one indexed query.

    ``base`` is the server's own URL as the caller reaches it, without a slash at the end. A project that is quarantined
    or whose last file is being removed is as unknown as one that never was.
    """

    def __init__(self, catalog: Catalog, gate: Gate, cache: PageCache) -> None:
        self._catalog = catalog
        self._gate = gate
        self._cache = cache

    def releases(self, identity: Identity, index: IndexName, name: ProjectName, base: str) -> Page:
        """The feed of a project's newest releases."""

        def draw(_reader: CatalogReader, record: ProjectRecord, files: Sequence[FileRecord]) -> bytes:
            newest: dict[str, Item] = {}
            # as they came: the first file is what made the release
            for file in files:
                title, link = f"{record.display_name} {file.version}", release_url(base, name, file.version)
                newest.setdefault(file.version, Item(title, link, file.summary, file.uploaded_at))
            feed = Feed(
                f"Releases of {record.display_name}",
                project_url(base, name),
                f"{base}/rss/project/{name}/releases.xml",
                f"The newest releases of {record.display_name}",
                list(newest.values())[: -feeds.RELEASES_OF_PROJECT - 1 : -1],
            )
            return feeds.write(feed)

        return self._of_project(identity, index, name, ("releases", base), draw)

    def updates(self, identity: Identity, index: IndexName, base: str) -> Page:
        """The feed of the newest releases that the caller may read."""

        def draw(reader: CatalogReader, may_read: Callable[[ProjectName], bool]) -> bytes:
            items = [
                Item(
                    f"{one.display_name} {one.version}",
                    release_url(base, one.project, one.version),
                    one.summary,
                    one.uploaded_at,
                )
                for one in newest_readable(reader, index, may_read, feeds.UPDATES)
            ]
            about = "The newest releases on this package index"
            return feeds.write(Feed("Newest releases", f"{base}/", f"{base}/rss/updates.xml", about, items))

        return self._of_index(identity, index, ("updates", base), draw)

    def newcomers(self, identity: Identity, index: IndexName, base: str) -> Page:
        """The feed of the newest projects that the caller may read."""

        def draw(reader: CatalogReader, may_read: Callable[[ProjectName], bool]) -> bytes:
            readable = _readable(reader, index, may_read)
            readable.sort(key=lambda one: one.created_at, reverse=True)
            items = [
                Item(f"{one.display_name} is new", project_url(base, one.name), one.summary, one.created_at)
                for one in readable[: feeds.PROJECTS]
            ]
            about = "The newest projects on this package index"
            return feeds.write(Feed("Newest projects", f"{base}/", f"{base}/rss/packages.xml", about, items))

        return self._of_index(identity, index, ("newcomers", base), draw)

    def statistics(self, identity: Identity, index: IndexName, *, as_json: bool) -> Page:
        """How much there is that the caller may read."""

        def draw(reader: CatalogReader, may_read: Callable[[ProjectName], bool]) -> bytes:
            readable = _readable(reader, index, may_read)
            return statistics_json(readable) if as_json else statistics_html(readable)

        return self._of_index(identity, index, ("statistics", as_json), draw)

    def search(self, identity: Identity, index: IndexName, query: Query) -> list[ReleaseRecord]:
        """Of each project that the query means and the caller may read its best release; one query."""
        self._gate.require_login_where_private(identity)
        with self._catalog.read(snapshot=False) as reader:
            releases = reader.releases_like(index, query.names, query.summaries, every=query.every)
        return [one for one in best_of(releases, self._gate.readable(identity)) if query.means(one)]

    def _of_project(
        self,
        identity: Identity,
        index: IndexName,
        name: ProjectName,
        key: tuple[object, ...],
        draw: Callable[[CatalogReader, ProjectRecord, Sequence[FileRecord]], bytes],
    ) -> Page:
        with visible_project(self._catalog, self._gate, identity, index, name) as (reader, record):
            if record.status is ProjectStatus.QUARANTINED:
                raise unknown(reader, self._gate, identity, name)

            def page() -> Page:
                files = [file for file in reader.files(index, name) if file.is_listed]
                if not files:
                    raise unknown(reader, self._gate, identity, name)
                return Page.of(draw(reader, record, files), record.serial)

            return self._cache.get((*key, index, name), record.revision, page)

    def _of_index(self, identity: Identity, index: IndexName, key: tuple[object, ...], draw: Draw) -> Page:
        """Callers with the same rights share a page, until anything in the catalog changes.

        401 for an anonymous caller where nothing is read without a login by default.
        """
        self._gate.require_login_where_private(identity)
        with self._catalog.read(snapshot=False) as reader:
            revision = reader.state().revision

            def page() -> Page:
                # A serial that hidden projects raise would tell of them.
                return Page.of(draw(reader, self._gate.readable(identity)), serial=0)

            return self._cache.get((*key, index, self._gate.view_key(identity)), revision, page)


def _readable(
    reader: CatalogReader, index: IndexName, may_read: Callable[[ProjectName], bool]
) -> list[ProjectOverview]:
    found = reader.overview(index)
    return [one for one in found if one.status is not ProjectStatus.QUARANTINED and may_read(one.name)]
