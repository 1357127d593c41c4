"""The HTTP skin of the pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pyramid.request import Request

from pypicloud_lite.access.model import ANONYMOUS, Identity
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.projects import Elsewhere, ProjectPages, is_prerelease, released
from pypicloud_lite.browse.search import MOST_PAGES, ProjectSearch
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    InvalidName,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    UpstreamError,
    UpstreamUnavailable,
)
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import is_version
from pypicloud_lite.readme.readmes import Readmes
from pypicloud_lite.upstream.hops import came_by
from pypicloud_lite.web.errors import reason_phrase, status_of
from pypicloud_lite.web.local_paths import login_path
from pypicloud_lite.web.pages import page
from pypicloud_lite.web.responses import PlainResponse, redirect

_TEMPLATES = "pypicloud_lite.browse:templates/"
_QUERY = 200
UNINDEXED = [("X-Robots-Tag", "noindex, nofollow")]
"""Of pages that are an upstream's: whoever follows their links has it asked for one name after the other."""
_Seen = TypeVar("_Seen")


class BrowseViews:
    """Home, search, projects."""

    def __init__(
        self,
        projects: ProjectPages,
        searching: ProjectSearch,
        readmes: Readmes,
        identity: RequestIdentity,
        index: IndexName,
        base_url: str | None,
        choices: Callable[[Identity, ProjectName, IndexName], Sequence[IndexName]],
    ) -> None:
        """``choices`` are the indexes that a project's page offers besides the one that is shown."""
        self._projects = projects
        self._searching = searching
        self._readmes = readmes
        self._identity = identity
        self._index = index
        self._base_url = base_url
        self._choices = choices

    def home(self, request: Request) -> PlainResponse:
        """What this index is, how its clients are told, and what is new.

        Anybody may read it: wrong credentials, which a browser sends along, show what nobody in particular sees.
        """
        try:
            identity = self._identity(request)
        except (AuthenticationRequired, TooManyRequests):
            identity = ANONYMOUS
        recent = self._projects.recent(identity, self._index)
        return page(request, f"{_TEMPLATES}home.jinja2", base=self._base(request), recent=recent)

    def search(self, request: Request) -> PlainResponse:
        """Projects by words; with ``part=results`` what of the page changes while somebody types."""
        text = request.GET.get("q", "").strip()[:_QUERY]
        number = _page_number(request.GET.get("page", "1"))
        found = self._searching.find(self._identity(request), self._index, text, number)
        values = {"text": text, "found": found, "more": urlencode({"q": text, "page": number + 1})}
        if request.GET.get("part") == "results":
            return page(request, f"{_TEMPLATES}results.jinja2", headers=[("Cache-Control", "no-store")], **values)
        return page(request, f"{_TEMPLATES}search.jinja2", **values)

    def upload(self, request: Request) -> PlainResponse:
        """Where files are dropped; sent by the page to the address that every client uses."""
        if not self._identity(request).is_authenticated:
            return redirect(login_path(request), permanent=False)
        return page(request, f"{_TEMPLATES}upload.jinja2")

    def project(self, request: Request) -> PlainResponse:
        """A project, by its latest release or the one in the address."""
        spelling, version = request.matchdict["project"], request.matchdict.get("version")
        try:
            name = ProjectName.parse(spelling)
        except InvalidName:
            raise NotFound(f"There is no project {shown(spelling)} here") from None
        if version is not None and not is_version(version):
            raise NotFound(f"There is no version {shown(version)} of project {name} here")
        if spelling != name.value or not request.path_info.endswith("/"):
            path = f"{request.script_name}/project/{name}/"
            return redirect(path if version is None else f"{path}{quote(version, safe='')}/", permanent=True)
        author = self._identity.author(request)[1]
        try:
            with came_by(request.environ.get("HTTP_VIA")):
                seen = or_login(
                    request,
                    self._identity,
                    lambda identity: self._projects.project(identity, author, self._index, name, version),
                )
        except UpstreamError as error:
            return upstream_failed(request, name, error)
        if isinstance(seen, PlainResponse):
            return seen
        if isinstance(seen, Elsewhere):
            return page(request, f"{_TEMPLATES}elsewhere.jinja2", "404 Not Found", UNINDEXED, seen=seen)
        text, kind = seen.description
        return page(
            request,
            f"{_TEMPLATES}project.jinja2",
            headers=UNINDEXED if seen.upstream else [],
            seen=seen,
            base=self._base(request),
            readme=self._readmes.render(text, kind) if text else None,
            history=seen.history(whole=request.GET.get("versions") == "all"),
            is_prerelease=is_prerelease,
            released=released,
            index=self._index,
            choices=self._choices(self._identity(request), name, self._index),
        )

    def _base(self, request: Request) -> str:
        return self._base_url or str(request.application_url)


def upstream_failed(request: Request, name: ProjectName, error: UpstreamError) -> PlainResponse:
    """What is said of something that the index upstream may have, which gives no answer. Only that one failed."""
    status = status_of(error)
    headers = [("Cache-Control", "no-store"), *UNINDEXED]
    wait = error.retry_after if isinstance(error, UpstreamUnavailable) else None
    if wait is not None:
        headers.append(("Retry-After", str(wait)))
    line = f"{status} {reason_phrase(error.message)}"
    told: Mapping[str, Any] = {"name": name, "message": error.message, "number": status, "wait": wait}
    return page(request, f"{_TEMPLATES}upstream_failed.jinja2", line, headers, **told)


def or_login(request: Request, who: RequestIdentity, ask: Callable[[Identity], _Seen]) -> _Seen | PlainResponse:
    """What is asked, or for somebody who has not logged in the way to do so: a page asks no browser for Basic."""
    identity: Identity = who(request)
    try:
        return ask(identity)
    except AuthenticationRequired:
        if request.environ.get("HTTP_ACCEPT", "").startswith("text/html"):
            return redirect(login_path(request), permanent=False)
        raise


def _page_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 4 and 1 <= int(text) <= MOST_PAGES):  # noqa: PLR2004
        raise InvalidRequest(f"There is no page {shown(text)} of a search: pages are 1 to {MOST_PAGES}")
    return int(text)
