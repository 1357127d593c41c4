"""What an import did, and what it could not do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from pypicloud_lite.kernel.errors import Conflict, InvalidRequest, TooLarge
from pypicloud_lite.kernel.names import IndexName, shown


@dataclass(slots=True)
class ImportReport:
    """``left`` are lines about what was not carried over, ``notes`` about what a person should know besides.

    What was there already, as this import would have made it, is counted under ``..._there``.
    """

    users: int = 0
    users_there: int = 0
    indexes: int = 0
    indexes_there: int = 0
    files: int = 0
    files_there: int = 0
    docs: int = 0
    docs_there: int = 0
    results: int = 0
    results_there: int = 0
    names: int = 0
    names_there: int = 0
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, *, is_new: bool) -> None:
        """One more of a kind that was brought, or was there."""
        name = what if is_new else f"{what}_there"
        setattr(self, name, getattr(self, name) + 1)

    @contextmanager
    def leaving(self, index: IndexName, relpath: str) -> Iterator[None]:
        """A line about a file instead of the error for which it cannot be carried over; outages are no such errors."""
        try:
            yield
        except (InvalidRequest, Conflict, TooLarge) as error:
            self.left.append(f"{index}: {shown(relpath, 300)}: {error.message}")
        except OSError as error:
            self.left.append(f"{index}: {shown(relpath, 300)}: cannot be read: {error.strerror}")

    def counts(self) -> dict[str, int]:
        """The numbers, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in {"left", "notes"}}

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {**self.counts(), "not_carried_over": self.left, "notes": self.notes}
