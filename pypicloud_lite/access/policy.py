"""The only place that says yes. Pure: facts in, an answer and its reason out."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from pypicloud_lite.access.model import (
    AUTHENTICATED,
    BUILT_IN_GROUPS,
    EVERYONE,
    Identity,
    IndexRules,
    Permission,
    Right,
    Role,
    Target,
)

_RIGHT_BEHIND = MappingProxyType(
    {
        Permission.READ: Right.READ,
        Permission.FILL_CACHE: Right.READ,
        Permission.WRITE: Right.WRITE,
        Permission.OVERWRITE: Right.WRITE,
        Permission.DELETE: Right.WRITE,
        Permission.YANK: Right.WRITE,
        Permission.ARCHIVE: Right.OWNER,
        Permission.GRANT: Right.OWNER,
        Permission.TEST: Right.WRITE,
    }
)
_ADMINS = frozenset({Permission.ADMINISTER, Permission.FORCE, Permission.CONFIGURE})
"""In an index without a definition of its own."""
_NOT_BY_INDEX = frozenset({Permission.ADMINISTER, Permission.GRANT})
_INDEX_OWNERS = frozenset(
    {
        *(Permission.READ, Permission.FILL_CACHE, Permission.DELETE, Permission.YANK, Permission.ARCHIVE),
        Permission.CONFIGURE,
    }
)
"""What the owner of an index may do in it, whatever its lists say."""
_LISTS = MappingProxyType(
    {
        Permission.READ: ("acl_read", "acl_upload"),
        Permission.FILL_CACHE: ("acl_read", "acl_upload"),
        Permission.WRITE: ("acl_upload",),
        Permission.OVERWRITE: ("acl_upload",),
        Permission.DELETE: ("acl_upload",),
        Permission.YANK: ("acl_upload",),
        Permission.ARCHIVE: ("acl_upload",),
        Permission.TEST: ("acl_toxresult_upload",),
        Permission.FORCE: ("acl_force",),
        Permission.CONFIGURE: (),
    }
)
"""The lists of an index that give a permission."""
_NEEDS_VOLATILE = frozenset({Permission.OVERWRITE, Permission.DELETE})
_ROLES_GIVING = MappingProxyType(
    {Right.READ: frozenset({Role.READER, Role.WRITER}), Right.WRITE: frozenset({Role.WRITER}), Right.OWNER: frozenset()}
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the whole server, as sets of group names.

    The defaults apply to projects without any grant. A group that nobody is in (pypicloud's recipe
    ``pypi.default_read = admin``) leaves the admins alone.
    """

    default_read: frozenset[str] = frozenset({AUTHENTICATED})
    default_write: frozenset[str] = frozenset()
    overwrite_groups: frozenset[str] = frozenset()
    delete_groups: frozenset[str] = frozenset({AUTHENTICATED})
    cache_groups: frozenset[str] = frozenset({AUTHENTICATED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and what decided: a role, a grant, a default, or the lack of one."""

    allowed: bool
    reason: str


def principals(identity: Identity) -> frozenset[str]:
    """Every group the caller is in, the built-in ones included."""
    built_in = {EVERYONE, AUTHENTICATED} if identity.is_authenticated else {EVERYONE}
    return identity.groups | built_in


def decide(identity: Identity, permission: Permission, target: Target, rules: Rules) -> bool:
    """Whether the caller holds the permission on the project.

    Nobody gets more than its token's scope. Admins hold every permission; readers and writers by role theirs on
    every project. A project with any grant forgets the defaults; rights add up over the user's own grant and those
    of every group; writing does not imply reading, owning implies both, and is given by no rule for a built-in group.
    OVERWRITE, DELETE and FILL_CACHE need
    membership in one of their groups too, DELETE not from an owner; whoever may DELETE may YANK, which does less.

    In a named index its own lists decide instead, but for READ where it has no such list: then only its owner, who
    could make one, needs no rule of the project. Its owner reads, deletes, yanks and configures, and uploads where the
    list says so. Where it is not volatile nobody overwrites, and only FORCE deletes. Where it says who reads, TEST is
    for those.
    """
    return judge(identity, permission, target, rules).allowed


def judge(identity: Identity, permission: Permission, target: Target, rules: Rules) -> Verdict:
    """As :func:`decide`, with the reason."""
    if identity.scope is not None and not identity.scope.allows(permission, target):
        return _NOT_IN_SCOPE
    own = target.rules
    if own is not None and permission in _NEEDS_VOLATILE and not own.volatile:
        return _NOT_VOLATILE
    if Role.ADMIN in identity.roles:
        return _BY_ADMIN
    if own is not None:
        by_projects = own.read is None and permission in {Permission.READ, Permission.FILL_CACHE}
        if not by_projects or identity.username == own.owner:
            in_index = _judge_in_index(identity, permission, own, rules)
            if in_index.allowed or not by_projects:
                return in_index
    return _judge_by_projects(identity, permission, target, rules)


def _judge_by_projects(identity: Identity, permission: Permission, target: Target, rules: Rules) -> Verdict:
    if permission in _ADMINS:
        return _ADMINS_ONLY
    groups = principals(identity)
    needed = _groups_behind(permission, rules)
    if needed is not None and groups.isdisjoint(needed[1]):
        owning = permission in {Permission.DELETE, Permission.YANK} and _owns(identity, groups, target)
        return Verdict(owning, "owner of the project" if owning else f"in no group of {needed[0]}")
    return _held(identity, groups, _RIGHT_BEHIND[permission], target, rules)


_NOT_IN_SCOPE = Verdict(allowed=False, reason="not in the token's scope")
_BY_ADMIN = Verdict(allowed=True, reason="role admin")
_ADMINS_ONLY = Verdict(allowed=False, reason="for administrators only")
_NOT_VOLATILE = Verdict(allowed=False, reason="the index is not volatile: what is in it stays as it is")
_BY_INDEX_OWNER = Verdict(allowed=True, reason="owner of the index")
_NO_GRANT = Verdict(allowed=False, reason="the project has rules of its own, and none gives this")


def _judge_in_index(identity: Identity, permission: Permission, own: IndexRules, rules: Rules) -> Verdict:
    if permission in _NOT_BY_INDEX:
        return _ADMINS_ONLY
    if permission is Permission.FILL_CACHE and principals(identity).isdisjoint(rules.cache_groups):
        return Verdict(allowed=False, reason="in no group of pypi.cache_update")
    if permission in _INDEX_OWNERS and identity.username is not None and identity.username == own.owner:
        return _BY_INDEX_OWNER
    right = _RIGHT_BEHIND.get(permission)
    role = next(iter(sorted(identity.roles & _ROLES_GIVING[right])), None) if right is not None else None
    if role is not None:
        return Verdict(allowed=True, reason=f"role {role}")
    if permission is Permission.TEST and own.read is not None:
        reading = _judge_in_index(identity, Permission.READ, own, rules)
        if not reading.allowed:
            return reading
    lists = _LISTS[permission]
    for key in lists:
        who = {"acl_read": own.read, "acl_force": own.force, "acl_toxresult_upload": own.test}.get(key, own.upload)
        if is_listed(identity, who or frozenset()):
            return Verdict(allowed=True, reason=f"{key} of the index")
    return Verdict(allowed=False, reason=f"not in {' or '.join(lists)} of the index" if lists else "not its owner")


def is_listed(identity: Identity, who: frozenset[str]) -> bool:
    """Whether a list of an index (users, ``:GROUP``, ``:AUTHENTICATED:``, ``:ANONYMOUS:``) means the caller."""
    if ANYBODY in who or (identity.username is not None and identity.username in who):
        return True
    if identity.is_authenticated and ANY_USER in who:
        return True
    return any(f":{group}" in who for group in identity.groups)


ANYBODY = ":ANONYMOUS:"
ANY_USER = ":AUTHENTICATED:"


def _groups_behind(permission: Permission, rules: Rules) -> tuple[str, frozenset[str]] | None:
    match permission:
        case Permission.OVERWRITE:
            return "pypi.allow_overwrite_groups", rules.overwrite_groups
        case Permission.DELETE | Permission.YANK:
            return "pypi.allow_delete_groups", rules.delete_groups
        case Permission.FILL_CACHE:
            return "pypi.cache_update", rules.cache_groups
        case _:
            return None


def _owns(identity: Identity, groups: frozenset[str], target: Target) -> bool:
    return _granted(identity, groups, Right.OWNER, target) is not None


def _held(identity: Identity, groups: frozenset[str], right: Right, target: Target, rules: Rules) -> Verdict:
    role = next(iter(sorted(identity.roles & _ROLES_GIVING[right])), None)
    if role is not None:
        return Verdict(allowed=True, reason=f"role {role}")
    if target.grants:
        reason = _granted(identity, groups, right, target)
        return _NO_GRANT if reason is None else Verdict(allowed=True, reason=reason)
    if right is Right.OWNER:
        return Verdict(allowed=False, reason="for owners of the project and administrators only")
    key, default = ("default_read", rules.default_read) if right is Right.READ else _default_write(rules)
    shared = sorted(groups & default)
    if shared:
        return Verdict(allowed=True, reason=f"group {shared[0]} in pypi.{key}")
    return Verdict(allowed=False, reason=f"the project has no rule of its own, and no group is in pypi.{key}")


def _default_write(rules: Rules) -> tuple[str, frozenset[str]]:
    return "default_write", rules.default_write


def _granted(identity: Identity, groups: frozenset[str], right: Right, target: Target) -> str | None:
    """Who of the caller's is given the right: its own name first."""
    sufficient = {right, Right.OWNER}
    grants = target.grants
    if identity.username is not None and not sufficient.isdisjoint(grants.users.get(identity.username, ())):
        return f"a rule for user {identity.username}"
    for group in groups & grants.groups.keys():
        # Nobody owns a project by being anybody, however such a rule came to be.
        enough = {right} - {Right.OWNER} if group in BUILT_IN_GROUPS else sufficient
        if not enough.isdisjoint(grants.groups[group]):
            return f"a rule for group {group}"
    return None
