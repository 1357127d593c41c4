"""``ppc-mirror``: look after what is kept of the index upstream, on the server's own machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from pypicloud_lite.cli.config_file import config_option
from pypicloud_lite.cli.mirror_files import check, index_option, mirror_of, prefetch, require_upstream
from pypicloud_lite.cli.operator import Operator, as_json, operating, readable_size, refuses_clearly
from pypicloud_lite.cli.targets import json_option
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.errors import NotFound, PpcError
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.mirror.eviction import Cached, Eviction
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.settings.values import parse_size

COMMAND = "ppc-mirror"
_DAYS = 7


@click.group()
@config_option
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Show, refresh, fill and empty the mirror; check that something can be installed without the index upstream.

    The server may run meanwhile. Uploaded files are never touched.
    """
    context.obj = config


@main.command()
@index_option
@json_option
@click.pass_obj
@refuses_clearly
def status(config: Path | None, *, index: str | None, json: bool) -> None:
    """Say how the mirror is set up, how fresh it is, and what it holds."""
    with operating(config, COMMAND) as operator:
        found = _status(operator, mirror_of(operator, index))
    if json:
        as_json(found)
        return
    for name, value in found.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{count:,} {what}" for what, count in value.items())
        elif isinstance(value, list):
            shown = " ".join(map(str, value)) or "none"
        elif name in {"room", "quota"}:
            shown = readable_size(int(value)) if value is not None else "no limit"
        click.echo(f"{name.replace('_', ' ') + ':':<14} {shown if shown is not None else 'none'}")


def _status(operator: Operator, mirror: Mirror) -> dict[str, Any]:
    services = operator.services
    settings = services.settings.get(MirrorSettings)
    error, space = mirror.pages.last_error(), services.eviction.of(mirror.index).space()
    return {
        "index": str(mirror.index),
        "fallback": str(settings.fallback),
        "mirror": "on" if mirror.showing.has_index else "off",
        "upstreams": [upstream.name for upstream in mirror.upstreams],
        "pages": dict(mirror.pages.totals()),
        "last_error": None if error is None else f"{iso_utc(error[1])} {error[0]}",
        f"last_{_DAYS}_days": {what.value: count for what, count in mirror.usage.totals(_DAYS).items()},
        "files": space.files,
        "room": space.size,
        "quota": settings.quota,
    }


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Every project of which there is a page.")
@index_option
@click.pass_obj
@refuses_clearly
def refresh(config: Path | None, *, names: tuple[str, ...], everything: bool, index: str | None) -> None:
    """Ask for projects now, however fresh their pages are."""
    if bool(names) == everything:
        raise click.UsageError("Name projects, or say --all")
    with operating(config, COMMAND) as operator:
        mirror = mirror_of(operator, index)
        require_upstream(mirror)
        operator.services.first_rebuild().settle_trivial()
        wanted = [ProjectName.parse(name) for name in names] or mirror.pages.projects()
        failed = 0
        for project in wanted:
            before = mirror.pages.known(project)
            try:
                if _is_ours(operator, mirror, project) and not _is_let_in(operator, mirror, project):
                    raise NotFound("it is ours: the index upstream is not asked for it")
                seen = mirror.pages.refresh(project)
            except PpcError as error:
                failed += 1
                click.echo(f"{project}: {error.message}", err=True)
                continue
            if seen is not None and seen.row.error is not None:
                failed += 1
                click.echo(f"{project}: {seen.row.error}", err=True)
            else:
                same = before is not None and seen is not None and before.revision == seen.row.revision
                click.echo(f"{project}: {'not there' if seen is None else 'as it was' if same else 'changed'}")
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--to", "room", metavar="SIZE", help="Those not asked for the longest, until SIZE is left: 10 GiB.")
@click.option("--unused-for", "days", type=click.IntRange(min=0), metavar="DAYS", help="Those not asked for that long.")
@click.option("--all", "everything", is_flag=True, help="Every cached file.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@index_option
@json_option
@click.pass_obj
@refuses_clearly
def evict(
    config: Path | None,
    *,
    names: tuple[str, ...],
    room: str | None,
    days: int | None,
    everything: bool,
    yes: bool,
    index: str | None,
    json: bool,
) -> None:
    """Remove cached files; they come again when somebody wants them."""
    if sum((bool(names), room is not None, days is not None, everything)) != 1:
        raise click.UsageError("Name projects, or say --to SIZE, --unused-for DAYS or --all")
    with operating(config, COMMAND) as operator:
        eviction = operator.services.eviction.of(mirror_of(operator, index).index)
        request = _Eviction(operator, eviction, names, 0 if everything else _size(room), days)
        if not yes:
            _confirm(request.describe())
        gone = request.run()
    if json:
        as_json([{"project": str(one.project), "filename": one.filename, "size": one.size} for one in gone])
        return
    for one in gone:
        click.echo(one.filename)
    click.echo(f"{len(gone)} files removed, {readable_size(sum(one.size for one in gone))}", err=True)


@dataclass(frozen=True, slots=True)
class _Eviction:
    operator: Operator
    eviction: Eviction
    names: tuple[str, ...]
    room: int | None
    days: int | None

    def describe(self) -> str:
        if self.room is not None:
            size = self.eviction.space().size
            return f"of {readable_size(size)} all but {readable_size(self.room)}"
        return f"{len(self._named())} files"

    def _named(self) -> list[Cached]:
        if self.days is not None:
            return self.eviction.unused_since(self.operator.services.clock() - timedelta(days=self.days))
        return [file for name in self.names for file in self.eviction.files(ProjectName.parse(name))]

    def run(self) -> list[Cached]:
        eviction, author = self.eviction, self.operator.author
        if self.room is not None:
            return eviction.evict(self.room, author)
        gone = self._named()
        for file in gone:
            eviction.remove(file, author)
        return gone


def _size(text: str | None) -> int | None:
    try:
        return None if text is None else int(parse_size(text))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error


def _confirm(what: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask: say --yes to remove")
    click.confirm(f"Remove {what}?", abort=True, err=True)


def _is_ours(operator: Operator, mirror: Mirror, project: ProjectName) -> bool:
    with operator.services.catalog.read(snapshot=False) as catalog:
        found = mirror.ours.find(catalog, project)
    found.require_known()
    return found.record is not None


def _is_let_in(operator: Operator, mirror: Mirror, project: ProjectName) -> bool:
    """Whether the index upstream is asked for it though there is a project of that name here."""
    return mirror.showing.merges(project) or operator.services.mirrors.whitelists(project)


for command in (prefetch, check):
    main.add_command(command)
