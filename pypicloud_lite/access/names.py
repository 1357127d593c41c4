"""Names of users and groups that are made here: what Basic authentication, URLs and INI files can all carry."""

from __future__ import annotations

from pypicloud_lite.access.model import BUILT_IN_GROUPS
from pypicloud_lite.access.tables import NAME_LENGTH
from pypicloud_lite.db.types import storable
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import shown

TOKEN_USER = "__token__"  # noqa: S105  the user name that stands for "the token says who"
MAX_NAME = 100
"""Characters, pypicloud's limit."""


def is_kept(name: str) -> bool:
    """Whether the tables can hold the name of somebody whom any backend knows, and tell it from every other one.

    Not with a space at its end: MariaDB takes that for the name without it.
    """
    return 0 < len(name) <= NAME_LENGTH and not name.endswith(" ") and storable(name) == name


def new_username(name: str) -> str:
    """The name without white space around it; InvalidName when no client could send it."""
    name = name.strip()
    _check("user", name)
    if ":" in name:
        raise InvalidName(f"{shown(name)} cannot be a user name: HTTP Basic ends the name at a ':'")
    if name in BUILT_IN_GROUPS or name == "-":
        raise InvalidName(f"{shown(name)} cannot be a user name: it stands for everybody in rules and commands")
    if name == TOKEN_USER:
        raise InvalidName(f"{TOKEN_USER} cannot be a user name: it is what clients send with a token")
    return name


def new_group_name(name: str) -> str:
    """The name without white space around it; InvalidName for a built-in group."""
    name = name.strip()
    _check("group", name)
    if name in BUILT_IN_GROUPS:
        raise InvalidName(f"The group {name} is built in, with its members: choose another name")
    return name


def _check(kind: str, name: str) -> None:
    if not name or len(name) > MAX_NAME:
        raise InvalidName(f"A {kind} name has 1 to {MAX_NAME} characters, not {shown(name)}")
    if not name.isprintable() or any(char.isspace() for char in name) or "/" in name:
        raise InvalidName(
            f"{shown(name)} cannot be a {kind} name: use letters, digits and signs, without spaces or '/'"
        )
    if name in {".", ".."}:
        raise InvalidName(f"{shown(name)} cannot be a {kind} name: clients leave it out of a URL")
