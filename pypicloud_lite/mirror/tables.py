"""What a mirror knows of its upstream. None of it is the only copy of anything but the digests that were seen first."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, LargeBinary, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

from pypicloud_lite.catalog.tables import FILENAME, INDEX_NAME, PROJECT_NAME
from pypicloud_lite.db.schema import TABLE_OPTIONS, metadata
from pypicloud_lite.db.types import UtcDateTime, id_type, name_type, text_type, unicode_type


def _bytes() -> LargeBinary:
    return LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


mirror_pages = Table(
    "mirror_pages",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("index_name", name_type(INDEX_NAME), nullable=False),
    Column("project", name_type(PROJECT_NAME), nullable=False),
    # The page, as codec.py writes it; null where the upstream has no such project, or was never heard of it.
    Column("content", _bytes(), nullable=True),
    Column("absent", Boolean, nullable=False, default=False),
    # Which upstream it is from, and what that one named it by.
    Column("upstream", text_type(), nullable=True),
    Column("etag", text_type(), nullable=True),
    Column("last_modified", text_type(), nullable=True),
    # Drawn anew when the content changes.
    Column("revision", BigInteger, nullable=False, default=0),
    # The youngest file's time.
    Column("newest_at", UtcDateTime, nullable=True),
    # When an upstream last said that it is so, and from when on it is asked again.
    Column("checked_at", UtcDateTime, nullable=True),
    Column("fresh_until", UtcDateTime, nullable=True),
    # Whose turn it is to ask, and until when.
    Column("asking", name_type(32), nullable=True),
    Column("asking_until", UtcDateTime, nullable=True),
    Column("error", text_type(), nullable=True),
    Column("error_kind", name_type(40), nullable=True),
    Column("error_at", UtcDateTime, nullable=True),
    UniqueConstraint("index_name", "project"),
    Index(None, "absent", "fresh_until"),
    Index(None, "error_at"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

mirror_names = Table(
    "mirror_names",
    metadata,
    # What one upstream lists, as PackedNames writes it; null until it was heard of.
    Column("index_name", name_type(INDEX_NAME), primary_key=True),
    Column("upstream", unicode_type(255), primary_key=True),
    Column("content", _bytes(), nullable=True),
    Column("etag", text_type(), nullable=True),
    Column("last_modified", text_type(), nullable=True),
    Column("revision", BigInteger, nullable=False, default=0),
    Column("fresh_until", UtcDateTime, nullable=True),
    Column("asking_until", UtcDateTime, nullable=True),
    **TABLE_OPTIONS,
)

mirror_fetches = Table(
    "mirror_fetches",
    metadata,
    # Files that some process is bringing here now.
    Column("index_name", name_type(INDEX_NAME), primary_key=True),
    Column("filename", name_type(FILENAME), primary_key=True),
    Column("holder", name_type(32), nullable=False),
    # The host, and where on it the bytes lie that came so far.
    Column("host", unicode_type(100), nullable=False),
    Column("place", text_type(), nullable=True),
    Column("until", UtcDateTime, nullable=False),
    **TABLE_OPTIONS,
)

mirror_metadata = Table(
    "mirror_metadata",
    metadata,
    # METADATA of wheels, by the wheel's own hash: of those that are not here too.
    Column("index_name", name_type(INDEX_NAME), primary_key=True),
    Column("filename", name_type(FILENAME), primary_key=True),
    Column("wheel", name_type(140), nullable=False),
    Column("sha256", name_type(64), nullable=False),
    Column("content", _bytes(), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    **TABLE_OPTIONS,
)

mirror_uses = Table(
    "mirror_uses",
    metadata,
    # When a cached file was last asked for; what has no row was not since it came.
    Column("index_name", name_type(INDEX_NAME), primary_key=True),
    Column("filename", name_type(FILENAME), primary_key=True),
    Column("used_at", UtcDateTime, nullable=False),
    **TABLE_OPTIONS,
)

mirror_counts = Table(
    "mirror_counts",
    metadata,
    Column("index_name", name_type(INDEX_NAME), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("what", name_type(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
    **TABLE_OPTIONS,
)

mirror_identity = Table(
    "mirror_identity",
    metadata,
    # One row: by what this server, with all its processes, knows a request of its own that came back.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("value", name_type(32), nullable=False),
    **TABLE_OPTIONS,
)
