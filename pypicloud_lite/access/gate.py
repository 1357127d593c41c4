"""Asks the policy, and answers a no in the one way that gives nothing away."""

from __future__ import annotations

from collections.abc import Callable

from pypicloud_lite.access.model import NO_GRANTS, Identity, Permission, Right, Target
from pypicloud_lite.access.policy import Rules, decide, principals
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.kernel.errors import AuthenticationRequired, NotFound, PermissionDenied, PpcError
from pypicloud_lite.kernel.names import ProjectName

_DOING = {
    Permission.WRITE: "upload to",
    Permission.OVERWRITE: "overwrite files of",
    Permission.DELETE: "delete files of",
}


class Gate:
    """Every permission is asked here, on the normalised name of the project that was found."""

    def __init__(self, backend: AccessBackend, rules: Rules) -> None:
        self._backend = backend
        self._rules = rules

    def allows(self, identity: Identity, permission: Permission, project: ProjectName) -> bool:
        """Whether the caller holds the permission on the project."""
        if identity.is_admin:
            return True
        target = Target(project, self._backend.grants(project))
        return decide(identity, permission, target, self._rules)

    def require_read(self, identity: Identity, project: ProjectName) -> None:
        """Raise what an unknown name would raise too: :meth:`unknown`."""
        if not self.allows(identity, Permission.READ, project):
            raise self.unknown(identity, project)

    def unknown(self, identity: Identity, project: ProjectName) -> PpcError:
        """The answer for a project that is not there, or that the caller may not see.

        404 for a logged-in caller. For an anonymous one it is 401, so that pip sends its credentials, unless
        anyone may read by default and this name has no rule of its own.
        """
        if identity.is_authenticated or self.allows(identity, Permission.READ, project):
            return NotFound(f"There is no project {project} here")
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

    def require_login_to_write(self, identity: Identity) -> None:
        """Refuse an anonymous caller before its body is read, where no rule lets anyone write."""
        if identity.is_authenticated:
            return
        reachable = principals(identity)
        if self._rules.default_write & reachable:
            return
        grants = self._backend.all_grants().values()
        if any(Right.WRITE in grant.groups.get(group, ()) for grant in grants for group in reachable):
            return
        raise AuthenticationRequired("Log in to upload: send a user name and a password with the request")

    def readable(self, identity: Identity) -> Callable[[ProjectName], bool]:
        """A test for many projects at once: the rules are asked for once."""
        if identity.is_admin:
            return lambda _project: True
        grants = self._backend.all_grants()

        def may_read(project: ProjectName) -> bool:
            target = Target(project, grants.get(project, NO_GRANTS))
            return decide(identity, Permission.READ, target, self._rules)

        return may_read

    def view_key(self, identity: Identity) -> tuple[str, ...]:
        """Callers with equal keys see the same projects, until a rule changes (which changes the key)."""
        if identity.is_admin:
            return ("admin",)
        return (self._backend.serial(), identity.username or "", *sorted(principals(identity)))
