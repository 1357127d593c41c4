"""The only place that says yes. Pure: facts in, an answer out."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from pypicloud_lite.access.model import AUTHENTICATED, EVERYONE, Identity, Permission, Right, Target

_RIGHT_BEHIND = MappingProxyType(
    {
        Permission.READ: Right.READ,
        Permission.WRITE: Right.WRITE,
        Permission.OVERWRITE: Right.WRITE,
        Permission.DELETE: Right.WRITE,
        Permission.YANK: Right.WRITE,
    }
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


def principals(identity: Identity) -> frozenset[str]:
    """Every group the caller is in, the built-in ones included."""
    built_in = {EVERYONE, AUTHENTICATED} if identity.is_authenticated else {EVERYONE}
    return identity.groups | built_in


def decide(identity: Identity, permission: Permission, target: Target, rules: Rules) -> bool:
    """Whether the caller holds the permission on the project.

    Admins hold every one. A project with any grant forgets the defaults; rights add up over the user's own
    grant and those of every group; writing does not imply reading. OVERWRITE and DELETE are WRITE and
    membership in one of their groups; whoever may DELETE may YANK, which does less.
    """
    if identity.is_admin:
        return True
    if permission is Permission.ADMINISTER:
        return False
    groups = principals(identity)
    if permission is Permission.OVERWRITE and groups.isdisjoint(rules.overwrite_groups):
        return False
    if permission in {Permission.DELETE, Permission.YANK} and groups.isdisjoint(rules.delete_groups):
        return False
    return _holds(identity, groups, _RIGHT_BEHIND[permission], target, rules)


def _holds(identity: Identity, groups: frozenset[str], right: Right, target: Target, rules: Rules) -> bool:
    grants = target.grants
    if not grants:
        default = rules.default_read if right is Right.READ else rules.default_write
        return not groups.isdisjoint(default)
    if identity.username is not None and right in grants.users.get(identity.username, frozenset()):
        return True
    return any(right in grants.groups.get(group, frozenset()) for group in groups)
