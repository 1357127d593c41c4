"""The HTTP skin of devpi's users and logins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pypicloud_lite.access.security import RequestIdentity, claim
from pypicloud_lite.devpi.answers import ApiConfig, Dialect, View, answer, caller_or_nobody, note_serial, told
from pypicloud_lite.devpi.bodies import read_object
from pypicloud_lite.devpi.login import DevpiLogin, credentials
from pypicloud_lite.devpi.users import Users, check_name
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.web.errors import tell
from pypicloud_lite.web.responses import PlainResponse


class UserViews:
    """``serial`` is the catalog's: one query."""

    def __init__(
        self,
        users: Users,
        login: DevpiLogin,
        api: ApiConfig,
        dialect: Dialect,
        identity: RequestIdentity,
        serial: Callable[[], int],
    ) -> None:
        self._users = users
        self._login = login
        self._api = api
        self._dialect = dialect
        self._identity = identity
        self._serial = serial

    def everybody(self, request: Any) -> PlainResponse:
        """``GET /``."""
        return answer("list:userconfig", self._users.everybody(self._identity(request)))

    def user(self, request: Any) -> PlainResponse:
        """``GET /USER``."""
        return answer("userconfig", self._users.one(self._identity(request), _name(request)))

    def create(self, request: Any) -> PlainResponse:
        """``PUT /USER``."""
        name, (identity, author) = _name(request), self._identity.author(request)
        config = self._users.create(identity, name, read_object(request), author)
        return answer("userconfig", config, status="201 Created")

    def modify(self, request: Any) -> PlainResponse:
        """``PATCH /USER``."""
        name, (identity, author) = _name(request), self._identity.author(request)
        if not self._users.modify(identity, name, read_object(request), author):
            return told(f"user {shown(name)} updated")
        message = "user updated, new proxy auth"
        return answer("userpassword", self._login.renewed(name, author), message=message)

    def remove(self, request: Any) -> PlainResponse:
        """``DELETE /USER``."""
        name, (identity, author) = _name(request), self._identity.author(request)
        self._users.remove(identity, name, author)
        return told(f"user {shown(name)} deleted")

    def log_in(self, request: Any) -> PlainResponse:
        """``POST /+login``: whoever sends an old login along is not judged by it."""
        username, password = credentials(read_object(request))
        claim(request, username)
        proof = self._login.log_in(username, password, request.remote_addr)
        return answer("proxyauth", proof, message="login successful")

    def hint(self, request: Any) -> PlainResponse:
        """Any other method of ``/+login``: what a redirected POST becomes."""
        message = (
            f"{request.method} is not possible here: POST user and password. Was the request redirected? Use the "
            "address that this server has outside, with https where it has that"
        )
        return tell(request, 405, message, "method-not-allowed", [("Allow", "POST")])

    def api(self, request: Any) -> PlainResponse:
        """``GET /+api`` and ``/USER/+api``, whether or not there is such a user."""
        if "username" in request.matchdict:
            check_name(request.matchdict["username"])
        return answer("apiconfig", self._api(request, caller_or_nobody(self._identity, request)))

    def status(self, request: Any) -> PlainResponse:
        """``GET /+status``: no word of where anything lies."""
        serial = self._serial()
        note_serial(request, serial)
        result = {
            "versioninfo": {"pypicloud-lite": self._dialect.version},
            "role": "standalone",
            "serial": serial,
            "uuid": self._dialect.server_id(),
        }
        return answer("status", result)

    def root(self, home: View) -> View:
        """``GET /`` for everybody."""
        return self._dialect.json_or(self.everybody, home)

    def root_word(self, project: View) -> View:
        """``GET /WORD`` for everybody: a user where JSON alone is asked for, else a project."""
        return self._dialect.json_or(self.user, project)

    def changes(self) -> dict[str, View]:
        """The other methods of ``/WORD``."""
        return {
            "PUT": self._dialect(self.create),
            "PATCH": self._dialect(self.modify),
            "DELETE": self._dialect(self.remove),
        }


def mount_users(add: Callable[..., None], views: UserViews, dialect: Dialect) -> None:
    """The addresses that are nothing but devpi's; ``/`` and ``/USER`` are others' too."""
    hint = dialect(views.hint)
    others = dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), hint)
    add("devpi.login", "/+login", "/+login/", POST=dialect(views.log_in), **others)
    add(
        "devpi.api",
        *(path + end for path in ("/+api", "/{username:[^/]+}/+api") for end in ("", "/")),
        GET=dialect(views.api),
    )
    add("devpi.status", "/+status", "/+status/", GET=dialect(views.status))


def _name(request: Any) -> str:
    """The user's name; the journal of refusals would take it for a project's."""
    name: str = request.matchdict.pop("project")
    return name
