"""``ppc-resync CONFIG``: rebuild the catalog from storage, while the server runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pypicloud_lite.cli.config_file import config_argument
from pypicloud_lite.cli.reporting import reports_config_errors
from pypicloud_lite.wiring import build, load_settings, prepare


@click.command(name="ppc-resync")
@config_argument
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--remove-leftovers",
    is_flag=True,
    help="Then delete what interrupted uploads left behind more than a day ago and nothing names.",
)
@reports_config_errors
def main(config: Path | None, *, as_json: bool, remove_leftovers: bool) -> None:
    """Rebuild the catalog of CONFIG's server from its storage.

    Nothing is dropped first: what is listed stays listed, what is missing comes back, what pypicloud or
    pypiserver left in the folder or bucket is taken over. The server may run meanwhile. Without CONFIG: config.ini
    of this folder, or, where there is none, the built-in defaults.
    """
    settings = load_settings(config)
    prepare(settings)
    services = build(settings)
    with click.progressbar(length=1, label="Looking", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        report = services.resync_or_first(progress)
    leftovers = services.leftovers()
    found = leftovers.find()
    if remove_leftovers:
        leftovers.remove(found)
    if as_json:
        click.echo(
            json.dumps(
                {**report.counts(), "remarks": report.remarks, "leftovers": [str(info.key) for info in found]}, indent=1
            )
        )
        return
    for remark in report.remarks:
        click.echo(remark, err=True)
    click.echo(
        f"{report.files} files in storage: {report.restored} restored, {report.imported} taken over, "
        f"{report.removed} no longer there, {len(report.remarks)} remarks"
    )
    if found:
        size = sum(info.size for info in found)
        verdict = "deleted" if remove_leftovers else "ppc-resync --remove-leftovers deletes them"
        click.echo(f"{len(found)} leftovers of interrupted uploads, {size} bytes: {verdict}")
