"""Logging in with the devpi client: a password once, then a token of this server's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pypicloud_lite.access.authentication import Authenticator
from pypicloud_lite.access.model import Identity, Scope, ScopeWord
from pypicloud_lite.access.tokens import Tokens, WantedToken
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import AuthenticationRequired

FEATURES = ("push-no-docs", "push-only-docs", "push-register-project", "server-keyvalue-parsing")
TOKEN_NAME = "devpi login"  # noqa: S105  what such tokens are called in the list of tokens
_MOST = 50
"""Logins of one user that last at the same time: the oldest ends when there is another one."""
_WHOLE = Scope(frozenset({ScopeWord.ADMIN}))


def api_config(base: str, identity: Identity, more: Mapping[str, str]) -> dict[str, Any]:
    """``apiconfig``: where to log in, who the caller is, what this server understands; ``base`` as :func:`base_of`."""
    known = identity.is_authenticated
    status: list[Any] = ["ok", identity.username, sorted(identity.groups)] if known else ["noauth", "", []]
    return {"login": f"{base}/+login", "authstatus": status, "features": list(FEATURES), **more}


@dataclass(frozen=True, slots=True)
class Login:
    """A token, and the seconds that it lasts."""

    token: str
    seconds: int

    def document(self) -> dict[str, object]:
        """As the client reads it."""
        return {"password": self.token, "expiration": self.seconds}


class Logins:
    """Gives out tokens. The password is hashed outside of any transaction; then there is a short one."""

    def __init__(self, authenticator: Authenticator, tokens: Tokens, seconds: int) -> None:
        self._authenticator = authenticator
        self._tokens = tokens
        self._seconds = seconds

    def log_in(self, username: str, password: str, address: str | None) -> Login:
        """AuthenticationRequired for a wrong password, TooManyRequests after too many."""
        identity = self._authenticator.identify(username, password, address)
        if identity.username is None:
            raise AuthenticationRequired("Wrong user name or password: check both")
        return self.issue(identity.username, Author(identity.username, address, "password"))

    def issue(self, username: str, author: Author) -> Login:
        """A token for somebody who has proved who that is."""
        wanted = WantedToken(username, TOKEN_NAME, _WHOLE, lifetime=timedelta(seconds=self._seconds))
        self._tokens.make_room(username, TOKEN_NAME, _MOST - 1)
        token, _ = self._tokens.create(wanted, author)
        return Login(token, self._seconds)
