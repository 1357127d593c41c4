"""Users in devpi's way: who sees whom, who changes whom, and what a request comes to."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.names import new_username
from pypicloud_lite.access.profiles import FIELDS, NO_PROFILE, Profile, Profiles, read_values
from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    InvalidName,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PpcError,
)
from pypicloud_lite.kernel.names import shown

ROOT = "root"
_FORBIDDEN = frozenset(string.punctuation) - frozenset("-.@_")
_NEW = ("password", *FIELDS)
_SEEN_BY_ALL = ("title", "description")

Config = dict[str, Any]
"""A ``userconfig``."""


class Users:
    """The service. ``open_registration``: whether anybody may make an account."""

    def __init__(
        self,
        directory: Directory,
        administration: Administration,
        profiles: Profiles,
        indexes: Indexes,
        gate: Gate,
        throttle: LoginThrottle,
        clock: Clock,
        *,
        open_registration: bool,
    ) -> None:
        self._directory = directory
        self._administration = administration
        self._profiles = profiles
        self._indexes = indexes
        self._gate = gate
        self._throttle = throttle
        self._clock = clock
        self._open_registration = open_registration

    def everybody(self, identity: Identity) -> dict[str, Config]:
        """All users, with their indexes that the caller may see; for others than users, only owners of such."""
        owned = self._owned(identity)
        names = set(owned)
        if identity.is_whole:
            names |= {account.username for account in self._directory.accounts()}
        profiles = self._profiles.every()
        return {
            name: _config(name, profiles.get(name, NO_PROFILE), owned.get(name, {}), identity) for name in sorted(names)
        }

    def one(self, identity: Identity, username: str) -> Config:
        """One user; as if there were none for whoever may not know."""
        owned = self._owned(identity).get(username, {})
        may_know = identity.is_whole or identity.username == username
        if not owned and not (may_know and self._directory.lookup(username) is not None):
            raise self._unknown(identity, username)
        return _config(username, self._profiles.of(username), owned, identity)

    def create(self, identity: Identity, username: str, given: Mapping[str, object], author: Author) -> Config:
        """Add a user, who may log in at once; Conflict where there is one, or where users cannot be added."""
        by_stranger = not identity.is_admin
        if by_stranger:
            if not self._open_registration:
                self._gate.require_administrator(identity, "add users")
            # Anybody may try, and each try costs a hash.
            self._throttle.attempt("", author.address or "")
        check_name(username)
        password, values = _read_new(given)
        self._administration.require_possible()

        def profile(_none: Profile) -> Profile:
            return replace(NO_PROFILE, **values)

        name = self._administration.add_user_with_profile(username, password, profile, author, by_stranger=by_stranger)
        stranger = Identity(name) if by_stranger else identity
        return _config(name, self._profiles.of(name), {}, stranger)

    def modify(self, identity: Identity, username: str, given: Mapping[str, object], author: Author) -> bool:
        """Change what is sent and differs from what is there; whether the password was changed.

        The client sends back all that it was told, which is no wish to change it.
        """
        if not identity.is_authenticated:
            raise PermissionDenied(f"Log in to change user {shown(username)}: only that user and administrators may")
        self._require_known(identity, username)
        self._require_oneself(identity, username, "change")
        password = given.get("password")
        if password is not None and not isinstance(password, str):
            raise InvalidRequest("password is a text: send it as one, or leave it out")
        values, now = read_values(given), self._clock()

        def profile(before: Profile) -> Profile:
            wanted = replace(before, **values)
            return before if wanted == before and password is None else replace(wanted, modified_at=now)

        before = self._profiles.of(username)
        if password is not None or profile(before) != before:
            self._administration.change_user(username, profile, password, author, may_be_empty=identity.is_admin)
        return password is not None

    def remove(self, identity: Identity, username: str, author: Author) -> None:
        """Remove a user with all that is the user's; nobody else gets any of it who gets the name."""
        if not identity.is_authenticated:
            raise AuthenticationRequired(f"Log in to remove user {shown(username)}: only administrators and itself may")
        if username == ROOT:
            raise PermissionDenied("User root cannot be removed here: ppc-user remove root does it on the server")
        self._require_known(identity, username)
        self._require_oneself(identity, username, "remove")
        self._administration.remove_user(username, author)

    def _owned(self, identity: Identity) -> dict[str, dict[str, Any]]:
        owned: dict[str, dict[str, Any]] = {}
        for index in self._indexes.seen(identity):
            owned.setdefault(index.name.owner, {})[index.name.name] = index.shown()
        return owned

    def _require_known(self, identity: Identity, username: str) -> None:
        if self._directory.lookup(username) is None:
            raise self._unknown(identity, username)

    def _unknown(self, identity: Identity, username: str) -> PpcError:
        if identity.is_authenticated or self._gate.reads_by_default(identity):
            return NotFound(f"There is no user {shown(username)} here: check the name")
        return AuthenticationRequired(f"Log in to see whether there is a user {shown(username)} here")

    @staticmethod
    def _require_oneself(identity: Identity, username: str, doing: str) -> None:
        if identity.is_admin or (identity.is_whole and identity.username == username):
            return
        if identity.username == username:
            raise PermissionDenied(f"This token may not {doing} its user: use one with the scope admin, or a password")
        raise PermissionDenied(
            f"User {identity.username} may not {doing} user {username}: only that user and administrators may"
        )


def _read_new(given: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    unknown = sorted(given.keys() - set(_NEW))
    if unknown:
        raise InvalidRequest(f"A user has no {shown(unknown[0])} that could be given: it has {', '.join(_NEW)}")
    password = given.get("password")
    if not isinstance(password, str):
        raise InvalidRequest("A new user needs a password: send it as a text")
    return password, read_values(given)


def check_name(username: str) -> None:
    """:class:`InvalidName` for what no user who comes with the devpi client can be called."""
    new_username(username)
    if wrong := sorted(_FORBIDDEN.intersection(username)):
        raise InvalidName(
            f"{shown(username)} cannot be a user name here because of {wrong[0]}: use letters, digits, '-', '.', '@' "
            "and '_'"
        )


def _config(username: str, profile: Profile, indexes: Mapping[str, Any], identity: Identity) -> Config:
    """Without the keys that have no value, as devpi does."""
    told: Config = {"username": username, "indexes": dict(indexes)}
    seen = FIELDS if identity.is_admin or (identity.is_whole and identity.username == username) else FIELDS[1:]
    if identity.is_whole:
        told |= {"created": _time(profile.created_at), "modified": _time(profile.modified_at)}
    for name in seen if identity.is_whole else _SEEN_BY_ALL:
        told[name] = getattr(profile, name)
    return {name: value for name, value in told.items() if value is not None}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
