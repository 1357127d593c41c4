"""``ppc-gen-password``: print the hash of a password, for a line ``user.NAME = HASH``."""

from __future__ import annotations

import sys

import click

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.kernel.errors import InvalidRequest


@click.command(name="ppc-gen-password")
@click.option("-i", "--stdin", "from_stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "-s",
    "--scheme",
    default="argon2",
    show_default=True,
    metavar="SCHEME",
    help="argon2, bcrypt, sha512_crypt (sha), sha256_crypt, pbkdf2_sha512 (pbkdf2) or pbkdf2_sha256.",
)
@click.option("-r", "--rounds", type=int, metavar="N", help="Cost; the default takes about 100 ms.")
@click.pass_context
def main(context: click.Context, *, from_stdin: bool, scheme: str, rounds: int | None) -> None:
    """Print the hash of a password.

    Asks for it twice without showing it. With -i it is what standard input holds, less one line end.
    """
    try:
        password = _from_stdin() if from_stdin else _asked()
        click.echo(hash_password(password, scheme, rounds))
    except InvalidRequest as error:
        _refuse(context, error.message)
    except ValueError as error:
        _refuse(context, str(error))


def _from_stdin() -> str:
    data = sys.stdin.buffer.read()
    try:
        password = data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("The password on standard input is not UTF-8: convert it first") from None
    return password.removesuffix("\n").removesuffix("\r") if password.endswith("\n") else password


def _asked() -> str:
    # The prompts go to standard error, so that standard output is the hash and nothing else. The empty
    # default ends the prompt on empty input, which is then refused; click alone would ask for ever.
    return str(
        click.prompt("Password", default="", show_default=False, hide_input=True, confirmation_prompt=True, err=True)
    )


def _refuse(context: click.Context, message: str) -> None:
    click.echo(f"ppc-gen-password: {message}", err=True)
    context.exit(2)
