"""Whose turn it is, of all processes: the one whose statement changes or makes the row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Table, insert, update
from sqlalchemy.exc import IntegrityError

from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.failures import DatabaseLocked


def take_turn(
    database: Database, table: Table, key: Mapping[str, object], free: ColumnElement[bool], turn: Mapping[str, Any]
) -> bool:
    """Write ``turn`` into the row of a key where ``free`` says that it may, or into a new one; False where it is not.

    The key, or a unique constraint of the same columns, is all that a new row may violate. Two transactions at most,
    of a statement each. Where many make the row at once, MySQL ends some of them as deadlocked: they have lost too.
    """
    where = [table.c[name] == value for name, value in key.items()]
    with database.write() as connection:
        if connection.execute(update(table).where(*where, free).values(**turn)).rowcount:
            return True
    try:
        with database.write() as connection:
            connection.execute(insert(table), {**key, **turn})
    except IntegrityError:
        # It is there, and not free; or another process made it at the same moment.
        return False
    except DatabaseLocked:
        return False
    return True
