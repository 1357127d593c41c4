"""Logins of browsers: a row for each, a signed random id in the cookie, an end at every change of the account."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from itsdangerous import BadSignature, Signer
from sqlalchemy import bindparam, delete, insert, select, update

from pypicloud_lite.access.model import Account, Identity
from pypicloud_lite.access.recollection import Recollection
from pypicloud_lite.access.tables import access_state, sessions
from pypicloud_lite.access.transactions import asking, changing
from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append, cut
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import AccessUnavailable, CatalogUnavailable

_LONGEST = timedelta(days=30)
_HANDLE = re.compile("[0-9a-f]{64}")
_SEEN_IS_NEWS_AFTER = timedelta(minutes=5)
_LEEWAY = timedelta(seconds=30)

_SELECT = select(
    sessions.c.username, sessions.c.account_version, sessions.c.created_at, sessions.c.seen_at, sessions.c.expires_at
).where(sessions.c.digest == bindparam("sought"))
_WHOSE = select(sessions.c.username).where(sessions.c.digest == bindparam("sought"))
_SEEN = (
    update(sessions)
    .where(sessions.c.digest == bindparam("sought"))
    .values(seen_at=bindparam("now"), expires_at=bindparam("until"))
)
_END = delete(sessions).where(sessions.c.digest == bindparam("sought"))
_END_EXPIRED = delete(sessions).where(sessions.c.expires_at < bindparam("before"))
_OF_USER = (
    select(
        sessions.c.digest,
        sessions.c.username,
        sessions.c.created_at,
        sessions.c.seen_at,
        sessions.c.address,
        sessions.c.user_agent,
    )
    .where(
        sessions.c.username == bindparam("who"),
        sessions.c.account_version == bindparam("version"),
        sessions.c.expires_at > bindparam("now"),
    )
    .order_by(sessions.c.seen_at.desc(), sessions.c.digest)
    .limit(bindparam("count"))
)
_END_OF_USER = delete(sessions).where(sessions.c.username == bindparam("who"), sessions.c.digest == bindparam("sought"))
_END_OTHERS = delete(sessions).where(sessions.c.username == bindparam("who"), sessions.c.digest != bindparam("sought"))
_KEY = select(access_state.c.signing_key)


@dataclass(frozen=True, slots=True)
class Session:
    """A login that holds: who, and what its pages must send along with every change."""

    identity: Identity
    csrf_token: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A login of somebody's that goes on; ``handle`` names it, and lets nobody in. ``seen_at`` is right to minutes."""

    handle: str
    created_at: datetime
    seen_at: datetime
    address: str | None
    user_agent: str | None


