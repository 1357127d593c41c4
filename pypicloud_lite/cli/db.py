"""``ppc-db``: bring the database to this version, or look whether it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pypicloud_lite.cli.config_file import config_argument
from pypicloud_lite.cli.reporting import reports_config_errors
from pypicloud_lite.db import migrate
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.settings import DatabaseSettings


@click.group()
def main() -> None:
    """Look after the database of CONFIG's server.

    Without CONFIG: config.ini of this folder, or, where there is none, the built-in defaults.
    """


@main.command()
@config_argument
@reports_config_errors
def upgrade(config: Path | None) -> None:
    """Apply every pending migration. Safe to repeat, and from several hosts at once."""
    with _database(config) as database:
        for revision in migrate.upgrade(database):
            click.echo(f"applied {revision}")
        click.echo(f"The database is at revision {migrate.current(database)}")


@main.command()
@config_argument
@reports_config_errors
def check(config: Path | None) -> None:
    """Name the pending migrations; the exit status is 1 when there are any."""
    with _database(config) as database:
        pending = migrate.check(database)
    for revision in pending:
        click.echo(f"pending {revision}")
    if pending:
        click.echo("Run ppc-db upgrade", err=True)
        sys.exit(1)
    click.echo("The database is up to date")


@contextmanager
def _database(config: Path | None) -> Iterator[Database]:
    from pypicloud_lite.wiring import load_settings

    database = Database(load_settings(config).get(DatabaseSettings))
    try:
        yield database
    finally:
        database.dispose()
