"""The grammar of ``user.*``, ``group.*`` and ``package.*``: text to facts, with every mistake named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pypicloud_lite.access.grants import NO_RULES, GrantBook, GrantTable, Kind, Rule
from pypicloud_lite.access.model import BUILT_IN_GROUPS, Right, is_pattern, may_own, project_pattern
from pypicloud_lite.access.passwords import identify, is_weak
from pypicloud_lite.kernel.errors import ConfigError, InvalidName
from pypicloud_lite.kernel.names import ProjectName, shown

_LETTERS = MappingProxyType({"r": Right.READ, "w": Right.WRITE})
_SEPARATOR = re.compile(r"\.(user|group)\.")


@dataclass(frozen=True, slots=True)
class ConfigWorld:
    """What the keys say: password hashes by user, members by group, rules by project.

    ``strangers`` are warnings of names that no key defines, for where no other backend could.
    """

    hashes: Mapping[str, str] = field(repr=False)
    groups: Mapping[str, frozenset[str]]
    book: GrantBook
    warnings: tuple[str, ...]
    strangers: tuple[str, ...] = ()


def read_keys(entries: Mapping[str, str]) -> ConfigWorld:
    """Read every key; ConfigError lists all that are wrong, without the values of ``user.*``."""
    reader = _Reader()
    for key, value in entries.items():
        family, _, rest = key.partition(".")
        match family:
            case "user":
                reader.user(key, rest, value)
            case "group":
                reader.group(key, rest, value)
            case _:
                reader.package(key, rest, value)
    if reader.problems:
        raise ConfigError(*reader.problems)
    return reader.world()


class _Reader:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self._hashes: dict[str, str] = {}
        self._groups: dict[str, frozenset[str]] = {}
        self._rules: dict[tuple[str, Kind, str], tuple[str, frozenset[Right]]] = {}
        self._warnings: list[str] = []

    def user(self, key: str, name: str, stored: str) -> None:
        if not name:
            self.problems.append(f"{key} has no user name: write user.NAME")
        elif identify(stored.strip()) is None:
            self.problems.append(f"{key} is not a password hash: make one with ppc-gen-password")
        else:
            self._hashes[name] = stored.strip()
            if is_weak(stored.strip()):
                self._warnings.append(f"{key} is a weak hash ($apr1$ or {{SHA}}): make a new one with ppc-gen-password")

    def group(self, key: str, name: str, members: str) -> None:
        if not name:
            self.problems.append(f"{key} has no group name: write group.NAME")
        elif name in BUILT_IN_GROUPS:
            self.problems.append(f"{key}: the group {name} is built in and has no list of members: remove it")
        else:
            self._groups[name] = frozenset(members.split())

    def package(self, key: str, rest: str, value: str) -> None:
        """Split at the last ``.user.`` or ``.group.``.

        So projects, users and groups may all have dots; only a name with that very word between dots in it
        can be misread, and a warning says how it was read.
        """
        separators = list(_SEPARATOR.finditer(rest))
        if not separators:
            self.problems.append(f"{key} is not a rule: write package.PROJECT.user.NAME or package.PROJECT.group.NAME")
            return
        last = separators[-1]
        spelling, who = rest[: last.start()], rest[last.end() :]
        kind: Kind = "user" if last[1] == "user" else "group"
        project = self._pattern(key, spelling)
        if project is None:
            return
        rights = _rights(value)
        if not who or rights is None:
            self.problems.append(
                f"{key} has no {kind} name: write package.{spelling}.{kind}.NAME"
                if not who
                else f"{key} = {shown(value)} is not a right: write r, w, rw or owner"
            )
            return
        if len(separators) > 1:
            self._warnings.append(f"{key} was read as project {shown(spelling)} and {kind} {shown(who)}")
        if Right.OWNER in rights and not may_own(kind, who):
            rights -= {Right.OWNER}
            self._warnings.append(
                f"{key}: the group {who} cannot be an owner, so this gives no such right: name others"
            )
        rule = (project, kind, who)
        other, before = self._rules.setdefault(rule, (key, rights))
        if before != rights:
            self.problems.append(f"{key} and {other} are the same project with different rights: remove one")

    def _pattern(self, key: str, spelling: str) -> str | None:
        if is_pattern(spelling):
            pattern = project_pattern(spelling)
            if pattern is None:
                self.problems.append(
                    f"{key}: {shown(spelling)} is no pattern of project names: use letters, digits, '-' and '*'"
                )
            return pattern
        try:
            return ProjectName.parse(spelling).value
        except InvalidName as error:
            self.problems.append(f"{key}: {error.message}")
            return None

    def world(self) -> ConfigWorld:
        rules = [
            Rule(project, kind, who, rights, f"config: {key} = {' '.join(sorted(rights))}")
            for (project, kind, who), (key, rights) in self._rules.items()
        ]
        return ConfigWorld(
            hashes=MappingProxyType(self._hashes),
            groups=MappingProxyType(self._groups),
            book=GrantTable(rules) if rules else NO_RULES,
            warnings=tuple(self._warnings),
            strangers=tuple(self._strangers()),
        )

    def _strangers(self) -> list[str]:
        found = [
            f"group.{group} names {shown(member)}, who has no line user.{member}: add one, or remove the name"
            for group, members in self._groups.items()
            for member in sorted(members - self._hashes.keys())
        ]
        for (_, kind, who), (key, _) in self._rules.items():
            known = self._hashes if kind == "user" else self._groups.keys() | BUILT_IN_GROUPS
            if who not in known:
                found.append(f"{key} gives a right to {shown(who)}, but there is no {kind}.{who}")
        return found


def _rights(value: str) -> frozenset[Right] | None:
    """Letters up to two characters (``rw``), words beyond (``read write``, ``owner``); None for anything else."""
    text = value.strip()
    words = list(text) if len(text) <= 2 else text.split()  # noqa: PLR2004  # pypicloud's own rule
    rights = {_LETTERS.get(word, word) for word in words}
    if not rights <= set(Right):
        return None
    return frozenset(Right(right) for right in rights)
