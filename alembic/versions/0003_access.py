"""Users, groups, grants and roles; tokens and sessions; by which credential a journal entry came, and its outcome."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0003"
down_revision = "0002"
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
    op.add_column("journal", sa.Column("credential", _name(40), nullable=True))
    op.add_column("journal", sa.Column("outcome", _name(20), nullable=False, server_default="done"))
    op.create_index("ix_journal_author_id", "journal", ["author", "id"])
    _create_state()
    _create_people()
    _create_rules()
    _create_credentials()


def _create_state() -> None:
    state = op.create_table(
        "access_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("allow_register", sa.Boolean(), nullable=False),
        sa.Column("signing_key", _name(64), nullable=False),
        sa.Column("imported_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_access_state"),
        **_TABLE,
    )
    op.bulk_insert(
        state,
        [
            {
                "id": 1,
                "revision": secrets.randbits(63),
                "allow_register": False,
                "signing_key": secrets.token_hex(32),
                "imported_at": None,
            }
        ],
    )


def _create_people() -> None:
    op.create_table(
        "users",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("username", _unicode(255), nullable=False),
        sa.Column("password_hash", _text(), nullable=False),
        sa.Column("credential_version", _name(32), nullable=False),
        sa.Column("is_pending", sa.Boolean(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username", name="uq_users_username"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_table(
        "user_groups",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("name", _unicode(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_groups"),
        sa.UniqueConstraint("name", name="uq_user_groups_name"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", _id(), nullable=False),
        sa.Column("username", _unicode(255), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["user_groups.id"], name="fk_group_members_group_id_user_groups", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "username", name="pk_group_members"),
        **_TABLE,
    )
    op.create_index("ix_group_members_username", "group_members", ["username"])


def _create_rules() -> None:
    op.create_table(
        "project_grants",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("pattern", _name(128), nullable=False),
        sa.Column("kind", _name(10), nullable=False),
        sa.Column("who", _unicode(255), nullable=False),
        sa.Column("can_read", sa.Boolean(), nullable=False),
        sa.Column("can_write", sa.Boolean(), nullable=False),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_project_grants"),
        sa.UniqueConstraint("pattern", "kind", "who", name="uq_project_grants_pattern_kind_who"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_table(
        "role_holders",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("role", _name(20), nullable=False),
        sa.Column("kind", _name(10), nullable=False),
        sa.Column("who", _unicode(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_role_holders"),
        sa.UniqueConstraint("role", "kind", "who", name="uq_role_holders_role_kind_who"),
        sqlite_autoincrement=True,
        **_TABLE,
    )


def _create_credentials() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("username", _unicode(255), nullable=False),
        sa.Column("name", _unicode(100), nullable=False),
        sa.Column("scope", _text(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("expires_at", _time(), nullable=True),
        sa.Column("last_used_at", _time(), nullable=True),
        sa.Column("last_address", _unicode(255), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_index("ix_tokens_username", "tokens", ["username"])
    op.create_table(
        "sessions",
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("username", _unicode(255), nullable=False),
        sa.Column("account_version", _name(64), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("seen_at", _time(), nullable=False),
        sa.Column("expires_at", _time(), nullable=False),
        sa.Column("address", _unicode(255), nullable=True),
        sa.Column("user_agent", _unicode(255), nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
        **_TABLE,
    )
    op.create_index("ix_sessions_username", "sessions", ["username"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "used_signups",
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("expires_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_used_signups"),
        **_TABLE,
    )


def downgrade() -> None:
    for table in (
        "used_signups",
        "sessions",
        "tokens",
        "role_holders",
        "project_grants",
        "group_members",
        "user_groups",
        "users",
        "access_state",
    ):
        op.drop_table(table)
    op.drop_index("ix_journal_author_id", "journal")
    op.drop_column("journal", "outcome")
    op.drop_column("journal", "credential")
