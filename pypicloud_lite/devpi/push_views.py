"""``PUSH`` for the devpi client: a release from one index to another, here or elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pyramid.request import Request

from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.devpi.answers import answer
from pypicloud_lite.devpi.bodies import read_object
from pypicloud_lite.devpi.index_views import index_of
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.publish.sending import Elsewhere, Sending
from pypicloud_lite.upstream.settings import Login
from pypicloud_lite.web.responses import PlainResponse

Action = list[Any]
_ABROAD = frozenset({"posturl", "username", "password", "register_project"})
_KNOWN = frozenset({"name", "version", "targetindex", "no_docs", "only_docs", *_ABROAD})


@dataclass(frozen=True, slots=True)
class Push:
    """What is to go where: ``version`` is normalised."""

    source: IndexName
    project: ProjectName
    version: str
    no_docs: bool
    only_docs: bool


class Promoting(Protocol):
    """Copies a release to another index of this server; what was done, a row for each thing."""

    def __call__(self, push: Push, target: IndexName, identity: Identity, author: Author) -> list[Action]:
        """All of it or nothing; raises what keeps it from that."""


class PushViews:
    """The one view."""

    def __init__(self, promote: Promoting, sending: Sending, identity: RequestIdentity) -> None:
        self._promote = promote
        self._sending = sending
        self._identity = identity

    def push(self, request: Request) -> PlainResponse:
        """``PUSH /OWNER/INDEX``: what was done, as the client prints it."""
        identity, author = self._identity.author(request)
        given = read_object(request)
        unknown = sorted(given.keys() - _KNOWN)
        if unknown:
            raise InvalidRequest(f"A push has no option {shown(unknown[0])}: it has {', '.join(sorted(_KNOWN))}")
        push = _push(index_of(request), given)
        if "targetindex" in given:
            return _done(self._promote(push, _target(given["targetindex"]), identity, author))
        if "posturl" not in given:
            raise InvalidRequest("A push needs targetindex, or posturl with username and password: say where it goes")
        return self._send(push, given, identity, author)

    def _send(self, push: Push, given: dict[str, Any], identity: Identity, author: Author) -> PlainResponse:
        url, user, password = (_text(given, key) for key in ("posturl", "username", "password"))
        # Who may not know of it hears nothing else.
        self._sending.check(push.source, push.project, identity)
        if push.only_docs:
            raise InvalidRequest(
                "posturl and only_docs together send nothing, as only files go to another server: upload the "
                "documentation there, or push it to an index of this server with targetindex"
            )
        elsewhere = Elsewhere(url, Login(user, password))
        actions: list[Action] = []
        refused = False
        for one in self._sending.send(push.source, push.project, push.version, elsewhere, identity, author):
            # What went there before stays there: the caller hears of all of them.
            refused = one.answer.status >= 400  # noqa: PLR2004  what HTTP calls an error
            actions.append([one.answer.status, "upload", str(one.record.filename), one.answer.text])
        return _done(actions, status="502 Bad Gateway" if refused else "200 OK")


def _push(source: IndexName, given: dict[str, Any]) -> Push:
    try:
        project = ProjectName.parse(_text(given, "name"))
        version = normalised_version(_text(given, "version"))
    except InvalidName as error:
        raise InvalidRequest(error.message) from None
    no_docs, only_docs = bool(given.get("no_docs")), bool(given.get("only_docs"))
    if no_docs and only_docs:
        raise InvalidRequest("no_docs and only_docs together leave nothing: send one of them")
    return Push(source, project, version, no_docs, only_docs)


def _target(value: object) -> IndexName:
    try:
        return IndexName.parse(str(value).strip("/"))
    except InvalidName as error:
        raise InvalidRequest(f"targetindex: {error.message}") from None


def _text(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"A push needs {key}, a text")
    return value


def _done(actions: list[Action], *, status: str = "200 OK") -> PlainResponse:
    return answer("actionlog", actions, status=status)
