"""The HTTP skin of one's own account."""

from __future__ import annotations

from datetime import timedelta

from pyramid.request import Request

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.authentication import Authenticator
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.model import Identity, Scope
from pypicloud_lite.access.registration import Registration
from pypicloud_lite.access.security import COOKIE, RequestIdentity, claim, cookie_of
from pypicloud_lite.access.sessions import Sessions
from pypicloud_lite.access.tokens import Tokens, WantedToken, described, token_document
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import AuthenticationRequired, InvalidRequest, PermissionDenied
from pypicloud_lite.manage.parameters import parameters, whole_number
from pypicloud_lite.manage.shapes import (
    ChangePasswordParameters,
    LoginParameters,
    PasswordParameters,
    RegisterParameters,
    SignupParameters,
    TokenParameters,
)
from pypicloud_lite.web.responses import PlainResponse, respond, respond_json


class LoginViews:
    """Logging in and out with a browser, and making an account."""

    def __init__(
        self,
        authenticator: Authenticator,
        directory: Directory,
        sessions: Sessions,
        administration: Administration,
        registration: Registration,
        identity: RequestIdentity,
        settings: LoginSettings,
    ) -> None:
        self._authenticator = authenticator
        self._directory = directory
        self._sessions = sessions
        self._administration = administration
        self._registration = registration
        self._identity = identity
        self._settings = settings

    def log_in(self, request: Request) -> PlainResponse:
        """A password, and a session from here on: always a new one."""
        wanted = parameters(request, LoginParameters)
        claim(request, wanted.username)
        try:
            identity = self._authenticator.identify(wanted.username, wanted.password, request.remote_addr)
        except AuthenticationRequired as error:
            # Not 401: a browser would ask for the password itself.
            raise PermissionDenied(error.message) from None
        return self._start(request, identity.username or "")

    def log_out(self, request: Request) -> PlainResponse:
        """End the session of the cookie."""
        identity, author = self._identity.author(request)
        cookie = cookie_of(request)
        if cookie is not None and identity.credential == "session":
            self._sessions.end(cookie, author)
        answer = respond_json("200 OK", {"next": _home(request), "csrf_token": None})
        answer.delete_cookie(COOKIE, path=_path(request))
        return answer

    def register(self, request: Request) -> PlainResponse:
        """Ask for an account: it waits for approval."""
        return self._register(request, request.matchdict["username"], parameters(request, PasswordParameters).password)

    def register_by_form(self, request: Request) -> PlainResponse:
        """The same, with the name in the body."""
        wanted = parameters(request, RegisterParameters)
        return self._register(request, wanted.username, wanted.password)

    def register_by_token(self, request: Request) -> PlainResponse:
        """Make the account that a registration token is for, and log in."""
        wanted = parameters(request, SignupParameters)
        return self._start(request, self._registration.redeem(wanted.token, wanted.password, request.remote_addr))

    def change_password(self, request: Request) -> PlainResponse:
        """One's own, where it is in the database; other sessions end."""
        identity, author = self._identity.author(request)
        wanted = parameters(request, ChangePasswordParameters)
        username = identity.username or ""
        try:
            self._authenticator.identify(username, wanted.old_password, request.remote_addr)
        except AuthenticationRequired:
            raise PermissionDenied("The old password is wrong: check it") from None
        self._administration.set_password(username, wanted.new_password, author)
        if identity.credential == "session":
            return self._start(request, username)
        return respond("200 OK", [], b"")

    def _register(self, request: Request, username: str, password: str) -> PlainResponse:
        self._registration.ask(username, password, request.remote_addr)
        return respond("200 OK", [], b"")

    def _start(self, request: Request, username: str) -> PlainResponse:
        account = self._directory.lookup(username)
        if account is None:
            raise PermissionDenied("This user was removed just now")
        old = cookie_of(request)
        author = Author(username, request.remote_addr, "password")
        if old is not None:
            self._sessions.end(old, author)
        cookie, csrf_token = self._sessions.start(account, author, request.user_agent)
        answer = respond_json("200 OK", {"next": _home(request), "csrf_token": csrf_token})
        secure = self._settings.secure or request.scheme == "https"
        answer.set_cookie(COOKIE, cookie, path=_path(request), secure=secure, httponly=True, samesite="Lax")
        return answer


class AccountViews:
    """Who one is, and one's own tokens."""

    def __init__(self, tokens: Tokens, identity: RequestIdentity, settings: LoginSettings) -> None:
        self._tokens = tokens
        self._identity = identity
        self._settings = settings

    def myself(self, request: Request) -> PlainResponse:
        """The caller."""
        identity = self._identity(request)
        session = self._identity.session(request) if identity.credential == "session" else None
        scope = identity.scope
        document = {
            "username": identity.username,
            "admin": identity.is_admin,
            "groups": sorted(identity.groups),
            "roles": sorted(identity.roles),
            "credential": identity.credential,
            "scope": None if scope is None else described(scope, ()),
            "csrf_token": None if session is None else session.csrf_token,
        }
        return respond_json("200 OK", document)

    def list(self, request: Request) -> PlainResponse:
        """One's own tokens."""
        return self._list(self._identity(request).username or "")

    def create(self, request: Request) -> PlainResponse:
        """A token for oneself."""
        identity, author = self._identity.author(request)
        return self._create(request, identity.username or "", identity, author)

    def revoke(self, request: Request) -> PlainResponse:
        """End one of one's own tokens."""
        identity, author = self._identity.author(request)
        self._tokens.revoke(identity.username or "", whole_number(request, "token"), author)
        return respond("200 OK", [], b"")

    def list_of(self, request: Request) -> PlainResponse:
        """A user's tokens."""
        return self._list(request.matchdict["username"])

    def create_for(self, request: Request) -> PlainResponse:
        """A token for a user, such as a robot."""
        identity, author = self._identity.author(request)
        return self._create(request, request.matchdict["username"], identity, author)

    def revoke_of(self, request: Request) -> PlainResponse:
        """End a user's token."""
        _, author = self._identity.author(request)
        self._tokens.revoke(request.matchdict["username"], whole_number(request, "token"), author)
        return respond("200 OK", [], b"")

    def _list(self, username: str) -> PlainResponse:
        return respond_json("200 OK", {"tokens": [token_document(token) for token in self._tokens.of(username)]})

    def _create(self, request: Request, username: str, identity: Identity, author: Author) -> PlainResponse:
        wanted = parameters(request, TokenParameters)
        scope = Scope(frozenset(wanted.permissions), wanted.projects, wanted.index)
        if scope.is_admin and (scope.projects or scope.index):
            raise InvalidRequest("The scope admin knows no limits: leave 'projects' and 'index' out, or 'admin'")
        if scope.is_admin and not identity.is_admin:
            raise PermissionDenied("Only administrators may make tokens with the scope admin: leave it out")
        days = self._settings.token_days if wanted.expires_in_days is None else wanted.expires_in_days
        lifetime = None if days == "never" else timedelta(days=float(days))
        secret, token = self._tokens.create(
            WantedToken(username, wanted.name, scope, wanted.networks, lifetime), author
        )
        return respond_json("201 Created", {"token": secret, **token_document(token)})


def _home(request: Request) -> str:
    return f"{request.script_name}/"


def _path(request: Request) -> str:
    return request.script_name or "/"
