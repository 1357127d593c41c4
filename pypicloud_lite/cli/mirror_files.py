"""The commands of ``ppc-mirror`` that read a requirements file or a lock."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from packaging.markers import default_environment
from packaging.tags import Tag, sys_tags

from pypicloud_lite.cli.operator import Operator, as_json, operating, readable_size, refuses_clearly
from pypicloud_lite.cli.targets import json_option
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.showing import MIRROR_INDEX
from pypicloud_lite.ops.prefetch.mirrored import Fetched, Mirrored, missing_of
from pypicloud_lite.ops.prefetch.planning import Chosen, Plan, Planner, Taste
from pypicloud_lite.ops.prefetch.wishes import read_wishes

COMMAND = "ppc-mirror"
F = TypeVar("F", bound=Callable[..., Any])


def index_option(command: F) -> F:
    """``--index``: which mirror the command is about."""
    return click.option("--index", metavar="OWNER/NAME", help="Another mirror index than the built-in one.")(command)


def mirror_of(operator: Operator, index: str | None) -> Mirror:
    """The mirror that is meant; the built-in one, where none is named."""
    mirrors = operator.services.mirrors
    return mirrors.require(IndexName.parse(index) if index is not None else MIRROR_INDEX)


def require_upstream(mirror: Mirror) -> None:
    """NotFound where the mirror is off."""
    if not mirror.upstreams:
        raise NotFound("No index upstream is asked: set pypi.fallback = cache, or mirror.enabled = true")


def _planning_options(command: F) -> F:
    options = (
        click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)),
        click.option("--with-dependencies", "deep", is_flag=True, help="Also what these need, as METADATA says."),
        click.option("--python", metavar="VERSION", help="Which Python markers and Requires-Python are for: 3.12."),
        click.option("--this-platform", is_flag=True, help="Of wheels only those that fit this machine and Python."),
        click.option("--no-sdists", is_flag=True, help="No source distributions."),
        index_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_planning_options
@click.option("--dry-run", is_flag=True, help="Say what would be fetched.")
@click.pass_obj
@refuses_clearly
def prefetch(
    config: Path | None, /, *, files: Sequence[Path], dry_run: bool, index: str | None, json: bool, **options: Any
) -> None:
    """Fetch what FILES name: requirements as pip has them, or a lock.

    Locks are pylock.toml, uv.lock, poetry.lock, pdm.lock and Pipfile.lock, by their names. Of a requirement that
    leaves a choice the highest version is taken, with all files that installers may choose from.
    """
    with operating(config, COMMAND) as operator:
        mirror = mirror_of(operator, index)
        require_upstream(mirror)
        mirrored = _mirrored(operator, mirror, offline=False)
        plan = _plan(mirrored, files, **options)
        fetched = Fetched()
        if not dry_run:
            with click.progressbar(length=1, label="Fetching", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

                def progress(done: int, total: int) -> None:
                    bar.length = total
                    bar.update(done - bar.pos)

                fetched = mirrored.fetch(plan, operator.author, progress)
            mirror.usage.write()
    _tell_fetched(plan, fetched, as_document=json, dry_run=dry_run)
    sys.exit(1 if plan.unsatisfied or fetched.failed else 0)


@click.command()
@_planning_options
@click.option("--offline", is_flag=True, help="Ask nobody: look only at what is here.")
@click.pass_obj
@refuses_clearly
def check(
    config: Path | None, /, *, files: Sequence[Path], offline: bool, index: str | None, json: bool, **options: Any
) -> None:
    """Check that what FILES name can be installed; with --offline, without the index upstream.

    Ends with 1 where something is missing.
    """
    with operating(config, COMMAND) as operator:
        mirrored = _mirrored(operator, mirror_of(operator, index), offline=offline)
        plan = _plan(mirrored, files, **options)
        missing = missing_of(plan, mirrored.is_here) if offline else {}
    problems = {str(one.wish): one.why for one in plan.unsatisfied}
    problems |= {f"{one.wish.project}=={one.version}": "none of its files is here" for one in missing.values()}
    found = _releases(one for key, one in plan.chosen.items() if key not in missing)
    if json:
        as_json({"found": found, "missing": problems})
    else:
        for what, why in problems.items():
            click.echo(f"missing {what}: {why}", err=True)
        click.echo(f"{len(plan.chosen) - len(missing)} releases can be installed, {len(problems)} cannot")
    sys.exit(1 if problems else 0)


def _mirrored(operator: Operator, mirror: Mirror, *, offline: bool) -> Mirrored:
    services = operator.services
    services.first_rebuild().settle_trivial()
    return Mirrored(mirror, services.catalog, services.storage, services.index, offline=offline)


def _plan(
    mirrored: Mirrored, files: Sequence[Path], *, deep: bool, python: str | None, this_platform: bool, no_sdists: bool
) -> Plan:
    environment = {name: str(value) for name, value in default_environment().items()}
    if python is not None:
        environment |= {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    tags: frozenset[Tag] | None = frozenset(sys_tags()) if this_platform else None
    wishes = [wish for path in files for wish in read_wishes(path, environment)]
    planner = Planner(
        mirrored.offer, mirrored.requires if deep else None, Taste(sdists=not no_sdists, tags=tags), environment
    )
    return planner.plan(wishes)


def _releases(chosen: Iterable[Chosen]) -> dict[str, list[str]]:
    """Versions by project: a lock may have several of one."""
    found: dict[str, list[str]] = {}
    for one in chosen:
        found.setdefault(str(one.wish.project), []).append(one.version)
    return found


def _tell_fetched(plan: Plan, fetched: Fetched, *, as_document: bool, dry_run: bool) -> None:
    problems = {str(one.wish): one.why for one in plan.unsatisfied} | fetched.failed
    files = [file for one in plan.chosen.values() for file in one.files]
    size = readable_size(sum(file.size or 0 for file in files))
    if as_document:
        as_json(
            {
                "releases": _releases(plan.chosen.values()),
                "came": fetched.came,
                "here": fetched.here,
                "problems": problems,
            }
        )
        return
    for what, why in problems.items():
        click.echo(f"{what}: {why}", err=True)
    for one in plan.chosen.values():
        click.echo(f"{one.wish.project}=={one.version}: {len(one.files)} files ({one.whose})")
    if dry_run:
        click.echo(f"{len(files)} files of {len(plan.chosen)} releases, {size}")
    else:
        click.echo(f"{len(fetched.came)} files came, {len(fetched.here)} were here, {len(fetched.failed)} failed")
