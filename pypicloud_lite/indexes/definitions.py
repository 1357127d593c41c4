"""All indexes at one moment, and what is visible where. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pypicloud_lite.access.model import IndexRules
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.kernel.names import IndexName, ProjectName

_NOBODY = IndexRules(owner="", read=frozenset())


@dataclass(frozen=True, slots=True)
class Chain:
    """What one index shows: its own files first, then those of its bases breadth first, mirrors last.

    Of one filename the first index wins. ``whitelist`` are names (or ``*``) that mirrors are asked for though a stage
    of the chain has them.
    """

    index: IndexDefinition
    stages: tuple[IndexName, ...]
    mirrors: tuple[IndexName, ...]
    whitelist: frozenset[str]

    def asks_mirrors(self, project: ProjectName, *, is_private: bool) -> bool:
        """Whether the mirrors count for a project; ``is_private``: a stage of the chain has or had the name."""
        return bool(self.mirrors) and (not is_private or self.is_whitelisted(project))

    def is_whitelisted(self, project: ProjectName) -> bool:
        """Whether what is here of that name does not hide what mirrors have."""
        return "*" in self.whitelist or project.value in self.whitelist


class Definitions:
    """A snapshot; equal ``revision``, equal definitions."""

    def __init__(self, revision: int, defined: Iterable[IndexDefinition], default: IndexName) -> None:
        self.revision = revision
        self.default = default
        self._defined: Mapping[IndexName, IndexDefinition] = {one.name: one for one in defined}
        self._chains: dict[IndexName, Chain | None] = {}

    def __iter__(self) -> Iterator[IndexDefinition]:
        return iter(sorted(self._defined.values(), key=lambda one: one.name))

    def get(self, name: IndexName) -> IndexDefinition | None:
        """The index of that name."""
        return self._defined.get(name)

    def of(self, owner: str) -> list[IndexDefinition]:
        """Those of one owner, by name."""
        return [one for one in self if one.name.owner == owner]

    def rules_of(self, name: IndexName) -> IndexRules | None:
        """For the gate; an index that is not there gives nobody anything."""
        found = self._defined.get(name)
        return _NOBODY if found is None else found.rules

    def chain(self, name: IndexName) -> Chain | None:
        """What the index shows; None where there is no such index. Costs nothing the second time."""
        if name not in self._chains:
            found = self._defined.get(name)
            self._chains[name] = None if found is None else self._resolved(found)
        return self._chains[name]

    def stages(self, name: IndexName) -> tuple[IndexName, ...]:
        """Those of the index's chain; none where there is no such index."""
        chain = self.chain(name)
        return () if chain is None else chain.stages

    def bases_of(self, name: IndexName) -> tuple[IndexName, ...]:
        """The bases of an index that are there and hide what mirrors have."""
        found = self._defined.get(name)
        bases = () if found is None else found.bases
        return tuple(base for base in bases if (one := self._defined.get(base)) is not None and not one.is_mirror)

    def whitelists(self, project: ProjectName) -> bool:
        """Whether any index lets what mirrors have of that name stand beside what is here."""
        return any(
            not {"*", project.value}.isdisjoint(one.options.get("mirror_whitelist", ()))
            for one in self._defined.values()
        )

    def standing_on(self, name: IndexName) -> list[IndexDefinition]:
        """The indexes that name it among their bases."""
        return [one for one in self._defined.values() if name in one.bases]

    def leads_back(self, name: IndexName, bases: Iterable[IndexName]) -> IndexName | None:
        """The first of ``bases`` from which ``name`` would show itself; None where there is none.

        ``name`` need not be there yet: the configuration may have an index stand on one that is not.
        """
        for base in bases:
            if base == name or any(name in self._defined[one].bases for one in self._reached(base)):
                return base
        return None

    def _reached(self, start: IndexName) -> list[IndexName]:
        """Breadth first, each once, those that are not defined left out."""
        order, seen = [], {start}
        queue = [start]
        while queue:
            found = self._defined.get(queue.pop(0))
            if found is None:
                continue
            order.append(found.name)
            new = [base for base in found.bases if base not in seen]
            seen.update(new)
            queue += new
        return order

    def _resolved(self, index: IndexDefinition) -> Chain:
        order = [self._defined[name] for name in self._reached(index.name)]
        stages = [one for one in order if not one.is_mirror]
        whitelist = frozenset(index.options.get("mirror_whitelist", ()))
        # Only the index that is asked decides whether others' lists count too: nobody else exposes its names.
        if index.get("mirror_whitelist_inheritance") == "union":
            whitelist = whitelist.union(*(one.options.get("mirror_whitelist", ()) for one in stages))
        mirrors = tuple(one.name for one in order if one.is_mirror)
        return Chain(index, tuple(one.name for one in stages), mirrors, whitelist)
