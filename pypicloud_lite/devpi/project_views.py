"""``/OWNER/INDEX/PROJECT[/VERSION]`` for the devpi client: what there is of a project, and its removal."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Permission
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.catalog.model import Origin
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.devpi.answers import ApiConfig, answer, told
from pypicloud_lite.devpi.bodies import read_bytes
from pypicloud_lite.devpi.callers import Caller, caller_of
from pypicloud_lite.devpi.index_views import index_of
from pypicloud_lite.devpi.project_json import attached_links, file_path, versions_of
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.indexes.layout import is_attachment_name
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.errors import InvalidName, NotFound, PpcError
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.publish.attachments import MAX_RESULT, Attachments
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.serve.project_files import ProjectFiles, ProjectLookup
from pypicloud_lite.web.conditional import matches
from pypicloud_lite.web.responses import PlainResponse, not_modified, redirect, stream
from pypicloud_lite.web.routing import View


@dataclass(frozen=True, slots=True)
class ProjectServices:
    """What the views call."""

    indexes: Indexes
    gate: Gate
    lookup: ProjectLookup
    catalog: Catalog
    removals: Removals
    attachments: Attachments


class ProjectViews:
    """Projects, releases and files of one index; ``installers`` and ``download`` answer the others there."""

    def __init__(
        self,
        services: ProjectServices,
        identity: RequestIdentity,
        installers: View,
        download: View,
        api: ApiConfig,
    ) -> None:
        self._indexes = services.indexes
        self._gate = services.gate
        self._lookup = services.lookup
        self._catalog = services.catalog
        self._removals = services.removals
        self._attachments = services.attachments
        self._identity = identity
        self._installers = installers
        self._download = download
        self._api = api

    def show(self, request: Request) -> Any:
        """``projectconfig``: every version that the index shows; with ``?ignore_bases`` those it has itself."""
        match caller_of(request):
            case Caller.INSTALLER:
                index_of(request)
                return self._installers(request)
            case Caller.BROWSER:
                return self._page(request)
        name = _project(request)
        if request.matchdict["project"] != name.value:
            return self._normalised(request, name)
        return answer("projectconfig", self._versions(request, self._find(request, name)))

    def show_version(self, request: Request) -> Any:
        """``versiondata``: one version, with the core metadata of its first file."""
        if caller_of(request) is Caller.BROWSER:
            return self._page(request)
        name, index = _project(request), index_of(request)
        version = _version(request)
        found = self._find(request, name)
        document = self._versions(request, found).get(version)
        if document is None:
            raise NotFound(f"Project {name} has no release {version} in {index}: see the list of its releases")
        holders = [one.project.index for one in found.held if any(file.version == version for file in one.files)]
        core: dict[str, Any] = {}
        if holders:
            with self._catalog.read(snapshot=False) as catalog:
                core = dict(catalog.release_metadata(holders[0], name, version))
        return answer("versiondata", {**core, **document})

    def remove(self, request: Request) -> PlainResponse:
        """``DELETE`` of a project: every file that the index itself has of it."""
        return self._remove(request, Selection(index_of(request), _project(request)))

    def remove_version(self, request: Request) -> PlainResponse:
        """``DELETE`` of a release, or of what is left of it."""
        return self._remove(request, Selection(index_of(request), _project(request), version=_version(request)))

    def remove_file(self, request: Request) -> PlainResponse:
        """``DELETE`` of the address of a file."""
        index, project, is_there = self._of_file(request)
        selection = Selection(index, project, filename=request.matchdict["filename"])
        # Who may not delete it is not told what is there.
        self._removals.require(selection, self._identity(request), force="force" in request.GET)
        if not is_there:
            raise _replaced(selection.filename, index)
        return self._remove(request, selection)

    def file(self, request: Request) -> Any:
        """The bytes; for a program that asks for JSON what is known of the file."""
        if is_attachment_name(request.matchdict["filename"]):
            return self._attachment(request)
        index, project, is_there = self._of_file(request)
        if not is_there and self._gate.allows(self._identity(request), Permission.READ, project, index):
            raise _replaced(request.matchdict["filename"], index)
        request.matchdict["project"] = project.value
        request.matchdict["digest"] = request.matchdict["first"] + request.matchdict["second"]
        if "application/json" not in request.environ.get("HTTP_ACCEPT", "") or request.method == "HEAD":
            return self._download(request)
        self._lookup.find(self._identity(request), index, project, with_bases=False)
        with self._catalog.read(snapshot=False) as catalog:
            record = catalog.file(index, request.matchdict["filename"])
        if record is None or not record.is_listed:
            raise NotFound(f"There is no file {shown(request.matchdict['filename'])} in {index} here")
        sha256 = record.digests.sha256
        meta = {
            "last_modified": iso_utc(record.uploaded_at),
            "hash_spec": f"sha256={sha256}",
            "hashes": {"sha256": sha256},
            "project": record.project.value,
            "version": record.version,
        }
        return answer("releasefilemeta", meta)

    def add_result(self, request: Request) -> PlainResponse:
        """``POST`` to the address of a file: a result of testing it, as tox writes it."""
        match, index = request.matchdict, index_of(request)
        identity, author = self._identity.author(request)
        body = read_bytes(request, MAX_RESULT)
        digest = match["first"] + match["second"]
        kept = self._attachments.add_tox_result(index, match["filename"], digest, body, identity, author)
        where = file_path(index, kept.sha256, kept.filename)
        return answer("toxresultpath", f"{where}#sha256={kept.sha256}")

    def _attachment(self, request: Request) -> PlainResponse:
        match, identity = request.matchdict, self._identity(request)
        found = self._attachments.find(index_of(request), match["filename"], identity)
        if not found.sha256.startswith(match["first"] + match["second"]):
            raise NotFound(f"There is no file {shown(match['filename'])} here: it was replaced or deleted")
        scope = "private" if identity.is_authenticated else "public"
        headers = [
            # Never shown as a page of this server: it is somebody's.
            ("Content-Type", "application/octet-stream"),
            ("Content-Disposition", "attachment"),
            ("ETag", f'"{found.sha256}"'),
            ("Cache-Control", f"{scope}, max-age=31536000, immutable"),
        ]
        if matches(request.environ.get("HTTP_IF_NONE_MATCH"), f'"{found.sha256}"'):
            return not_modified(headers)
        return stream("200 OK", [*headers, ("Content-Length", str(found.size))], self._attachments.read(found))

    def refresh(self, request: Request) -> PlainResponse:
        """``POST .../+simple/PROJECT/refresh``: whoever wants it next has its mirrors asked anew."""
        self._lookup.refresh(index_of(request), _project(request))
        return told(f"{_project(request)} will be looked for anew")

    def _versions(self, request: Request, found: ProjectFiles) -> dict[str, Any]:
        base = self._api.root(request)
        attached = self._attachments.of([one.project.index for one in found.held], found.name)
        return versions_of(found, base, attached_links(attached, found, base))

    def _find(self, request: Request, name: ProjectName) -> ProjectFiles:
        with_bases = "ignore_bases" not in request.GET
        return self._lookup.find(self._identity(request), index_of(request), name, with_bases=with_bases)

    def _remove(self, request: Request, selection: Selection) -> PlainResponse:
        identity, author = self._identity.author(request)
        force = "force" in request.GET
        removed = self._removals.remove(selection, identity, author, force=force)
        return told(f"{len(removed)} files of {selection.project} deleted from {selection.index}")

    def _of_file(self, request: Request) -> tuple[IndexName, ProjectName, bool]:
        """The project of the file, and no where the index has another under its name; NotFound for what is no name."""
        match, index = request.matchdict, index_of(request)
        filename: str = match["filename"]
        bare = filename.removesuffix(".metadata").removesuffix(".asc")
        self._indexes.require_known(self._identity(request), index)
        with self._catalog.read(snapshot=False) as catalog:
            record = catalog.file(index, bare) if bare.isascii() else None
        if record is not None:
            is_same = record.digests.sha256.startswith(match["first"] + match["second"])
            return index, record.project, is_same or record.origin is Origin.CACHE
        with suppress(InvalidName):
            # One that a mirror has still to fetch; of any other index it is not there.
            return index, Filename.parse(bare).project, True
        raise _replaced(filename, index)

    def _normalised(self, request: Request, name: ProjectName) -> PlainResponse:
        query = request.environ.get("QUERY_STRING")
        slash = "/" if request.path_info.endswith("/") else ""
        up = "../" if slash else ""
        return redirect(f"{up}{name}{slash}{f'?{query}' if query else ''}", permanent=False)

    def _page(self, request: Request) -> PlainResponse:
        match = request.matchdict
        # That page sends who has not logged in to do so, and says what is not there: the same for all.
        path = f"project/{_project(request)}/{match.get('version', '')}".rstrip("/") + "/"
        depth = request.environ["PATH_INFO"].count("/") - 1
        return redirect(f"{'../' * depth}{path}?index={index_of(request)}", permanent=False)


def _replaced(filename: str | None, index: IndexName) -> PpcError:
    return NotFound(f"There is no file {shown(filename or '')} in {index} here: it was replaced or deleted")


def _project(request: Request) -> ProjectName:
    try:
        return ProjectName.parse(request.matchdict["project"])
    except InvalidName:
        raise NotFound(f"There is no project {shown(request.matchdict['project'])} here") from None


def _version(request: Request) -> str:
    try:
        return normalised_version(request.matchdict["version"])
    except InvalidName:
        raise NotFound(f"There is no release {shown(request.matchdict['version'])} here") from None
