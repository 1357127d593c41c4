"""Where users, groups and grants come from: facts, never decisions.

A backend is held to these docstrings by the contract suite ``pypicloud_lite.testing.access``. Thread-safe.
An outage raises :class:`~pypicloud_lite.kernel.errors.AccessUnavailable` from every method: it is never
answered with "no such user" and never with a yes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pypicloud_lite.access.model import Account, Grants
from pypicloud_lite.kernel.names import ProjectName


class AccessBackend(Protocol):
    """Facts about users and projects."""

    def authenticate(self, username: str, password: str) -> Account | None:
        """The account when the password is right, else None.

        Costs one password hash, also for a user that does not exist or has no password, so that the time tells
        nothing. Never raises for odd input (empty, NUL, 4 KiB, not encodable): that is a wrong password.
        """

    def lookup(self, username: str) -> Account | None:
        """The account without a password: cheap; called once per authenticated request."""

    def grants(self, project: ProjectName) -> Grants:
        """The explicit rules of one project; empty when there are none."""

    def all_grants(self) -> Mapping[ProjectName, Grants]:
        """The rules of every project that has any, in one call (a listing filters by it)."""

    def serial(self) -> str:
        """Changes whenever any user, group or grant does: a cache key for what depends on all of them."""

    def probe(self) -> None:
        """Prove that the backend answers now; ``AccessUnavailable`` says what is wrong."""