class Sessions:
    """The sessions of all users, whichever backend knows them. One query a request, and one for the account.

    ``secret`` signs the ids, and every worker and host must have the same: None takes the one in the database. A
    session ends ``idle`` after its last request, after 30 days, at logout, and when the account's password changes or
    the account goes.
    """

    def __init__(
        self, database: Database, clock: Clock, recollection: Recollection, idle: timedelta, secret: str | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._recollection = recollection
        self._idle = idle
        self._secret = secret

    def start(self, account: Account, author: Author, user_agent: str | None) -> tuple[str, str]:
        """A new session and its line in the journal; the cookie's value, and the token against forged requests."""
        number, now = secrets.token_urlsafe(32), self._clock()
        with changing(self._database) as connection:
            connection.execute(_END_EXPIRED, {"before": now - _LEEWAY})
            connection.execute(
                insert(sessions),
                {
                    "digest": _digest(number),
                    "username": account.username,
                    "account_version": account.version,
                    "created_at": now,
                    "seen_at": now,
                    "expires_at": now + min(self._idle, _LONGEST),
                    "address": cut(author.address, 255),
                    "user_agent": cut(user_agent, 255),
                },
            )
            append(connection, now, author, "log in", subject=account.username)
        return self._signer.sign(number).decode(), self._csrf_token(number)

    def find(self, cookie: str) -> Session | None:
        """The session behind a cookie; None where there is none (any more): its sender is anonymous."""
        number = self._number(cookie)
        if number is None:
            return None
        digest, now = _digest(number), self._clock()
        with asking(self._database) as connection:
            row = connection.execute(_SELECT, {"sought": digest}).one_or_none()
        if row is None or now > row.expires_at + _LEEWAY:
            return None
        account = self._recollection.account(row.username)
        if account is None or account.version != row.account_version:
            self._forget(digest)
            return None
        if abs(now - row.seen_at) >= min(_SEEN_IS_NEWS_AFTER, self._idle / 10):
            until = min(now + self._idle, row.created_at + _LONGEST)
            with suppress(CatalogUnavailable), self._database.connect() as connection:
                connection.execute(_SEEN, {"sought": digest, "now": now, "until": until})
        identity = Identity(account.username, account.groups, account.roles, credential="session")
        return Session(identity, self._csrf_token(number))

    def end(self, cookie: str, author: Author) -> bool:
        """Log out; whether there was such a session."""
        number = self._number(cookie)
        if number is None:
            return False
        sought = {"sought": _digest(number)}
        with changing(self._database) as connection:
            whose = connection.execute(_WHOSE, sought).scalar()
            gone = bool(connection.execute(_END, sought).rowcount)
            if gone:
                append(connection, self._clock(), author, "log out", subject=whose)
        return gone

    def of(self, account: Account, limit: int) -> Sequence[OpenSession]:
        """The sessions of a user that go on, those seen last first."""
        parameters = {"who": account.username, "version": account.version, "now": self._clock(), "count": limit}
        with asking(self._database) as connection:
            rows = connection.execute(_OF_USER, parameters).all()
        return [OpenSession(digest, *rest) for digest, who, *rest in rows if who == account.username]

    def handle(self, cookie: str | None) -> str | None:
        """What :meth:`of` calls the session of a cookie; None for a cookie that is none."""
        number = None if cookie is None else self._number(cookie)
        return None if number is None else _digest(number)

    def end_of(self, username: str, handle: str, author: Author) -> bool:
        """End a session of the user; whether there was such a one of that user's."""
        if _HANDLE.fullmatch(handle) is None:
            return False  # not every database compares with any text
        with changing(self._database) as connection:
            gone = bool(connection.execute(_END_OF_USER, {"who": username, "sought": handle}).rowcount)
            if gone:
                append(connection, self._clock(), author, "log out", subject=username)
        return gone

    def end_others(self, username: str, handle: str, author: Author) -> int:
        """End all sessions of the user but one; how many."""
        with changing(self._database) as connection:
            ended = connection.execute(_END_OTHERS, {"who": username, "sought": handle}).rowcount
            if ended:
                detail = {"sessions": ended}
                append(connection, self._clock(), author, "log out", subject=username, detail=detail)
        return ended

    def is_genuine(self, session: Session, sent: str | None) -> bool:
        """Whether a request that changes something came from a page of this session."""
        return sent is not None and hmac.compare_digest(session.csrf_token.encode(), sent.encode(errors="replace"))

    def _number(self, cookie: str) -> str | None:
        try:
            return self._signer.unsign(cookie.encode(errors="replace")).decode()
        except (BadSignature, UnicodeDecodeError):
            return None

    def _csrf_token(self, number: str) -> str:
        return self._signing("csrf").get_signature(number).decode()

    def _forget(self, digest: str) -> None:
        # The answer is the same if this fails: the row is worthless.
        with suppress(AccessUnavailable), changing(self._database) as connection:
            connection.execute(_END, {"sought": digest})

    @cached_property
    def _signer(self) -> Signer:
        return self._signing("session")

    def _signing(self, purpose: str) -> Signer:
        return Signer(self._key, salt=f"pypicloud_lite {purpose}", digest_method=hashlib.sha256)

    @cached_property
    def _key(self) -> str:
        if self._secret:
            return self._secret
        with asking(self._database) as connection:
            key: str | None = connection.execute(_KEY).scalar()
        if key is None:
            raise AccessUnavailable("The database has not been set up: run ppc-db upgrade")
        return key


def _digest(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()
