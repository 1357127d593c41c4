"""The JSON documents in which pypicloud writes all its users, groups and rules down: to a value, and back.

There are two forms. The *dump* (``ppc-export``, ``/admin/acl.json.gz``) has ``users`` as a list of objects and
``packages`` as ``users`` and ``groups`` by project; the *secret* (what its backend ``aws_secrets_manager`` writes) has
``users`` and ``pending_users`` as names with hashes, ``admins`` as a list, and ``packages`` by project first. Both are
read; the dump is what is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn

from pypicloud_lite.access.grants import Kind
from pypicloud_lite.access.model import Right, is_pattern, project_pattern
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.names import ProjectName, shown

_Rights = Mapping[tuple[str, str], frozenset[Right]]


@dataclass(frozen=True, slots=True)
class AclUser:
    """A user. ``password_hash`` is what the document has, checked by nobody; None where it has none."""

    username: str
    password_hash: str | None = field(default=None, repr=False)
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class AclDocument:
    """Everything that a document says.

    Projects are normalised names or patterns; rights are by project and user, or by project and group. ``pending`` are
    those who have registered and were not approved. ``version`` is whose document it is, as it says.
    """

    users: tuple[AclUser, ...] = ()
    pending: tuple[AclUser, ...] = ()
    groups: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    user_rights: _Rights = field(default_factory=lambda: MappingProxyType({}))
    group_rights: _Rights = field(default_factory=lambda: MappingProxyType({}))
    allow_register: bool = False
    version: str = "pypicloud_lite"


def parse(text: str) -> AclDocument:
    """Read a document of either form.

    InvalidRequest names the place of what is odd, and no value: ``users[3].password: it must be a text``. Of several
    spellings of a project the rights add up.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique)
    except InvalidRequest:
        raise
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "nesting"
        raise InvalidRequest(f"The document is not JSON ({where}): write it anew") from None
    root = _object(document, "the document")
    return _read_secret(root) if _is_secret(root) else _read_dump(root)


def dump(document: AclDocument) -> dict[str, Any]:
    """Write a document in the form of pypicloud's dump, names in their order: what ``json.dumps`` takes."""
    dumped: dict[str, Any] = {
        "version": document.version,
        "allow_register": document.allow_register,
        "groups": {group: sorted(document.groups[group]) for group in sorted(document.groups)},
        "users": [
            {"username": user.username, "admin": user.is_admin, "password": user.password_hash}
            for user in sorted(document.users, key=lambda user: user.username)
        ],
        "packages": {"users": _nested(document.user_rights), "groups": _nested(document.group_rights)},
    }
    if document.pending:
        dumped["pending_users"] = [
            {"username": user.username, "password": user.password_hash}
            for user in sorted(document.pending, key=lambda user: user.username)
        ]
    return dumped


def _nested(rights: _Rights) -> dict[str, dict[str, list[str]]]:
    projects: dict[str, dict[str, list[str]]] = {}
    for (project, who), held in sorted(rights.items()):
        projects.setdefault(project, {})[who] = sorted(held)
    return projects


def _is_secret(root: Mapping[str, Any]) -> bool:
    if "users" in root:
        return isinstance(root["users"], dict)
    return bool({"admins", "allow_registration"} & root.keys()) or isinstance(root.get("pending_users"), dict)


def _read_dump(root: Mapping[str, Any]) -> AclDocument:
    packages = _object(root.get("packages", {}), "packages")
    for key in packages:
        if key not in {"users", "groups"}:
            _refuse(f"packages.{_word(key)}", "it must be users or groups")
    return AclDocument(
        users=_people(_list(root.get("users", []), "users"), "users"),
        pending=_people(_list(root.get("pending_users", []), "pending_users"), "pending_users"),
        groups=_groups(root),
        user_rights=_rights(_rules(packages.get("users", {}), "packages.users")),
        group_rights=_rights(_rules(packages.get("groups", {}), "packages.groups")),
        allow_register=_truth(root.get("allow_register", False), "allow_register"),
        version=_version(root),
    )


