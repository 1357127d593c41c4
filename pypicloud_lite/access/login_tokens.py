"""Tokens that a login with a password gives to a program that keeps no password, such as the devpi client."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import bindparam, delete, insert, select

from pypicloud_lite.access.model import Account, Scope, ScopeWord
from pypicloud_lite.access.names import is_kept
from pypicloud_lite.access.recollection import Lookup
from pypicloud_lite.access.tables import access_state, tokens
from pypicloud_lite.access.token_form import digest_of, new_secret
from pypicloud_lite.access.tokens import LOGIN_NAME, dumped
from pypicloud_lite.access.transactions import changing
from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import AuthenticationRequired
from pypicloud_lite.kernel.moment import one_moment

_MOST = 100
"""Logins of one user that go on at once; one more ends the oldest."""

_LOCK = select(access_state.c.revision).with_for_update()
_OWN = (tokens.c.username == bindparam("who"), tokens.c.name == LOGIN_NAME)
_LIVE = select(tokens.c.id).where(*_OWN).order_by(tokens.c.id.desc()).offset(_MOST - 1).limit(_MOST)
_END_EXPIRED = delete(tokens).where(*_OWN, tokens.c.expires_at < bindparam("before"))
_END = delete(tokens).where(tokens.c.id.in_(bindparam("ids", expanding=True)))
_INSERT = insert(tokens)
_WHOLE = Scope(frozenset({ScopeWord.ADMIN}))
_LEEWAY = timedelta(seconds=30)


class LoginTokens:
    """They may do all that their user may, for ``lifetime``. They do not count among the tokens that people make."""

    def __init__(self, database: Database, clock: Clock, directory: Lookup, lifetime: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._directory = directory
        self.lifetime = lifetime

    def start(self, username: str, author: Author, before: Account | None = None) -> str:
        """A new token, which nobody can be told again: one short transaction.

        ``before`` is the account as it was when the password was checked: AuthenticationRequired where the user went
        or got another password since.
        """
        secret, now = new_secret(), self._clock()
        with changing(self._database) as connection:
            # From here on nobody is removed and no password changes.
            connection.execute(_LOCK)
            with one_moment():
                account = self._directory.lookup(username) if is_kept(username) else None
            if account is None or (before is not None and before.version != account.version):
                raise AuthenticationRequired("This account was changed just now: log in again")
            connection.execute(_END_EXPIRED, {"who": username, "before": now - _LEEWAY})
            ended = list(connection.execute(_LIVE, {"who": username}).scalars())
            if ended:
                connection.execute(_END, {"ids": ended})
            result = connection.execute(
                _INSERT,
                {
                    "digest": digest_of(secret),
                    "username": username,
                    "name": LOGIN_NAME,
                    "scope": dumped(_WHOLE, ()),
                    "created_at": now,
                    "expires_at": now + self.lifetime,
                },
            )
            number = int(result.inserted_primary_key[0])  # type: ignore[index]  # there is one
            append(connection, now, author, "log in", subject=username, detail={"token": number})
        return secret
