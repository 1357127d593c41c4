"""``ppc-access``: what somebody may do, why, and the rules behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pypicloud_lite.access.grants import Kind
from pypicloud_lite.access.model import EVERYONE, Identity, Permission, Right
from pypicloud_lite.cli.config_file import config_option
from pypicloud_lite.cli.operator import Operator, as_json, operating, refuses_clearly
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import ProjectName

_ANONYMOUS = "-"
_KIND = click.Choice(["user", "group"])
_RIGHT = click.Choice([right.value for right in Right])


F = TypeVar("F", bound=Callable[..., Any])


def _rule(command: F) -> F:
    """The arguments of a command that changes a rule."""
    command = config_option(refuses_clearly(command))
    for name, kind in (("right", _RIGHT), ("who", click.STRING), ("kind", _KIND), ("project", click.STRING)):
        command = click.argument(name, type=kind)(command)
    return command


@click.group(name="ppc-access")
def main() -> None:
    """Say what users may do, and change the rules that are in the database."""


@main.command()
@click.argument("user")
@click.argument("project")
@config_option
@click.option("--json", "as_document", is_flag=True, help="Print JSON.")
@refuses_clearly
def explain(user: str, project: str, config: Path | None, *, as_document: bool) -> None:
    """Say what USER may do with PROJECT, and which line says so. USER is - for somebody without a login."""
    with operating(config, "ppc-access") as operator:
        identity, name = _identity(operator, user), ProjectName.parse(project)
        verdicts = {one: operator.services.gate.explain(identity, one, name) for one in Permission}
        rules = operator.services.access.grant_book().rules_of(name)
        reserved = [rule.source for rule in rules]
        roles = _sources(operator, identity)
    if as_document:
        allowed = {
            str(one): {"allowed": verdict.allowed, "reason": verdict.reason} for one, verdict in verdicts.items()
        }
        as_json(
            {
                "user": user,
                "project": str(name),
                "groups": sorted(identity.groups),
                "roles": roles,
                "permissions": allowed,
                "rules": reserved,
            }
        )
        return
    click.echo(f"{user if identity.is_authenticated else 'Somebody without a login'} and project {name}")
    if identity.groups or identity.roles:
        click.echo(f"  groups: {_listed(identity.groups)}; roles: {', '.join(roles) or 'none'}")
    for permission, verdict in verdicts.items():
        click.echo(f"  {'yes' if verdict.allowed else 'no ':3} {permission.value:15} {verdict.reason}")
    click.echo("Rules of the project:" if reserved else "The project has no rule of its own: the defaults hold.")
    for line in reserved:
        click.echo(f"  {line}")


@main.command(name="list")
@config_option
@click.option("--json", "as_document", is_flag=True, help="Print JSON.")
@refuses_clearly
def list_rules(config: Path | None, *, as_document: bool) -> None:
    """List every rule, and where it stands."""
    with operating(config, "ppc-access") as operator:
        rules = operator.services.access.grant_book().rules()
    if as_document:
        as_json(
            [
                {
                    "project": rule.pattern,
                    "kind": rule.kind,
                    "who": rule.who,
                    "rights": sorted(rule.rights),
                    "source": rule.source,
                }
                for rule in rules
            ]
        )
        return
    for rule in rules:
        click.echo(f"{rule.pattern}: {rule.kind} {rule.who}: {_listed(rule.rights)} ({rule.source})")


@main.command()
@_rule
def grant(project: str, kind: Kind, who: str, right: str, config: Path | None) -> None:
    """Give KIND (user or group) WHO a RIGHT on PROJECT, which may have * for any text."""
    _set_right(project, kind, who, right, config, given=True)


@main.command()
@_rule
def revoke(project: str, kind: Kind, who: str, right: str, config: Path | None) -> None:
    """Take a right away."""
    _set_right(project, kind, who, right, config, given=False)


def _set_right(project: str, kind: Kind, who: str, right: str, config: Path | None, *, given: bool) -> None:
    with operating(config, "ppc-access") as operator:
        administration = operator.services.administration
        administration.set_right(project, kind, who, Right(right), operator.author, given=given)


def _identity(operator: Operator, user: str) -> Identity:
    if user in {_ANONYMOUS, EVERYONE}:
        return Identity()
    account = operator.services.access.lookup(user)
    if account is None:
        raise NotFound(f"There is no user {user}: see ppc-user list")
    return Identity(account.username, account.groups, account.roles)


def _sources(operator: Operator, identity: Identity) -> list[str]:
    account = operator.services.access.lookup(identity.username) if identity.username is not None else None
    return [] if account is None else operator.services.access.sources_of_roles(account)


def _listed(words: frozenset[str] | frozenset[Right]) -> str:
    return ", ".join(sorted(words)) or "none"
