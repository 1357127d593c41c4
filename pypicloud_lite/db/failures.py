"""What a driver's error means."""

from __future__ import annotations

from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import IntegrityError

from pypicloud_lite.kernel.errors import CatalogUnavailable

_LOCKED = {"55P03", "40P01", "40001", 1205, 1213}
_NO_TABLE = {"42P01", 1146}


class DatabaseLocked(CatalogUnavailable):
    """Another writer has what this one wants, and this one was told to give way."""


def as_unavailable(context: ExceptionContext) -> CatalogUnavailable | None:
    """The error to raise instead when the database is down, locked, full or slow; None for any other."""
    error = context.original_exception
    dbapi = context.dialect.loaded_dbapi
    if (
        context.is_disconnect
        or isinstance(error, (dbapi.OperationalError, dbapi.InterfaceError))
        # Not a subclass: what sqlite3 raises for a file that is damaged or no database.
        or type(error) is dbapi.DatabaseError
        or (_number(error) in _NO_TABLE and not _is_question(context.statement))
    ):
        return unavailable(error)
    return None


def unavailable(error: BaseException) -> CatalogUnavailable:
    """Say what is wrong, without the driver's own words, which name hosts and users."""
    number, text = _number(error), str(error)
    if number in _LOCKED or "is locked" in text:
        return DatabaseLocked("The database is locked by another writer: try again in a moment")
    if number in _NO_TABLE or "no such table" in text:
        return CatalogUnavailable("The database has not been set up: run ppc-db upgrade")
    if "disk is full" in text or number in {"53100", 1021, 1114}:
        return CatalogUnavailable("The disk of the database is full: free some space there")
    if "QueuePool limit" in text:
        return CatalogUnavailable("All database connections are in use: try again in a moment")
    return CatalogUnavailable("The database does not answer: try again in a moment")


def violates(error: IntegrityError, constraint: UniqueConstraint) -> bool:
    """Whether this constraint is the one that was violated."""
    orig: Any = error.orig
    diagnosis = getattr(orig, "diag", None)
    if diagnosis is not None:
        return bool(diagnosis.constraint_name == constraint.name)
    columns = ", ".join(f"{constraint.table.name}.{column.name}" for column in constraint.columns)
    text = str(orig)
    return text.endswith(f"UNIQUE constraint failed: {columns}") or f"{constraint.name}'" in text


def _is_question(statement: str | None) -> bool:
    """Whether SQLAlchemy only asks if a table is there, which MariaDB answers with an error."""
    return statement is not None and statement.startswith("DESCRIBE")


def _number(error: BaseException) -> str | int | None:
    """PyMySQL's error number or psycopg's SQLSTATE."""
    if error.args and isinstance(error.args[0], int):
        return error.args[0]
    state: str | None = getattr(error, "sqlstate", None)
    return state
