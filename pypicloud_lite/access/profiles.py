"""What people say of themselves: an e-mail address, a title, a text, and data of their programs' own.

Of the users of any backend. Nothing here lets anybody in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from pypicloud_lite.access.names import is_kept
from pypicloud_lite.access.tables import user_profiles, users
from pypicloud_lite.access.transactions import asking
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.types import storable
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.kernel.json_values import DEEPEST, kept_json
from pypicloud_lite.kernel.names import shown

_MOST_TEXT = 10_000
_MOST_EMAIL = 320

_COLUMNS = (
    user_profiles.c.username,
    user_profiles.c.email,
    user_profiles.c.title,
    user_profiles.c.description,
    user_profiles.c.custom_data,
    user_profiles.c.created_at,
    user_profiles.c.modified_at,
)
_EVERY = select(*_COLUMNS)
_ONE = _EVERY.where(user_profiles.c.username == bindparam("who"))
_CREATED = select(users.c.username, users.c.created_at).where(users.c.is_pending.is_(False))
_CREATED_ONE = _CREATED.where(users.c.username == bindparam("who"))
_FORGET = delete(user_profiles).where(user_profiles.c.username == bindparam("who"))


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known; None is nothing. ``custom_data`` is JSON. ``modified_at``: the profile or the password."""

    email: str | None = None
    title: str | None = None
    description: str | None = None
    custom_data: Any = None
    created_at: datetime | None = None
    modified_at: datetime | None = None

    def differing(self, other: Profile) -> list[str]:
        """The names of the fields that are others there."""
        return [one.name for one in fields(self) if getattr(self, one.name) != getattr(other, one.name)]

    def changed(self, values: Mapping[str, Any], now: datetime) -> Profile:
        """With the values of :func:`read_values` in place, at a time."""
        return replace(self, **values, modified_at=now)


NO_PROFILE = Profile()
FIELDS = ("email", "title", "description", "custom_data")
"""What people change of their own, under the names of the protocol."""


def read_values(given: Mapping[str, object]) -> dict[str, Any]:
    """The fields among what was given, checked; what is empty is None. :class:`InvalidRequest` names a wrong one."""
    return {name: _value(name, given[name]) for name in FIELDS if name in given}


def _value(name: str, value: object) -> Any:
    # devpi takes a key away when it is sent without a value.
    if value is None or value in ("", [], {}):
        return None
    if name == "custom_data":
        if kept_json(value, _MOST_TEXT) is None:
            raise InvalidRequest(
                f"custom_data is JSON of at most {_MOST_TEXT} characters and {DEEPEST} levels, without NaN and "
                "Infinity: send less, or flatter"
            )
        return value
    longest = _MOST_EMAIL if name == "email" else _MOST_TEXT
    if not isinstance(value, str) or len(value) > longest or storable(value) != value:
        raise InvalidRequest(f"{name} is a text of at most {longest} characters, not {shown(repr(value))}")
    if name != "description" and not value.isprintable():
        raise InvalidRequest(f"{name} is one line without control characters, not {shown(value)}")
    return value


class Profiles:
    """Reads them. They are written in the transactions of :mod:`pypicloud_lite.access.sql_writer`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, username: str) -> Profile:
        """Of one user, who need not have any: two queries."""
        if not is_kept(username):
            return NO_PROFILE
        with asking(self._database) as connection:
            profile = read_profile(connection, username)
            created = connection.execute(_CREATED_ONE, {"who": username}).one_or_none()
        return _completed(profile, None if created is None else created.created_at)

    def every(self) -> Mapping[str, Profile]:
        """Of everybody who has one, or is in the database: two queries."""
        with asking(self._database) as connection:
            found = {row.username: _profile(row) for row in connection.execute(_EVERY)}
            for username, created_at in connection.execute(_CREATED):
                found[username] = _completed(found.get(username, NO_PROFILE), created_at)
        return MappingProxyType(found)


def read_profile(connection: Connection, username: str) -> Profile:
    """What is stored for a user."""
    row = connection.execute(_ONE, {"who": username}).one_or_none()
    return NO_PROFILE if row is None else _profile(row)


def store_profile(connection: Connection, username: str, profile: Profile) -> None:
    """Store it in place of what was there: the caller's transaction keeps others out."""
    connection.execute(_FORGET, {"who": username})
    row = {one.name: getattr(profile, one.name) for one in fields(profile)}
    custom = None if profile.custom_data is None else _dumped(profile.custom_data)
    connection.execute(insert(user_profiles), {**row, "username": username, "custom_data": custom})


def _completed(profile: Profile, created_at: datetime | None) -> Profile:
    return profile if profile.created_at is not None else replace(profile, created_at=created_at)


def _profile(row: Any) -> Profile:
    custom = None if row.custom_data is None else json.loads(row.custom_data)
    return Profile(row.email, row.title, row.description, custom, row.created_at, row.modified_at)


def _dumped(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
