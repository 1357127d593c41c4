"""The HTTP skin of the page of one file."""

from __future__ import annotations

from urllib.parse import quote

from pyramid.request import Request

from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.files.contents import MOST_ENTRIES
from pypicloud_lite.browse.files.page import FileElsewhere, FilePages
from pypicloud_lite.browse.views import UNINDEXED, or_login, upstream_failed
from pypicloud_lite.kernel.errors import InvalidName, NotFound, UpstreamError
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import is_version
from pypicloud_lite.upstream.hops import came_by
from pypicloud_lite.web.pages import page
from pypicloud_lite.web.responses import PlainResponse, redirect

_TEMPLATES = "pypicloud_lite.browse:templates/"
_MOST_SHOWN = 2000


class FilePageViews:
    """What a file is, where it comes from and what it contains."""

    def __init__(self, files: FilePages, identity: RequestIdentity, index: IndexName) -> None:
        self._files = files
        self._identity = identity
        self._index = index

    def file(self, request: Request) -> PlainResponse:
        """The page of the file that the address names."""
        spelling, version, filename = (request.matchdict[key] for key in ("project", "version", "filename"))
        try:
            name = ProjectName.parse(spelling)
        except InvalidName:
            raise NotFound(f"There is no project {shown(spelling)} here") from None
        if not is_version(version) or not (filename.isascii() and filename.isprintable()):
            raise NotFound(f"There is no file {shown(filename)} in version {shown(version)} of project {name} here")
        if spelling != name.value or not request.path_info.endswith("/"):
            rest = "/".join(quote(part, safe="") for part in (version, filename))
            return redirect(f"{request.script_name}/project/{name}/{rest}/", permanent=True)
        author = self._identity.author(request)[1]
        try:
            with came_by(request.environ.get("HTTP_VIA")):
                seen = or_login(
                    request,
                    self._identity,
                    lambda identity: self._files.file(identity, author, self._index, name, version, filename),
                )
        except UpstreamError as error:
            return upstream_failed(request, name, error)
        if isinstance(seen, PlainResponse):
            return seen
        if isinstance(seen, FileElsewhere):
            return page(request, f"{_TEMPLATES}file_elsewhere.jinja2", headers=UNINDEXED, seen=seen, name=name)
        most = MOST_ENTRIES if request.GET.get("members") == "all" else _MOST_SHOWN
        folders, template = seen.folders(most), f"{_TEMPLATES}file.jinja2"
        # Each of these pages may cost the reading of an archive, and none has anything that the project's page lacks.
        return page(request, template, headers=UNINDEXED, seen=seen, folders=folders, most=most, kept=MOST_ENTRIES)
