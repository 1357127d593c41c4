"""``ppc-resync CONFIG``: rebuild the catalog from storage, while the server runs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pypicloud_lite.cli.reporting import reports_config_errors
from pypicloud_lite.wiring import build, load_settings, prepare


@click.command(name="ppc-resync")
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@reports_config_errors
def main(config: Path, *, as_json: bool) -> None:
    """Rebuild the catalog of CONFIG's server from its storage.

    Nothing is dropped first: what is listed stays listed, what is missing comes back, what pypicloud or
    pypiserver left in the folder or bucket is taken over. The server may run meanwhile.
    """
    settings = load_settings(config)
    prepare(settings)
    report = build(settings).resync()
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=1))
        return
    for remark in report.remarks:
        click.echo(remark, err=True)
    click.echo(
        f"{report.files} files in storage: {report.restored} restored, {report.imported} taken over, "
        f"{report.removed} no longer there, {len(report.remarks)} remarks"
    )
