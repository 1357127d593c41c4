"""The Simple API: what is listed for whom."""

from __future__ import annotations

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.serve.cache import Page, PageCache
from pypicloud_lite.serve.negotiation import Representation
from pypicloud_lite.serve.pages import ProjectPage, files_html, list_html, list_json, project_html, project_json
from pypicloud_lite.serve.visible import visible_project


class SimpleApi:
    """Pages of one catalog; a warm page costs one indexed query."""

    def __init__(self, catalog: Catalog, gate: Gate, cache: PageCache) -> None:
        self._catalog = catalog
        self._gate = gate
        self._cache = cache

    def project(self, identity: Identity, index: IndexName, name: ProjectName, form: Representation, root: str) -> Page:
        """The page of a project; raises what the gate says of one that is unknown or hidden."""
        with visible_project(self._catalog, self._gate, identity, index, name) as (catalog, record):

            def draw() -> bytes:
                page = ProjectPage.of(record, catalog.files(index, name))
                return project_json(page, root) if form is Representation.JSON else project_html(page, root)

            key = ("project", index, name, form is Representation.JSON, root)
            return self._cache.get(key, record.revision, lambda: Page.of(draw(), record.serial))

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
                return Page.of(write([record.name for record in shown], serial), serial)

            key = ("projects", index, self._gate.view_key(identity), form is Representation.JSON)
            return self._cache.get(key, revision, draw)
