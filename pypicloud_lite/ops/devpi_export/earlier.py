"""What earlier imports brought or found here: of what is not here any more, somebody removed it since."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import select

from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.upsert import replacing
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.ops.devpi_export.tables import devpi_imports

# Rows that one transaction writes: on SQLite other writers wait for it.
_AT_ONCE = 500
_ALL = select(devpi_imports.c.kind, devpi_imports.c.name)


class Kind(StrEnum):
    """Kinds of things that leave nothing behind, by which to tell, when they are removed."""

    USER = "user"
    INDEX = "index"
    PROJECT = "project"
    DOCS = "docs"


class EarlierImports:
    """Read once, when it is made. With ``again`` nothing counts as removed; with ``dry_run`` nothing is noted."""

    def __init__(self, database: Database, clock: Clock, *, again: bool, dry_run: bool) -> None:
        self._database = database
        self._clock = clock
        self._dry_run = dry_run
        self.again = again
        with database.read(snapshot=False) as connection:
            self._noted = {(Kind(kind), name) for kind, name in connection.execute(_ALL)}

    def has(self, kind: Kind, name: object) -> bool:
        """Whether it came along before, or was here then."""
        return (kind, str(name)) in self._noted and not self.again

    def note(self, kind: Kind, names: Iterable[object]) -> None:
        """Remember what is here now; who called this before it is here would, if killed, keep it out for good."""
        new = sorted({str(name) for name in names} - {name for of, name in self._noted if of is kind})
        if self._dry_run:
            return
        for start in range(0, len(new), _AT_ONCE):
            part = new[start : start + _AT_ONCE]
            rows = [{"kind": kind.value, "name": name, "imported_at": self._clock()} for name in part]
            with self._database.write() as connection:
                connection.execute(replacing(connection, devpi_imports), rows)
            self._noted |= {(kind, name) for name in part}
