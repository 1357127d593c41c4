"""The tables by which projects are found. They hold nothing that the files' rows do not say."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, PrimaryKeyConstraint, SmallInteger, Table, UniqueConstraint

from pypicloud_lite.catalog.tables import FILENAME, INDEX_NAME, PROJECT_NAME, projects
from pypicloud_lite.catalog.words import WORD
from pypicloud_lite.db.schema import TABLE_OPTIONS, metadata
from pypicloud_lite.db.types import UtcDateTime, name_type, text_type, unicode_type

project_search = Table(
    "project_search",
    metadata,
    # One row for each project that can be found: it has a listed file and is not quarantined.
    Column("project_id", ForeignKey(projects.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("index_name", name_type(INDEX_NAME), nullable=False),
    Column("name", name_type(PROJECT_NAME), nullable=False),
    # The release that is offered first.
    Column("version", name_type(FILENAME), nullable=False),
    Column("summary", text_type(), nullable=True),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("yanked", Boolean, nullable=False),
    UniqueConstraint("index_name", "name"),
    **TABLE_OPTIONS,
)

search_terms = Table(
    "search_terms",
    metadata,
    Column("index_name", name_type(INDEX_NAME), nullable=False),
    Column("term", unicode_type(WORD), nullable=False),
    Column("weight", SmallInteger, nullable=False),
    Column("name", name_type(PROJECT_NAME), nullable=False),
    # Everything that a search reads, in its order: no database has to look at the rows.
    PrimaryKeyConstraint("index_name", "term", "weight", "name"),
    Index(None, "index_name", "name"),
    sqlite_with_rowid=False,
    **TABLE_OPTIONS,
)

requirements = Table(
    "requirements",
    metadata,
    Column("index_name", name_type(INDEX_NAME), nullable=False),
    Column("required", name_type(PROJECT_NAME), nullable=False),
    Column("name", name_type(PROJECT_NAME), nullable=False),
    # Whether only extras of the project require it.
    Column("optional", Boolean, nullable=False),
    PrimaryKeyConstraint("index_name", "required", "name"),
    Index(None, "index_name", "name"),
    sqlite_with_rowid=False,
    **TABLE_OPTIONS,
)
