"""``python -m pypicloud_lite.cli.sample``: print ``config.ini.sample``, made from the declared settings."""

from __future__ import annotations

import click

from pypicloud_lite.wiring.sample import config_sample


@click.command()
def main() -> None:
    """Print every setting with its default and its meaning, as an INI file."""
    click.echo(config_sample(), nl=False)


if __name__ == "__main__":
    main()
