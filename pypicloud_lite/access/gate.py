"""Asks the policy, and answers a no in the one way that gives nothing away."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.grants import as_grants, is_without_rules, rules_for
from pypicloud_lite.access.model import (
    EVERYONE,
    Identity,
    IndexRules,
    Permission,
    Right,
    Role,
    ScopeWord,
    Target,
)
from pypicloud_lite.access.policy import Verdict, decide, judge, principals
from pypicloud_lite.kernel.errors import AuthenticationRequired, NotFound, PermissionDenied, PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName

_DOING = {
    Permission.WRITE: "upload to",
    Permission.OVERWRITE: "overwrite files of",
    Permission.DELETE: "delete files of",
    Permission.YANK: "yank files of",
    Permission.ARCHIVE: "change the status of",
    Permission.GRANT: "change the rules of",
    Permission.FORCE: "delete by force what is not to be deleted of",
    Permission.TEST: "add test results to",
    Permission.CONFIGURE: "configure the index of",
    Permission.ADMINISTER: "administer",
}


RulesOf = Callable[[IndexName], IndexRules | None]
"""What the definition of an index says; None for the default index, whose rules are those of the server."""

_FREE: RulesOf = lambda _index: None  # noqa: E731


class Gate:
    """Every permission is asked here, on the normalised name of the project that was found.

    Each question is about the default index, or about the ``index`` that it names: what that one's definition says
    comes from ``rules_of``.
    """

    def __init__(self, directory: Directory, index: IndexName, rules_of: RulesOf = _FREE) -> None:
        self._directory = directory
        self._index = index
        self._rules_of = rules_of

    def allows(
        self, identity: Identity, permission: Permission, project: ProjectName, index: IndexName | None = None
    ) -> bool:
        """Whether the caller holds the permission on the project."""
        own = self._own(index)
        if identity.is_admin and own is None:
            return True
        return decide(identity, permission, self._target(project, index, own), self._directory.rules())

    def may_fill_cache(self, identity: Identity, index: IndexName | None = None) -> bool:
        """Whether the caller may have things fetched that are of no single project."""
        if identity.is_admin:
            return True
        if identity.scope is not None and identity.scope.projects:
            return False
        target = Target(ProjectName("any"), as_grants(()), index or self._index, self._own(index))
        return decide(identity, Permission.FILL_CACHE, target, self._directory.rules())

    def may_configure(self, identity: Identity, index: IndexName) -> bool:
        """Whether the caller may change the definition of an index, or make one of that name."""
        if identity.is_admin:
            return True
        return identity.is_whole and identity.username == index.owner

    def explain(
        self, identity: Identity, permission: Permission, project: ProjectName, index: IndexName | None = None
    ) -> Verdict:
        """As :meth:`allows`, with the reason."""
        target = self._target(project, index, self._own(index))
        return judge(identity, permission, target, self._directory.rules())

    def _own(self, index: IndexName | None) -> IndexRules | None:
        return None if index is None or index == self._index else self._rules_of(index)

    def may_know_of(self, identity: Identity, index: IndexName) -> bool:
        """No for a named index that says who reads, and not this user; what a token of its may is another matter."""
        own = self._own(index)
        if own is None or own.read is None:
            return True
        target = Target(ProjectName("any"), as_grants(()), index, own)
        return decide(replace(identity, scope=None), Permission.READ, target, self._directory.rules())

    def _target(self, project: ProjectName, index: IndexName | None, own: IndexRules | None) -> Target:
        return Target(project, self._directory.grant_book().of(project), index or self._index, own)

    def unknown(self, identity: Identity, project: ProjectName, index: IndexName | None = None) -> PpcError:
        """The answer for a project that is not there, or that the caller may not see.

        404 for a logged-in caller. For an anonymous one it is 401, so that pip sends its credentials, unless
        anyone may read by default and this name has no rule of its own.
        """
        if index is not None and not self.may_know_of(identity, index):
            return self.unknown_index(identity, index)
        if identity.is_authenticated or self.allows(identity, Permission.READ, project, index):
            return NotFound(f"There is no project {project} here: check its name, or ask an administrator for access")
        return AuthenticationRequired(f"Log in to see whether there is a project {project} here")

    def unknown_index(self, identity: Identity, index: IndexName) -> PpcError:
        """The answer for an index that is not there, or that the caller may not know of.

        401 for an anonymous caller, wherever: installers with a keyring send a login when they are asked for one.
        """
        if identity.is_authenticated:
            return NotFound(f"There is no index {index} here: check its name, or ask {index.owner} for access")
        return AuthenticationRequired(f"Log in to see whether there is an index {index} here")

    def nowhere(
        self, identity: Identity, project: ProjectName, index: IndexName | None = None, *, may_ask: bool
    ) -> PpcError:
        """The answer for a project that is neither here nor known to be upstream; ``may_ask``: whether it was asked.

        Who may not have it asked and sent no password is asked for one: then it may be another answer.
        """
        if not may_ask and not identity.is_authenticated:
            return AuthenticationRequired(f"Log in to have project {project} looked for in the index upstream")
        return self.unknown(identity, project, index)

    def require(
        self, identity: Identity, permission: Permission, project: ProjectName, index: IndexName | None = None
    ) -> None:
        """Raise 401 for an anonymous caller, 403 for a known one; or as :meth:`unknown_index` does."""
        if self.allows(identity, permission, project, index):
            return
        doing = _DOING.get(permission, str(permission))
        own = self._own(index)
        if index is not None and not self.may_know_of(identity, index):
            raise self.unknown_index(identity, index)
        where = "" if own is None else f" in {index}"
        if not identity.is_authenticated:
            raise AuthenticationRequired(f"Log in to {doing} project {project}{where}: nobody may without a login")
        if identity.scope is not None and not identity.scope.allows(permission, self._target(project, index, own)):
            raise PermissionDenied(f"This token may not {doing} project {project}{where}: use one whose scope has that")
        if own is not None:
            reason = self.explain(identity, permission, project, index).reason
            raise PermissionDenied(
                f"User {identity.username} may not {doing} project {project}{where}: {reason}. "
                f"Ask {own.owner}, who owns it"
            )
        raise PermissionDenied(
            f"User {identity.username} may not {doing} project {project}: ask an administrator of this index"
        )

    def require_write_somewhere(self, identity: Identity, index: IndexName | None = None) -> None:
        """Refuse a caller before its file is taken in, where no rule lets it write anything: 401 or 403."""
        own = self._own(index)
        if own is not None:
            # Its lists are the same for every project; a token's may not be.
            scope = identity.scope
            if scope is None or not scope.projects:
                self.require(identity, Permission.WRITE, ProjectName("any"), index)
                return
        if self._may_write_somewhere(identity) or own is not None:
            return
        if not identity.is_authenticated:
            raise AuthenticationRequired("Log in to upload: send a user name and a password with the request")
        if identity.scope is not None and not identity.scope.is_admin and ScopeWord.UPLOAD not in identity.scope.words:
            raise PermissionDenied("This token may not upload: use one with the scope upload")
        raise PermissionDenied(
            f"User {identity.username} may not upload to any project: ask an administrator of this index"
        )

    def _may_write_somewhere(self, identity: Identity) -> bool:
        if identity.scope is not None and not identity.scope.is_admin and ScopeWord.UPLOAD not in identity.scope.words:
            return False
        if identity.roles & {Role.ADMIN, Role.WRITER}:
            return True
        reachable = principals(identity)
        if self._directory.rules().default_write & reachable:
            return True
        grants = as_grants(rules_for(self._directory.grant_book(), identity.username, reachable))
        rights = [grants.users.get(identity.username or "", ()), *(grants.groups.get(one, ()) for one in reachable)]
        return any(not {Right.WRITE, Right.OWNER}.isdisjoint(some) for some in rights)

    def require_administrator(self, identity: Identity, what: str) -> None:
        """Raise unless the caller is an administrator, not limited by a token: 401 or 403. ``what``: "list users"."""
        if identity.is_admin:
            return
        if not identity.is_authenticated:
            raise AuthenticationRequired(f"Log in to {what}: only administrators may")
        if Role.ADMIN in identity.roles:
            raise PermissionDenied(f"This token may not {what}: use one with the scope admin, or a password")
        raise PermissionDenied(f"User {identity.username} may not {what}: only administrators may")

    def require_login_where_private(self, identity: Identity) -> None:
        """Raise 401 for an anonymous caller, unless anyone may read by default.

        For what tells of a whole index to programs that send a password only when they are asked for one, as feed
        readers do: an empty answer would keep them from ever asking.
        """
        if not identity.is_authenticated and EVERYONE not in self._directory.rules().default_read:
            raise AuthenticationRequired("Log in to read this: what is here is not shown to everyone")

    def readable(self, identity: Identity, index: IndexName | None = None) -> Callable[[ProjectName], bool]:
        """A test for many projects at once: the rules are asked for once."""
        if identity.is_admin:
            return lambda _project: True
        book = self._directory.grant_book()
        rules, own = self._directory.rules(), self._own(index)

        def may_read(project: ProjectName) -> bool:
            return decide(
                identity, Permission.READ, Target(project, book.of(project), index or self._index, own), rules
            )

        return may_read

    def may_read_somewhere(self, identity: Identity, index: IndexName) -> bool:
        """Whether the caller may know what is in a named index, but for projects that have rules of their own."""
        own = self._own(index)
        if own is not None and own.read is not None:
            return self.allows(identity, Permission.READ, ProjectName("any"), index)
        return identity.is_authenticated or self.reads_by_default(identity)

    def reads_by_default(self, identity: Identity) -> bool:
        """Whether the caller may read a project without rules in the default index."""
        target = Target(ProjectName("any"), as_grants(()), self._index)
        return decide(identity, Permission.READ, target, self._directory.rules())

    def reads_everything(self, identity: Identity) -> bool:
        """Whether nothing at all is hidden from the caller; False also where that would take long to find out."""
        if identity.is_admin:
            return True
        if identity.scope is not None and not identity.scope.is_admin:
            return False
        if not identity.roles.isdisjoint({Role.READER, Role.WRITER}):
            return True
        by_default = not principals(identity).isdisjoint(self._directory.rules().default_read)
        return by_default and is_without_rules(self._directory.grant_book())

    def view_key(self, identity: Identity) -> tuple[Hashable, ...]:
        """Callers with equal keys see the same projects, until a rule changes (which changes the key)."""
        if identity.is_admin:
            return ("admin",)
        serial, rules = self._directory.serial(), self._directory.rules()
        return (serial, rules, identity.username, principals(identity), identity.roles, identity.scope)
