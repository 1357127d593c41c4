"""Promotion from a page: into which indexes, and what became of each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.publish.promotion import Promoted, Promotion, PromotionRequest


@dataclass(frozen=True, slots=True)
class Order:
    """What a form asks for."""

    source: IndexName
    target: IndexName
    project: ProjectName
    version: str
    filenames: tuple[str, ...]
    move: bool
    docs: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it: each file, or why nothing was done."""

    order: Order
    files: Sequence[Promoted]
    refused: PpcError | None = None


class Promoting:
    """What a form's order comes to."""

    def __init__(self, promotion: Promotion, indexes: Indexes, gate: Gate) -> None:
        self._promotion = promotion
        self._indexes = indexes
        self._gate = gate

    def targets(self, identity: Identity, project: ProjectName) -> Sequence[IndexName]:
        """Where the caller may put files of the project."""
        return [
            one.name
            for one in self._indexes.seen(identity)
            if not one.is_mirror and self._gate.allows(identity, Permission.WRITE, project, one.name)
        ]

    def promote(self, order: Order, identity: Identity, author: Author) -> Result:
        """Do it, or tell why nothing was done."""
        request = PromotionRequest(
            order.source, order.target, order.project, order.version, order.filenames, order.move, order.docs
        )
        try:
            return Result(order, self._promotion.promote(request, identity, author))
        except PpcError as error:
            return Result(order, (), error)
