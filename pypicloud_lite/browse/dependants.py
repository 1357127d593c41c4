"""What a project's page tells of others: which of its requirements are here, and who requires it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pypicloud_lite.catalog.port import CatalogReader
from pypicloud_lite.catalog.search_port import UsedBy
from pypicloud_lite.kernel.names import IndexName, ProjectName

_SHOWN = 20
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Dependants:
    """The first of those that require a project and may be read, and their number; ``more``: there are more."""

    shown: Sequence[UsedBy]
    total: int
    more: bool = False


def relations(
    reader: CatalogReader,
    may_read: Callable[[ProjectName], bool],
    index: IndexName,
    project: ProjectName,
    required: Collection[ProjectName],
) -> tuple[set[ProjectName], Dependants]:
    """Those of ``required`` that are here, and the dependants, both as far as they may be read.

    One query; where 1,000 or more require it one for each further 1,000, until more than so many may be read.
    """
    related = reader.related(index, project, required, "", _AT_ONCE)
    here = {name for name in related.here if may_read(name)}
    batch, readable = related.dependants, [one for one in related.dependants if may_read(one.name)]
    while len(batch) == _AT_ONCE and len(readable) <= _AT_ONCE:
        batch = reader.related(index, project, (), batch[-1].name.value, _AT_ONCE).dependants
        readable += [one for one in batch if may_read(one.name)]
    return here, Dependants(readable[:_SHOWN], min(len(readable), _AT_ONCE), more=len(readable) > _AT_ONCE)
