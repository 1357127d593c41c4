"""Makes the projects findable that were there before the catalog could be searched."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.sidecars import HOUSEKEEPING

_log = structlog.get_logger("pypicloud_lite.search")

_AT_ONCE = 50
_PAUSE = 0.02


class SearchFilling:
    """Short transactions with pauses, in which uploads have their turn; it goes on where another process stopped."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.is_done = False

    def run(self, wait: Callable[[float], bool]) -> None:
        """Until nothing is left to do or ``wait`` says to stop; one query where it is so already."""
        with self._catalog.read(snapshot=False) as reader:
            self.is_done = reader.search_is_whole()
        if self.is_done:
            return
        _log.info("making the projects findable that were there before the search")
        more = True
        while more and not wait(_PAUSE):
            with self._catalog.write(HOUSEKEEPING) as writer:
                more = writer.fill_search(_AT_ONCE)
        self.is_done = not more
        if self.is_done:
            _log.info("all projects can be found")
