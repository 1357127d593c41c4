"""What is attached to releases: documentation, and results of tests."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


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
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def _time() -> sa.types.TypeEngine[Any]:
    return (
        sa.DateTime()
        .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("project", _name(128), nullable=False),
        sa.Column("version", _name(200), nullable=False),
        sa.Column("kind", _name(20), nullable=False),
        sa.Column("filename", _name(240), nullable=False),
        sa.Column("for_file", _name(200), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", _name(64), nullable=False),
        sa.Column("storage_key", _unicode(900), nullable=False),
        sa.Column("uploaded_at", _time(), nullable=False),
        sa.Column("uploader", _unicode(255), nullable=True),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
        sa.UniqueConstraint("index_name", "filename", name="uq_attachments_index_name_filename"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_index("ix_attachments_index_name_project", "attachments", ["index_name", "project"])
    # InnoDB's index entries end at 3072 bytes, fewer than 900 characters may have.
    op.create_index("ix_attachments_storage_key", "attachments", ["storage_key"], mysql_length=255, mariadb_length=255)


def downgrade() -> None:
    op.drop_table("attachments")
