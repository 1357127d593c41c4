"""What people say of themselves, whichever backend knows them: an e-mail address, a title, a description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from pypicloud_lite.access.names import is_kept
from pypicloud_lite.access.tables import user_profiles
from pypicloud_lite.access.transactions import asking, changing
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.types import storable
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import InvalidRequest

ATTRIBUTES = ("email", "title", "description", "custom_data")
_LONGEST = 10_000

_COLUMNS = (
    user_profiles.c.username,
    user_profiles.c.attributes,
    user_profiles.c.created_at,
    user_profiles.c.modified_at,
)
_OF = select(*_COLUMNS).where(user_profiles.c.username == bindparam("sought"))
_ALL = select(*_COLUMNS)


@dataclass(frozen=True, slots=True)
class Profile:
    """``attributes`` are those of :data:`ATTRIBUTES` that were given."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    modified_at: datetime | None = None


NO_PROFILE = Profile()


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as they are kept; InvalidRequest names the wrong one. None and an empty text take one away."""
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if name not in ATTRIBUTES:
            raise InvalidRequest(f"A user has no {name!a}: it has {', '.join(ATTRIBUTES)} and password")
        if name != "custom_data" and value is not None and not isinstance(value, str):
            raise InvalidRequest(f"{name} of a user is a text")
        if len(json.dumps(value)) > _LONGEST:
            raise InvalidRequest(f"{name} of a user has at most {_LONGEST} characters")
        kept[name] = value if value != "" else None
    return kept


class Profiles:
    """All of them; one query, or one transaction, for each call."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, username: str) -> Profile:
        """Somebody's; empty where nothing was said."""
        if not is_kept(username):
            return NO_PROFILE
        with asking(self._database) as connection:
            row = connection.execute(_OF, {"sought": username}).one_or_none()
        return NO_PROFILE if row is None else _profile(row)

    def all(self) -> Mapping[str, Profile]:
        """Everybody's who said something."""
        with asking(self._database) as connection:
            return {row.username: _profile(row) for row in connection.execute(_ALL)}

    def begin(self, username: str, attributes: Mapping[str, Any]) -> None:
        """Of a new user: nothing of an earlier one of that name stays."""
        said = {name: value for name, value in attributes.items() if value is not None}
        row = {"username": username, "attributes": _dumped(said), "created_at": self._clock(), "modified_at": None}
        with changing(self._database) as connection:
            connection.execute(delete(user_profiles).where(user_profiles.c.username == username))
            connection.execute(insert(user_profiles), row)

    def change(self, username: str, attributes: Mapping[str, Any], author: Author) -> None:
        """Set what is given; None takes it away."""
        with changing(self._database) as connection:
            row = connection.execute(_OF, {"sought": username}).one_or_none()
            before = {} if row is None else json.loads(row.attributes)
            after = {name: value for name, value in {**before, **attributes}.items() if value is not None}
            now = self._clock()
            values = {"attributes": _dumped(after), "modified_at": now}
            if row is None:
                connection.execute(insert(user_profiles), {"username": username, "created_at": None, **values})
            else:
                connection.execute(update(user_profiles).where(user_profiles.c.username == username).values(**values))
            append(connection, now, author, "change profile", subject=username, detail={"keys": sorted(attributes)})


def _dumped(attributes: Mapping[str, Any]) -> str:
    return storable(json.dumps(attributes, sort_keys=True))


def _profile(row: Any) -> Profile:
    return Profile(json.loads(row.attributes), row.created_at, row.modified_at)
