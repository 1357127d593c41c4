"""``ppc-packages``: look after the files of an index, on the server's own machine and without HTTP."""

from __future__ import annotations

from pathlib import Path

import click

from pypicloud_lite.catalog.model import ProjectOverview
from pypicloud_lite.cli.config_file import config_option
from pypicloud_lite.cli.operator import Operator, as_json, nothing_there, operating, readable_size, refuses_clearly
from pypicloud_lite.cli.packages_changes import delete, free, status, unyank, yank
from pypicloud_lite.cli.packages_transfer import download, upload
from pypicloud_lite.cli.targets import json_option, target_argument
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.manage.listing import Listed
from pypicloud_lite.publish.package_object import package_object


@click.group()
@config_option
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """List, upload, download, delete, yank the packages of a server.

    The server may run meanwhile. Who may read its configuration is an administrator here. Projects are written as
    NAME, releases as NAME==VERSION, files by their filename.
    """
    context.obj = config


@main.command(name="list")
@click.argument("pattern", required=False)
@click.option("--long", "is_long", is_flag=True, help="Size, status and the time of the last upload too.")
@json_option
@click.pass_obj
@refuses_clearly
def list_projects(config: Path | None, *, pattern: str | None, is_long: bool, json: bool) -> None:
    """Name the projects, or those that fit PATTERN (with * and ?)."""
    with operating(config, "ppc-packages") as operator:
        found = operator.services.listings.projects(operator.identity, operator.index)
    found = [one for one in found if pattern is None or _fits(one, pattern)]
    if json:
        as_json([_described(one) for one in found])
        return
    for one in found:
        line = f"{one.name}"
        if is_long:
            line = f"{one.name!s:<40} {readable_size(one.size):>9}  {iso_utc(one.updated_at)[:16]}  {one.status}"
        click.echo(line)


def _fits(one: ProjectOverview, pattern: str) -> bool:
    return Path(one.name.value).match(pattern.lower().replace("_", "-").replace(".", "-"))


def _described(one: ProjectOverview) -> dict[str, object]:
    return {
        "name": str(one.name),
        "display_name": one.display_name,
        "summary": one.summary,
        "status": str(one.status),
        "size": one.size,
        "created_at": iso_utc(one.created_at),
        "updated_at": iso_utc(one.updated_at),
    }


@main.command()
@target_argument
@json_option
@click.pass_obj
@refuses_clearly
def show(config: Path | None, *, target: str, json: bool) -> None:
    """Show the files of a project, a release, or one file."""
    with operating(config, "ppc-packages") as operator:
        selection = operator.selection(target)
        listed = operator.services.listings.files(operator.identity, operator.index, selection.project)
        files = [
            one
            for one in listed.files
            if selection.filename in {None, str(one.filename)} and selection.version in {None, one.version}
        ]
        if not files and (selection.filename or selection.version):
            raise nothing_there(selection)
        _show(operator, selection.project, Listed(files, may_write=True), as_document=json)


def _show(operator: Operator, name: ProjectName, listed: Listed, *, as_document: bool) -> None:
    project = operator.services.listings.project(operator.identity, operator.index, name)
    if as_document:
        files = [package_object(one, "") for one in listed.files]
        as_json({"name": str(name), "status": str(project.status), "reason": project.status_reason, "files": files})
        return
    reason = f" ({project.status_reason})" if project.status_reason else ""
    click.echo(f"{project.display_name}: {project.status}{reason}, {project.file_count} files")
    for one in listed.files:
        yanked = f"  yanked ({one.yanked_reason})" if one.yanked_reason else "  yanked" if one.yanked else ""
        who = one.uploader or "-"
        click.echo(
            f"  {one.filename}  {readable_size(one.size)}  {iso_utc(one.uploaded_at)[:16]}  {who}{yanked}\n"
            f"    sha256 {one.digests.sha256}"
        )


for command in (upload, download, delete, yank, unyank, status, free):
    main.add_command(command)
