"""The newest releases that somebody may read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pypicloud_lite.catalog.model import ReleaseRecord
from pypicloud_lite.catalog.port import CatalogReader
from pypicloud_lite.kernel.names import IndexName, ProjectName


def newest_readable(
    reader: CatalogReader, index: IndexName, may_read: Callable[[ProjectName], bool], count: int
) -> Sequence[ReleaseRecord]:
    """One query where all of the newest may be read, else some more, each of which looks ten times as far back."""
    limit = count
    while True:
        found = reader.newest_releases(index, limit)
        readable = [one for one in found if may_read(one.project)][:count]
        if len(readable) == count or len(found) < limit:
            return readable
        limit *= 10
