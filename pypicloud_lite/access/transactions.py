"""The database's scopes, in access's own words for a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from pypicloud_lite.db.engine import Database
from pypicloud_lite.kernel.errors import AccessUnavailable, CatalogUnavailable


@contextmanager
def asking(database: Database, *, snapshot: bool = False) -> Iterator[Connection]:
    """One question, or with ``snapshot`` several about one moment; AccessUnavailable when there is no answer."""
    with _translated(), database.read(snapshot=snapshot) as connection:
        yield connection


@contextmanager
def changing(database: Database) -> Iterator[Connection]:
    """A transaction; AccessUnavailable when it cannot be."""
    with _translated(), database.write() as connection:
        yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except CatalogUnavailable as error:
        raise AccessUnavailable(error.message) from error
