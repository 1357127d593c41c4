"""The Simple API: what is listed for whom."""

from __future__ import annotations

from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import CatalogState, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.kernel.errors import CatalogUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.serve.cache import Page, PageCache
from pypicloud_lite.serve.negotiation import Representation
from pypicloud_lite.serve.pages import ProjectPage, list_html, list_json, project_html, project_json


@dataclass(frozen=True, slots=True)
class Listing:
    """A page and the serial of what it shows."""

    page: Page
    serial: int


class StillRebuilding(CatalogUnavailable):
    """The first rebuild of an empty catalog runs: what is not there yet may still come."""

    code = "still-rebuilding"
    retry_after = 10


class SimpleApi:
    """Pages of one catalog; a warm page costs one indexed query."""

    def __init__(self, catalog: Catalog, gate: Gate, cache: PageCache) -> None:
        self._catalog = catalog
        self._gate = gate
        self._cache = cache

    def project(
        self, identity: Identity, index: IndexName, name: ProjectName, form: Representation, root: str
    ) -> Listing:
        """The page of a project; raises what the gate says of one that is unknown or hidden."""
        self._gate.require_read(identity, name)
        with self._catalog.read(snapshot=False) as catalog:
            record = catalog.project(index, name)
            if record is None or not record.file_count:
                raise self._unknown(catalog, identity, name)

            def render() -> bytes:
                page = ProjectPage.of(record, catalog.files(index, name))
                return project_json(page, root) if form is Representation.JSON else project_html(page, root)

            key = ("project", index, name, form is Representation.JSON, root)
            page = self._cache.get(key, record.revision, render)
        return Listing(page, record.serial)

    def projects(self, identity: Identity, index: IndexName, form: Representation) -> Listing:
        """The list of projects that the caller may read; never a refusal, an empty list at worst.

        A quarantined project is not in it: what lists no files is not offered.
        """
        with self._catalog.read(snapshot=False) as catalog:
            state: CatalogState = catalog.state()

            def render() -> bytes:
                may_read = self._gate.readable(identity)
                names = [
                    record.name
                    for record in catalog.projects(index)
                    if record.status is not ProjectStatus.QUARANTINED and may_read(record.name)
                ]
                draw = list_json if form is Representation.JSON else list_html
                return draw(names, state.serial)

            key = ("projects", index, self._gate.view_key(identity), form is Representation.JSON)
            page = self._cache.get(key, state.revision, render)
        return Listing(page, state.serial)

    def _unknown(self, catalog: CatalogReader, identity: Identity, name: ProjectName) -> Exception:
        since = catalog.state().rebuilding_since
        if since is not None and self._gate.allows(identity, Permission.READ, name):
            return StillRebuilding(f"The index is being rebuilt and project {name} may still come: try again")
        return self._gate.unknown(identity, name)
