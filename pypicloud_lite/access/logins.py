"""Every way to say who one is: a password, a token in its place, a token alone, a browser's session."""

from __future__ import annotations

from collections.abc import Sequence

from pypicloud_lite.access.authentication import Authenticator
from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.names import TOKEN_USER
from pypicloud_lite.access.sessions import Session, Sessions
from pypicloud_lite.access.token_form import looks_like_token
from pypicloud_lite.access.tokens import Tokens
from pypicloud_lite.kernel.errors import AuthenticationRequired


class Logins:
    """Credentials to an identity; what is wrong with them is :class:`AuthenticationRequired`."""

    def __init__(self, authenticator: Authenticator, tokens: Tokens, sessions: Sessions) -> None:
        self._authenticator = authenticator
        self._tokens = tokens
        self._sessions = sessions

    def basic(self, readings: Sequence[tuple[str, str]], address: str | None) -> Identity:
        """HTTP Basic; a token is the password of its user, of ``__token__`` or of no name, and costs no hash."""
        for username, password in readings:
            if looks_like_token(password):
                return self._tokens.identify(password, None if username in {"", TOKEN_USER} else username, address)
        if any(username == TOKEN_USER for username, _ in readings):
            raise AuthenticationRequired("What came with __token__ is not a token of this server: create one here")
        return self._authenticator.identify_any(readings, address)

    def bearer(self, token: str, address: str | None) -> Identity:
        """``Authorization: Bearer TOKEN``."""
        return self._tokens.identify(token, None, address)

    def session(self, cookie: str) -> Session | None:
        """A browser's cookie; None where it is worth nothing."""
        return self._sessions.find(cookie)

    def is_genuine(self, session: Session, sent: str | None) -> bool:
        """Whether the request came from a page of the session."""
        return self._sessions.is_genuine(session, sent)
