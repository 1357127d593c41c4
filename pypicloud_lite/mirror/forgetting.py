"""What is left of a mirror index that is no more."""

from __future__ import annotations

from sqlalchemy import delete

from pypicloud_lite.db.engine import Database
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror import tables

_TABLES = (
    tables.mirror_pages,
    tables.mirror_names,
    tables.mirror_fetches,
    tables.mirror_metadata,
    tables.mirror_uses,
    tables.mirror_counts,
)


def forget_mirror(database: Database, index: IndexName) -> None:
    """Forget pages, names, METADATA and counts; the files themselves are the catalog's. A statement each."""
    for table in _TABLES:
        with database.write() as connection:
            connection.execute(delete(table).where(table.c.index_name == str(index)))
