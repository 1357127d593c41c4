"""What is to be remembered of indexes: those that the configuration had last, those that requests removed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


_TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _name(length: int) -> sa.types.TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
    )


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "configured_indexes",
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("kind", _name(10), nullable=False),
        sa.Column("source", _name(20), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("bases", _text(), nullable=False),
        sa.PrimaryKeyConstraint("index_name", name="pk_configured_indexes"),
        **_TABLE,
    )
    op.create_table(
        "dropped_indexes",
        sa.Column("index_name", _name(121), nullable=False),
        sa.PrimaryKeyConstraint("index_name", name="pk_dropped_indexes"),
        **_TABLE,
    )


def downgrade() -> None:
    op.drop_table("dropped_indexes")
    op.drop_table("configured_indexes")
