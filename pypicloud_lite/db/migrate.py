"""The migration runner: what ``db.migrate = auto`` does at start, and ``ppc-db`` by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from pypicloud_lite.db.engine import Database
from pypicloud_lite.kernel.errors import ConfigError


def upgrade(database: Database) -> list[str]:
    """Apply what is pending, under a lock that one host holds at a time; returns the revisions applied here.

    All or nothing on SQLite and PostgreSQL, revision by revision on MariaDB. One cheap query when nothing is
    pending. :class:`ConfigError` when the database is newer than this program.
    """
    if not check(database):
        return []
    with database.migration() as connection:
        pending = _pending(connection)
        if pending:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return pending


def check(database: Database) -> list[str]:
    """The revisions that the database lacks, oldest first; :class:`ConfigError` when it is newer."""
    with database.connect() as connection:
        return _pending(connection)


def current(database: Database) -> str | None:
    """The revision of the database; None before its first migration."""
    with database.connect() as connection:
        return _current(connection)


def migrations() -> Path:
    """Where the history lies: inside an installed package, beside it in a checkout."""
    installed = Path(__file__).parent / "migrations"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "alembic"


def _config() -> Config:
    config = Config()
    # Alembic reads this by way of a parser to which % means something.
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@cache
def _history() -> list[str]:
    """Every revision, oldest first: read once in a process, as each is a module to be compiled and run."""
    revisions = [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]
    return revisions[::-1]


def _pending(connection: Connection) -> list[str]:
    history = _history()
    revision = _current(connection)
    if revision is None:
        return list(history)
    if revision not in history:
        raise ConfigError(
            f"The database is at revision {revision}, which this version of pypicloud_lite does not know "
            f"(its newest is {history[-1]}): install the version that wrote it, or a newer one"
        )
    return history[history.index(revision) + 1 :]
