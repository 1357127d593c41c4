"""Who may do what, said a second time: the documented rules in plain sets, for tests to hold the server to.

Nothing of ``pypicloud_lite.access`` is used here, on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

ADMIN = "admin"
"""The administrator who is in the configuration, and so cannot be changed."""

DEFAULT_READ = "staff"
DEFAULT_WRITE = "makers"
MAY_DELETE = "makers"
IDLE = timedelta(hours=12)
LONGEST = timedelta(days=30)

_WORD = {"read": "read", "write": "upload", "delete": "delete", "yank": "delete"}


@dataclass(eq=False)
class Credential:
    """Something to be sent with a request; ``number``, ``words`` and ``projects`` are a token's, ``csrf`` a session's.

    ``expires`` is the moment after which it is worth nothing, ``latest`` the last to which a session can move that.
    """

    kind: str
    username: str | None = None
    secret: str = ""
    csrf: str = ""
    number: int = 0
    words: frozenset[str] = frozenset()
    projects: tuple[str, ...] = ()
    expires: datetime | None = None
    latest: datetime | None = None
    has_ended: bool = False

    @property
    def journal_name(self) -> str | None:
        """As the journal names it."""
        return {"anonymous": None, "token": f"token {self.number}"}.get(self.kind, self.kind)


@dataclass(frozen=True)
class Caller:
    """What a credential comes to: nobody without ``username``."""

    username: str | None = None
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    token: Credential | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it may do all that its user may."""
        return self.username is not None and (self.token is None or "admin" in self.token.words)

    @property
    def is_admin(self) -> bool:
        """Whether it may administer."""
        return self.is_whole and "admin" in self.roles


@dataclass
class Model:
    """Everything that was changed successfully. Passwords in clear, None for a user who has none."""

    now: datetime
    users: dict[str, str | None] = field(default_factory=dict)
    pending: dict[str, str | None] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    rules: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    roles: set[tuple[str, str, str]] = field(default_factory=set)
    files: dict[str, dict[str, bool]] = field(default_factory=dict)
    credentials: list[Credential] = field(default_factory=list)
    allows_register: bool = False

    def caller(self, credential: Credential) -> Caller | None:
        """Who sends it; None where it must be refused. What is left of an ended session is nobody."""
        name = credential.username
        if credential.kind == "anonymous":
            return Caller()
        if not self.holds(credential):
            return Caller() if credential.kind == "session" else None
        groups = frozenset(group for group, members in self.groups.items() if name in members)
        held = {role for role, kind, who in self.roles if (kind == "user" and who == name)}
        held |= {role for role, kind, who in self.roles if kind == "group" and who in groups}
        if name == ADMIN:
            held.add("admin")
        return Caller(name, groups, frozenset(held), credential if credential.kind == "token" else None)

    def holds(self, credential: Credential) -> bool:
        """Whether it is (still) worth something."""
        name = credential.username or ""
        if credential.kind == "password":
            return name == ADMIN or (name in self.users and self.users[name] == credential.secret)
        return not credential.has_ended and (credential.expires is None or self.now <= credential.expires)

    def use(self, credential: Credential) -> None:
        """A session lasts from its last request."""
        if credential.kind == "session" and credential.latest is not None and self.holds(credential):
            credential.expires = min(self.now + IDLE, credential.latest)

    def may(self, caller: Caller, permission: str, project: str) -> bool:
        """The rules."""
        token = caller.token
        if token is not None and "admin" not in token.words:
            if _WORD.get(permission) not in token.words:
                return False
            if token.projects and not any(fnmatchcase(project, pattern) for pattern in token.projects):
                return False
        if "admin" in caller.roles:
            return True
        groups = caller.groups | {"everyone"} | ({"authenticated"} if caller.username is not None else set())
        matching = [(rule, rights) for rule, rights in self.rules.items() if fnmatchcase(project, rule[0])]
        held: set[str] = set()
        for (_, kind, who), rights in matching:
            if (kind == "user" and who == caller.username) or (kind == "group" and who in groups):
                held |= rights
        owns = "owner" in held
        reads = owns or ("read" in held if matching else DEFAULT_READ in groups)
        writes = owns or ("write" in held if matching else DEFAULT_WRITE in groups) or "writer" in caller.roles
        deletes = owns or (writes and MAY_DELETE in groups)
        return {
            "read": reads or not caller.roles.isdisjoint({"reader", "writer"}),
            "write": writes,
            "delete": deletes,
            "yank": deletes,
            "archive": owns,
            "grant": owns,
            "administer": False,
        }[permission]

    def remove_user(self, name: str) -> None:
        """With all that is tied to the name."""
        self.users.pop(name, None)
        self.pending.pop(name, None)
        for members in self.groups.values():
            members.discard(name)
        self._forget("user", name)
        self.end(name, "session", "token")

    def remove_group(self, name: str) -> None:
        """With its members, rules and roles."""
        del self.groups[name]
        self._forget("group", name)

    def end(self, name: str, *kinds: str, but: Credential | None = None) -> None:
        """End every credential of these kinds that the user has, ``but`` that one."""
        for credential in self.credentials:
            if credential.username == name and credential.kind in kinds and credential is not but:
                credential.has_ended = True

    def dead(self) -> Iterator[Credential]:
        """All that were worth something once and are not any more."""
        return (one for one in self.credentials if one.kind != "anonymous" and not self.holds(one))

    def set_right(self, pattern: str, kind: str, who: str, right: str, *, given: bool) -> bool:
        """Whether that changed anything."""
        rights = self.rules.get((pattern, kind, who), set())
        if (right in rights) == given:
            return False
        rights = rights | {right} if given else rights - {right}
        self.rules.pop((pattern, kind, who), None)
        if rights:
            self.rules[pattern, kind, who] = rights
        return True

    def _forget(self, kind: str, who: str) -> None:
        self.rules = {rule: rights for rule, rights in self.rules.items() if rule[1:] != (kind, who)}
        self.roles = {role for role in self.roles if role[1:] != (kind, who)}
