"""The table of what imports have seen."""

from __future__ import annotations

from sqlalchemy import Column, Table

from pypicloud_lite.db.schema import TABLE_OPTIONS, metadata
from pypicloud_lite.db.types import UtcDateTime, name_type, unicode_type

# An index's name, a slash and the longest name of documentation.
_NAME = 400

devpi_imports = Table(
    "devpi_imports",
    metadata,
    Column("kind", name_type(20), primary_key=True),
    Column("name", unicode_type(_NAME), primary_key=True),
    Column("imported_at", UtcDateTime, nullable=False),
    **TABLE_OPTIONS,
)
