"""The HTTP skin of a project in a named index: its page, promotion, and what takes a release away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.indexes.project import ProjectInIndex, ProjectsInIndexes, released
from pypicloud_lite.browse.indexes.promoting import Order, Promoting
from pypicloud_lite.browse.indexes.views import answer, base_of, project_path, read_index, sent
from pypicloud_lite.browse.manage.views import see_other, unknown_action
from pypicloud_lite.browse.projects import is_prerelease
from pypicloud_lite.browse.views import UNINDEXED, or_login, upstream_failed
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest, NotFound, PpcError, UpstreamError
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.publish.yanking import MAX_REASON, Yanking
from pypicloud_lite.upstream.hops import came_by
from pypicloud_lite.web.errors import status_of
from pypicloud_lite.web.forms import Form
from pypicloud_lite.web.pages import page
from pypicloud_lite.web.responses import PlainResponse, redirect
from pypicloud_lite.web.routing import View

_TEMPLATES = "pypicloud_lite.browse:templates/indexes/"
_ACTIONS = ("yank", "restore", "delete")


@dataclass(frozen=True, slots=True)
class ReleaseServices:
    """What the views call."""

    projects: ProjectsInIndexes
    removals: Removals
    yanking: Yanking
    promoting: Promoting | None


class ReleaseViews:
    """``/project/NAME/?index=OWNER/INDEX``, and the forms there. ``default`` has the page of the ``index`` itself."""

    def __init__(
        self,
        services: ReleaseServices,
        identity: RequestIdentity,
        index: IndexName,
        default: View,
        base_url: str | None,
    ) -> None:
        self._services = services
        self._identity = identity
        self._index = index
        self._default = default
        self._base_url = base_url

    def project(self, request: Request) -> Any:
        """A project, as the index that is asked for shows it."""
        asked, version = request.GET.get("index"), request.matchdict.get("version")
        if asked is None:
            return self._default(request)
        index, name = read_index(asked), _project(request.matchdict["project"])
        if index == self._index:
            path = project_path(name, index, version or "").partition("?")[0]
            return redirect(f"{request.script_name}{path}", permanent=False)
        if request.matchdict["project"] != name.value or not request.path_info.endswith("/"):
            return redirect(f"{request.script_name}{project_path(name, index, version or '')}", permanent=True)
        try:
            with came_by(request.environ.get("HTTP_VIA")):
                seen = or_login(
                    request,
                    self._identity,
                    lambda identity: self._services.projects.project(identity, index, name, version),
                )
        except UpstreamError as error:
            return upstream_failed(request, name, error)
        return seen if isinstance(seen, PlainResponse) else self._page(request, seen)

    def confirm(self, request: Request) -> PlainResponse:
        """What follows from a change, before it is made."""
        asked = request.GET
        index, name = read_index(asked.get("index", "")), _project(asked.get("project", ""))

        def show(identity: Identity) -> PlainResponse:
            seen = self._services.projects.project(identity, index, name, asked.get("version") or None)
            return self._confirm(request, seen, asked.get("action", ""))

        return or_login(request, self._identity, show)

    def change(self, request: Request) -> PlainResponse:
        """Yank what the index itself has of a release, take that back, or delete it."""
        form, identity, author = sent(request, self._identity)
        action, seen = form.text("action"), self._seen(form, identity)
        chosen = Selection(seen.index.name, seen.name, version=seen.release.version)
        services = self._services
        try:
            match action:
                case "yank":
                    services.yanking.yank(chosen, identity, author, form.text("reason"))
                case "restore":
                    services.yanking.restore(chosen, identity, author)
                case "delete":
                    services.removals.remove(chosen, identity, author)
                case _:
                    raise unknown_action()
        except PpcError as error:
            if action not in _ACTIONS:
                raise
            return answer(request, "confirm", error, seen=seen, action=action, max_reason=MAX_REASON)
        if action == "delete":
            return see_other(request, f"/{seen.index.name}/")
        return see_other(request, project_path(seen.name, seen.index.name, seen.release.version))

    def promote(self, request: Request) -> PlainResponse:
        """Copy or move files into another index; what became of each."""
        form, identity, author = sent(request, self._identity)
        if self._services.promoting is None:
            raise NotFound("Nothing is promoted here")
        order = _order(form)
        if not order.filenames:
            raise InvalidRequest("Nothing was promoted: choose at least one file")
        result = self._services.promoting.promote(order, identity, author)
        status = "200 OK" if result.refused is None else f"{status_of(result.refused)} Refused"
        seen_in = read_index(form.text("index") or str(order.source))
        back = project_path(order.project, seen_in, order.version)
        there = project_path(order.project, order.target, order.version)
        headers = [("Cache-Control", "no-store")]
        return page(request, f"{_TEMPLATES}promoted.jinja2", status, headers, result=result, back=back, there=there)

    def _page(self, request: Request, seen: ProjectInIndex) -> PlainResponse:
        return page(
            request,
            f"{_TEMPLATES}project.jinja2",
            headers=UNINDEXED if seen.is_of_mirrors else [],
            seen=seen,
            base=base_of(request, self._base_url),
            history=seen.history(whole=request.GET.get("versions") == "all"),
            is_prerelease=is_prerelease,
            released=released,
        )

    def _confirm(self, request: Request, seen: ProjectInIndex, action: str) -> PlainResponse:
        may = seen.may_delete if action == "delete" else seen.may_yank
        if action not in _ACTIONS or not may:
            raise NotFound(f"There is nothing to change at project {seen.name} in {seen.index.name} for you")
        return answer(request, "confirm", seen=seen, action=action, max_reason=MAX_REASON)

    def _seen(self, form: Form, identity: Identity) -> ProjectInIndex:
        version = form.text("version")
        if not version:
            raise InvalidRequest("Say which release: nothing was changed")
        index, name = read_index(form.text("index")), _project(form.text("project"))
        return self._services.projects.project(identity, index, name, version)


def _project(spelling: str) -> ProjectName:
    try:
        return ProjectName.parse(spelling)
    except InvalidName:
        raise NotFound(f"There is no project {shown(spelling)} here") from None


def _order(form: Form) -> Order:
    return Order(
        read_index(form.text("source")),
        read_index(form.text("target")),
        _project(form.text("project")),
        form.text("version"),
        tuple(form.every("file")),
        form.text("move") == "yes",
        form.text("no_docs") != "yes",
    )
