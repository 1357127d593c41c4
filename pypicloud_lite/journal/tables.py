"""The journal's table."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table

from pypicloud_lite.db.schema import TABLE_OPTIONS, metadata
from pypicloud_lite.db.types import UtcDateTime, id_type, name_type, text_type, unicode_type

_INDEX_NAME = 121
_PROJECT_NAME = 128

journal = Table(
    "journal",
    metadata,
    Column("id", id_type(), primary_key=True),
    # 0 where nothing in the catalog changed
    Column("serial", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("author", unicode_type(255), nullable=True),
    Column("address", unicode_type(255), nullable=True),
    Column("action", name_type(60), nullable=False),
    Column("index_name", name_type(_INDEX_NAME), nullable=False),
    Column("project", name_type(_PROJECT_NAME), nullable=False),
    Column("subject", unicode_type(255), nullable=True),
    Column("detail", text_type(), nullable=False),
    Column("credential", name_type(40), nullable=True),
    Column("outcome", name_type(20), nullable=False, server_default="done"),
    Index(None, "serial"),
    Index(None, "author", "id"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)
