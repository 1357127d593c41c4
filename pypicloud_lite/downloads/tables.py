"""The table of counts."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Column, Date, Index, Table

from pypicloud_lite.db.schema import TABLE_OPTIONS, metadata
from pypicloud_lite.db.types import name_type

_VERSION = 200

EARLIER = date(1970, 1, 1)
"""The day under which a version's downloads stand that are too old to be told by the day."""

downloads = Table(
    "downloads",
    metadata,
    # Numbers of projects are never given out twice: whoever takes a name that was freed begins at nothing, also when
    # a process still writes down what it counted before. No foreign key: it would lock rows that uploads change.
    Column("project_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", name_type(_VERSION), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Index(None, "day"),
    **TABLE_OPTIONS,
)