def _read_secret(root: Mapping[str, Any]) -> AclDocument:
    admins = frozenset(_names(root.get("admins", []), "admins"))
    packages = _object(root.get("packages", {}), "packages")
    by_kind: dict[Kind, list[tuple[str, str, Any, str]]] = {"user": [], "group": []}
    for spelling, body in packages.items():
        where = f"packages.{_word(spelling)}"
        for key, held in _object(body, where).items():
            if key not in {"users", "groups"}:
                _refuse(f"{where}.{_word(key)}", "it must be users or groups")
            kind: Kind = "user" if key == "users" else "group"
            by_kind[kind] += _rules({spelling: held}, "packages", f".{key}")
    return AclDocument(
        users=_hashes(root.get("users", {}), "users", admins),
        pending=_hashes(root.get("pending_users", {}), "pending_users"),
        groups=_groups(root),
        user_rights=_rights(by_kind["user"]),
        group_rights=_rights(by_kind["group"]),
        allow_register=_truth(root.get("allow_registration", False), "allow_registration"),
        version=_version(root),
    )


def _people(entries: list[Any], where: str) -> tuple[AclUser, ...]:
    found: dict[str, AclUser] = {}
    for number, entry in enumerate(entries):
        place = f"{where}[{number}]"
        user = _object(entry, place)
        if "username" not in user:
            _refuse(f"{place}.username", "it is missing")
        name = _name(user["username"], f"{place}.username")
        if name in found:
            _refuse(f"{place}.username", "an earlier user has the same name")
        stored = _hash(user.get("password"), f"{place}.password")
        found[name] = AclUser(name, stored, _truth(user.get("admin", False), f"{place}.admin"))
    return tuple(found.values())


def _hashes(value: Any, where: str, admins: frozenset[str] = frozenset()) -> tuple[AclUser, ...]:
    return tuple(
        AclUser(_name(name, where), _hash(stored, f"{where}.{_word(name)}"), name in admins)
        for name, stored in _object(value, where).items()
    )


def _groups(root: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    groups = _object(root.get("groups", {}), "groups")
    return MappingProxyType(
        {
            _name(group, "groups"): frozenset(_names(members, f"groups.{_word(group)}"))
            for group, members in groups.items()
        }
    )


def _rules(value: Any, where: str, key: str = "") -> Iterator[tuple[str, str, Any, str]]:
    """Each rule as the project's spelling, who, the rights as they stand, and the place."""
    for spelling, holders in _object(value, where).items():
        place = f"{where}.{_word(spelling)}{key}"
        for who, held in _object(holders, place).items():
            yield spelling, _name(who, place), held, f"{place}.{_word(who)}"


def _rights(rules: Iterable[tuple[str, str, Any, str]]) -> _Rights:
    found: dict[tuple[str, str], frozenset[Right]] = {}
    for spelling, who, held, where in rules:
        rule = (_project(spelling, where), who)
        found[rule] = found.get(rule, frozenset()) | {
            _right(word, f"{where}[{number}]") for number, word in enumerate(_list(held, where))
        }
    return MappingProxyType(found)


def _project(spelling: str, where: str) -> str:
    if is_pattern(spelling):
        return project_pattern(spelling) or _refuse(where, "this is no pattern of project names")
    try:
        return ProjectName.parse(spelling).value
    except InvalidName as error:
        _refuse(where, error.message)


def _right(word: Any, where: str) -> Right:
    try:
        return Right(word)
    except ValueError:
        _refuse(where, "it must be read, write or owner")


def _hash(value: Any, where: str) -> str | None:
    if value is not None and not isinstance(value, str):
        _refuse(where, "it must be a text, the hash of a password, or null")
    return value or None


def _names(value: Any, where: str) -> list[str]:
    return [_name(name, f"{where}[{number}]") for number, name in enumerate(_list(value, where))]


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        _refuse(where, "a name must be a text that is not empty")
    return value


def _version(root: Mapping[str, Any]) -> str:
    value = root.get("version", "")
    if not isinstance(value, str | int):
        _refuse("version", "it must be a text or a number")
    return str(value)


def _truth(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        _refuse(where, "it must be true or false")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        _refuse(where, "it must be a list")
    return value


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(where, "it must be an object {…}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"The document has {shown(twice)} twice in one object: keep one of them")
    return found


def _word(name: str) -> str:
    return name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else shown(name)


def _refuse(where: str, rule: str) -> NoReturn:
    raise InvalidRequest(f"{where}: {rule}")
