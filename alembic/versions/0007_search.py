"""What projects are found by, and what they require. The server fills it in for the projects that are there."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0007"
down_revision = "0006"
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


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


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
        "project_search",
        sa.Column("project_id", _id(), autoincrement=False, nullable=False),
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("name", _name(128), nullable=False),
        sa.Column("version", _name(200), nullable=False),
        sa.Column("summary", _text(), nullable=True),
        sa.Column("uploaded_at", _time(), nullable=False),
        sa.Column("yanked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_project_search_project_id_projects", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", name="pk_project_search"),
        sa.UniqueConstraint("index_name", "name", name="uq_project_search_index_name_name"),
        **_TABLE,
    )
    op.create_table(
        "search_terms",
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("term", _unicode(40), nullable=False),
        sa.Column("weight", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", _name(128), nullable=False),
        sa.PrimaryKeyConstraint("index_name", "term", "weight", "name", name="pk_search_terms"),
        sqlite_with_rowid=False,
        **_TABLE,
    )
    op.create_index("ix_search_terms_index_name_name", "search_terms", ["index_name", "name"])
    op.create_table(
        "requirements",
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("required", _name(128), nullable=False),
        sa.Column("name", _name(128), nullable=False),
        sa.Column("optional", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("index_name", "required", "name", name="pk_requirements"),
        sqlite_with_rowid=False,
        **_TABLE,
    )
    op.create_index("ix_requirements_index_name_name", "requirements", ["index_name", "name"])
    op.add_column("catalog_state", sa.Column("search_after", sa.BigInteger(), nullable=True))
    # Reading words takes the program, and longer than a start may: it goes on from here while it serves.
    op.execute("UPDATE catalog_state SET search_after = 0 WHERE EXISTS (SELECT 1 FROM projects)")


def downgrade() -> None:
    op.drop_column("catalog_state", "search_after")
    for table in ("requirements", "search_terms", "project_search"):
        op.drop_table(table)
