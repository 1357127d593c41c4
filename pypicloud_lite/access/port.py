"""Where users, groups and grants come from: facts, never decisions.

A backend is held to these docstrings by the contract suite ``pypicloud_lite.testing.access``. Thread-safe.
An outage raises :class:`~pypicloud_lite.kernel.errors.AccessUnavailable` from every method: it is never
answered with "no such user" and never with a yes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pypicloud_lite.access.grants import GrantBook
from pypicloud_lite.access.model import Account, RoleHolders
from pypicloud_lite.access.passwords import PasswordHasher
from pypicloud_lite.db.engine import Database
from pypicloud_lite.kernel.clock import Clock


class AccessBackend(Protocol):
    """Facts about users and projects."""

    @property
    def knows_by_name(self) -> bool:
        """Whether :meth:`lookup` knows every user.

        False where somebody is known only once a right password was seen: such a backend is asked for the password
        of everybody whom no other one knows.
        """

    def authenticate(self, username: str, password: str) -> Account | None:
        """The account when the password is right, else None.

        Costs one password hash, also for a user that does not exist or has no password, so that the time tells
        nothing. Never raises for odd input (empty, NUL, 4 KiB, not encodable): that is a wrong password.
        """

    def lookup(self, username: str) -> Account | None:
        """The account without a password: cheap; called once per authenticated request."""

    def memberships(self, username: str) -> frozenset[str]:
        """The groups here that list the name, whichever backend knows the user. Empty where there are no such lists."""

    def role_holders(self) -> RoleHolders:
        """Who holds a role, as said here of users and groups of any backend."""

    def grant_book(self) -> GrantBook:
        """The rules of every project; cheap to get."""

    def accounts(self) -> Sequence[Account]:
        """Everybody who can be listed, by name; empty where the backend cannot list."""

    def groups(self) -> Mapping[str, frozenset[str]]:
        """The members of every group that can be listed, whether or not they are users here."""

    def serial(self) -> str:
        """Changes whenever any user, group or grant does: a cache key for what depends on all of them."""

    def probe(self) -> None:
        """Prove that the backend answers now; ``AccessUnavailable`` says what is wrong."""


@dataclass(frozen=True, slots=True)
class AccessContext:
    """What a backend is built with besides its settings: ``Plugin.build(settings, context)``; it does no I/O then."""

    database: Database
    clock: Clock
    hasher: PasswordHasher


BuildBackend = Callable[..., AccessBackend]
