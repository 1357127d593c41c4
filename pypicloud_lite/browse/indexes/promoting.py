"""Promotion from a page: into which indexes, and what became of each file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName


class PromotedFile(Protocol):
    """What became of a file, or would; ``why`` it is refused, in a plan."""

    @property
    def filename(self) -> Filename: ...
    @property
    def outcome(self) -> str: ...
    @property
    def why(self) -> str | None: ...


class Promotes(Protocol):
    """The service. ``plan`` says what would become of each file, and changes nothing."""

    def promote(self, request: Any, identity: Identity, author: Author, /) -> Sequence[PromotedFile]: ...
    def plan(self, request: Any, identity: Identity, /) -> Sequence[PromotedFile]: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What a form asks for."""

    source: IndexName
    target: IndexName
    project: ProjectName
    version: str
    filenames: tuple[str, ...]
    move: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it: each file, or why nothing was done, and then what each file had met."""

    order: Order
    files: Sequence[PromotedFile]
    refused: PpcError | None = None


class Promoting:
    """``request`` makes what the service takes, by the names of :class:`Order`."""

    def __init__(self, promotion: Promotes, request: Callable[..., Any], indexes: Indexes, gate: Gate) -> None:
        self._promotion = promotion
        self._request = request
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
        """Do it; a refusal is told with what each of the files met, where that can be said."""
        request = self._request(
            source=order.source,
            target=order.target,
            project=order.project,
            version=order.version,
            filenames=order.filenames or None,
            move=order.move,
        )
        try:
            return Result(order, self._promotion.promote(request, identity, author))
        except PpcError as error:
            return Result(order, self._planned(request, identity), error)

    def _planned(self, request: Any, identity: Identity) -> Sequence[PromotedFile]:
        try:
            return self._promotion.plan(request, identity)
        except PpcError:
            return ()
