"""The commands of ``ppc-packages`` that change what is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from pypicloud_lite.catalog.model import FileRecord, ProjectStatus
from pypicloud_lite.cli.operator import Operator, as_json, nothing_there, operating, refuses_clearly
from pypicloud_lite.cli.targets import complete, json_option, target_argument
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.kernel.names import ProjectName


@click.command()
@target_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
@refuses_clearly
def delete(config: Path | None, *, target: str, yes: bool, json: bool) -> None:
    """Delete a project's files, a release, or one file. The filenames stay reserved, the project's name too."""
    with operating(config, "ppc-packages") as operator:
        selection = operator.selection(target)
        files = _there(operator, selection)
        if not yes:
            _confirm(files)
        removed = operator.services.removals.remove(selection, operator.identity, operator.author)
    _report("deleted", removed, as_document=json)


def _there(operator: Operator, selection: Selection) -> list[FileRecord]:
    with operator.services.catalog.read() as catalog:
        files = selection.rows(catalog)
    if not files:
        raise nothing_there(selection)
    return files


def _confirm(files: Sequence[FileRecord]) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask: say --yes to delete")
    for one in files:
        click.echo(f"  {one.filename}", err=True)
    click.confirm(f"Delete {'this file' if len(files) == 1 else f'these {len(files)} files'}?", abort=True, err=True)


@click.command()
@target_argument
@click.option("--reason", help="Shown to whoever installs it all the same.")
@json_option
@click.pass_obj
@refuses_clearly
def yank(config: Path | None, *, target: str, reason: str | None, json: bool) -> None:
    """Yank: installers take it only where == asks for it."""
    with operating(config, "ppc-packages") as operator:
        selection = operator.selection(target)
        yanked = operator.services.yanking.yank(selection, operator.identity, operator.author, reason)
    _report("yanked", yanked, as_document=json)


@click.command()
@target_argument
@json_option
@click.pass_obj
@refuses_clearly
def unyank(config: Path | None, *, target: str, json: bool) -> None:
    """Take a yank back."""
    with operating(config, "ppc-packages") as operator:
        selection = operator.selection(target)
        restored = operator.services.yanking.restore(selection, operator.identity, operator.author)
    _report("un-yanked", restored, as_document=json)


def _report(what: str, files: Sequence[FileRecord], *, as_document: bool) -> None:
    names = [str(one.filename) for one in files]
    if as_document:
        as_json({what: names})
        return
    for name in names:
        click.echo(f"{what} {name}")


@click.command()
@click.argument("project", shell_complete=complete)
@click.argument("new", metavar="[STATUS]", required=False, type=click.Choice([one.value for one in ProjectStatus]))
@click.option("--reason", help="Shown to whoever may read the project.")
@json_option
@click.pass_obj
@refuses_clearly
def status(config: Path | None, *, project: str, new: str | None, reason: str | None, json: bool) -> None:
    """Show a project's status, or give it one: active, deprecated, archived (no uploads), quarantined (hidden)."""
    name = ProjectName.parse(project)
    with operating(config, "ppc-packages") as operator:
        services = operator.services
        if new is not None:
            wanted = ProjectStatus(new)
            services.statuses.set(operator.index, name, wanted, reason, operator.identity, operator.author)
        found = services.listings.project(operator.identity, operator.index, name)
    if json:
        as_json({"name": str(found.name), "status": str(found.status), "reason": found.status_reason})
        return
    click.echo(f"{found.name}: {found.status}{f' ({found.status_reason})' if found.status_reason else ''}")


@click.command()
@click.argument("project")
@json_option
@click.pass_obj
@refuses_clearly
def free(config: Path | None, *, project: str, json: bool) -> None:
    """Free the name of a project whose files are all deleted."""
    name = ProjectName.parse(project)
    with operating(config, "ppc-packages") as operator:
        operator.services.removals.free(operator.index, name, operator.identity, operator.author)
    if json:
        as_json({"freed": str(name)})
        return
    click.echo(f"freed {name}")
