"""What people say of themselves."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


_TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _username() -> sa.types.TypeEngine[str]:
    return (
        sa.String(255)
        .with_variant(postgresql.VARCHAR(255, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def _time() -> sa.types.TypeEngine[Any]:
    return (
        sa.DateTime()
        .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def upgrade() -> None:
    op.create_table(
        "user_profiles",
        sa.Column("username", _username(), nullable=False),
        sa.Column("email", _text(), nullable=True),
        sa.Column("title", _text(), nullable=True),
        sa.Column("description", _text(), nullable=True),
        sa.Column("custom_data", _text(), nullable=True),
        sa.Column("created_at", _time(), nullable=True),
        sa.Column("modified_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint("username", name="pk_user_profiles"),
        **_TABLE,
    )


def downgrade() -> None:
    op.drop_table("user_profiles")
