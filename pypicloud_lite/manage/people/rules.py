"""Answers of the admin API: facts of access in pypicloud's shapes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.grants import GrantBook, Kind, Rule
from pypicloud_lite.access.model import Account, Right, Role
from pypicloud_lite.journal.model import AuditEntry


def shown_user(account: Account, directory: Directory) -> dict[str, Any]:
    """A user."""
    return {
        "username": account.username,
        "admin": account.is_admin,
        "groups": sorted(account.groups),
        "roles": sorted(account.roles),
        "backend": directory.owner_of(account.username),
    }


def rights_of(book: GrantBook, kind: Kind, who: str) -> list[dict[str, Any]]:
    """The rules that name a user or group, by project or pattern."""
    found: dict[str, frozenset[Right]] = {}
    for rule in book.rules():
        if (rule.kind, rule.who) == (kind, who):
            found[rule.pattern] = found.get(rule.pattern, frozenset()) | rule.rights
    return [{"package": name, "permissions": sorted(rights)} for name, rights in sorted(found.items())]


def rules_of(rules: Iterable[Rule]) -> dict[str, list[dict[str, Any]]]:
    """The rules of one project, by whom they name."""
    found: dict[Kind, dict[str, frozenset[Right]]] = {"user": {}, "group": {}}
    for rule in rules:
        table = found[rule.kind]
        table[rule.who] = table.get(rule.who, frozenset()) | rule.rights
    names: tuple[tuple[Kind, str], ...] = (("user", "username"), ("group", "group"))
    return {
        kind: [{key: who, "permissions": sorted(rights)} for who, rights in sorted(found[kind].items())]
        for kind, key in names
    }


def listed_rules(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Every rule with where it stands."""
    return [
        {
            "package": rule.pattern,
            "kind": rule.kind,
            "who": rule.who,
            "permissions": sorted(rule.rights),
            "source": rule.source,
        }
        for rule in rules
    ]


def roles(directory: Directory) -> dict[str, dict[str, list[str]]]:
    """Who is given each role, by name."""
    holders = directory.role_holders()
    return {
        role.value: {
            "users": sorted(name for name, held in holders.users.items() if role in held),
            "groups": sorted(name for name, held in holders.groups.items() if role in held),
        }
        for role in Role
    }


def shown_entry(entry: AuditEntry) -> dict[str, Any]:
    """A line of the journal."""
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "author": entry.author.name,
        "address": entry.author.address,
        "credential": entry.author.credential,
        "action": entry.action,
        "outcome": entry.outcome.value,
        "index": entry.index,
        "project": entry.project,
        "subject": entry.subject,
        "detail": dict(entry.detail),
    }
