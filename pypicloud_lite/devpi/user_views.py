"""Users and logins for the devpi client: ``/``, ``/USER``, ``/+login``, ``/+api``, ``/+status``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.model import ANONYMOUS
from pypicloud_lite.access.security import RequestIdentity, claim
from pypicloud_lite.devpi.answers import VERSION_HEADER, base_of, message, typed
from pypicloud_lite.devpi.callers import Caller, caller_of
from pypicloud_lite.devpi.index_body import read_object
from pypicloud_lite.devpi.login import Logins, api_config
from pypicloud_lite.devpi.users import Users
from pypicloud_lite.kernel.errors import AuthenticationRequired, InvalidRequest
from pypicloud_lite.web.errors import answers_json
from pypicloud_lite.web.responses import PlainResponse, respond_json
from pypicloud_lite.web.routing import View

_TOKEN = re.compile(r"token (\d+)")


class UserViews:
    """The views; what answers others at the same addresses is given to :meth:`or_else`."""

    def __init__(
        self,
        users: Users,
        logins: Logins,
        identity: RequestIdentity,
        serial: Callable[[], int],
        base_url: str | None,
    ) -> None:
        self._users = users
        self._logins = logins
        self._identity = identity
        self._serial = serial
        self._base_url = base_url

    def or_else(self, view: View, others: View) -> View:
        """``view`` for a program that asks for JSON, ``others`` for everybody else."""

        def answer(request: Request) -> Any:
            return view(request) if caller_of(request) is Caller.PROGRAM else others(request)

        return answer

    def every(self, request: Request) -> PlainResponse:
        """``GET /``: all users with their indexes."""
        return typed("list:userconfig", self._users.every(self._identity(request)))

    def one(self, request: Request) -> PlainResponse:
        """``GET /USER``."""
        return typed("userconfig", self._users.one(self._identity(request), _name(request)))

    def create(self, request: Request) -> PlainResponse:
        """``PUT /USER``."""
        identity, author = self._identity.author(request)
        made = self._users.create(_name(request), read_object(request.body), identity, author)
        return typed("userconfig", made, status="201 Created")

    def modify(self, request: Request) -> PlainResponse:
        """``PATCH /USER``."""
        identity, author = self._identity.author(request)
        own = _TOKEN.fullmatch(identity.credential or "")
        number = int(own[1]) if own else 0
        login = self._users.modify(_name(request), read_object(request.body), identity, author, number)
        if login is None:
            return message("user changed")
        document = {"type": "userpassword", "result": login.document(), "message": "password changed"}
        return _json(document)

    def remove(self, request: Request) -> PlainResponse:
        """``DELETE /USER``."""
        identity, author = self._identity.author(request)
        self._users.remove(_name(request), identity, author)
        return message(f"user {_name(request)} deleted")

    def log_in(self, request: Request) -> PlainResponse:
        """``POST /+login``: whatever was sent of an old login does not count."""
        answers_json(request)
        given = read_object(request.body)
        username, password = given.get("user"), given.get("password")
        if not isinstance(username, str) or not isinstance(password, str):
            raise InvalidRequest("A login needs user and password, both texts")
        claim(request, username)
        login = self._logins.log_in(username, password, request.remote_addr)
        document = {"type": "proxyauth", "result": login.document(), "message": "login successful"}
        return _json(document)

    def config(self, request: Request) -> PlainResponse:
        """``GET /+api`` and ``/USER/+api``; a login that holds no more is none, so that the client forgets it."""
        try:
            identity = self._identity(request)
        except AuthenticationRequired:
            identity = ANONYMOUS
        return typed("apiconfig", api_config(base_of(request, self._base_url), identity, {}))

    def status(self, _request: Request) -> PlainResponse:
        """``GET /+status``: which program this is, and how far it is."""
        told: Mapping[str, Any] = {
            "versioninfo": {"pypicloud_lite": version("pypicloud_lite")},
            "role": "STANDALONE",
            "serial": self._serial(),
            "status": "ok",
        }
        return typed("status", told)


def _name(request: Request) -> str:
    name: str = request.matchdict["project"]
    return name


def _json(document: Mapping[str, Any]) -> PlainResponse:
    return respond_json("200 OK", document, [VERSION_HEADER])
