"""Asks the policy, and answers a no in the one way that gives nothing away."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from pypicloud_lite.access.model import EVERYONE, NO_GRANTS, Identity, Permission, Right, Target
from pypicloud_lite.access.policy import Rules, decide, principals
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.kernel.errors import AuthenticationRequired, NotFound, PermissionDenied, PpcError
from pypicloud_lite.kernel.names import ProjectName

_DOING = {
    Permission.WRITE: "upload to",
    Permission.OVERWRITE: "overwrite files of",
    Permission.DELETE: "delete files of",
    Permission.YANK: "yank files of",
    Permission.ADMINISTER: "change the status or name of",
}


class Gate:
    """Every permission is asked here, on the normalised name of the project that was found."""

    def __init__(self, backend: AccessBackend, rules: Callable[[], Rules]) -> None:
        self._backend = backend
        self._rules = rules

    def allows(self, identity: Identity, permission: Permission, project: ProjectName) -> bool:
        """Whether the caller holds the permission on the project."""
        if identity.is_admin:
            return True
        target = Target(project, self._backend.grants(project))
        return decide(identity, permission, target, self._rules())

    def unknown(self, identity: Identity, project: ProjectName) -> PpcError:
        """The answer for a project that is not there, or that the caller may not see.

        404 for a logged-in caller. For an anonymous one it is 401, so that pip sends its credentials, unless
        anyone may read by default and this name has no rule of its own.
        """
        if identity.is_authenticated or self.allows(identity, Permission.READ, project):
            return NotFound(f"There is no project {project} here: check its name, or ask an administrator for access")
        return AuthenticationRequired(f"Log in to see whether there is a project {project} here")

    def require(self, identity: Identity, permission: Permission, project: ProjectName) -> None:
        """Raise 401 for an anonymous caller, 403 for a known one."""
        if self.allows(identity, permission, project):
            return
        doing = _DOING.get(permission, str(permission))
        if not identity.is_authenticated:
            raise AuthenticationRequired(f"Log in to {doing} project {project}: nobody may without a login")
        raise PermissionDenied(
            f"User {identity.username} may not {doing} project {project}: ask an administrator of this index"
        )

    def require_write_somewhere(self, identity: Identity) -> None:
        """Refuse a caller before its file is taken in, where no rule lets it write anything: 401 or 403."""
        reachable = principals(identity)
        if identity.is_admin or self._rules().default_write & reachable:
            return
        for grants in self._backend.all_grants().values():
            rights = [grants.users.get(identity.username or "", ()), *(grants.groups.get(one, ()) for one in reachable)]
            if any(Right.WRITE in some for some in rights):
                return
        if not identity.is_authenticated:
            raise AuthenticationRequired("Log in to upload: send a user name and a password with the request")
        raise PermissionDenied(
            f"User {identity.username} may not upload to any project: ask an administrator of this index"
        )

    def require_login_where_private(self, identity: Identity) -> None:
        """Raise 401 for an anonymous caller, unless anyone may read by default.

        For what tells of a whole index to programs that send a password only when they are asked for one, as feed
        readers do: an empty answer would keep them from ever asking.
        """
        if not identity.is_authenticated and EVERYONE not in self._rules().default_read:
            raise AuthenticationRequired("Log in to read this: what is here is not shown to everyone")

    def readable(self, identity: Identity) -> Callable[[ProjectName], bool]:
        """A test for many projects at once: the rules are asked for once."""
        if identity.is_admin:
            return lambda _project: True
        grants = self._backend.all_grants()
        rules = self._rules()

        def may_read(project: ProjectName) -> bool:
            target = Target(project, grants.get(project, NO_GRANTS))
            return decide(identity, Permission.READ, target, rules)

        return may_read

    def view_key(self, identity: Identity) -> tuple[Hashable, ...]:
        """Callers with equal keys see the same projects, until a rule changes (which changes the key)."""
        if identity.is_admin:
            return ("admin",)
        return (self._backend.serial(), self._rules(), identity.username, principals(identity))
