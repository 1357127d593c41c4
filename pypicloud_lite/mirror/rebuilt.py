"""Before the storage was looked at for the first time, nobody knows which names are ours: none may be sent upstream."""

from __future__ import annotations

from pypicloud_lite.catalog.port import CatalogReader
from pypicloud_lite.kernel.errors import StillRebuilding
from pypicloud_lite.kernel.names import ProjectName


class FirstRebuild:
    """Whether the catalog is whole, as far as a first rebuild makes it so.

    Ask before the project is read: a rebuild that ends in between would have brought it. One query until it is over,
    then none: a process does not see a catalog become new again.
    """

    def __init__(self) -> None:
        self._is_over = False

    def is_over(self, reader: CatalogReader) -> bool:
        """Whether a project that is not there is nobody's."""
        if not self._is_over:
            state = reader.state()
            self._is_over = state.rebuilding_since is None and state.rebuilt_at is not None
        return self._is_over


def may_still_come(project: ProjectName) -> StillRebuilding:
    """What is said of a project meanwhile: it may be ours."""
    return StillRebuilding(f"The index is being rebuilt and project {project} may still come: try again")
