"""``devpi login``: a password for a token of ours, which lasts for hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypicloud_lite.access.authentication import Authenticator
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.login_tokens import LoginTokens
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidRequest


def credentials(given: Mapping[str, Any]) -> tuple[str, str]:
    """User and password of a login; :class:`InvalidRequest` where one is missing."""
    username, password = given.get("user"), given.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise InvalidRequest('A login is {"user": NAME, "password": PASSWORD}: both are texts')
    return username, password


class DevpiLogin:
    """The service."""

    def __init__(self, authenticator: Authenticator, directory: Directory, tokens: LoginTokens) -> None:
        self._authenticator = authenticator
        self._directory = directory
        self._tokens = tokens

    def log_in(self, username: str, password: str, address: str | None) -> dict[str, object]:
        """A token, and for how long: one hash outside of any transaction, then a short one.

        AuthenticationRequired for a wrong password, an unknown user and a token in a password's place: one that may
        less would become one that may all.
        """
        before = self._directory.lookup(username)
        identity = self._authenticator.identify(username, password, address)
        name = identity.username or ""
        return self.proof(self._tokens.start(name, Author(name, address, "password"), before))

    def renewed(self, username: str, author: Author) -> dict[str, object]:
        """The same for somebody whose password was just changed."""
        return self.proof(self._tokens.start(username, author))

    def proof(self, secret: str) -> dict[str, object]:
        """As the client wants to be told of a token."""
        return {"password": secret, "expiration": int(self._tokens.lifetime.total_seconds())}
