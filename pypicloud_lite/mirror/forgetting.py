"""All that is known by a mirror index that is no more."""

from __future__ import annotations

from sqlalchemy import delete

from pypicloud_lite.db.engine import Database
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.tables import (
    mirror_counts,
    mirror_fetches,
    mirror_metadata,
    mirror_names,
    mirror_pages,
    mirror_uses,
)

_TABLES = (mirror_pages, mirror_names, mirror_metadata, mirror_uses, mirror_counts, mirror_fetches)


def forget_mirror(database: Database, index: IndexName) -> None:
    """Forget its pages with the digests that were seen first, names, METADATA, uses and counts; its files go apart."""
    for table in _TABLES:
        with database.write() as connection:
            connection.execute(delete(table).where(table.c.index_name == str(index)))
