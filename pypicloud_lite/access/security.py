"""Who sent this request: HTTP Basic to an identity, once per request."""

from __future__ import annotations

from pyramid.request import Request

from pypicloud_lite.access.authentication import Authenticator, parse_basic
from pypicloud_lite.access.model import ANONYMOUS, Identity
from pypicloud_lite.kernel.errors import AuthenticationRequired

_KEY = "pypicloud_lite.identity"


class RequestIdentity:
    """Reads a request's credentials lazily; what it found stays with the request."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def __call__(self, request: Request) -> Identity:
        """The caller. Wrong credentials are :class:`AuthenticationRequired`, never an anonymous caller."""
        known = request.environ.get(_KEY)
        if known is None:
            known = request.environ[_KEY] = self._read(request)
        return known  # type: ignore[no-any-return]  # WebOb's environ has no types

    def _read(self, request: Request) -> Identity:
        header = request.environ.get("HTTP_AUTHORIZATION")
        if header is None:
            return ANONYMOUS
        readings = parse_basic(header)
        if not readings:
            raise AuthenticationRequired(
                "The Authorization header cannot be read: send a user name and a password as HTTP Basic"
            )
        return self._authenticator.identify_any(readings, request.remote_addr)
