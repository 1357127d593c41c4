"""Rules that another server knows: all at once where it offers that, else by project, user and group."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pypicloud_lite.access.backends.remote_server import NotOffered, RemoteServer
from pypicloud_lite.access.backends.remote_settings import RemoteSettings
from pypicloud_lite.access.facts import fingerprint
from pypicloud_lite.access.grants import GrantTable, Kind, Rule, as_grants
from pypicloud_lite.access.model import AUTHENTICATED, EVERYONE, Grants, Right, is_pattern, project_pattern
from pypicloud_lite.access.outages import Guard, Memory
from pypicloud_lite.kernel.errors import AccessUnavailable, InvalidName
from pypicloud_lite.kernel.names import ProjectName

_MOST_ASKED = 200
_ALL = ""


class RemoteGrants:
    """A :class:`~pypicloud_lite.access.grants.GrantBook` and :class:`~pypicloud_lite.access.grants.AskedByCaller`.

    With ``auth.uri.grants`` one question a minute answers everything. Without, each project costs two questions
    when it is first asked for, and so on every ``auth.remote.cache_time``.
    """

    def __init__(
        self,
        settings: RemoteSettings,
        server: RemoteServer,
        guard: Guard,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._server = server
        self._guard = guard
        self._monotonic = monotonic
        seconds = float(settings.cache_time)
        self._table: Memory[GrantTable | None] = Memory(seconds, monotonic=monotonic)
        self._by_project: Memory[tuple[Rule, ...]] = Memory(seconds, monotonic=monotonic)
        self._by_holder: Memory[tuple[Rule, ...]] = Memory(seconds, monotonic=monotonic)

    def of(self, project: ProjectName) -> Grants:
        """As the protocol says."""
        table = self._whole()
        return as_grants(self._asked(project)) if table is None else table.of(project)

    def rules_of(self, project: ProjectName) -> Sequence[Rule]:
        """As the protocol says."""
        table = self._whole()
        return self._asked(project) if table is None else table.rules_of(project)

    def rules(self) -> Sequence[Rule]:
        """As the protocol says.

        Without ``auth.uri.grants``, a question for each user and group; where there are more than 200 of them, what
        was asked of projects so far.
        """
        table = self._whole()
        if table is not None:
            return table.rules()
        users = named(self._ask(self._settings.user_data), self._settings.user_data)
        groups = names_in(self._ask(self._settings.groups), self._settings.groups)
        if len(users) + len(groups) > _MOST_ASKED:
            return [rule for known in self._by_project.values() for rule in known]
        every = [rule for user in users for rule in self._held("user", user)]
        return every + [rule for group in {*groups, EVERYONE, AUTHENTICATED} for rule in self._held("group", group)]

    def rules_for(self, username: str | None, groups: frozenset[str]) -> Sequence[Rule]:
        """As the protocol says; without ``auth.uri.grants``, a question for the user and one for each group."""
        table = self._whole()
        if table is not None:
            return table.rules()
        own = () if username is None else self._held("user", username)
        return [*own, *(rule for group in sorted(groups) for rule in self._held("group", group))]

    def serial(self) -> str:
        """Another one whenever a rule changed; without ``auth.uri.grants`` at each ``auth.remote.cache_time`` too."""
        table = self._whole()
        if table is None:
            return fingerprint(self._by_project.changes, int(self._monotonic() / self._settings.cache_time))
        return fingerprint(sorted((rule.pattern, rule.kind, rule.who, sorted(rule.rights)) for rule in table.rules()))

    def _whole(self) -> GrantTable | None:
        known = self._table.recall(_ALL)
        return self._guard.ask(lambda: self._table.learn(_ALL, self._ask_for_all)) if known is None else known.value

    def _ask_for_all(self) -> GrantTable | None:
        uri = self._settings.grants
        try:
            answer = mapping(self._server.ask(uri), uri)
        except NotOffered:
            return None
        kinds: tuple[tuple[str, Kind], ...] = (("users", "user"), ("groups", "group"))
        if not all(key in answer for key, _ in kinds):
            # Something else altogether: to read it as "no rules" would open every project.
            raise misshapen(uri)
        return GrantTable(
            _rule(pattern, kind, who, rights, uri)
            for key, kind in kinds
            for who, projects in mapping(answer[key], uri).items()
            for pattern, rights in mapping(projects, uri).items()
        )

    def _asked(self, project: ProjectName) -> tuple[Rule, ...]:
        known = self._by_project.recall(project.value)
        if known is not None:
            return known.value
        return self._guard.ask(lambda: self._by_project.learn(project.value, lambda: self._ask_for(project)))

    def _ask_for(self, project: ProjectName) -> tuple[Rule, ...]:
        kinds: tuple[tuple[str, Kind], ...] = (
            (self._settings.user_permissions, "user"),
            (self._settings.group_permissions, "group"),
        )
        return tuple(
            _rule(project.value, kind, who, rights, uri)
            for uri, kind in kinds
            for who, rights in mapping(self._server.ask(uri, package=project.value), uri).items()
        )

    def _held(self, kind: Kind, who: str) -> tuple[Rule, ...]:
        key = f"{kind} {who}"
        known = self._by_holder.recall(key)
        if known is not None:
            return known.value
        return self._guard.ask(lambda: self._by_holder.learn(key, lambda: self._ask_of(kind, who)))

    def _ask_of(self, kind: Kind, who: str) -> tuple[Rule, ...]:
        if kind == "user":
            uri, form = self._settings.user_package_permissions, {"username": who}
        else:
            uri, form = self._settings.group_package_permissions, {"group": who}
        answer = self._server.ask(uri, **form)
        if not isinstance(answer, list):
            raise misshapen(uri)
        rows = [mapping(row, uri) for row in answer]
        return tuple(_rule(row.get("package"), kind, who, row.get("permissions"), uri) for row in rows)

    def _ask(self, uri: str) -> Any:
        return self._guard.ask(lambda: self._server.ask(uri))


def misshapen(uri: str) -> AccessUnavailable:
    """The answer has another shape than docs/remote-access.rst says."""
    return AccessUnavailable(f"The answer of auth.backend_server to {uri} is not as docs/remote-access.rst has it")


def mapping(answer: Any, uri: str) -> Mapping[str, Any]:
    """The answer, which must be an object."""
    if not isinstance(answer, dict):
        raise misshapen(uri)
    return answer


def names_in(answer: Any, uri: str) -> list[str]:
    """The answer, which must be a list of names."""
    if not isinstance(answer, list) or not all(isinstance(one, str) for one in answer):
        raise misshapen(uri)
    return answer


def named(answer: Any, uri: str) -> dict[str, Mapping[str, Any]]:
    """The answer, which must be a list of users, by their names."""
    if not isinstance(answer, list):
        raise misshapen(uri)
    rows = [mapping(row, uri) for row in answer]
    return {name: row for row, name in zip(rows, names_in([row.get("username") for row in rows], uri), strict=True)}


def _rule(project: Any, kind: Kind, who: str, rights: Any, uri: str) -> Rule:
    try:
        if not isinstance(project, str):
            raise misshapen(uri)
        pattern = project_pattern(project) if is_pattern(project) else ProjectName.parse(project).value
        if pattern is None:
            raise misshapen(uri)
        held = frozenset(Right(right) for right in names_in(rights, uri))
    except (InvalidName, ValueError):
        raise misshapen(uri) from None
    return Rule(pattern, kind, who, held, f"remote: {uri}, {kind} {who}")
