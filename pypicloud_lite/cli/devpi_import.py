"""``ppc-import devpi EXPORTDIR``: what ``devpi-export`` wrote, taken over into this server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from pypicloud_lite.cli.config_file import config_option
from pypicloud_lite.cli.operator import as_json, operating, refuses_clearly
from pypicloud_lite.ops.devpi_export.carrying import CarriedProfiles
from pypicloud_lite.ops.devpi_export.importing import Target, Wishes, import_export
from pypicloud_lite.ops.devpi_export.reading import WrongExport, read_export
from pypicloud_lite.ops.devpi_export.renaming import read_renames
from pypicloud_lite.ops.devpi_export.report import ImportReport
from pypicloud_lite.wiring import Services

_NOT_ALL, _WRONG = 1, 2


@click.command(name="devpi")
@click.argument("exportdir", type=click.Path(file_okay=False, path_type=Path))
@config_option
@click.option("--dry-run", is_flag=True, help="Read and verify what is not here yet, write nothing.")
@click.option("--root-is-admin", is_flag=True, help="Make devpi's root an administrator here.")
@click.option(
    "--rename", "renames", multiple=True, metavar="OLD=NEW", help="Give a user, or USER/INDEX, another name here."
)
@click.option(
    "--take-unsound", is_flag=True, help="Take files over that an upload would refuse, by their name and hash alone."
)
@click.option("--again", is_flag=True, help="Bring back what was removed here after an earlier import.")
@click.option("--json", "in_json", is_flag=True, help="Print the report as JSON.")
@refuses_clearly
def import_devpi(
    config: Path | None,
    exportdir: Path,
    renames: Sequence[str],
    *,
    dry_run: bool,
    root_is_admin: bool,
    take_unsound: bool,
    again: bool,
    in_json: bool,
) -> None:
    """Take over what devpi-export wrote to EXPORTDIR: users, indexes, files, documentation and results of tests.

    The server may run meanwhile. Every file is verified by the hashes in the export. What is there already is left
    alone, so an interrupted import is simply started again; what was removed here after an earlier one stays away. Ends
    with 0 when everything was carried over, with 1 when something was not, with 2 when EXPORTDIR is no export that is
    understood here.
    """
    try:
        export = read_export(exportdir)
        names = read_renames(renames, export)
    except WrongExport as error:
        click.echo(error.message, err=True)
        sys.exit(_WRONG)
    with operating(config, "ppc-import") as operator:
        services = operator.services
        if not dry_run:
            # Else a server that starts on this later would look for what lay there before.
            services.first_rebuild().settle_trivial()
        wishes = Wishes(root_is_admin=root_is_admin, take_unsound=take_unsound, again=again, dry_run=dry_run)
        target = _target(services)
        report = import_export(export, target, names, wishes, operator.identity, operator.author, _progress)
    _tell(report, in_json=in_json, dry_run=dry_run)
    sys.exit(_NOT_ALL if report.left else 0)


def _target(services: Services) -> Target:
    return Target(
        storage=services.storage,
        catalog=services.catalog,
        ingest=services.ingest,
        administration=services.administration,
        indexes=services.indexes,
        registry=services.registry,
        database=services.database,
        clock=services.clock,
        profiles=CarriedProfiles(services.administration),
    )


def _progress(line: str) -> None:
    click.echo(line, err=True)


def _tell(report: ImportReport, *, in_json: bool, dry_run: bool) -> None:
    if in_json:
        as_json({**report.as_json(), "dry_run": dry_run})
        return
    for line in report.notes:
        click.echo(f"note: {line}", err=True)
    for line in report.left:
        click.echo(f"not carried over: {line}", err=True)
    click.echo(
        f"{'Would add' if dry_run else 'Added'} {report.users} users, {report.indexes} indexes, {report.files} files, "
        f"{report.docs} documentations, {report.results} test results, {report.names} names without files; "
        f"{report.users_there} users, {report.indexes_there} indexes, {report.files_there} files were there already; "
        f"{len(report.left)} not carried over."
    )
