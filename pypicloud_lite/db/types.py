"""Column types that mean the same on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

_ASCII_BINARY = {"charset": "ascii", "collation": "ascii_bin"}
_UTF8_BINARY = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}


def name_type(length: int) -> TypeEngine[str]:
    """ASCII text that compares and sorts by its bytes."""
    return (
        String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, **_ASCII_BINARY), "mysql", "mariadb")
    )


def unicode_type(length: int) -> TypeEngine[str]:
    """Any text of at most ``length`` characters that compares and sorts by its bytes."""
    return (
        String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, **_UTF8_BINARY), "mysql", "mariadb")
    )


def text_type() -> TypeEngine[str]:
    """Text of any length, such as JSON: MariaDB's TEXT would end at 64 KiB."""
    return Text().with_variant(mysql.LONGTEXT(**_UTF8_BINARY), "mysql", "mariadb")


def id_type() -> TypeEngine[int]:
    """A 64-bit key; SQLite gives out numbers only for a column that is exactly INTEGER."""
    return BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in UTC, to the microsecond; a naive value is refused on the way in."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose a type that keeps microseconds."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; only PostgreSQL keeps the zone itself."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """Say what the column means: UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def storable(text: str) -> str:
    """Text that every database takes: PostgreSQL has no NUL, and no database half a surrogate pair."""
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
