"""``ppc-promote``: a release from one index to another."""

from __future__ import annotations

from pathlib import Path

import click

from pypicloud_lite.cli.config_file import config_option
from pypicloud_lite.cli.operator import as_json, operating, refuses_clearly
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.publish.promotion import PromotionRequest


@click.command()
@click.argument("source")
@click.argument("target")
@click.argument("release", metavar="PROJECT[==VERSION]")
@click.option("--file", "files", multiple=True, metavar="FILENAME", help="Only this file; may be said several times.")
@click.option("--move", is_flag=True, help="Take it away from the source afterwards.")
@click.option("--no-docs", is_flag=True, help="Leave documentation where it is.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "json", is_flag=True, help="As a JSON document.")
@config_option
@refuses_clearly
def main(
    config: Path | None,
    *,
    source: str,
    target: str,
    release: str,
    files: tuple[str, ...],
    move: bool,
    no_docs: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Copy a release from the index SOURCE (OWNER/NAME) to the index TARGET: all of its files, or nothing.

    Without a version every release. The same files in the target are no error; other ones are, unless it is volatile.
    """
    name, equals, version = release.partition("==")
    wanted = PromotionRequest(
        IndexName.parse(source),
        IndexName.parse(target),
        ProjectName.parse(name.strip()),
        normalised_version(version.strip()) if equals else None,
        files,
        move,
        docs=not no_docs,
    )
    with operating(config, "ppc-promote") as operator:
        promotion = operator.services.promotion
        act = promotion.plan if dry_run else promotion.promote
        done = act(wanted, operator.identity, operator.author)
    if json:
        as_json([{"filename": one.filename, "outcome": one.how.value, "index": target} for one in done])
        return
    for one in done:
        click.echo(f"{one.filename}: {'would be ' if dry_run else ''}{one.how.value}")
