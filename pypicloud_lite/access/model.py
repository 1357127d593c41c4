"""Who a caller is, what a rule grants, and what may be asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType

from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown

EVERYONE = "everyone"
AUTHENTICATED = "authenticated"
"""The two groups that exist without being defined: all callers, and all logged-in callers."""

BUILT_IN_GROUPS = frozenset({EVERYONE, AUTHENTICATED})


class Right(StrEnum):
    """What a grant gives. An owner may do everything to the project but overwrite and what ADMINISTER stands for."""

    READ = "read"
    WRITE = "write"
    OWNER = "owner"


def may_own(kind: str, who: str) -> bool:
    """Whether a rule can make the user or group an owner: not everybody, nor all who log in."""
    return kind == "user" or who not in BUILT_IN_GROUPS


class Role(StrEnum):
    """What somebody may do to every project, whatever its rules say; a writer reads too, an admin does all."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a caller may be asked to hold on a project.

    OVERWRITE, DELETE and YANK come on top of WRITE: the policy asks for both. YANK, ARCHIVE (the project's status,
    quarantine apart) and GRANT (its rules) are an owner's too. FORCE deletes where nothing is to be deleted, TEST adds
    results of tests, CONFIGURE changes an index itself. ADMINISTER is the admins' alone.
    """

    READ = "read"
    WRITE = "write"
    OVERWRITE = "overwrite"
    DELETE = "delete"
    YANK = "yank"
    FILL_CACHE = "fill the cache"
    ARCHIVE = "archive"
    GRANT = "grant"
    FORCE = "delete by force"
    TEST = "add test results"
    CONFIGURE = "configure the index"
    ADMINISTER = "administer"


class ScopeWord(StrEnum):
    """What a token may be limited to."""

    READ = "read"
    UPLOAD = "upload"
    DELETE = "delete"
    ADMIN = "admin"


_WORD_FOR = MappingProxyType(
    {
        Permission.READ: ScopeWord.READ,
        Permission.FILL_CACHE: ScopeWord.READ,
        Permission.WRITE: ScopeWord.UPLOAD,
        Permission.OVERWRITE: ScopeWord.UPLOAD,
        Permission.DELETE: ScopeWord.DELETE,
        Permission.YANK: ScopeWord.DELETE,
        Permission.FORCE: ScopeWord.DELETE,
        Permission.TEST: ScopeWord.UPLOAD,
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token is limited to, on top of what its user may do.

    ``words`` are what it may do at all; ADMIN includes the others and everything else. ``projects`` are patterns of
    normalised names and ``index`` one of ``owner/name``: empty means all of them.
    """

    words: frozenset[ScopeWord]
    projects: tuple[str, ...] = ()
    index: str | None = None

    @property
    def is_admin(self) -> bool:
        """Whether it limits nothing."""
        return ScopeWord.ADMIN in self.words

    def allows(self, permission: Permission, target: Target) -> bool:
        """Whether the permission on the target is within it."""
        if self.is_admin:
            return True
        word = _WORD_FOR.get(permission)
        if word is None or word not in self.words:
            return False
        if self.index is not None and (target.index is None or not fnmatchcase(str(target.index), self.index)):
            return False
        return not self.projects or any(fnmatchcase(target.project.value, pattern) for pattern in self.projects)


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: ``username`` None is the anonymous one. ``groups`` leaves out the two built-in ones.

    ``credential`` is how it proved itself (``password``, ``session``, ``token N``), for the journal.
    """

    username: str | None = None
    groups: frozenset[str] = frozenset()
    roles: frozenset[Role] = frozenset()
    scope: Scope | None = None
    credential: str | None = None

    @property
    def is_authenticated(self) -> bool:
        """Whether the caller has proved who it is."""
        return self.username is not None

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything, here and now: an admin, not limited by a token."""
        return Role.ADMIN in self.roles and (self.scope is None or self.scope.is_admin)

    @property
    def is_whole(self) -> bool:
        """Whether it may act for the user in everything: no token's limits."""
        return self.is_authenticated and (self.scope is None or self.scope.is_admin)


ANONYMOUS = Identity()


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of a user. ``version`` changes when the password does, or the user is another one of that name."""

    username: str
    groups: frozenset[str]
    roles: frozenset[Role]
    version: str

    @property
    def is_admin(self) -> bool:
        """Whether this user may do everything."""
        return Role.ADMIN in self.roles


@dataclass(frozen=True, slots=True)
class RoleHolders:
    """Who holds a role, by name: users, and groups whose members hold it."""

    users: Mapping[str, frozenset[Role]] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, frozenset[Role]] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, username: str, groups: frozenset[str]) -> frozenset[Role]:
        """The roles of a user who is in the groups."""
        found = self.users.get(username, _NO_ROLES)
        for group in groups & self.groups.keys():
            found |= self.groups[group]
        return found


_NO_ROLES: frozenset[Role] = frozenset()
NO_ROLE_HOLDERS = RoleHolders()


@dataclass(frozen=True, slots=True)
class Grants:
    """The explicit rules of one project. Any rule at all switches the defaults off for that project."""

    users: Mapping[str, frozenset[Right]] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, frozenset[Right]] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return bool(self.users or self.groups)


NO_GRANTS = Grants()


@dataclass(frozen=True, slots=True)
class IndexRules:
    """Who may do what in a named index, as its definition says.

    Each of the lists has names of users, ``:GROUP``, ``:AUTHENTICATED:`` and ``:ANONYMOUS:``. ``read`` None: the rules
    of the projects decide, as in the default index. Nothing is overwritten or deleted where it is not ``volatile``.
    """

    owner: str
    read: frozenset[str] | None = None
    upload: frozenset[str] = frozenset()
    test: frozenset[str] = frozenset()
    force: frozenset[str] = frozenset()
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What a permission is asked on. Without ``rules`` it is in the default index, or there is only the project's."""

    project: ProjectName
    grants: Grants = NO_GRANTS
    index: IndexName | None = None
    rules: IndexRules | None = None


_PATTERN = re.compile(r"[a-z0-9*](?:[a-z0-9*-]*[a-z0-9*])?", re.ASCII)
_RUNS = re.compile(r"[-_.]+")


def project_pattern(spelling: str) -> str | None:
    """A pattern of project names, normalised as they are (``Foo_*`` becomes ``foo-*``); None for what is none.

    ``*`` stands for any text; no other sign has a meaning. A name is a pattern of itself.
    """
    pattern = _RUNS.sub("-", spelling).lower()
    # The Kelvin sign is a k in lower case.
    return pattern if spelling.isascii() and len(pattern) <= 128 and _PATTERN.fullmatch(pattern) else None  # noqa: PLR2004  a project name's length


def required_pattern(spelling: str) -> str:
    """As :func:`project_pattern`; InvalidName for what is none."""
    pattern = project_pattern(spelling)
    if pattern is None:
        raise InvalidName(f"{shown(spelling)} is no project name or pattern: use letters, digits, '-' and '*'")
    return pattern


def is_pattern(pattern: str) -> bool:
    """Whether it may stand for more than one name."""
    return "*" in pattern
