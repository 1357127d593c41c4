"""Deleting a file."""

from __future__ import annotations

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import Author
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown


class Removals:
    """The deletion service."""

    def __init__(self, catalog: Catalog, gate: Gate, ingest: Ingest) -> None:
        self._catalog = catalog
        self._gate = gate
        self._ingest = ingest

    def remove(self, index: IndexName, project: ProjectName, filename: str, identity: Identity, author: Author) -> None:
        """Delete one file of that project; its name stays reserved for the same bytes."""
        self._gate.require(identity, Permission.DELETE, project)
        with self._catalog.read() as catalog:
            record = catalog.file(index, filename) if filename.isascii() else None
        if record is None or record.project != project or not self._ingest.remove(record, author):
            raise NotFound(f"Project {project} has no file {shown(filename)}: nothing was deleted")
