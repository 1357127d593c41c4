"""The table of long work."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, UniqueConstraint

from pypicloud_lite.db.schema import TABLE_OPTIONS, metadata
from pypicloud_lite.db.types import UtcDateTime, id_type, name_type, text_type, unicode_type

tasks = Table(
    "tasks",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("kind", name_type(40), nullable=False),
    # The kind as long as it runs, then NULL: of two that begin at once the constraint refuses one.
    Column("claim", name_type(40), nullable=True),
    Column("state", name_type(20), nullable=False),
    Column("started_by", unicode_type(255), nullable=True),
    Column("started_at", UtcDateTime, nullable=False),
    # Of one that ended, when it did.
    Column("heartbeat_at", UtcDateTime, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("report", text_type(), nullable=True),
    Column("error", text_type(), nullable=True),
    UniqueConstraint("claim"),
    Index(None, "kind", "id"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

claimed = next(one for one in tasks.constraints if isinstance(one, UniqueConstraint))
"""The constraint that decides every race for a kind of work."""
