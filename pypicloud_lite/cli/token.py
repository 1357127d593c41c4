"""``ppc-token``: API tokens for users of any backend, such as a robot that builds."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import click

from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.model import Scope, ScopeWord, project_pattern
from pypicloud_lite.access.tokens import (
    INDEX_PATTERN,
    MAX_INDEX,
    MAX_NAME,
    Token,
    WantedToken,
    described,
    network,
    token_document,
)
from pypicloud_lite.cli.config_file import config_option
from pypicloud_lite.cli.operator import as_json, operating, refuses_clearly

_COMMAND = "ppc-token"


@click.group(name=_COMMAND)
def main() -> None:
    """Make, list and revoke API tokens.

    A client sends one as the password of its user, or of the user __token__.
    """


@main.command()
@click.argument("user")
@click.option("--name", required=True, help="What the token is for, as it stands in the list.")
@click.option(
    "-p",
    "--permission",
    "permissions",
    multiple=True,
    required=True,
    type=click.Choice([word.value for word in ScopeWord]),
    help="What it may do, within what the user may; repeat it for several.",
)
@click.option("--project", "projects", multiple=True, help="A project, or a pattern with *; repeat it. Without: all.")
@click.option("--index", help="The index, as owner/name. Without: all.")
@click.option("--network", "networks", multiple=True, help="An address or network it may be used from; repeat it.")
@click.option("--days", type=click.IntRange(1, 3650), help="Days until it expires; auth.api_token_days if left out.")
@click.option("--never-expires", is_flag=True, help="It lasts until it is revoked.")
@config_option
@refuses_clearly
def create(
    user: str,
    name: str,
    permissions: tuple[str, ...],
    projects: tuple[str, ...],
    index: str | None,
    networks: tuple[str, ...],
    days: int | None,
    config: Path | None,
    *,
    never_expires: bool,
) -> None:
    """Make a token for USER and print it: it is shown this once."""
    words = frozenset(ScopeWord(word) for word in permissions)
    if ScopeWord.ADMIN in words and (projects or index):
        raise click.UsageError("the permission admin knows no limits: leave --project and --index out")
    if not 0 < len(name) <= MAX_NAME:
        raise click.UsageError(f"--name takes 1 to {MAX_NAME} characters")
    if index is not None and (len(index) > MAX_INDEX or not re.fullmatch(INDEX_PATTERN, index, re.ASCII)):
        raise click.UsageError(f"{index!a} is no index: write it as owner/name, in lower case")
    scope = Scope(words, tuple(_pattern(one) for one in projects), index)
    with operating(config, _COMMAND) as operator:
        if never_expires and days is not None:
            raise click.UsageError("--days and --never-expires contradict each other")
        usual = operator.services.settings.get(LoginSettings).token_days
        lifetime = None if never_expires else timedelta(days=usual if days is None else days)
        wanted = WantedToken(user, name, scope, tuple(_network(one) for one in networks), lifetime)
        secret, token = operator.services.tokens.create(wanted, operator.author)
    click.echo(secret)
    click.echo(f"Token {token.id} of {user}; it is not shown again. It expires: {_when(token)}.", err=True)


@main.command(name="list")
@click.argument("user")
@config_option
@click.option("--json", "as_document", is_flag=True, help="Print JSON.")
@refuses_clearly
def list_tokens(user: str, config: Path | None, *, as_document: bool) -> None:
    """List the tokens of USER."""
    with operating(config, _COMMAND) as operator:
        found = operator.services.tokens.of(user)
    if as_document:
        as_json([token_document(one) for one in found])
        return
    for one in found:
        scope = described(one.scope, one.networks)
        limits = "; ".join(f"{key}: {value}" for key, value in scope.items() if value and key != "permissions")
        used = "never used" if one.last_used_at is None else f"last used {one.last_used_at:%Y-%m-%d %H:%M}"
        what = ", ".join(scope["permissions"])
        click.echo(f"{one.id}  {one.name}  ({what}; {limits or 'no limits'}; expires {_when(one)}; {used})")


@main.command()
@click.argument("user")
@click.argument("number", type=int, required=False)
@click.option("--all", "everything", is_flag=True, help="Every token of the user.")
@config_option
@refuses_clearly
def revoke(user: str, number: int | None, config: Path | None, *, everything: bool) -> None:
    """End token NUMBER of USER at once, or all of them."""
    if (number is None) != everything:
        raise click.UsageError("name one token by its number, or all with --all")
    with operating(config, _COMMAND) as operator:
        if number is None:
            click.echo(f"{operator.services.tokens.revoke_all(user, operator.author)} tokens revoked.", err=True)
        else:
            operator.services.tokens.revoke(user, number, operator.author)


def _when(token: Token) -> str:
    return "never" if token.expires_at is None else f"{token.expires_at:%Y-%m-%d %H:%M}Z"


def _pattern(text: str) -> str:
    pattern = project_pattern(text)
    if pattern is None:
        raise click.UsageError(f"{text!a} is no project name or pattern")
    return pattern


def _network(text: str) -> str:
    try:
        return network(text)
    except ValueError:
        raise click.UsageError(f"{text!a} is no address or network, such as 192.0.2.0/24") from None
