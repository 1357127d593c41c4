"""The tables of access. A name of a user or group is no key of ``users``: it may be known elsewhere only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, UniqueConstraint

from pypicloud_lite.db.schema import TABLE_OPTIONS, metadata
from pypicloud_lite.db.types import UtcDateTime, id_type, name_type, text_type, unicode_type

NAME_LENGTH = 255
"""Characters of the longest name of a user or a group."""

_PATTERN = 128
_KIND = 10

access_state = Table(
    "access_state",
    metadata,
    # One row, with id 1: the lock that all writers take first. ``revision`` changes with every user, group, rule.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
    Column("allow_register", Boolean, nullable=False),
    Column("signing_key", name_type(64), nullable=False),
    Column("imported_at", UtcDateTime, nullable=True),
    **TABLE_OPTIONS,
)

users = Table(
    "users",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("username", unicode_type(NAME_LENGTH), nullable=False),
    Column("password_hash", text_type(), nullable=False),
    # Another one for every password: what was proved with the old one is worth nothing.
    Column("credential_version", name_type(32), nullable=False),
    Column("is_pending", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("username"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

user_groups = Table(
    "user_groups",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("name", unicode_type(NAME_LENGTH), nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", ForeignKey(user_groups.c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("username", unicode_type(NAME_LENGTH), primary_key=True),
    Index(None, "username"),
    **TABLE_OPTIONS,
)

project_grants = Table(
    "project_grants",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("pattern", name_type(_PATTERN), nullable=False),
    Column("kind", name_type(_KIND), nullable=False),
    Column("who", unicode_type(NAME_LENGTH), nullable=False),
    Column("can_read", Boolean, nullable=False),
    Column("can_write", Boolean, nullable=False),
    Column("is_owner", Boolean, nullable=False),
    UniqueConstraint("pattern", "kind", "who"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

role_holders = Table(
    "role_holders",
    metadata,
    Column("id", id_type(), primary_key=True),
    Column("role", name_type(20), nullable=False),
    Column("kind", name_type(_KIND), nullable=False),
    Column("who", unicode_type(NAME_LENGTH), nullable=False),
    UniqueConstraint("role", "kind", "who"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

tokens = Table(
    "tokens",
    metadata,
    # Never given out twice: the journal names tokens by it.
    Column("id", id_type(), primary_key=True),
    Column("digest", name_type(64), nullable=False),
    Column("username", unicode_type(NAME_LENGTH), nullable=False),
    Column("name", unicode_type(100), nullable=False),
    Column("scope", text_type(), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=True),
    Column("last_used_at", UtcDateTime, nullable=True),
    Column("last_address", unicode_type(255), nullable=True),
    UniqueConstraint("digest"),
    Index(None, "username"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", name_type(64), primary_key=True),
    Column("username", unicode_type(NAME_LENGTH), nullable=False),
    Column("account_version", name_type(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("address", unicode_type(255), nullable=True),
    Column("user_agent", unicode_type(255), nullable=True),
    Index(None, "username"),
    Index(None, "expires_at"),
    **TABLE_OPTIONS,
)

user_profiles = Table(
    "user_profiles",
    metadata,
    # Of users of any backend.
    Column("username", unicode_type(NAME_LENGTH), primary_key=True),
    Column("email", text_type(), nullable=True),
    Column("title", text_type(), nullable=True),
    Column("description", text_type(), nullable=True),
    Column("custom_data", text_type(), nullable=True),
    # Of a user who came from elsewhere; else the one of ``users`` holds.
    Column("created_at", UtcDateTime, nullable=True),
    Column("modified_at", UtcDateTime, nullable=True),
    **TABLE_OPTIONS,
)

used_signups = Table(
    "used_signups",
    metadata,
    Column("digest", name_type(64), primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
    **TABLE_OPTIONS,
)
