"""The catalog's tables. Migrations do not import this; a test compares both."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)

from pypicloud_lite.db.schema import TABLE_OPTIONS, metadata
from pypicloud_lite.db.types import UtcDateTime, id_type, name_type, text_type, unicode_type

INDEX_NAME = 121
PROJECT_NAME = 128
FILENAME = 200
ATTACHMENT = 240
_STORAGE_KEY = 900
_MYSQL_KEY_PREFIX = 255

catalog_state = Table(
    "catalog_state",
    metadata,
    # One row, with id 1: the lock that all writers take first.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("serial", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("rebuilding_since", UtcDateTime, nullable=True),
    Column("rebuilt_at", UtcDateTime, nullable=True),
    # What searches find is still to be filled in for the projects above this id; null when it is done.
    Column("search_after", BigInteger, nullable=True),
    # Drawn anew when an index is defined, changed or removed.
    Column("definitions", BigInteger, nullable=False, server_default="0"),
    **TABLE_OPTIONS,
)

indexes = Table(
    "indexes",
    metadata,
    Column("index_name", name_type(INDEX_NAME), primary_key=True),
    Column("kind", name_type(10), nullable=False),
    Column("options", text_type(), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    **TABLE_OPTIONS,
)

# Those that need no row of the former, as the server that started last had them: names that are lost by the next one's
# configuration stay private.
configured_indexes = Table(
    "configured_indexes",
    metadata,
    Column("index_name", name_type(INDEX_NAME), primary_key=True),
    Column("kind", name_type(10), nullable=False),
    Column("source", name_type(20), nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("bases", text_type(), nullable=False),
    **TABLE_OPTIONS,
)

# Removed by requests, and perhaps not yet all of what was in them.
dropped_indexes = Table(
    "dropped_indexes",
    metadata,
    Column("index_name", name_type(INDEX_NAME), primary_key=True),
    **TABLE_OPTIONS,
)

projects = Table(
    "projects",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("index_name", name_type(INDEX_NAME), nullable=False),
    Column("name", name_type(PROJECT_NAME), nullable=False),
    Column("display_name", unicode_type(FILENAME), nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("status", name_type(20), nullable=False),
    Column("status_reason", text_type(), nullable=True),
    # Since when project.json has to be written anew; for long only where the one who changed the row died.
    Column("document_due", UtcDateTime, nullable=True),
    UniqueConstraint("index_name", "name"),
    Index(None, "document_due"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

files = Table(
    "files",
    metadata,
    # Never given out twice: a stale id must not reach another file.
    Column("id", id_type(), primary_key=True),
    Column("project_id", ForeignKey(projects.c.id), nullable=False),
    Column("index_name", name_type(INDEX_NAME), nullable=False),
    Column("filename", name_type(FILENAME), nullable=False),
    Column("version", name_type(FILENAME), nullable=False),
    Column("packagetype", name_type(20), nullable=False),
    Column("python", name_type(FILENAME), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", name_type(64), nullable=False),
    Column("blake2b_256", name_type(64), nullable=False),
    Column("md5", name_type(32), nullable=False),
    Column("storage_key", unicode_type(_STORAGE_KEY), nullable=False),
    Column("home", unicode_type(_STORAGE_KEY), nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("uploader", unicode_type(255), nullable=True),
    Column("requires_python", text_type(), nullable=True),
    Column("summary", text_type(), nullable=True),
    Column("metadata_sha256", name_type(64), nullable=True),
    Column("signed", Boolean, nullable=False),
    Column("yanked", Boolean, nullable=False),
    Column("yanked_reason", text_type(), nullable=True),
    Column("origin", name_type(20), nullable=False),
    Column("manifest", name_type(20), nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("history", text_type(), nullable=True),
    UniqueConstraint("index_name", "filename"),
    Index(None, "project_id"),
    Index(None, "manifest", "uploaded_at"),
    Index(None, "index_name", "uploader", "uploaded_at"),
    Index(None, "storage_key", mysql_length=_MYSQL_KEY_PREFIX, mariadb_length=_MYSQL_KEY_PREFIX),
    Index(None, "home", mysql_length=_MYSQL_KEY_PREFIX, mariadb_length=_MYSQL_KEY_PREFIX),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

file_metadata = Table(
    "file_metadata",
    metadata,
    # Apart from ``files``: a project's page never reads it.
    Column("file_id", ForeignKey(files.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("core", text_type(), nullable=False),
    **TABLE_OPTIONS,
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("index_name", name_type(INDEX_NAME), nullable=False),
    Column("project", name_type(PROJECT_NAME), nullable=False),
    Column("filename", name_type(FILENAME), nullable=False),
    Column("sha256", name_type(64), nullable=False),
    Column("serial", BigInteger, nullable=False),
    UniqueConstraint("index_name", "filename"),
    Index(None, "index_name", "project"),
    **TABLE_OPTIONS,
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("index_name", name_type(INDEX_NAME), nullable=False),
    Column("project", name_type(PROJECT_NAME), nullable=False),
    Column("version", name_type(FILENAME), nullable=False),
    Column("kind", name_type(20), nullable=False),
    # That of documentation is made of project and version: a release has one.
    Column("filename", name_type(ATTACHMENT), nullable=False),
    Column("for_file", name_type(FILENAME), nullable=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", name_type(64), nullable=False),
    Column("storage_key", unicode_type(_STORAGE_KEY), nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("uploader", unicode_type(255), nullable=True),
    Column("serial", BigInteger, nullable=False),
    UniqueConstraint("index_name", "filename"),
    Index(None, "index_name", "project"),
    Index(None, "storage_key", mysql_length=_MYSQL_KEY_PREFIX, mariadb_length=_MYSQL_KEY_PREFIX),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

filename_taken = next(c for c in files.constraints if isinstance(c, UniqueConstraint))
"""The constraint that decides every race for a filename."""

attachment_taken = next(c for c in attachments.constraints if isinstance(c, UniqueConstraint))
"""As above, for attachments."""
