"""The rows of a mirror's pages, and whose turn it is to ask an upstream: the database decides for all processes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, delete, func, or_, select, update

from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.turns import take_turn
from pypicloud_lite.db.types import storable
from pypicloud_lite.kernel.errors import UpstreamError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.codec import KnownPage, encode
from pypicloud_lite.mirror.tables import mirror_pages
from pypicloud_lite.upstream.port import Validator

_p = mirror_pages.c
_LIGHT = (
    _p.id,
    _p.absent,
    _p.upstream,
    _p.etag,
    _p.last_modified,
    _p.revision,
    _p.newest_at,
    _p.checked_at,
    _p.fresh_until,
    _p.asking_until,
    _p.error,
    _p.error_kind,
    _p.error_at,
    _p.content.is_not(None).label("has_content"),
)
_LOOK = select(*_LIGHT).where(_p.index_name == bindparam("index_"), _p.project == bindparam("project_"))
_CONTENT = select(_p.content, _p.revision).where(_p.id == bindparam("id_"))


GONE = "gone"
"""The kind of error of a project that its upstream does not have any more, and whose last links are shown."""


@dataclass(frozen=True, slots=True)
class PageRow:
    """One project but for its files. ``error`` is why the last attempt brought nothing, if that is so."""

    id: int
    absent: bool
    upstream: str | None
    etag: str | None
    last_modified: str | None
    revision: int
    newest_at: datetime | None
    checked_at: datetime | None
    fresh_until: datetime | None
    asking_until: datetime | None
    error: str | None
    error_kind: str | None
    error_at: datetime | None
    has_content: bool

    @property
    def is_shown(self) -> bool:
        """Whether there is a page to show."""
        return self.has_content and not self.absent

    @property
    def validator(self) -> Validator:
        """What the upstream named the page by."""
        return Validator(self.etag, self.last_modified)


class PageStore:
    """Pages of one mirror index, in the database."""

    def __init__(self, database: Database, index: IndexName) -> None:
        self._database = database
        self._index = index

    def look(self, project: ProjectName) -> PageRow | None:
        """What is known of a project; one query by a unique key, without its files."""
        with self._database.read(snapshot=False) as connection:
            row = connection.execute(_LOOK, self._key(project)).mappings().first()
        return None if row is None else PageRow(**row)

    def content(self, row: PageRow) -> tuple[bytes, int] | None:
        """The packed files and the revision that they are of; None where there are none any more."""
        with self._database.read(snapshot=False) as connection:
            found = connection.execute(_CONTENT, {"id_": row.id}).first()
        return None if found is None or found[0] is None else (bytes(found[0]), int(found[1]))

    def claim(self, project: ProjectName, now: datetime, seconds: float) -> str | None:
        """Take the turn to ask for a project; the token that stands for it, or None where somebody else has it.

        It ends by itself after ``seconds``: who died with it keeps nobody waiting for longer.
        """
        token = secrets.token_hex(16)
        until = now + timedelta(seconds=seconds)
        free = or_(_p.asking_until.is_(None), _p.asking_until < now)
        key = {"index_name": str(self._index), "project": project.value}
        turn = {"asking": token, "asking_until": until}
        return token if take_turn(self._database, mirror_pages, key, free, turn) else None

    def settle_page(
        self, project: ProjectName, page: KnownPage, upstream: str, validator: Validator, now: datetime, fresh: float
    ) -> None:
        """The upstream said this."""
        self._settle(
            project,
            content=encode(page),
            absent=False,
            upstream=upstream,
            etag=validator.etag,
            last_modified=validator.last_modified,
            revision=secrets.randbits(62),
            newest_at=page.newest_at,
            checked_at=now,
            fresh_until=now + timedelta(seconds=fresh),
            **_NO_ERROR,
        )

    def settle_unchanged(self, project: ProjectName, validator: Validator, now: datetime, fresh: float) -> None:
        """The upstream said that it is as it was."""
        self._settle(
            project,
            etag=validator.etag,
            last_modified=validator.last_modified,
            absent=False,
            checked_at=now,
            fresh_until=now + timedelta(seconds=fresh),
            **_NO_ERROR,
        )

    def settle_absent(self, project: ProjectName, now: datetime, fresh: float) -> None:
        """There is no such project. What was known of its files stays: their hashes hold if it comes back."""
        self._settle(
            project,
            absent=True,
            etag=None,
            last_modified=None,
            revision=secrets.randbits(62),
            checked_at=now,
            fresh_until=now + timedelta(seconds=fresh),
            **_NO_ERROR,
        )

    def settle_gone(self, project: ProjectName, now: datetime, fresh: float) -> None:
        """There is no such project any more, and what was listed last stays shown: a page that is stale."""
        self._settle(
            project,
            error="The index upstream does not have it any more: these are the last files that it listed",
            error_kind=GONE,
            error_at=now,
            fresh_until=now + timedelta(seconds=fresh),
        )

    def rewrite(self, row: int, revision: int, page: KnownPage) -> bool:
        """Write the page into the row of that id, if it is still as it was at that revision."""
        statement = update(mirror_pages).where(_p.id == row, _p.revision == revision)
        with self._database.write() as connection:
            done = connection.execute(statement.values(content=encode(page), revision=secrets.randbits(62)))
        return done.rowcount > 0

    def settle_error(self, project: ProjectName, error: UpstreamError, now: datetime, pause: float) -> None:
        """There was no answer: all stays as it was, and nobody asks again for ``pause`` seconds."""
        self._settle(
            project,
            error=storable(error.message)[:1000],
            error_kind=error.code,
            error_at=now,
            fresh_until=now + timedelta(seconds=pause),
        )

    def release(self, project: ProjectName, token: str) -> None:
        """Give the turn back unused."""
        mine = update(mirror_pages).where(*self._where(project), _p.asking == token)
        with self._database.write() as connection:
            connection.execute(mine.values(asking=None, asking_until=None))

    def expire(self, project: ProjectName | None) -> int:
        """Have a project, or all of them, asked for at their next use; how many there were."""
        statement = update(mirror_pages).where(_p.index_name == str(self._index))
        if project is not None:
            statement = statement.where(_p.project == project.value)
        with self._database.write() as connection:
            return connection.execute(statement.values(fresh_until=None)).rowcount

    def prune(self, before: datetime) -> int:
        """Forget names that were not there, or never answered for, and that nobody asked for since."""
        idle = or_(
            _p.absent.is_(True) & (_p.fresh_until < before),
            _p.absent.is_(False) & (_p.error_at < before),
            # Whose turn was given back, or ended with the process that had it.
            _p.fresh_until.is_(None) & or_(_p.asking_until.is_(None), _p.asking_until < before),
        )
        statement = delete(mirror_pages).where(_p.index_name == str(self._index), _p.content.is_(None), idle)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount

    def totals(self, now: datetime) -> Mapping[str, int]:
        """``pages`` and ``missing`` there are, and of the pages how many are ``stale``; one query."""
        stale = or_(_p.fresh_until.is_(None), _p.fresh_until < now, _p.error.is_not(None))
        shown = _p.absent.is_(False) & _p.content.is_not(None)
        # MariaDB has no FILTER; what CASE leaves null is not counted.
        statement = select(
            func.count(case((shown, 1))).label("pages"),
            func.count(case((shown & stale, 1))).label("stale"),
            func.count(case((_p.absent.is_(True), 1))).label("missing"),
        ).where(_p.index_name == str(self._index))
        with self._database.read(snapshot=False) as connection:
            found = connection.execute(statement).mappings().one()
        return {str(name): int(count) for name, count in found.items()}

    def last_error(self) -> tuple[str, datetime] | None:
        """What an upstream last failed to answer that it has not answered since."""
        statement = (
            select(_p.error, _p.error_at)
            .where(_p.index_name == str(self._index), _p.error_at.is_not(None), _p.error_kind != GONE)
            .order_by(_p.error_at.desc())
            .limit(1)
        )
        with self._database.read(snapshot=False) as connection:
            row = connection.execute(statement).first()
        return None if row is None else (str(row[0]), row[1])

    def projects(self) -> list[ProjectName]:
        """Every project with a page, by name: one query."""
        statement = (
            select(_p.project)
            .where(_p.index_name == str(self._index), _p.absent.is_(False), _p.content.is_not(None))
            .order_by(_p.project)
        )
        with self._database.read(snapshot=False) as connection:
            return [ProjectName(name) for (name,) in connection.execute(statement)]

    def _settle(self, project: ProjectName, **values: Any) -> None:
        statement = update(mirror_pages).where(*self._where(project))
        with self._database.write() as connection:
            connection.execute(statement.values(asking=None, asking_until=None, **values))

    def _where(self, project: ProjectName) -> tuple[Any, ...]:
        return _p.index_name == str(self._index), _p.project == project.value

    def _key(self, project: ProjectName) -> dict[str, str]:
        return {"index_": str(self._index), "project_": project.value}


_NO_ERROR: Mapping[str, None] = {"error": None, "error_kind": None, "error_at": None}
