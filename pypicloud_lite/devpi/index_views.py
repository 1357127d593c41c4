"""``/OWNER/INDEX`` for the devpi client: the index itself. For installers it is the list of projects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.devpi.answers import ApiConfig, answer, caller_or_nobody, told
from pypicloud_lite.devpi.bodies import read_bytes, read_json
from pypicloud_lite.devpi.callers import Caller, caller_of
from pypicloud_lite.devpi.index_body import MOST_BYTES, changes_of, new_index
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest, NotFound
from pypicloud_lite.kernel.names import IndexName, shown
from pypicloud_lite.web.responses import PlainResponse
from pypicloud_lite.web.routing import View


@dataclass(frozen=True, slots=True)
class Others:
    """What answers at the same addresses for other callers: installers and browsers; and who takes uploads."""

    projects: View
    page: View
    upload: View


class IndexViews:
    """An index: shown, made, changed, removed."""

    def __init__(
        self,
        indexes: Indexes,
        listed: Callable[[Identity, IndexName], list[str]],
        identity: RequestIdentity,
        api: ApiConfig,
        others: Others,
    ) -> None:
        self._indexes = indexes
        self._listed = listed
        self._identity = identity
        self._api = api
        self._others = others

    def show(self, request: Request) -> Any:
        """The definition and the index's own projects; ``?no_projects`` leaves those out."""
        match caller_of(request):
            case Caller.INSTALLER:
                return self._others.projects(request)
            case Caller.BROWSER:
                return self._others.page(request)
        identity, name = self._identity(request), index_of(request)
        index = self._indexes.get(identity, name)
        config = index.shown()
        if "no_projects" not in request.GET:
            config["projects"] = self._listed(identity, name)
        return answer("indexconfig", config)

    def create(self, request: Request) -> PlainResponse:
        """``PUT``: an object of options, as texts or as JSON."""
        identity, author = self._identity.author(request)
        try:
            name = IndexName(request.matchdict["owner"], request.matchdict["index"])
        except InvalidName as error:
            raise InvalidRequest(error.message) from None
        body = read_bytes(request, MOST_BYTES, lambda: self._indexes.require_makable(identity, name))
        kind, given = new_index(body)
        return answer("indexconfig", self._indexes.create(name, kind, given, identity, author).shown())

    def modify(self, request: Request) -> PlainResponse:
        """``PATCH``: a list of ``key=value``, ``key+=value``, ``key-=value``, or an object."""
        identity, author = self._identity.author(request)
        name = index_of(request)
        document = read_json(request, MOST_BYTES, lambda: self._indexes.changeable(identity, name))
        before = self._indexes.get(identity, name)
        after = self._indexes.modify(name, lambda index: changes_of(document, index), identity, author)
        if "error_on_noop" in request.GET and after.options == before.options:
            raise InvalidRequest(f"Nothing of index {name} would change: it is so already")
        return answer("indexconfig", after.shown())

    def remove(self, request: Request) -> PlainResponse:
        """``DELETE``: the index with all that is in it."""
        identity, author = self._identity.author(request)
        name = index_of(request)
        self._indexes.remove(name, identity, author)
        return told(f"index {name} deleted", status="201 Created")

    def config(self, request: Request) -> PlainResponse:
        """``/+api`` of an index: where it is, and where it takes uploads."""
        identity = caller_or_nobody(self._identity, request)
        index = self._indexes.get(identity, index_of(request))
        where = f"{self._api.root(request)}/{index.name}"
        more = {"index": where, "simpleindex": f"{where}/+simple/"}
        if not index.is_mirror:
            more["pypisubmit"] = f"{where}/"
        return answer("apiconfig", self._api(request, identity, more))

    def upload(self, request: Request) -> Any:
        """``POST``: the form of uploads."""
        return self._others.upload(request)


def index_of(request: Request) -> IndexName:
    """The index that the address names; NotFound where no index could have that name."""
    match = request.matchdict
    try:
        return IndexName(match["owner"], match["index"])
    except InvalidName:
        raise NotFound(f"There is no index {shown(match['owner'] + '/' + match['index'])} here") from None


def listed_projects(catalog: Catalog, gate: Gate) -> Callable[[Identity, IndexName], list[str]]:
    """The projects that an index itself has, by name, of those that the caller may read."""

    def of(identity: Identity, index: IndexName) -> list[str]:
        may_read = gate.readable(identity, index)
        with catalog.read(snapshot=False) as reader:
            return [one.name.value for one in reader.projects(index) if may_read(one.name)]

    return of
