"""What pages tell of named indexes, and to whom: as few questions as there are, however many bases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.browse.indexes.tree import Node, tree_of
from pypicloud_lite.browse.indexes.words import rights
from pypicloud_lite.catalog.model import ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.definitions import Chain
from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import IndexName, ProjectName

_PER_PAGE = 50
_READ_AT_ONCE = 400
_COUNTED_BY_NAME = 5000
"""More projects than that, of which some are hidden, are not counted: each name would have to be looked at."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An index in the list; ``projects`` is how many of its own the caller may read, None where that is not told."""

    index: IndexDefinition
    projects: int | None


@dataclass(frozen=True, slots=True)
class IndexList:
    """The list, and what the caller may make: ``owner`` None where it can own no index."""

    indexes: Sequence[Listed]
    owner: str | None
    may_make_mirrors: bool


@dataclass(frozen=True, slots=True)
class ProjectLine:
    """A project that an index shows; ``index`` is the first that has it."""

    name: ProjectName
    display_name: str
    index: IndexName


@dataclass(frozen=True, slots=True)
class IndexView:
    """One index. ``more_after`` is the name after which the list of projects goes on."""

    index: IndexDefinition
    tree: Node
    chain: Chain
    rights: Sequence[tuple[str, str]]
    standing_on: Sequence[IndexName]
    projects: Sequence[ProjectLine]
    more_after: ProjectName | None
    may_configure: bool

    @property
    def may_change(self) -> bool:
        """Whether there is a form for its options."""
        return self.may_configure and self.index.source is not Source.FILE

    @property
    def may_remove(self) -> bool:
        """Whether the caller may remove it, as it is now."""
        is_own = self.index.source is Source.DATABASE and not self.index.is_default
        return self.may_configure and is_own and self.index.volatile


class IndexPages:
    """Questions of the pages; what the caller may not read leaves no trace in any answer."""

    def __init__(self, catalog: Catalog, registry: Registry, indexes: Indexes, gate: Gate) -> None:
        self._catalog = catalog
        self._registry = registry
        self._indexes = indexes
        self._gate = gate

    def has_any(self, identity: Identity) -> bool:
        """Whether there is more to see than the indexes that every server has; asks nobody what is known."""
        definitions = self._registry.known() or self._registry.now()
        named = [one for one in definitions if one.source is not Source.BUILT_IN and not one.is_default]
        return any(self._indexes.may_see(identity, one) for one in named)

    def listed(self, identity: Identity) -> IndexList:
        """All that the caller may know of: two queries, one more where projects have rules of their own."""
        seen = self._indexes.seen(identity)
        counts = self._counts(identity, [one for one in seen if not one.is_mirror])
        owner = identity.username if identity.is_whole and _can_own(identity.username) else None
        return IndexList(
            [Listed(one, counts.get(one.name)) for one in seen], owner, self._indexes.may_make_mirrors(identity)
        )

    def _counts(self, identity: Identity, stages: Sequence[IndexDefinition]) -> dict[IndexName, int]:
        if not stages:
            return {}
        with self._catalog.read(snapshot=False) as reader:
            counts = dict(reader.project_counts([one.name for one in stages]))
            partly = [one.name for one in stages if not self._reads_all(identity, one)]
            few = [name for name in partly if counts[name] <= _COUNTED_BY_NAME]
            records = reader.projects_of(few) if few else ()
        may_read = {name: self._gate.readable(identity, name) for name in few}
        for name in partly:
            del counts[name]
        counts.update(dict.fromkeys(few, 0))
        for one in records:
            if one.status is not ProjectStatus.QUARANTINED and may_read[one.index](one.name):
                counts[one.index] += 1
        return counts

    def _reads_all(self, identity: Identity, index: IndexDefinition) -> bool:
        if self._gate.reads_everything(identity):
            return True
        is_listed = index.rules is not None and index.rules.read is not None
        is_whole = identity.scope is None or identity.scope.is_admin
        return is_listed and is_whole and self._gate.may_read_somewhere(identity, index.name)

    def index(self, identity: Identity, name: IndexName, part: str = "", after: str = "") -> IndexView:
        """One index, with the projects whose names hold ``part`` and come after ``after``.

        One query for the projects of all its stages, more only where most are hidden from the caller.
        """
        index = self._indexes.get(identity, name)
        definitions = self._registry.now()
        chain = definitions.chain(name)
        assert chain is not None, "it was there a moment ago"  # noqa: S101  for the type checker
        projects, more_after = self._projects(identity, chain, part, after)
        return IndexView(
            index,
            tree_of(definitions, index, lambda one: self._indexes.may_see(identity, one)),
            chain,
            rights(index),
            [one.name for one in definitions.standing_on(name) if self._indexes.may_see(identity, one)],
            projects,
            more_after,
            self._gate.may_configure(identity, name),
        )

    def _projects(
        self, identity: Identity, chain: Chain, part: str, after: str
    ) -> tuple[Sequence[ProjectLine], ProjectName | None]:
        """A page of them; the name after which it goes on is one that is shown, as any other would tell of it."""
        if not chain.stages:
            return (), None
        first: dict[ProjectName, ProjectRecord] = {}
        shown = self._shown(identity, chain)
        order = {name: place for place, name in enumerate(chain.stages)}
        limit = max(_READ_AT_ONCE, 2 * len(chain.stages))
        with self._catalog.read(snapshot=False) as reader:
            while len(first) <= _PER_PAGE:
                rows = reader.projects_within(chain.stages, part, after, limit)
                is_last = len(rows) < limit
                # The last name of a full answer may have more rows than came.
                whole = rows if is_last else [one for one in rows if one.name != rows[-1].name]
                for one in filter(shown, whole):
                    before = first.get(one.name)
                    if before is None or order[one.index] < order[before.index]:
                        first[one.name] = one
                if is_last:
                    break
                after, limit = whole[-1].name.value, limit * 10
        page = list(first.values())[:_PER_PAGE]
        lines = [ProjectLine(one.name, one.display_name, one.index) for one in page]
        return lines, page[-1].name if len(first) > _PER_PAGE else None

    def _shown(self, identity: Identity, chain: Chain) -> Callable[[ProjectRecord], bool]:
        here = self._gate.readable(identity, chain.index.name)
        there = {stage: self._gate.readable(identity, stage) for stage in chain.stages}
        return lambda one: here(one.name) and there[one.index](one.name)


def _can_own(username: str | None) -> bool:
    try:
        IndexName(username or "", "any")
    except InvalidName:
        return False
    return True
