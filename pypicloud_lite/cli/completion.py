"""``ppc-completion``: what a shell needs to complete this project's commands."""

from __future__ import annotations

from importlib.metadata import entry_points

import click
from click.shell_completion import get_completion_class

_OURS = ("ppc-", "pypicloud-")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def main(shell: str) -> None:
    """Print the completion of every command for SHELL.

    Try it with 'eval "$(ppc-completion bash)"', and keep it with a line like that in ~/.bashrc (for fish:
    'ppc-completion fish | source').
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    for name in commands():
        variable = f"_{name.replace('-', '_')}_COMPLETE".upper()
        # The script names the command and the variable, and asks the command itself for everything else.
        click.echo(kind(click.Command(name), {}, name, variable).source())


def commands() -> list[str]:
    """The names under which this project's commands are installed."""
    found = entry_points(group="console_scripts")
    ours = {one.name for one in found if one.value.startswith("pypicloud_lite.") and one.name.startswith(_OURS)}
    return sorted(ours)
