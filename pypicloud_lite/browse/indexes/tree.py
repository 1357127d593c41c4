"""The bases of an index, drawn as a tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pypicloud_lite.indexes.definitions import Definitions
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.kernel.names import IndexName

_DEEPEST = 8
"""As far as it is drawn: a phone has no room for more."""


@dataclass(frozen=True, slots=True)
class Node:
    """One index of the tree. ``name`` is None where the caller may not know of it.

    ``place`` is when it is looked through: 1 is the index itself. ``index`` is None of one that is not there, or not
    told of; ``is_again`` of one that is drawn with its bases elsewhere, ``goes_on`` where those are left out.
    """

    name: IndexName | None
    place: int | None = None
    index: IndexDefinition | None = None
    is_again: bool = False
    goes_on: bool = False
    bases: Sequence[Node] = ()


def tree_of(definitions: Definitions, index: IndexDefinition, sees: Callable[[IndexDefinition], bool]) -> Node:
    """The index with its bases, each drawn once with those of its own."""
    chain = definitions.chain(index.name)
    order = () if chain is None else (*chain.stages, *chain.mirrors)
    places = {name: place for place, name in enumerate(order, 1)}
    drawn: set[IndexName] = set()

    def node(name: IndexName, depth: int) -> Node:
        found = definitions.get(name)
        if found is None:
            return Node(name)
        if found is not index and not sees(found):
            return Node(None, places.get(name))
        is_again, is_deep = name in drawn, depth >= _DEEPEST
        drawn.add(name)
        below = () if is_again or is_deep else [node(base, depth + 1) for base in found.bases]
        return Node(name, places.get(name), found, is_again and bool(found.bases), is_deep and bool(found.bases), below)

    return node(index.name, 0)
