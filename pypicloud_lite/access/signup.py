"""Tokens with which somebody makes an account: one name, once, for a while."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from pypicloud_lite.access.names import new_username
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import Conflict, InvalidRequest

_LEEWAY = timedelta(seconds=30)


class SignupTokens:
    """Signed, not stored; what makes one work only once is kept by whoever uses it.

    ``signing_key`` None: there are none here.
    """

    def __init__(self, signing_key: str | None, lifetime: timedelta, clock: Clock) -> None:
        self._key = signing_key
        self._lifetime = lifetime
        self._clock = clock

    @property
    def is_on(self) -> bool:
        """Whether there are such tokens."""
        return self._key is not None

    def issue(self, username: str) -> str:
        """A token for the name; :class:`Conflict` where ``auth.signing_key`` is not set."""
        token = self._serializer().dumps([new_username(username), int(self._clock().timestamp())])
        return token if isinstance(token, str) else token.decode()

    def read(self, token: str) -> tuple[str, datetime]:
        """The name in the token, and when it expires; :class:`InvalidRequest` says what is wrong with it."""
        try:
            name, issued = self._serializer().loads(token)
        except (BadData, ValueError):
            raise _foreign() from None
        # A signature may be written in several ways, and whoever keeps which tokens were used knows one of them.
        serializer = self._serializer()
        if serializer.make_signer(serializer.salt).sign(token.rpartition(".")[0]) != token.encode():
            raise _foreign()
        begins = datetime.fromtimestamp(issued, UTC)
        expires, now = begins + self._lifetime, self._clock()
        if not begins - _LEEWAY <= now <= expires + _LEEWAY:
            raise InvalidRequest("This registration token has expired: ask an administrator for another one")
        return str(name), expires

    def _serializer(self) -> URLSafeSerializer:
        if self._key is None:
            raise Conflict("There are no registration tokens here: set auth.signing_key in the configuration first")
        return URLSafeSerializer(
            self._key, salt="pypicloud_lite signup", signer_kwargs={"digest_method": hashlib.sha256}
        )


def _foreign() -> InvalidRequest:
    return InvalidRequest("This registration token is not one of this server's: copy it again")
