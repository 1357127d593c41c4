"""Which names are ours. Before a first rebuild is over nobody knows: none that is not there may be sent upstream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pypicloud_lite.catalog.model import FileRecord, ProjectRecord
from pypicloud_lite.catalog.port import CatalogReader
from pypicloud_lite.kernel.errors import StillRebuilding
from pypicloud_lite.kernel.names import IndexName, ProjectName


@dataclass(frozen=True, slots=True)
class Found:
    """What the default index has of a name. ``may_still_come``: nothing yet, and a rebuild may bring it."""

    name: ProjectName
    record: ProjectRecord | None
    files: Sequence[FileRecord]
    may_still_come: bool

    def require_known(self) -> None:
        """``StillRebuilding`` where it may be ours: no upstream is told its name, and nobody that it is another's."""
        if self.may_still_come:
            raise StillRebuilding.of_project(self.name)


class Ours:
    """Looks for names in the default index; without a mirror nothing hangs on whether the catalog is whole."""

    def __init__(self, index: IndexName, *, has_mirror: bool) -> None:
        self._index = index
        self._is_whole = not has_mirror

    def find(self, reader: CatalogReader, name: ProjectName, *, with_files: bool = False) -> Found:
        """One query; two until the first rebuild is over: a process does not see a catalog become new again."""
        # Before the project is read: a rebuild that ends in between would have brought it.
        is_whole = self.is_whole(reader)
        record, files = (
            reader.project_with_files(self._index, name) if with_files else (reader.project(self._index, name), ())
        )
        return Found(name, record, files, record is None and not is_whole)

    def is_whole(self, reader: CatalogReader) -> bool:
        """Whether a name that the catalog does not know is not ours; no query once that is so."""
        return self._is_whole or self._becomes_whole(reader)

    def _becomes_whole(self, reader: CatalogReader) -> bool:
        state = reader.state()
        self._is_whole = state.rebuilding_since is None and state.rebuilt_at is not None
        return self._is_whole
