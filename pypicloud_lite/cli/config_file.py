"""Which configuration a command works on: the same for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

DEFAULT_CONFIG = Path("config.ini")
_KIND = click.Path(exists=True, dir_okay=False, path_type=Path)

F = TypeVar("F", bound=Callable[..., Any])


def chosen_config(given: Path | None) -> Path | None:
    """An absolute path: the one given, else config.ini of this folder.

    None, which means the built-in defaults and the environment, where there is neither.
    """
    if given is None and DEFAULT_CONFIG.is_file():
        given = DEFAULT_CONFIG
    return None if given is None else given.absolute()


def _chosen(_context: click.Context, _parameter: click.Parameter, given: Path | None) -> Path | None:
    return chosen_config(given)


def config_argument(command: F) -> F:
    """Give a command the argument CONFIG: ``config``, as :func:`chosen_config` has it."""
    return click.argument("config", required=False, type=_KIND, callback=_chosen)(command)


def config_option(command: F) -> F:
    """The same as an option, for commands whose arguments are something else."""
    text = "The server's configuration; without it config.ini of this folder, or the built-in defaults."
    return click.option("-c", "--config", type=_KIND, callback=_chosen, help=text)(command)
