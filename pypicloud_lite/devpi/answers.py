"""What every answer of devpi's dialect has: its form, its headers, and the addresses that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from pypicloud_lite.access.model import ANONYMOUS, Identity
from pypicloud_lite.access.security import RequestIdentity, refuse_quietly
from pypicloud_lite.kernel.errors import AuthenticationRequired, PpcError
from pypicloud_lite.web.errors import answers_json
from pypicloud_lite.web.responses import TYPE_JSON, PlainResponse, respond_json

View = Callable[[Any], Any]

API_VERSION = "2"
"""Any other one ends the client at once."""

FEATURES = ("push-no-docs", "push-only-docs", "push-register-project", "server-keyvalue-parsing")

_SERIAL = "pypicloud_lite.devpi_serial"
_HEADERS = (("Cache-Control", "no-store"), ("Vary", "Accept"))


def answer(kind: str, result: object, *, status: str = "200 OK", message: str | None = None) -> PlainResponse:
    """``{"type": kind, "result": result}``: the client refuses another type than it asked for."""
    document = {"type": kind, "result": result}
    return respond_json(status, document if message is None else {**document, "message": message}, _HEADERS)


def told(message: str, status: str = "200 OK") -> PlainResponse:
    """``{"message": message}``, for what has no result. Of good ones the client knows 200 and 201 only."""
    return respond_json(status, {"message": message}, _HEADERS)


def wants_json(request: Any) -> bool:
    """Whether it is the devpi client that asks, or a program like it: JSON alone, where others get a page."""
    accept: str = request.environ.get("HTTP_ACCEPT", "")
    return accept.partition(";")[0].strip().lower() == TYPE_JSON and "," not in accept


def note_serial(request: Any, serial: int) -> None:
    """Have the answer say which serial it is of, where that is known by the way."""
    request.environ[_SERIAL] = serial


class Dialect:
    """Wraps views: errors too are JSON that the client shows, and all answers have devpi's headers."""

    def __init__(self, server: Callable[[], str]) -> None:
        self._server = server
        self.version = version("pypicloud_lite")

    def __call__(self, view: View) -> View:
        """The view that may be mounted."""

        def answered(request: Any) -> Any:
            answers_json(request)
            request.add_response_callback(self._add_headers)
            return view(request)

        return answered

    def json_or(self, view: View, other: View) -> View:
        """``view`` where JSON alone is asked for; ``other`` for everybody else."""
        answered = self(view)
        return lambda request: answered(request) if wants_json(request) else other(request)

    def server_id(self) -> str:
        """Of this server with all its processes and hosts; made once for each database."""
        return self._server().removeprefix("ppc-")

    def _add_headers(self, request: Any, response: Any) -> None:
        headers = response.headers
        headers["X-Devpi-Api-Version"] = API_VERSION
        headers["X-Devpi-Server-Version"] = self.version
        if (serial := request.environ.get(_SERIAL)) is not None:
            headers["X-Devpi-Serial"] = str(serial)
        # An error of the database has been answered already, or there is none to be told of.
        with suppress(PpcError):
            for name in ("X-Devpi-Uuid", "X-Devpi-Master-Uuid", "X-Devpi-Primary-Uuid"):
                headers[name] = self.server_id()


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """``+api``. The client takes what is before ``/+login`` for the root of the server: it must be absolute."""

    base_url: str | None

    def root(self, request: Any) -> str:
        """The address of this server as its callers know it, without a slash at the end."""
        return self.base_url or str(request.application_url).rstrip("/")

    def __call__(
        self, request: Any, identity: Identity, more: Mapping[str, object] = MappingProxyType({})
    ) -> dict[str, object]:
        """The result; ``more`` is what an index has besides."""
        status: list[object] = ["noauth", "", []]
        if identity.is_authenticated:
            status = ["ok", identity.username, sorted(identity.groups)]
        return {"login": f"{self.root(request)}/+login", "authstatus": status, "features": list(FEATURES), **more}


def caller_or_nobody(identify: RequestIdentity, request: Any) -> Identity:
    """The caller of ``+api``, where a login that has ended is no error: the client forgets it then."""
    try:
        return identify(request)
    except AuthenticationRequired:
        refuse_quietly(request)
        return ANONYMOUS
