"""Who a caller is, what a rule grants, and what may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from pypicloud_lite.kernel.names import ProjectName

EVERYONE = "everyone"
AUTHENTICATED = "authenticated"
"""The two groups that exist without being defined: all callers, and all logged-in callers."""


class Right(StrEnum):
    """What a grant gives."""

    READ = "read"
    WRITE = "write"


class Permission(StrEnum):
    """What a caller may be asked to hold on a project.

    OVERWRITE, DELETE and YANK come on top of WRITE: the policy asks for both. ADMINISTER is the admins' alone.
    """

    READ = "read"
    WRITE = "write"
    OVERWRITE = "overwrite"
    DELETE = "delete"
    YANK = "yank"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller: ``username`` None is the anonymous one. ``groups`` leaves out the two built-in ones."""

    username: str | None = None
    groups: frozenset[str] = frozenset()
    is_admin: bool = False

    @property
    def is_authenticated(self) -> bool:
        """Whether the caller has proved who it is."""
        return self.username is not None


ANONYMOUS = Identity()


@dataclass(frozen=True, slots=True)
class Account:
    """What a backend knows of a user. ``version`` changes when the password, the groups or the user do."""

    username: str
    groups: frozenset[str]
    is_admin: bool
    version: str


@dataclass(frozen=True, slots=True)
class Grants:
    """The explicit rules of one project. Any rule at all switches the defaults off for that project."""

    users: Mapping[str, frozenset[Right]] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, frozenset[Right]] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return bool(self.users or self.groups)


NO_GRANTS = Grants()


@dataclass(frozen=True, slots=True)
class Target:
    """What a permission is asked on."""

    project: ProjectName
    grants: Grants = NO_GRANTS
