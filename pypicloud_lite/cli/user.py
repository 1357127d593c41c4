"""``ppc-user``: the users and groups of ``pypi.auth = sql``, by hand."""

from __future__ import annotations

from pathlib import Path

import click

from pypicloud_lite.access.model import Role
from pypicloud_lite.cli.config_file import config_option
from pypicloud_lite.cli.operator import as_json, operating, refuses_clearly
from pypicloud_lite.cli.passwords import password_options, read_password

_COMMAND = "ppc-user"


@click.group(name=_COMMAND)
def main() -> None:
    """Add, list and remove users of the database (pypi.auth = sql), and put them into groups."""


@main.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="Make the user an administrator.")
@password_options
@config_option
@refuses_clearly
def add(name: str, config: Path | None, *, admin: bool, from_stdin: bool, no_password: bool) -> None:
    """Add user NAME, and ask for a password."""
    with operating(config, _COMMAND) as operator:
        password = None if no_password else read_password(from_stdin=from_stdin)
        added = operator.services.administration.add_user(name, password, operator.author, is_admin=admin)
    click.echo(f"Added {'administrator' if admin else 'user'} {added}.", err=True)


@main.command()
@click.argument("name")
@password_options
@config_option
@refuses_clearly
def passwd(name: str, config: Path | None, *, from_stdin: bool, no_password: bool) -> None:
    """Give user NAME another password; its logins in browsers end."""
    with operating(config, _COMMAND) as operator:
        password = None if no_password else read_password(from_stdin=from_stdin)
        operator.services.administration.set_password(name, password, operator.author)


@main.command(name="list")
@config_option
@click.option("--json", "as_document", is_flag=True, help="Print JSON.")
@refuses_clearly
def list_users(config: Path | None, *, as_document: bool) -> None:
    """List everybody whom the server knows, and who waits for approval."""
    with operating(config, _COMMAND) as operator:
        directory = operator.services.access
        found = [
            {
                "username": account.username,
                "backend": directory.owner_of(account.username),
                "groups": sorted(account.groups),
                "roles": sorted(account.roles),
            }
            for account in directory.accounts()
        ]
        pending = list(operator.services.administration.pending())
    if as_document:
        as_json({"users": found, "pending": pending})
        return
    for user in found:
        click.echo(
            f"{user['username']}  ({user['backend']}; groups: {', '.join(user['groups'] or ()) or 'none'}; "
            f"roles: {', '.join(user['roles'] or ()) or 'none'})"
        )
    for name in pending:
        click.echo(f"{name}  (waits for approval: ppc-user approve {name})")


@main.command()
@click.argument("name")
@config_option
@refuses_clearly
def remove(name: str, config: Path | None) -> None:
    """Remove user NAME with all that is tied to the name: groups, rules, roles, tokens, logins."""
    with operating(config, _COMMAND) as operator:
        operator.services.administration.remove_user(name, operator.author)


@main.command()
@click.argument("name")
@config_option
@refuses_clearly
def approve(name: str, config: Path | None) -> None:
    """Let user NAME in, who asked for an account."""
    with operating(config, _COMMAND) as operator:
        operator.services.administration.approve(name, operator.author)


@main.command()
@click.argument("action", type=click.Choice(["add", "remove", "delete"]))
@click.argument("group")
@click.argument("users", nargs=-1)
@config_option
@refuses_clearly
def group(action: str, group: str, users: tuple[str, ...], config: Path | None) -> None:
    """Put USERS into GROUP (add: the group is made where there is none), take them out (remove), or delete GROUP."""
    with operating(config, _COMMAND) as operator:
        administration, author = operator.services.administration, operator.author
        if action == "delete":
            if users:
                raise click.UsageError("delete takes a group and no users")
            administration.remove_group(group, author)
            return
        if action == "add" and group not in operator.services.access.groups():
            administration.add_group(group, author)
        for user in users:
            administration.set_member(group, user, author, member=action == "add")


@main.command()
@click.argument("action", type=click.Choice(["give", "take"]))
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.argument("kind", type=click.Choice(["user", "group"]))
@click.argument("who")
@config_option
@refuses_clearly
def role(action: str, role: str, kind: str, who: str, config: Path | None) -> None:
    """Give a ROLE (reader, writer, admin) to a user or group of any backend, or take it away."""
    with operating(config, _COMMAND) as operator:
        operator.services.administration.set_role(
            Role(role),
            "user" if kind == "user" else "group",
            who,
            operator.author,
            held=action == "give",
        )
