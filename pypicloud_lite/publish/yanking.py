"""Yanking files and releases (PEP 592), and taking it back."""

from __future__ import annotations

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.indexes.changes import Changes, Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidRequest, NotFound

MAX_REASON = 500


class Yanking:
    """The service that marks what installers take only when it is asked for by ``==``."""

    def __init__(self, gate: Gate, changes: Changes) -> None:
        self._gate = gate
        self._changes = changes

    def yank(
        self, selection: Selection, identity: Identity, author: Author, reason: str | None = None
    ) -> list[FileRecord]:
        """Yank what is selected, all at once; a second time may change the reason. Who may delete may do it."""
        return self._mark(selection, identity, author, one_line(reason), yanked=True)

    def restore(self, selection: Selection, identity: Identity, author: Author) -> list[FileRecord]:
        """Take it back."""
        return self._mark(selection, identity, author, None, yanked=False)

    def _mark(
        self, selection: Selection, identity: Identity, author: Author, reason: str | None, *, yanked: bool
    ) -> list[FileRecord]:
        self._gate.require(identity, Permission.YANK, selection.project, selection.index)
        rows = self._changes.yank(selection, author, reason, yanked=yanked)
        if not rows:
            raise NotFound(f"Project {selection.project} has no {selection}: nothing was changed")
        return rows


def one_line(reason: str | None) -> str | None:
    """A reason as pages and installers show it: one line, or None; :class:`InvalidRequest` when it is too long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in reason or "").split())
    if len(line) > MAX_REASON:
        raise InvalidRequest(f"The reason has {len(line)} characters: shorten it to {MAX_REASON}")
    return line or None
