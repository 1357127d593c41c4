"""Beginning a session: the cookie, and on to the page that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.security import COOKIE, cookie_of
from pypicloud_lite.access.sessions import Sessions
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.web.responses import PlainResponse, respond


@dataclass(frozen=True, slots=True)
class LoggingIn:
    """Starts sessions, always new ones; the one that was there before ends."""

    directory: Directory
    sessions: Sessions
    settings: LoginSettings

    def start(self, request: Any, username: str, target: str) -> PlainResponse:
        """On to ``target``, a path below the root, as the user."""
        account = self.directory.lookup(username)
        if account is None:
            raise NotFound("This user was removed just now")
        old, author = cookie_of(request), Author(username, request.remote_addr, "password")
        if old is not None:
            self.sessions.end(old, author)
        cookie, _ = self.sessions.start(account, author, request.user_agent)
        answer = see_other(request, target)
        secure = self.settings.secure or request.scheme == "https"
        path = request.script_name or "/"
        answer.set_cookie(COOKIE, cookie, path=path, secure=secure, httponly=True, samesite="Lax")
        return answer


def see_other(request: Any, path: str) -> PlainResponse:
    """What a form is answered with: another page, below the root."""
    location = f"{request.script_name}{path}"
    return respond("303 See Other", [("Location", location), ("Cache-Control", "no-store")], b"")
