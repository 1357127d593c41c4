"""Rows that may be there already: the one statement for it that each kind of database has."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.dml import Insert


def adding(connection: Connection, table: Table, column: str) -> Insert:
    """Inserts rows; ``column`` of one whose primary key is there already grows by the new row's instead.

    Rows belong in the order of their keys, as those of other transactions: then no two can wait for each other.
    """
    kind = connection.dialect.name
    if kind in {"mysql", "mariadb"}:
        into = mysql.insert(table)
        return into.on_duplicate_key_update({column: table.c[column] + into.inserted[column]})
    key = list(table.primary_key.columns)
    if kind == "postgresql":
        there = postgresql.insert(table)
        return there.on_conflict_do_update(index_elements=key, set_={column: table.c[column] + there.excluded[column]})
    here = sqlite.insert(table)
    return here.on_conflict_do_update(index_elements=key, set_={column: table.c[column] + here.excluded[column]})


def replacing(connection: Connection, table: Table) -> Insert:
    """Inserts rows; one whose primary key is there already takes all other values of the new row."""
    key = list(table.primary_key.columns)
    others = [column.name for column in table.columns if not column.primary_key]
    kind = connection.dialect.name
    if kind in {"mysql", "mariadb"}:
        into = mysql.insert(table)
        return into.on_duplicate_key_update({name: into.inserted[name] for name in others})
    if kind == "postgresql":
        there = postgresql.insert(table)
        return there.on_conflict_do_update(index_elements=key, set_={name: there.excluded[name] for name in others})
    here = sqlite.insert(table)
    return here.on_conflict_do_update(index_elements=key, set_={name: here.excluded[name] for name in others})
