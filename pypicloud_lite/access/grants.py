"""Rules by project: names, patterns of names, and where each of them was written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

from pypicloud_lite.access.model import NO_GRANTS, Grants, Right, is_pattern
from pypicloud_lite.kernel.names import ProjectName

Kind = Literal["user", "group"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: these rights, for this user or group, on every project that the pattern matches.

    ``pattern`` is normalised; ``source`` is where it stands, as an administrator finds it.
    """

    pattern: str
    kind: Kind
    who: str
    rights: frozenset[Right]
    source: str = ""


class GrantBook(Protocol):
    """The rules of every project, as they were at one moment."""

    def of(self, project: ProjectName) -> Grants:
        """What holds for the project; the rules whose patterns match it add up."""

    def rules_of(self, project: ProjectName) -> Sequence[Rule]:
        """The rules behind that."""

    def rules(self) -> Sequence[Rule]:
        """Every rule that is known: where it costs a question for each project, only those asked for so far."""


@runtime_checkable
class AskedByCaller(Protocol):
    """A :class:`GrantBook` that can be asked for what concerns one caller, where asking for all would cost too much."""

    def rules_for(self, username: str | None, groups: frozenset[str]) -> Sequence[Rule]:
        """The rules for that user and for those groups."""


def rules_for(book: GrantBook, username: str | None, groups: frozenset[str]) -> Sequence[Rule]:
    """Every rule for the user or one of the groups, and maybe others."""
    return book.rules_for(username, groups) if isinstance(book, AskedByCaller) else book.rules()


class GrantTable:
    """A :class:`GrantBook` in memory: a dictionary for the names, and each pattern tried in turn."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._named: dict[str, list[Rule]] = {}
        self._patterns: list[tuple[re.Pattern[str], Rule]] = []
        for rule in self._rules:
            if is_pattern(rule.pattern):
                self._patterns.append((_compiled(rule.pattern), rule))
            else:
                self._named.setdefault(rule.pattern, []).append(rule)
        self._grants = {name: as_grants(rules) for name, rules in self._named.items()}

    def of(self, project: ProjectName) -> Grants:
        """As the protocol says."""
        if not self._patterns:
            return self._grants.get(project.value, NO_GRANTS)
        return as_grants(self.rules_of(project))

    def rules_of(self, project: ProjectName) -> Sequence[Rule]:
        """As the protocol says."""
        matching = [rule for pattern, rule in self._patterns if pattern.fullmatch(project.value)]
        return [*self._named.get(project.value, ()), *matching]

    def rules(self) -> Sequence[Rule]:
        """As the protocol says."""
        return self._rules


NO_RULES = GrantTable()


class JoinedGrants:
    """Several books read as one: their rules add up."""

    def __init__(self, books: Sequence[GrantBook]) -> None:
        self._books = books

    def of(self, project: ProjectName) -> Grants:
        """As the protocol says."""
        return as_grants(self.rules_of(project))

    def rules_of(self, project: ProjectName) -> Sequence[Rule]:
        """As the protocol says."""
        return [rule for book in self._books for rule in book.rules_of(project)]

    def rules(self) -> Sequence[Rule]:
        """As the protocol says."""
        return [rule for book in self._books for rule in book.rules()]

    def rules_for(self, username: str | None, groups: frozenset[str]) -> Sequence[Rule]:
        """As :class:`AskedByCaller` says."""
        return [rule for book in self._books for rule in rules_for(book, username, groups)]


def joined(books: Sequence[GrantBook]) -> GrantBook:
    """One book out of several; those without a rule cost nothing."""
    filled = [book for book in books if book is not NO_RULES]
    if len(filled) == 1:
        return filled[0]
    return JoinedGrants(filled) if filled else NO_RULES


def is_without_rules(book: GrantBook) -> bool:
    """Whether it is known, without a question to anybody, that there is no rule for any project."""
    return isinstance(book, GrantTable) and not book.rules()


def as_grants(rules: Iterable[Rule]) -> Grants:
    """The rights by user and by group."""
    users: dict[str, frozenset[Right]] = {}
    groups: dict[str, frozenset[Right]] = {}
    for rule in rules:
        table = users if rule.kind == "user" else groups
        table[rule.who] = table.get(rule.who, frozenset()) | rule.rights
    if not users and not groups:
        return NO_GRANTS
    return Grants(_frozen(users), _frozen(groups))


def _frozen(table: dict[str, frozenset[Right]]) -> Mapping[str, frozenset[Right]]:
    return MappingProxyType(table)


def _compiled(pattern: str) -> re.Pattern[str]:
    # Its expression never goes back over a *: one with many would else take for ever on a name that nearly matches.
    return re.compile(translate(pattern))
