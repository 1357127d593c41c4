"""API tokens: made, listed, revoked, and who one stands for."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from pypicloud_lite.access.model import Identity, Scope, ScopeWord
from pypicloud_lite.access.names import is_kept
from pypicloud_lite.access.recollection import Lookup, Recollection
from pypicloud_lite.access.tables import access_state, tokens
from pypicloud_lite.access.token_form import digest_of, is_token, new_secret
from pypicloud_lite.access.transactions import asking, changing
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.types import storable
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    CatalogUnavailable,
    Conflict,
    InvalidRequest,
    NotFound,
)
from pypicloud_lite.kernel.moment import one_moment

_MOST = 200
"""Tokens that one user may have."""

LOGIN_NAME = "devpi login"
"""The name of tokens that a login with a password gave: they have a limit of their own (``login_tokens``)."""

MAX_NAME = 100
"""Characters of a token's name."""

INDEX_PATTERN = r"^[a-z0-9._*-]+/[a-z0-9._*-]+$"
"""What a token's index looks like; ``*`` stands for any text."""

MAX_INDEX = 121

_LARGEST_ID = 2**63 - 1
_LEEWAY = timedelta(seconds=30)
_USE_IS_NEWS_AFTER = timedelta(minutes=1)

_COLUMNS = (
    tokens.c.id,
    tokens.c.username,
    tokens.c.name,
    tokens.c.scope,
    tokens.c.created_at,
    tokens.c.expires_at,
    tokens.c.last_used_at,
    tokens.c.last_address,
)
_BY_DIGEST = select(*_COLUMNS).where(tokens.c.digest == bindparam("sought"))
_OF_USER = select(*_COLUMNS).where(tokens.c.username == bindparam("sought")).order_by(tokens.c.id)
_USED = (
    update(tokens)
    .where(tokens.c.id == bindparam("token_id"))
    .values(last_used_at=bindparam("now"), last_address=bindparam("address"))
)
_LOCK = select(access_state.c.revision).with_for_update()


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token. ``networks`` are the addresses from which it may be used; empty: any."""

    id: int
    username: str
    name: str
    scope: Scope
    networks: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    last_address: str | None = None


@dataclass(frozen=True, slots=True)
class WantedToken:
    """What a new token is to be; ``lifetime`` None: until it is revoked."""

    username: str
    name: str
    scope: Scope = field(default_factory=lambda: Scope(frozenset({ScopeWord.READ})))
    networks: tuple[str, ...] = ()
    lifetime: timedelta | None = None


class Tokens:
    """The tokens of all users, whichever backend knows them. One query a request; no password hash."""

    def __init__(self, database: Database, clock: Clock, directory: Lookup, recollection: Recollection) -> None:
        self._database = database
        self._clock = clock
        self._directory = directory
        self._recollection = recollection

    def create(
        self, wanted: WantedToken, author: Author, admit: Callable[[], None] = lambda: None
    ) -> tuple[str, Token]:
        """A new token, which nobody can be told again, and what is known of it.

        ``admit`` is called in the transaction in which no user can be removed; NotFound for an unknown user,
        :class:`Conflict` past the number of tokens that one user may have.
        """
        if wanted.name == LOGIN_NAME:
            raise InvalidRequest(f"{LOGIN_NAME!r} is what tokens of logins are called: choose another name")
        secret, now = new_secret(), self._clock()
        expires_at = None if wanted.lifetime is None else now + wanted.lifetime
        with changing(self._database) as connection:
            connection.execute(_LOCK)
            # What the request has asked before may be of before somebody else's change, which the lock waited for.
            with one_moment():
                admit()
                if not is_kept(wanted.username) or self._directory.lookup(wanted.username) is None:
                    raise NotFound(f"There is no user {wanted.username}: check the name")
            have = [row for row in connection.execute(_OF_USER, {"sought": wanted.username}) if row.name != LOGIN_NAME]
            if len(have) >= _MOST:
                raise Conflict(
                    f"User {wanted.username} has {_MOST} tokens, which is the limit: revoke those not in use"
                )
            result = connection.execute(
                insert(tokens),
                {
                    "digest": digest_of(secret),
                    "username": wanted.username,
                    "name": storable(wanted.name),
                    "scope": dumped(wanted.scope, wanted.networks),
                    "created_at": now,
                    "expires_at": expires_at,
                },
            )
            number = int(result.inserted_primary_key[0])  # type: ignore[index]  # there is one
            detail = {"user": wanted.username, **described(wanted.scope, wanted.networks)}
            detail["expires"] = None if expires_at is None else expires_at.isoformat()
            append(connection, now, author, "create token", subject=f"token {number}", detail=detail)
        token = Token(number, wanted.username, wanted.name, wanted.scope, wanted.networks, now, expires_at)
        return secret, token

    def of(self, username: str) -> list[Token]:
        """The tokens of a user, the expired ones too, oldest first."""
        if not is_kept(username):
            return []
        with asking(self._database) as connection:
            return [_token(row) for row in connection.execute(_OF_USER, {"sought": username})]

    def revoke(self, username: str, number: int, author: Author) -> None:
        """End a token of this user; NotFound where it has none of that number."""
        unknown = NotFound(f"User {username} has no token {number}: see the list of tokens")
        if not is_kept(username) or not 0 < number <= _LARGEST_ID:
            raise unknown
        with changing(self._database) as connection:
            gone = connection.execute(delete(tokens).where(tokens.c.id == number, tokens.c.username == username))
            if not gone.rowcount:
                raise unknown
            detail = {"user": username}
            append(connection, self._clock(), author, "revoke token", subject=f"token {number}", detail=detail)

    def revoke_all(self, username: str, author: Author, *, but: int = 0) -> int:
        """End every token of a name, whether or not anybody has it, but the one of that number; how many there were."""
        if not is_kept(username):
            return 0
        with changing(self._database) as connection:
            gone = connection.execute(delete(tokens).where(tokens.c.username == username, tokens.c.id != but)).rowcount
            if gone:
                detail = {"user": username, "count": gone}
                append(connection, self._clock(), author, "revoke all tokens", subject=username, detail=detail)
        return gone

    def identify(self, secret: str, username: str | None, address: str | None) -> Identity:
        """Who sent the token; ``username`` is the one sent with it, None where none has to agree.

        AuthenticationRequired says what is wrong with it. While the backend of its user is down, what it said within
        the last hour holds.
        """
        if not is_token(secret):
            raise AuthenticationRequired("This is not a whole token: copy it again, or create another one")
        with asking(self._database) as connection:
            row = connection.execute(_BY_DIGEST, {"sought": digest_of(secret)}).one_or_none()
        if row is None:
            raise AuthenticationRequired("This token is unknown or revoked: create another one")
        token = _token(row)
        self._check(token, username, address)
        account = self._recollection.account(token.username)
        if account is None:
            if not self._directory.knows_by_name:
                raise AuthenticationRequired(
                    "The user of this token is not known, or not yet: let the user log in with the password first"
                )
            # Somebody of that name who comes later is somebody else.
            self.revoke_all(token.username, Author("pypicloud_lite", address))
            raise AuthenticationRequired("The user of this token is not known any more: create another one")
        self._note_use(token, address)
        return Identity(account.username, account.groups, account.roles, token.scope, f"token {token.id}")

    def _check(self, token: Token, username: str | None, address: str | None) -> None:
        if username is not None and username != token.username:
            raise AuthenticationRequired("This token is another user's: send its user name, or __token__, with it")
        if token.expires_at is not None and self._clock() > token.expires_at + _LEEWAY:
            raise AuthenticationRequired("This token has expired: create another one")
        if token.networks and not _inside(address, token.networks):
            raise AuthenticationRequired("This token may not be used from this address: create one without that limit")

    def _note_use(self, token: Token, address: str | None) -> None:
        now = self._clock()
        if token.last_used_at is not None and abs(now - token.last_used_at) < _USE_IS_NEWS_AFTER:
            return
        # It is for people to look at: no request waits or fails for it.
        with suppress(CatalogUnavailable), self._database.connect() as connection:
            connection.execute(
                _USED, {"token_id": token.id, "now": now, "address": None if address is None else address[:255]}
            )


def network(text: str) -> str:
    """An address or network as it is kept; ValueError."""
    return str(ipaddress.ip_network(text, strict=False))


def described(scope: Scope, networks: Sequence[str]) -> dict[str, Any]:
    """A scope as the API and the journal show it."""
    return {
        "permissions": sorted(scope.words),
        "projects": list(scope.projects),
        "index": scope.index,
        "networks": list(networks),
    }


def token_document(token: Token) -> dict[str, Any]:
    """A token as the API and the commands show it, without its secret."""
    times = {"created": token.created_at, "expires": token.expires_at, "last_used": token.last_used_at}
    return {
        "id": token.id,
        "name": token.name,
        "username": token.username,
        **described(token.scope, token.networks),
        **{name: None if at is None else at.isoformat() for name, at in times.items()},
        "last_address": token.last_address,
    }


def dumped(scope: Scope, networks: Sequence[str]) -> str:
    """A scope as it is stored."""
    return json.dumps(described(scope, networks), separators=(",", ":"), sort_keys=True)


def _token(row: Any) -> Token:
    number, username, name, text, created_at, expires_at, last_used_at, last_address = row
    told: Mapping[str, Any] = json.loads(text)
    words = frozenset(ScopeWord(word) for word in told["permissions"])
    scope = Scope(words, tuple(told["projects"]), told["index"])
    networks = tuple(told["networks"])
    return Token(number, username, name, scope, networks, created_at, expires_at, last_used_at, last_address)


def _inside(address: str | None, networks: Sequence[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in ipaddress.ip_network(one) for one in networks)
