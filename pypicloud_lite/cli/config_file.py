"""Which configuration a command works on: the same for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

DEFAULT_CONFIG = Path("config.ini")

F = TypeVar("F", bound=Callable[..., Any])


def _chosen(_context: click.Context, _parameter: click.Parameter, given: Path | None) -> Path | None:
    if given is None and DEFAULT_CONFIG.is_file():
        given = DEFAULT_CONFIG
    return None if given is None else given.absolute()


def config_argument(command: F) -> F:
    """Give a command the argument CONFIG: ``config``, an absolute path.

    None, which means the built-in defaults and the environment, where none is given and the folder has no config.ini.
    """
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.argument("config", required=False, type=kind, callback=_chosen)(command)
