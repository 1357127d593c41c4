"""The catalog: projects, files, their metadata, reservations, and the journal."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0001"
down_revision = None
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
    _create_state()
    _create_projects()
    _create_files()
    _create_reservations()
    _create_journal()


def _create_state() -> None:
    state = op.create_table(
        "catalog_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("rebuilding_since", _time(), nullable=True),
        sa.Column("rebuilt_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_state"),
        **_TABLE,
    )
    op.bulk_insert(state, [{"id": 1, "serial": 0, "revision": secrets.randbits(63)}])


def _create_projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("name", _name(128), nullable=False),
        sa.Column("display_name", _unicode(200), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("status", _name(20), nullable=False),
        sa.Column("status_reason", _text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("index_name", "name", name="uq_projects_index_name_name"),
        sqlite_autoincrement=True,
        **_TABLE,
    )


def _create_files() -> None:
    op.create_table(
        "files",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("project_id", _id(), nullable=False),
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("filename", _name(200), nullable=False),
        sa.Column("version", _name(200), nullable=False),
        sa.Column("packagetype", _name(20), nullable=False),
        sa.Column("python", _name(200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", _name(64), nullable=False),
        sa.Column("blake2b_256", _name(64), nullable=False),
        sa.Column("md5", _name(32), nullable=False),
        sa.Column("storage_key", _unicode(900), nullable=False),
        sa.Column("home", _unicode(900), nullable=False),
        sa.Column("uploaded_at", _time(), nullable=False),
        sa.Column("uploader", _unicode(255), nullable=True),
        sa.Column("requires_python", _text(), nullable=True),
        sa.Column("summary", _text(), nullable=True),
        sa.Column("metadata_sha256", _name(64), nullable=True),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.Column("yanked", sa.Boolean(), nullable=False),
        sa.Column("yanked_reason", _text(), nullable=True),
        sa.Column("origin", _name(20), nullable=False),
        sa.Column("manifest", _name(20), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_files_project_id_projects"),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.UniqueConstraint("index_name", "filename", name="uq_files_index_name_filename"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_index("ix_files_project_id", "files", ["project_id"])
    op.create_index("ix_files_manifest_uploaded_at", "files", ["manifest", "uploaded_at"])
    # InnoDB's index entries end at 3072 bytes, fewer than 900 characters may have.
    op.create_index("ix_files_storage_key", "files", ["storage_key"], mysql_length=255, mariadb_length=255)
    op.create_index("ix_files_home", "files", ["home"], mysql_length=255, mariadb_length=255)
    op.create_table(
        "file_metadata",
        sa.Column("file_id", _id(), autoincrement=False, nullable=False),
        sa.Column("core", _text(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name="fk_file_metadata_file_id_files", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("file_id", name="pk_file_metadata"),
        **_TABLE,
    )


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("project", _name(128), nullable=False),
        sa.Column("filename", _name(200), nullable=False),
        sa.Column("sha256", _name(64), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reservations"),
        sa.UniqueConstraint("index_name", "filename", name="uq_reservations_index_name_filename"),
        **_TABLE,
    )
    op.create_index("ix_reservations_index_name_project", "reservations", ["index_name", "project"])


def _create_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("at", _time(), nullable=False),
        sa.Column("author", _unicode(255), nullable=True),
        sa.Column("address", _unicode(255), nullable=True),
        sa.Column("action", _name(60), nullable=False),
        sa.Column("index_name", _name(121), nullable=False),
        sa.Column("project", _name(128), nullable=False),
        sa.Column("subject", _unicode(255), nullable=True),
        sa.Column("detail", _text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_index("ix_journal_serial", "journal", ["serial"])


def downgrade() -> None:
    for table in ("journal", "reservations", "file_metadata", "files", "projects", "catalog_state"):
        op.drop_table(table)
