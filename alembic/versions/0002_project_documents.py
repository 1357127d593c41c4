"""Projects remember since when their ``project.json`` does not say what the row says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    due = (
        sa.DateTime()
        .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )
    op.add_column("projects", sa.Column("document_due", due, nullable=True))
    op.create_index("ix_projects_document_due", "projects", ["document_due"])


def downgrade() -> None:
    op.drop_index("ix_projects_document_due", "projects")
    op.drop_column("projects", "document_due")
