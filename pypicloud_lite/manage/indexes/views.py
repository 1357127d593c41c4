"""The REST API of named indexes."""

from __future__ import annotations

from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest, NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.manage.indexes.promotion import PromotionParameters
from pypicloud_lite.manage.indexes.promotion import shown as shown_promoted
from pypicloud_lite.manage.indexes.shapes import IndexOptions, NewIndexParameters
from pypicloud_lite.manage.parameters import parameters
from pypicloud_lite.publish.package_object import package_object
from pypicloud_lite.publish.promotion import Promotion
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.serve.project_files import ProjectLookup
from pypicloud_lite.web.responses import PlainResponse, respond_json


class IndexViews:
    """Indexes, and what is in them."""

    def __init__(
        self,
        indexes: Indexes,
        lookup: ProjectLookup,
        removals: Removals,
        promotion: Promotion,
        catalog: Catalog,
        gate: Gate,
        identity: RequestIdentity,
        base_url: str | None,
    ) -> None:
        self._indexes = indexes
        self._lookup = lookup
        self._removals = removals
        self._promotion = promotion
        self._catalog = catalog
        self._gate = gate
        self._identity = identity
        self._base_url = base_url

    def every(self, request: Request) -> PlainResponse:
        """Those that the caller may know of, by name."""
        return respond_json("200 OK", [_described(one) for one in self._indexes.seen(self._identity(request))])

    def one(self, request: Request) -> PlainResponse:
        """One of them."""
        return respond_json("200 OK", _described(self._indexes.get(self._identity(request), _index(request))))

    def create(self, request: Request) -> PlainResponse:
        """Make one."""
        identity, author = self._identity.author(request)
        match, wanted = request.matchdict, parameters(request, NewIndexParameters)
        try:
            name = IndexName(match["owner"], match["index"])
        except InvalidName as error:
            raise InvalidRequest(error.message) from None
        made = self._indexes.create(name, wanted.type, wanted.given(), identity, author)
        return respond_json("201 Created", _described(made))

    def modify(self, request: Request) -> PlainResponse:
        """Change options; those that are not named stay."""
        identity, author = self._identity.author(request)
        given = parameters(request, IndexOptions).given()
        return respond_json(
            "200 OK", _described(self._indexes.modify(_index(request), lambda _: given, identity, author))
        )

    def remove(self, request: Request) -> PlainResponse:
        """Remove one with all that is in it."""
        identity, author = self._identity.author(request)
        self._indexes.remove(_index(request), identity, author)
        return respond_json("200 OK", {})

    def projects(self, request: Request) -> PlainResponse:
        """The projects that it has itself, of those that the caller may read."""
        identity, index = self._identity(request), _index(request)
        self._indexes.get(identity, index)
        may_read = self._gate.readable(identity, index)
        with self._catalog.read(snapshot=False) as catalog:
            found = [one.name.value for one in catalog.projects(index) if may_read(one.name)]
        return respond_json("200 OK", {"packages": found})

    def files(self, request: Request) -> PlainResponse:
        """The files that it shows of a project, those of its bases with them; mirrors' are not listed here."""
        identity, index, name = self._identity(request), _index(request), _project(request)
        found = self._lookup.find(identity, index, name)
        base, seen, files = self._base_url or request.application_url, set(), []
        for held in found.held:
            for record in held.files:
                if record.filename.value not in seen:
                    seen.add(record.filename.value)
                    files.append({**package_object(record, base), "index": str(record.index)})
        return respond_json("200 OK", {"name": found.name.value, "packages": files})

    def promote(self, request: Request) -> PlainResponse:
        """Copy or move a release to another index."""
        identity, author = self._identity.author(request)
        given = parameters(request, PromotionParameters)
        wanted = given.request()
        act = self._promotion.plan if given.dry_run else self._promotion.promote
        return respond_json("200 OK", shown_promoted(act(wanted, identity, author), str(wanted.target)))

    def delete(self, request: Request) -> PlainResponse:
        """Delete a project, a release or a file that the index has itself."""
        identity, author = self._identity.author(request)
        match: dict[str, Any] = request.matchdict
        version = match.get("version")
        try:
            normalised = None if version is None else normalised_version(version)
        except InvalidName:
            raise NotFound(f"There is no release {shown(str(version))} here") from None
        selection = Selection(_index(request), _project(request), match.get("filename"), normalised)
        removed = self._removals.remove(selection, identity, author)
        return respond_json("200 OK", {"deleted": [str(one.filename) for one in removed]})


def _described(index: IndexDefinition) -> dict[str, Any]:
    options = index.shown()
    kind = options.pop("type")
    return {
        "name": str(index.name),
        "type": kind,
        "defined": index.source.value,
        "default": index.is_default,
        "options": options,
    }


def _index(request: Request) -> IndexName:
    match = request.matchdict
    try:
        return IndexName(match["owner"], match["index"])
    except InvalidName:
        raise NotFound(f"There is no index {shown(match['owner'] + '/' + match['index'])} here") from None


def _project(request: Request) -> ProjectName:
    try:
        return ProjectName.parse(request.matchdict["project"])
    except InvalidName:
        raise NotFound(f"There is no project {shown(request.matchdict['project'])} here") from None
