"""The HTTP skin of ``/api/package`` and of what administrators do to a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.catalog.model import FileRecord, ProjectRecord
from pypicloud_lite.downloads.counts import DownloadCounts
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidName, NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.manage.bodies import (
    DownloadParameters,
    ListParameters,
    NoParameters,
    StatusParameters,
    YankParameters,
)
from pypicloud_lite.manage.listing import Listings
from pypicloud_lite.manage.parameters import parameters
from pypicloud_lite.publish.package_object import package_object
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.publish.status import Statuses
from pypicloud_lite.publish.yanking import Yanking
from pypicloud_lite.web.responses import PlainResponse, respond, respond_json


class PackageViews:
    """Projects and files: listed, deleted, yanked, given a status. Uploading is the view of ``publish``."""

    def __init__(
        self,
        listings: Listings,
        removals: Removals,
        yanking: Yanking,
        statuses: Statuses,
        counts: DownloadCounts,
        identity: RequestIdentity,
        index: IndexName,
        base_url: str | None,
    ) -> None:
        self._listings = listings
        self._removals = removals
        self._yanking = yanking
        self._statuses = statuses
        self._counts = counts
        self._identity = identity
        self._index = index
        self._base_url = base_url

    def projects(self, request: Request) -> PlainResponse:
        """The names of all projects, or with ``verbose`` what a list shows of them."""
        verbose = parameters(request, ListParameters).verbose
        found = self._listings.projects(self._identity(request), self._index)
        listed: list[Any] = [str(one.name) for one in found]
        if verbose:
            listed = [
                {"name": str(one.name), "summary": one.summary, "last_modified": int(one.updated_at.timestamp())}
                for one in found
            ]
        return respond_json("200 OK", {"packages": listed})

    def files(self, request: Request) -> PlainResponse:
        """The files of a project."""
        listed = self._listings.files(self._identity(request), self._index, _project(request))
        return respond_json("200 OK", {"packages": self._objects(request, listed.files), "write": listed.may_write})

    def release(self, request: Request) -> PlainResponse:
        """The files of one release."""
        chosen = self._selection(request)
        listed = self._listings.files(self._identity(request), self._index, chosen.project)
        files = [file for file in listed.files if file.version == chosen.version]
        if not files:
            raise NotFound(f"Project {chosen.project} has no {chosen} here: check both, or ask for access")
        return respond_json("200 OK", {"packages": self._objects(request, files), "write": listed.may_write})

    def delete_file(self, request: Request) -> PlainResponse:
        """Delete one file."""
        self._delete(request)
        return respond("200 OK", [], b"")

    def delete(self, request: Request) -> PlainResponse:
        """Delete a release, or all files of a project."""
        return respond_json("200 OK", {"deleted": [str(one.filename) for one in self._delete(request)]})

    def _delete(self, request: Request) -> Sequence[FileRecord]:
        identity, author = self._caller(request)
        return self._removals.remove(self._selection(request), identity, author)

    def yank(self, request: Request) -> PlainResponse:
        """Yank a file or a release."""
        identity, author = self._caller(request)
        reason = parameters(request, YankParameters).reason
        return self._changed(request, self._yanking.yank(self._selection(request), identity, author, reason))

    def unyank(self, request: Request) -> PlainResponse:
        """Take it back."""
        identity, author = self._caller(request)
        return self._changed(request, self._yanking.restore(self._selection(request), identity, author))

    def _changed(self, request: Request, files: Sequence[FileRecord]) -> PlainResponse:
        return respond_json("200 OK", {"packages": self._objects(request, files)})

    def status(self, request: Request) -> PlainResponse:
        """The status of a project."""
        return self._status(self._listings.project(self._identity(request), self._index, _project(request)))

    def set_status(self, request: Request) -> PlainResponse:
        """Give a project its status."""
        identity, author = self._caller(request)
        project = _project(request)
        wanted = parameters(request, StatusParameters)
        self._statuses.set(self._index, project, wanted.status, wanted.reason, identity, author)
        return self._status(self._listings.project(identity, self._index, project))

    @staticmethod
    def _status(project: ProjectRecord) -> PlainResponse:
        document = {"name": str(project.name), "status": str(project.status), "reason": project.status_reason}
        return respond_json("200 OK", {**document, "files": project.file_count})

    def downloads(self, request: Request) -> PlainResponse:
        """How often its files were downloaded."""
        days = parameters(request, DownloadParameters).days
        project = self._listings.shown_project(self._identity(request), self._index, _project(request))
        counts = self._counts.of(project.id, days)
        document = {
            "name": str(project.name),
            "total": counts.total,
            "days": [{"day": day.isoformat(), "count": count} for day, count in counts.days],
            "versions": counts.versions,
        }
        return respond_json("200 OK", document)

    def free(self, request: Request) -> PlainResponse:
        """Free the name of a project that has no files any more."""
        identity, author = self._caller(request)
        parameters(request, NoParameters)
        project = _project(request)
        self._removals.free(self._index, project, identity, author)
        return respond_json("200 OK", {"freed": str(project)})

    def _caller(self, request: Request) -> tuple[Identity, Author]:
        return self._identity.author(request)

    def _selection(self, request: Request) -> Selection:
        match = request.matchdict
        version = match.get("version")
        return Selection(
            self._index,
            _project(request),
            match.get("filename"),
            None if version is None else _version(version),
        )

    def _objects(self, request: Request, files: Sequence[FileRecord]) -> list[dict[str, Any]]:
        base = self._base_url or request.application_url
        return [package_object(file, base) for file in files]


def _project(request: Request) -> ProjectName:
    return ProjectName.parse(request.matchdict["project"])


def _version(text: str) -> str:
    """Any spelling of PEP 440; what is no version is no release of any project."""
    try:
        return normalised_version(text)
    except InvalidName as error:
        raise NotFound(error.message) from None
