"""How a command ends when the configuration is wrong, or something it needs does not answer."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from pypicloud_lite.kernel.errors import BackendUnavailable, ConfigError
from pypicloud_lite.web.logs import configure_logging

P = ParamSpec("P")
R = TypeVar("R")

CONFIG_ERROR = 2
UNAVAILABLE = 1


def reports_config_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print :class:`ConfigError`, a line for each problem, and end with status 2.

    A storage, database or access backend that does not answer is one line too, and status 1: no traceback helps.
    Events of the log go to standard error: standard output is the command's own.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        configure_logging()
        try:
            return command(*args, **kwargs)
        except ConfigError as error:
            click.echo("The configuration is wrong:", err=True)
            for problem in error.problems:
                click.echo(f"  {problem}", err=True)
            sys.exit(CONFIG_ERROR)
        except BackendUnavailable as error:
            click.echo(error.message, err=True)
            sys.exit(UNAVAILABLE)

    return wrapped
