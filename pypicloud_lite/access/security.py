"""Who sent this request: HTTP Basic or devpi's header, a token, a session's cookie: an identity, once a request."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError
from typing import Any

from pyramid.registry import Registry
from pyramid.request import Request

from pypicloud_lite.access.authentication import parse_basic
from pypicloud_lite.access.logins import Logins
from pypicloud_lite.access.model import ANONYMOUS, Identity
from pypicloud_lite.access.sessions import Session
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.refusals import Refusal, Refusals
from pypicloud_lite.kernel import moment
from pypicloud_lite.kernel.errors import AuthenticationRequired, InvalidName, PermissionDenied
from pypicloud_lite.kernel.names import ProjectName

COOKIE = "ppc_session"
CSRF_HEADER = "X-CSRF-Token"
_DEVPI = "HTTP_X_DEVPI_AUTH"
_KEY = "pypicloud_lite.identity"
_CLAIMED = "pypicloud_lite.claimed"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_CLAIMED = 255
_FORBIDDEN = 403
_REFUSING = {401: "refuse login", _FORBIDDEN: "refuse", 429: "refuse for now"}
_QUIETLY = "pypicloud_lite.refused_quietly"
REFUSALS = "pypicloud_lite.refusals"
"""Where the tween finds :class:`~pypicloud_lite.journal.refusals.Refusals` in the registry."""


class RequestIdentity:
    """Reads a request's credentials lazily, and again where the request has gone on for longer than a moment."""

    def __init__(self, logins: Logins) -> None:
        self._logins = logins

    def __call__(self, request: Request) -> Identity:
        """The caller. Wrong credentials are :class:`AuthenticationRequired`, never an anonymous caller.

        A cookie that is worth nothing is nobody's: browsers send it without being asked. With one that is, a request
        that changes something must carry the session's token in ``X-CSRF-Token``: PermissionDenied else.
        """
        # Of a moment only: who begins a long upload may be revoked or removed before its last byte is here.
        identity = request.environ[_KEY] = moment.once(self, lambda: self._read(request))
        return identity

    def author(self, request: Request) -> tuple[Identity, Author]:
        """The caller, and the same for the journal."""
        identity = self(request)
        return identity, Author(identity.username, request.remote_addr, identity.credential)

    def by_form(self, request: Request, csrf_token: str | None) -> Identity:
        """The caller of a page's form, which carries the session's token as a field: PermissionDenied without it.

        A caller who sends credentials in a header needs none, as for any other request.
        """
        if sends_credentials(request):
            return self(request)
        session = self.session(request)
        if session is None:
            raise AuthenticationRequired("Log in first: this page was left open for too long")
        if not self._logins.is_genuine(session, csrf_token):
            raise PermissionDenied("This form is not of your session any more: reload the page and send it again")
        request.environ[_KEY] = session.identity
        return session.identity

    def session(self, request: Request) -> Session | None:
        """The session behind the request's cookie, whoever sent it: of a moment, as the caller is."""
        cookie = _cookie(request)
        return None if cookie is None else moment.once((self, cookie), lambda: self._logins.session(cookie))

    def _read(self, request: Request) -> Identity:
        header = _header(request)
        if header is not None:
            return self._by_header(request, header)
        session = self.session(request)
        if session is None:
            return ANONYMOUS
        if request.method not in _SAFE and not self._logins.is_genuine(session, request.headers.get(CSRF_HEADER)):
            claim(request, session.identity.username or "")
            raise PermissionDenied(
                f"This request has no valid {CSRF_HEADER}: reload the page, or log in again and send the csrf_token "
                "of the login's answer in that header"
            )
        return session.identity

    def _by_header(self, request: Request, header: str) -> Identity:
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() == "bearer":
            request.environ[_CLAIMED] = "(a token)"
            return self._logins.bearer(rest.strip(), request.remote_addr)
        readings = parse_basic(header)
        if not readings:
            request.environ[_CLAIMED] = "(unreadable)"
            raise AuthenticationRequired(
                "The Authorization or X-Devpi-Auth header cannot be read: send a user name and a password as HTTP Basic"
            )
        request.environ[_CLAIMED] = readings[0][0][:_MOST_CLAIMED]
        return self._logins.basic(readings, request.remote_addr)


def refusals_tween(handler: Callable[[Request], Any], registry: Registry) -> Callable[[Request], Any]:
    """Note every refusal of somebody who gave a name, wrong or not enough; a first, anonymous try is none."""
    refusals: Refusals = registry[REFUSALS]

    def tween(request: Request) -> Any:
        response = handler(request)
        status = request.environ.get(_QUIETLY, response.status_int)
        action = _REFUSING.get(status)
        environ = request.environ
        identity: Identity | None = environ.get(_KEY)
        claimed = environ.get(_CLAIMED)
        if action is not None and (claimed is not None or (identity is not None and identity.is_authenticated)):
            name = identity.username if identity is not None and identity.is_authenticated else claimed
            author = Author(name, request.remote_addr, None if identity is None else identity.credential)
            route = request.matched_route
            subject = f"{request.method} {'' if route is None else route.pattern}"
            project = (request.matchdict or {}).get("project", "") if status == _FORBIDDEN else ""
            refusals.note(Refusal(author, action, subject, status, _project(project)))
        return response

    return tween


def _project(spelling: str) -> str:
    try:
        return ProjectName.parse(spelling).value
    except InvalidName:
        return ""


def claim(request: Request, username: str) -> None:
    """Note as whom the sender of this request tries to log in, for the journal of refusals."""
    request.environ[_CLAIMED] = username[:_MOST_CLAIMED]


def refuse_quietly(request: Request) -> None:
    """Note a wrong login in the journal of refusals although its answer is no 401."""
    request.environ[_QUIETLY] = 401


def sends_credentials(request: Request) -> bool:
    """Whether the request has credentials in a header, right or wrong."""
    return _header(request) is not None


def _header(request: Request) -> str | None:
    """The value of ``Authorization``; before it comes the devpi client's header, which has Basic's second half."""
    environ = request.environ
    devpi = environ.get(_DEVPI, "").strip()
    return f"Basic {devpi}" if devpi else environ.get("HTTP_AUTHORIZATION")


def cookie_of(request: Request) -> str | None:
    """The session's cookie, as it was sent."""
    return _cookie(request)


def _cookie(request: Request) -> str | None:
    try:
        value: str | None = request.cookies.get(COOKIE)
    except (CookieError, UnicodeDecodeError):
        return None
    return value
