"""``ppc-gen-password``: print the hash of a password, for a line ``user.NAME = HASH``."""

from __future__ import annotations

from pathlib import Path

import click

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.cli.passwords import read_password
from pypicloud_lite.cli.reporting import reports_config_errors
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.wiring import load_settings


@click.command(name="ppc-gen-password")
@click.option("-i", "--stdin", "from_stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "-s",
    "--scheme",
    metavar="SCHEME",
    help="argon2 (the default), bcrypt, sha512_crypt (sha), sha256_crypt, pbkdf2_sha512 (pbkdf2) or pbkdf2_sha256.",
)
@click.option("-r", "--rounds", type=int, metavar="N", help="Cost; the default takes about 100 ms.")
@click.option(
    "-c",
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take auth.scheme and auth.rounds of this file where nothing else is said.",
)
@click.pass_context
@reports_config_errors
def main(
    context: click.Context, *, from_stdin: bool, scheme: str | None, rounds: int | None, config: Path | None
) -> None:
    """Print the hash of a password.

    Asks for it twice without showing it. With -i it is what standard input holds, less one line end.
    """
    scheme, rounds = _cost(scheme, rounds, config)
    try:
        password = read_password(from_stdin=from_stdin)
        click.echo(hash_password(password, scheme, rounds))
    except InvalidRequest as error:
        _refuse(context, error.message)
    except ValueError as error:
        _refuse(context, str(error))


def _cost(scheme: str | None, rounds: int | None, config: Path | None) -> tuple[str, int | None]:
    if config is None:
        return scheme or "argon2", rounds
    settings = load_settings(config).get(AccessSettings)
    if scheme is not None and scheme != settings.scheme:
        # Rounds mean something else in every scheme.
        return scheme, rounds
    return settings.scheme, settings.rounds if rounds is None else rounds


def _refuse(context: click.Context, message: str) -> None:
    click.echo(f"ppc-gen-password: {message}", err=True)
    context.exit(2)
