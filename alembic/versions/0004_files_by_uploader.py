"""What somebody uploaded last is found without looking at every file."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_files_index_name_uploader_uploaded_at", "files", ["index_name", "uploader", "uploaded_at"])


def downgrade() -> None:
    op.drop_index("ix_files_index_name_uploader_uploaded_at", "files")
