"""The HTTP skin of one's own account; each form works without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.authentication import Authenticator
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.model import Identity, Scope, ScopeWord, project_pattern
from pypicloud_lite.access.registration import Registration
from pypicloud_lite.access.security import COOKIE, RequestIdentity, claim, cookie_of
from pypicloud_lite.access.sessions import OpenSession, Sessions
from pypicloud_lite.access.tokens import Tokens, WantedToken, network
from pypicloud_lite.browse.account.agents import agent_name
from pypicloud_lite.browse.account.logging_in import LoggingIn, see_other
from pypicloud_lite.browse.account.mine import Mine
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    BackendUnavailable,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PpcError,
)
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.web.errors import status_of
from pypicloud_lite.web.forms import Form, read_form
from pypicloud_lite.web.local_paths import login_path, safe_next
from pypicloud_lite.web.pages import page
from pypicloud_lite.web.responses import PlainResponse

_TEMPLATES = "pypicloud_lite.browse:templates/"
_DAYS = (30, 90, 365)
_SHOWN = 30
_NEWEST = 20
_PER_PAGE = 50
_MOST_SESSIONS = 50


@dataclass(frozen=True, slots=True)
class AccountServices:
    """What the views call."""

    authenticator: Authenticator
    directory: Directory
    sessions: Sessions
    administration: Administration
    tokens: Tokens
    registration: Registration
    mine: Mine
    settings: LoginSettings


class AccountPages:
    """Login, logout, and the page of one's own account."""

    def __init__(self, services: AccountServices, identity: RequestIdentity, base_url: str | None) -> None:
        self._services = services
        self._logging_in = LoggingIn(services.directory, services.sessions, services.settings)
        self._identity = identity
        self._base_url = base_url

    def login(self, request: Request) -> PlainResponse:
        """The form."""
        return self._login_page(request, safe_next(request.GET.get("next")), None)

    def log_in(self, request: Request) -> PlainResponse:
        """A password for a session, then on to where it was asked for."""
        form = read_form(request)
        username, target = form.text("username").strip(), safe_next(form.text("next"))
        claim(request, username)
        try:
            known = self._services.authenticator.identify(username, form.text("password"), request.remote_addr)
        except AuthenticationRequired as error:
            return self._login_page(request, target, error, "403 Forbidden")
        return self._logging_in.start(request, known.username or "", target)

    def log_out(self, request: Request) -> PlainResponse:
        """End the session."""
        _form, identity = self._sent(request)
        cookie = cookie_of(request)
        if cookie is not None:
            self._services.sessions.end(cookie, _author(request, identity))
        answer = see_other(request, "/")
        answer.delete_cookie(COOKIE, path=request.script_name or "/")
        return answer

    def account(self, request: Request) -> PlainResponse:
        """One's own page."""
        identity = self._identity(request)
        if not identity.is_authenticated:
            return see_other(request, login_path(request).removeprefix(request.script_name))
        return self._account_page(request, _whole(identity))

    def create_token(self, request: Request) -> PlainResponse:
        """A new token, shown this once."""
        form, identity = self._sent(request)
        try:
            wanted = self._wanted(form, identity)
            secret, token = self._services.tokens.create(wanted, _author(request, identity))
        except PpcError as error:
            return self._account_page(request, identity, refused=error)
        return self._account_page(request, identity, secret=secret, made=token)

    def revoke_token(self, request: Request) -> PlainResponse:
        """End one of one's own tokens."""
        form, identity = self._sent(request)
        number = form.text("token")
        if not _is_number(number):
            raise NotFound(f"{shown(number)} is not the number of any token")
        self._services.tokens.revoke(identity.username or "", int(number), _author(request, identity))
        return see_other(request, "/account/")

    def change_password(self, request: Request) -> PlainResponse:
        """Another password, and a new session."""
        form, identity = self._sent(request)
        username = identity.username or ""
        try:
            if form.text("new") != form.text("again"):
                raise InvalidRequest("The two new passwords differ: type the same one twice")
            try:
                self._services.authenticator.identify(username, form.text("old"), request.remote_addr)
            except AuthenticationRequired:
                raise InvalidRequest("The old password is wrong: check it") from None
            self._services.administration.set_password(username, form.text("new"), _author(request, identity))
        except PpcError as error:
            return self._account_page(request, identity, refused=error)
        return self._logging_in.start(request, username, "/account/")

    def actions(self, request: Request) -> PlainResponse:
        """All that one did, by pages."""
        identity = self._identity(request)
        if not identity.is_authenticated:
            return see_other(request, login_path(request).removeprefix(request.script_name))
        before = request.GET.get("before", "")
        if before and not _is_number(before):
            raise InvalidRequest("There is no such page of your actions: begin at the first one")
        found = self._services.mine.actions(_whole(identity), _PER_PAGE, int(before) if before else None)
        headers = [("Cache-Control", "no-store")]
        return page(request, f"{_TEMPLATES}account_actions.jinja2", headers=headers, actions=found)

    def end_session(self, request: Request) -> PlainResponse:
        """End one of one's own sessions, on whatever machine it is."""
        form, identity = self._sent(request)
        self._services.sessions.end_of(identity.username or "", form.text("session"), _author(request, identity))
        return see_other(request, "/account/#sessions")

    def end_other_sessions(self, request: Request) -> PlainResponse:
        """End all of one's own sessions but this one."""
        _form, identity = self._sent(request)
        this = self._services.sessions.handle(cookie_of(request)) or ""
        self._services.sessions.end_others(identity.username or "", this, _author(request, identity))
        return see_other(request, "/account/#sessions")

    def _sessions_of(self, username: str) -> Sequence[OpenSession]:
        account = self._services.directory.lookup(username)
        return [] if account is None else self._services.sessions.of(account, _MOST_SESSIONS)

    def _sent(self, request: Request) -> tuple[Form, Identity]:
        form = read_form(request)
        return form, _whole(self._identity.by_form(request, form.text("csrf_token")))

    def _wanted(self, form: Form, identity: Identity) -> WantedToken:
        words = frozenset(ScopeWord(word) for word in form.every("permissions") if word in set(ScopeWord))
        name = form.text("name").strip()
        if not name or not words:
            raise InvalidRequest("A token needs a name and at least one thing that it may do")
        if ScopeWord.ADMIN in words and not identity.is_admin:
            raise InvalidRequest("Only administrators may make tokens that administer")
        patterns = []
        for text in form.text("projects").replace(",", " ").split():
            pattern = project_pattern(text)
            if pattern is None:
                raise InvalidRequest(f"{shown(text)} is no project name or pattern: use letters, digits, '-' and '*'")
            patterns.append(pattern)
        if ScopeWord.ADMIN in words and patterns:
            raise InvalidRequest("A token that administers knows no limits: leave the projects empty")
        days = form.text("days")
        if days not in {"never", *map(str, _DAYS)}:
            raise InvalidRequest("Choose how long the token lasts")
        lifetime = None if days == "never" else timedelta(days=int(days))
        scope = Scope(words, tuple(patterns))
        return WantedToken(identity.username or "", name[:100], scope, _networks(form.text("networks")), lifetime)

    def _login_page(
        self, request: Request, target: str, error: PpcError | None, status: str = "200 OK"
    ) -> PlainResponse:
        registers = False
        with suppress(BackendUnavailable):
            registers = self._services.registration.is_open()
        return page(request, f"{_TEMPLATES}login.jinja2", status, target=target, error=error, registers=registers)

    def _account_page(self, request: Request, identity: Identity, **more: Any) -> PlainResponse:
        refused: PpcError | None = more.get("refused")
        values: Mapping[str, Any] = {"secret": None, "made": None, "refused": None, **more}
        username = identity.username or ""
        return page(
            request,
            f"{_TEMPLATES}account.jinja2",
            "200 OK" if refused is None else f"{status_of(refused)} Refused",
            [("Cache-Control", "no-store")],
            identity=identity,
            tokens=self._services.tokens.of(username),
            words=[word for word in ScopeWord if word is not ScopeWord.ADMIN or identity.is_admin],
            days=_DAYS,
            usual=self._services.settings.token_days,
            backend=self._services.directory.owner_of(username),
            base=self._base_url or request.application_url,
            mine=self._services.mine.projects(identity, None if request.GET.get("projects") == "all" else _SHOWN),
            sessions=self._sessions_of(username),
            this=self._services.sessions.handle(cookie_of(request)),
            actions=self._services.mine.actions(identity, _NEWEST, None),
            agent=agent_name,
            **values,
        )


def _whole(identity: Identity) -> Identity:
    if not identity.is_whole:
        raise PermissionDenied("A token opens no account: log in with a password, or use one with the scope admin")
    return identity


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18  # noqa: PLR2004  64 bits


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(network(one) for one in text.replace(",", " ").split())
    except ValueError:
        raise InvalidRequest("The addresses cannot be read: write them as 192.0.2.0/24 or 2001:db8::/32") from None


def _author(request: Request, identity: Identity) -> Author:
    return Author(identity.username, request.remote_addr, identity.credential)
