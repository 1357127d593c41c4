"""How a command gets a new password: asked for twice, or from standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pypicloud_lite.kernel.errors import InvalidRequest

F = TypeVar("F", bound=Callable[..., Any])


def password_options(command: F) -> F:
    """Give a command ``from_stdin`` and ``no_password``."""
    command = click.option("-i", "--stdin", "from_stdin", is_flag=True, help="Read the password from standard input.")(
        command
    )
    return click.option("--no-password", is_flag=True, help="No password: the user logs in with tokens only.")(command)


def read_password(*, from_stdin: bool) -> str:
    """A new password; InvalidRequest when it cannot be read."""
    return password_from_stdin() if from_stdin else asked_password()


def password_from_stdin() -> str:
    """What standard input holds, less one line end."""
    data = sys.stdin.buffer.read()
    try:
        password = data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The password on standard input is not UTF-8: convert it first") from None
    return password.removesuffix("\n").removesuffix("\r") if password.endswith("\n") else password


def asked_password() -> str:
    """Asked for twice on standard error, so that standard output is the command's own."""
    # The empty default ends the prompt on empty input, which is then refused; click alone would ask for ever.
    return str(
        click.prompt("Password", default="", show_default=False, hide_input=True, confirmation_prompt=True, err=True)
    )
