"""People as the devpi client sees them: made, shown, changed, removed, with the indexes that are theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.profiles import ATTRIBUTES, NO_PROFILE, Profile, Profiles, checked
from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.access.tokens import Tokens
from pypicloud_lite.devpi.login import Login, Logins
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.errors import (
    AccessUnavailable,
    AuthenticationRequired,
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
)
from pypicloud_lite.kernel.names import shown

_ROOT = "root"


class Users:
    """The service."""

    def __init__(
        self,
        directory: Directory,
        administration: Administration,
        profiles: Profiles,
        indexes: Indexes,
        gate: Gate,
        logins: Logins,
        tokens: Tokens,
        throttle: LoginThrottle,
        *,
        open_registration: bool,
    ) -> None:
        self._directory = directory
        self._administration = administration
        self._profiles = profiles
        self._indexes = indexes
        self._gate = gate
        self._logins = logins
        self._tokens = tokens
        self._throttle = throttle
        self._open_registration = open_registration

    def every(self, identity: Identity) -> dict[str, dict[str, Any]]:
        """Everybody whom the caller may know of: to who is not logged in, owners of indexes that are shown to all."""
        indexes = self._indexes.seen(identity)
        names = {one.name.owner for one in indexes}
        if identity.is_authenticated:
            names.update(self._listed())
        profiles = self._profiles.all()
        return {name: _told(identity, name, profiles.get(name, NO_PROFILE), indexes) for name in sorted(names)}

    def one(self, identity: Identity, name: str) -> dict[str, Any]:
        """One of them; NotFound, or for who is not logged in perhaps 401."""
        indexes = [one for one in self._indexes.seen(identity) if one.name.owner == name]
        is_known = bool(indexes) or (identity.is_authenticated and self._directory.lookup(name) is not None)
        if not is_known:
            if identity.is_authenticated or self._gate.reads_by_default(identity):
                raise NotFound(f"There is no user {shown(name)} here: check the name")
            raise AuthenticationRequired(f"Log in to see whether there is a user {shown(name)} here")
        return _told(identity, name, self._profiles.of(name), indexes)

    def create(self, name: str, given: Mapping[str, Any], identity: Identity, author: Author) -> dict[str, Any]:
        """Add a user with a password; Conflict where the name is taken."""
        if self._open_registration and not identity.is_admin:
            # Anybody may, and each try costs a hash and a row.
            self._throttle.attempt("", author.address or "")
        else:
            self._gate.require_administrator(identity, "add users")
        password = given.get("password")
        if not isinstance(password, str) or not password:
            raise InvalidRequest(f"User {shown(name)} needs a password: send one as text")
        attributes = checked({key: value for key, value in given.items() if key not in {"password", "username"}})
        kept = self._administration.add_user(name, password, author)
        self._profiles.begin(kept, attributes)
        return _told(Identity(kept), kept, self._profiles.of(kept), ())

    def modify(
        self, name: str, given: Mapping[str, Any], identity: Identity, author: Author, token: int
    ) -> Login | None:
        """Change what differs from what is so; a new login where that is the password.

        A new password ends all sessions and tokens of the user but the ``token`` that made the change (0: none did).
        """
        self._require_self(identity, name, "change")
        if self._directory.lookup(name) is None:
            raise NotFound(f"There is no user {shown(name)} here: check the name")
        before = self._profiles.of(name).attributes
        attributes = checked({key: value for key, value in given.items() if key in ATTRIBUTES})
        changed = {key: value for key, value in attributes.items() if before.get(key) != value}
        password = given.get("password")
        if password is not None and (not isinstance(password, str) or not password):
            raise InvalidRequest("A password is a text that is not empty")
        login = None
        if password is not None:
            self._administration.set_password(name, password, author)
            self._tokens.revoke_all(name, author, but=token)
            login = self._logins.issue(name, Author(name, author.address, author.credential))
        if changed:
            self._profiles.change(name, changed, author)
        return login

    def remove(self, name: str, identity: Identity, author: Author) -> None:
        """Remove a user with all indexes and whatever is tied to the name; PermissionDenied where one has to stay."""
        if self._directory.lookup(name) is None:
            raise NotFound(f"There is no user {shown(name)} here: check the name")
        self._require_self(identity, name, "remove")
        if name == _ROOT:
            raise PermissionDenied("The user root cannot be removed: it owns what is built in")
        for index in self._indexes.require_removable(name):
            self._indexes.remove(index.name, identity, author)
        self._administration.remove_user(name, author)

    def _require_self(self, identity: Identity, name: str, doing: str) -> None:
        if identity.is_admin or (identity.is_whole and identity.username == name):
            return
        # 403 also where nobody is logged in: the client shows that, and would forget its login at a 401.
        raise PermissionDenied(f"Only {shown(name)} and administrators may {doing} this user: log in as one of them")

    def _listed(self) -> Iterable[str]:
        try:
            return [account.username for account in self._directory.accounts()]
        except (AccessUnavailable, Conflict):
            # A directory that cannot be listed is no reason to show nobody.
            return []


def _told(identity: Identity, name: str, profile: Profile, indexes: Iterable[IndexDefinition]) -> dict[str, Any]:
    """A user; the e-mail address is that user's own business and the administrators'."""
    is_private = not (identity.is_admin or identity.username == name)
    told: dict[str, Any] = {
        key: value for key, value in profile.attributes.items() if not (is_private and key == "email")
    }
    for key, moment in (("created", profile.created_at), ("modified", profile.modified_at)):
        if moment is not None:
            told[key] = iso_utc(moment.replace(microsecond=0))
    own = {one.name.name: one.shown() for one in indexes if one.name.owner == name}
    return {"username": name, "indexes": own, **told}
