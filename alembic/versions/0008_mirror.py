"""What a mirror knows of its upstream: pages, METADATA, files on their way, uses and counts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


_TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_UTF8 = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}


def _name(length: int) -> sa.types.TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
    )


def _unicode(length: int) -> sa.types.TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, **_UTF8), "mysql", "mariadb")
    )


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.LONGTEXT(**_UTF8), "mysql", "mariadb")


def _bytes() -> sa.types.TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _time() -> sa.types.TypeEngine[Any]:
    return (
        sa.DateTime()
        .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def upgrade() -> None:
    op.create_table(
        "mirror_pages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("project", _name(128), nullable=False),
        sa.Column("content", _bytes(), nullable=True),
        sa.Column("absent", sa.Boolean(), nullable=False),
        sa.Column("upstream", _text(), nullable=True),
        sa.Column("etag", _text(), nullable=True),
        sa.Column("last_modified", _text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("newest_at", _time(), nullable=True),
        sa.Column("checked_at", _time(), nullable=True),
        sa.Column("fresh_until", _time(), nullable=True),
        sa.Column("asking", _name(32), nullable=True),
        sa.Column("asking_until", _time(), nullable=True),
        sa.Column("error", _text(), nullable=True),
        sa.Column("error_kind", _name(40), nullable=True),
        sa.Column("error_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_mirror_pages"),
        sa.UniqueConstraint("index_name", "project", name="uq_mirror_pages_index_name_project"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_index("ix_mirror_pages_absent_fresh_until", "mirror_pages", ["absent", "fresh_until"])
    op.create_index("ix_mirror_pages_error_at", "mirror_pages", ["error_at"])
    op.create_table(
        "mirror_names",
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("upstream", _unicode(255), nullable=False),
        sa.Column("content", _bytes(), nullable=True),
        sa.Column("etag", _text(), nullable=True),
        sa.Column("last_modified", _text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("fresh_until", _time(), nullable=True),
        sa.Column("asking_until", _time(), nullable=True),
        sa.PrimaryKeyConstraint("index_name", "upstream", name="pk_mirror_names"),
        **_TABLE,
    )
    op.create_table(
        "mirror_fetches",
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("filename", _name(200), nullable=False),
        sa.Column("holder", _name(32), nullable=False),
        sa.Column("host", _unicode(100), nullable=False),
        sa.Column("place", _text(), nullable=True),
        sa.Column("until", _time(), nullable=False),
        sa.PrimaryKeyConstraint("index_name", "filename", name="pk_mirror_fetches"),
        **_TABLE,
    )
    op.create_table(
        "mirror_metadata",
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("filename", _name(200), nullable=False),
        sa.Column("wheel", _name(140), nullable=False),
        sa.Column("sha256", _name(64), nullable=False),
        sa.Column("content", _bytes(), nullable=False),
        sa.Column("made_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("index_name", "filename", name="pk_mirror_metadata"),
        **_TABLE,
    )
    op.create_table(
        "mirror_uses",
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("filename", _name(200), nullable=False),
        sa.Column("used_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("index_name", "filename", name="pk_mirror_uses"),
        **_TABLE,
    )
    op.create_table(
        "mirror_counts",
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("what", _name(20), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("index_name", "day", "what", name="pk_mirror_counts"),
        **_TABLE,
    )
    op.create_table(
        "mirror_identity",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", _name(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mirror_identity"),
        **_TABLE,
    )


def downgrade() -> None:
    for table in ("identity", "counts", "uses", "metadata", "fetches", "names", "pages"):
        op.drop_table(f"mirror_{table}")
