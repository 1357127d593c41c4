"""In which other indexes a project is: what the switch of its page offers."""

from __future__ import annotations

from collections.abc import Sequence

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.model import Source
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.kernel.names import IndexName, ProjectName


class IndexSwitch:
    """Looks for them: no query where there are only the indexes that every server has, else one."""

    def __init__(self, catalog: Catalog, registry: Registry, indexes: Indexes, gate: Gate) -> None:
        self._catalog = catalog
        self._registry = registry
        self._indexes = indexes
        self._gate = gate

    def choices(self, identity: Identity, project: ProjectName, current: IndexName) -> Sequence[IndexName]:
        """The indexes that show the project's files to the caller, and ``current``; empty where that is all.

        What mirrors have is known to nobody without asking them: their files count for nothing here.
        """
        definitions = self._registry.known() or self._registry.now()
        if all(one.source is Source.BUILT_IN for one in definitions):
            return ()
        with self._catalog.read(snapshot=False) as reader:
            stages = [one.name for one in definitions if not one.is_mirror]
            revision, records = reader.holders(stages, project)
            definitions = self._registry.current(reader, revision)
        holding = {
            one.index
            for one in records
            if one.file_count
            and one.status is not ProjectStatus.QUARANTINED
            and self._gate.allows(identity, Permission.READ, project, one.index)
        }
        found = [current]
        for one in definitions:
            chain = definitions.chain(one.name)
            has_it = chain is not None and not holding.isdisjoint(chain.stages)
            if has_it and one.name != current and self._sees(identity, project, one.name):
                found.append(one.name)
        return sorted(found) if len(found) > 1 else ()

    def _sees(self, identity: Identity, project: ProjectName, name: IndexName) -> bool:
        return self._gate.allows(identity, Permission.READ, project, name)
