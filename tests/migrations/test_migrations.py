"""The history of the schema, on each kind of database, from a checkout and from an installed wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import inspect

from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.catalog.tables import catalog_state
from pypicloud_lite.cli.db import main as ppc_db
from pypicloud_lite.db import migrate
from pypicloud_lite.db.schema import metadata
from pypicloud_lite.downloads.tables import downloads  # noqa: F401  else no part of the metadata here
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.errors import CatalogUnavailable, ConfigError
from pypicloud_lite.mirror.tables import mirror_pages  # noqa: F401  else no part of the metadata here
from pypicloud_lite.ops.devpi_export.tables import devpi_imports  # noqa: F401  else no part of the metadata here
from pypicloud_lite.ops.tables import tasks  # noqa: F401  else no part of the metadata here
from pypicloud_lite.testing.databases import new_database, open_database

ROOT = Path(__file__).parents[2]
HISTORY = [
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
]

UPGRADE = """
import sys
from pypicloud_lite.db.migrate import migrations, upgrade
from pypicloud_lite.testing.databases import open_database

sys.stdin.readline()
database = open_database(sys.argv[1])
print(migrations(), *upgrade(database), sep="\\n")
database.dispose()
"""


@contextmanager
def opened(url, **options):
    database = open_database(url, **options)
    try:
        yield database
    finally:
        database.dispose()


@pytest.fixture
def database(database_url):
    with opened(database_url) as database:
        yield database


@contextmanager
def upgrading(url, **changes):
    """A process that waits for a line, upgrades, and prints where the history was and what it applied."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    command = [sys.executable, "-W", "error", "-c", UPGRADE, url]
    with subprocess.Popen(
        command, env=environ, cwd="/", text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process


def schema(database):
    """Everything that reflection tells, collations included."""
    with database.connect() as connection:
        inspector = inspect(connection)
        return {
            table: {
                "columns": [
                    (one["name"], repr(one["type"]), one["nullable"], one["default"], one.get("autoincrement"))
                    for one in inspector.get_columns(table)
                ],
                "primary key": inspector.get_pk_constraint(table),
                "foreign keys": sorted(map(str, inspector.get_foreign_keys(table))),
                "unique": sorted(map(str, inspector.get_unique_constraints(table))),
                "indexes": sorted(map(str, inspector.get_indexes(table))),
                "options": inspector.get_table_options(table),
            }
            for table in inspector.get_table_names()
            if table != "alembic_version"
        }


def test_from_empty(database):
    assert migrate.current(database) is None
    pending = migrate.check(database)
    assert pending[0] == "0001"
    assert migrate.upgrade(database) == pending
    assert migrate.current(database) == pending[-1]
    assert migrate.check(database) == []
    with SqlCatalog(database, system_clock).read() as reader:
        assert reader.state().serial == 0


def test_again_is_nothing(database):
    migrate.upgrade(database)
    with database.write() as connection:
        connection.execute(catalog_state.update().values(serial=7))
    assert migrate.upgrade(database) == []
    with SqlCatalog(database, system_clock).read() as reader:
        assert reader.state().serial == 7


def test_no_drift(database):
    migrate.upgrade(database)
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_tables_are_those_of_the_code(database, request, tmp_path):
    migrate.upgrade(database)
    kind = request.node.callspec.params["database_url"]
    with new_database(kind, tmp_path) as url, opened(url) as other:
        with other.write() as connection:
            metadata.create_all(connection)
        expected = schema(other)
    for table in schema(database).items():
        assert table == (table[0], without_counters(expected[table[0]], table[1]))


def without_counters(expected, actual):
    """MariaDB's next number is a table option; the history has inserted a row."""
    return {**expected, "options": actual["options"]} if expected["options"].keys() else expected


def test_a_downgrade_leaves_nothing(database):
    from alembic import command

    migrate.upgrade(database)
    with database.migration() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert schema(database) == {}
    assert migrate.upgrade(database)


def test_two_at_once_migrate_once(database_url):
    with upgrading(database_url) as one, upgrading(database_url) as two:
        for process in (one, two):
            process.stdin.write("\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60)[0].splitlines() for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0]
    assert sorted(output[1:] for output in outputs) == [[], HISTORY]
    with opened(database_url) as database:
        assert migrate.check(database) == []


def test_a_second_host_waits(database, database_url):
    with upgrading(database_url) as other:
        with database.migration():
            other.stdin.write("\n")
            other.stdin.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(timeout=1.5)
        output = other.communicate(timeout=60)[0].splitlines()
    assert output[1:] == HISTORY


def test_a_failed_migration_leaves_the_version(database, monkeypatch):
    def fail(_config, _revision):
        raise RuntimeError("half way")

    monkeypatch.setattr("alembic.command.upgrade", fail)
    with pytest.raises(RuntimeError, match="half way"):
        migrate.upgrade(database)
    monkeypatch.undo()
    assert migrate.current(database) is None
    assert migrate.upgrade(database) == HISTORY


def test_newer_schema_is_refused(database):
    migrate.upgrade(database)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for call in (migrate.check, migrate.upgrade):
        with pytest.raises(ConfigError, match="revision 9999"):
            call(database)


def test_an_empty_database_says_what_to_do(database):
    with pytest.raises(CatalogUnavailable, match="ppc-db upgrade"):
        SqlCatalog(database, system_clock).probe()


def test_logging_is_left_alone(tmp_path):
    import logging

    before = (logging.root.level, list(logging.root.handlers), logging.getLogger("alembic").level)
    with opened(f"sqlite:///{tmp_path}/x.sqlite") as database:
        migrate.upgrade(database)
    assert before == (logging.root.level, list(logging.root.handlers), logging.getLogger("alembic").level)
    assert not logging.getLogger("sqlalchemy").disabled


def test_history_has_one_head_and_imports_no_model():
    for script in (ROOT / "alembic").rglob("*.py"):
        assert not re.search(r"\bpypicloud_lite\b(?!\.db\.migrate``)", script.read_text("utf-8")), script
    assert migrate.migrations() == ROOT / "alembic"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.ini"
    path.write_text(f"[app:main]\nuse = egg:pypicloud_lite\ndb.url = sqlite:///{tmp_path}/c.sqlite\n")
    return path


def test_commands(config):
    runner, now = CliRunner(), f"The database is at revision {HISTORY[-1]}\n"
    before = runner.invoke(ppc_db, ["check", str(config)])
    assert (before.exit_code, before.stdout) == (1, "".join(f"pending {one}\n" for one in HISTORY))
    applied = runner.invoke(ppc_db, ["upgrade", str(config)])
    assert (applied.exit_code, applied.stdout) == (0, "".join(f"applied {one}\n" for one in HISTORY) + now)
    again = runner.invoke(ppc_db, ["upgrade", str(config)])
    assert (again.exit_code, again.stdout) == (0, now)
    assert runner.invoke(ppc_db, ["check", str(config)]).exit_code == 0


def test_command_reports_a_wrong_configuration(config):
    config.write_text("[app:main]\nuse = egg:pypicloud_lite\ndb.url = oracle://scott:tiger@127.0.0.1/x\n")
    result = CliRunner().invoke(ppc_db, ["check", str(config)])
    assert result.exit_code == 2
    assert "'oracle'" in result.stderr
    assert "tiger" not in result.output


def test_command_reports_a_server_that_is_away(config):
    config.write_text("[app:main]\nuse = egg:pypicloud_lite\ndb.url = postgresql://u:secret@127.0.0.1:1/x\n")
    result = CliRunner().invoke(ppc_db, ["check", str(config)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not answer" in result.stderr
    assert "secret" not in result.output


@pytest.mark.slow
def test_from_an_installed_wheel(tmp_path, missing):
    if importlib.util.find_spec("hatchling") is None:
        missing("hatchling", "the build backend is not installed")
    build(tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True, capture_output=True, timeout=60
    )
    url = f"sqlite:///{tmp_path}/c.sqlite"
    with upgrading(url, PYTHONPATH=str(site)) as process:
        output = process.communicate("\n", timeout=60)[0].splitlines()
    assert process.returncode == 0
    assert output == [str(site / "pypicloud_lite/db/migrations"), *HISTORY]


def build(target):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
