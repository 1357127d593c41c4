"""The named indexes of somebody who comes or goes, for whoever administers users."""

from __future__ import annotations

from contextlib import suppress

from pypicloud_lite.access.model import Identity
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.model import Source
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import Conflict, NotFound, PermissionDenied

SYSTEM_OWNER = "root"
"""Owns the built-in indexes: administrators act for it where there is no such user."""


class IndexesOfUsers:
    """The :class:`~pypicloud_lite.access.administration.Belongings` of users."""

    def __init__(self, indexes: Indexes, registry: Registry) -> None:
        self._indexes = indexes
        self._registry = registry

    def is_kept(self, username: str) -> bool:
        """As the protocol says: of indexes that the configuration defines too."""
        return username == SYSTEM_OWNER or bool(self._registry.now().of(username))

    def require_free(self, username: str) -> None:
        """As the protocol says. The indexes of the system's owner are not those of a former user."""
        if username == SYSTEM_OWNER:
            return
        left = [one.name for one in self._registry.now().of(username) if one.source is Source.DATABASE]
        if left:
            raise Conflict(
                f"There is an index {left[0]} of an earlier user {username}: an administrator must remove it before "
                "somebody else gets the name"
            )

    def require_removable(self, username: str) -> None:
        """As the protocol says."""
        self._indexes.require_removable(username)

    def remove(self, username: str, author: Author) -> None:
        """As the protocol says: what is not volatile by now stays, and keeps the name."""
        for index in self._registry.now().of(username):
            with suppress(NotFound, PermissionDenied):
                self._indexes.remove(index.name, Identity(username), author)
