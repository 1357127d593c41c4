"""The HTTP skin of managing projects: a list for administrators, and each project's page for whoever may change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pyramid.request import Request

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.grants import Kind
from pypicloud_lite.access.model import Identity, Permission, Right
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.manage.projects.curation import Curated, Curation
from pypicloud_lite.browse.manage.views import manage_page, see_other, unknown_action
from pypicloud_lite.catalog.model import FileRecord, ProjectStatus
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest, NotFound, PpcError
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.publish.status import Statuses
from pypicloud_lite.publish.yanking import MAX_REASON, Yanking
from pypicloud_lite.web.forms import Form, read_form
from pypicloud_lite.web.local_paths import login_path
from pypicloud_lite.web.responses import PlainResponse, redirect

_QUERY = 128
_CONFIRMED = ("yank", "delete", "free")


@dataclass(frozen=True, slots=True)
class CurationServices:
    """What the views call."""

    curation: Curation
    gate: Gate
    removals: Removals
    yanking: Yanking
    statuses: Statuses
    administration: Administration


class CurationPages:
    """All projects; one with its status, releases, files and rules; what is asked before something is taken away."""

    def __init__(self, services: CurationServices, identity: RequestIdentity) -> None:
        self._services = services
        self._identity = identity

    def projects(self, request: Request) -> PlainResponse:
        """All of them, by name."""
        identity = self._identity(request)
        if not identity.is_authenticated:
            return redirect(login_path(request), permanent=False)
        self._services.gate.require_administrator(identity, "manage this server")
        text = request.GET.get("q", "").strip()[:_QUERY]
        found = self._services.curation.projects(text, request.GET.get("after", "")[:_QUERY])
        more = None
        if found.more_after is not None:
            told = {"q": text, "after": found.more_after}
            more = urlencode({key: value for key, value in told.items() if value})
        return manage_page(request, "projects", {"projects": found.projects, "text": text, "more": more}, {})

    def project(self, request: Request) -> PlainResponse:
        """One of them."""
        return self._for_curators(request, lambda curated: self._project(request, curated))

    def confirm(self, request: Request) -> PlainResponse:
        """What follows from a change that takes something away, before it is made."""
        action = request.GET.get("action", "")
        filename, version = request.GET.get("file", ""), request.GET.get("version", "")
        return self._for_curators(request, lambda curated: _confirm(request, curated, action, filename, version))

    def change(self, request: Request) -> PlainResponse:
        """Give it a status, un-yank some of it, grant or revoke a right."""
        form, identity, author, curated = self._sent(request)
        name = curated.project.name
        try:
            self._change(form, identity, author, curated)
        except PpcError as error:
            return self._project(request, curated, refused=error)
        if any(self._services.gate.allows(identity, one, name) for one in curated.rights):
            return see_other(request, _path(name, form.text("version")))
        return see_other(request, f"/project/{name}/")

    def take_away(self, request: Request) -> PlainResponse:
        """Yank or delete a file, a release or all of it, or free its name: what :meth:`confirm` asked for."""
        form, identity, author, curated = self._sent(request)
        action, filename, version = (form.text(key) for key in ("action", "file", "version"))
        if action not in _CONFIRMED:
            raise unknown_action()
        try:
            self._take_away(form, identity, author, curated)
        except PpcError as error:
            return _confirm(request, curated, action, filename, version, refused=error)
        name = curated.project.name
        if action == "free":
            return see_other(request, "/manage/projects")
        return see_other(request, _path(name, version if action == "yank" else ""))

    def _change(self, form: Form, identity: Identity, author: Author, curated: Curated) -> None:
        services, project = self._services, curated.project
        match form.text("action"):
            case "status":
                if form.text("status") not in set(ProjectStatus):
                    raise unknown_action()
                status = ProjectStatus(form.text("status"))
                services.statuses.set(project.index, project.name, status, form.text("reason"), identity, author)
            case "restore":
                selection, _files = _chosen(curated, "restore", form.text("file"), form.text("version"))
                services.yanking.restore(selection, identity, author)
            case "grant" | "revoke" as action:
                if form.text("right") not in set(Right):
                    raise unknown_action()
                services.gate.require(identity, Permission.GRANT, project.name)
                kind: Kind = "user" if form.text("kind") == "user" else "group"
                right, given = Right(form.text("right")), action == "grant"
                who = form.text("who")
                services.administration.set_right(project.name.value, kind, who, right, author, given=given)
            case _:
                raise unknown_action()

    def _take_away(self, form: Form, identity: Identity, author: Author, curated: Curated) -> None:
        services, action, name = self._services, form.text("action"), curated.project.name
        filename, version = form.text("file"), form.text("version")
        if _asks_for_name(action, filename, version) and form.text("name").strip() != name.value:
            raise InvalidRequest(f"Nothing was changed: type the project's name, {name}, to say that you mean it")
        if action == "free":
            services.removals.free(curated.project.index, name, identity, author)
            return
        selection, _files = _chosen(curated, action, filename, version)
        if action == "yank":
            services.yanking.yank(selection, identity, author, form.text("reason"))
        else:
            services.removals.remove(selection, identity, author)

    def _for_curators(self, request: Request, show: Callable[[Curated], PlainResponse]) -> PlainResponse:
        identity = self._identity(request)
        if not identity.is_authenticated:
            return redirect(login_path(request), permanent=False)
        return show(self._services.curation.project(identity, _name(request)))

    def _sent(self, request: Request) -> tuple[Form, Identity, Author, Curated]:
        """A form, its sender, and the project that it is about, which the sender may see and change."""
        form = read_form(request)
        identity = self._identity.by_form(request, form.text("csrf_token"))
        author = Author(identity.username, request.remote_addr, identity.credential)
        return form, identity, author, self._services.curation.project(identity, _name(request))

    def _project(self, request: Request, curated: Curated, **more: Any) -> PlainResponse:
        release = None
        if more.get("refused") is None:
            release = curated.release(request.GET.get("version", ""))
        elif curated.releases is not None:
            release = curated.releases.latest
        whole = request.GET.get("versions") == "all"
        values = {
            "seen": curated,
            "release": release,
            "history": curated.history(whole=whole),
            "max_reason": MAX_REASON,
        }
        return manage_page(request, "project", values, more)


def _confirm(
    request: Request, curated: Curated, action: str, filename: str, version: str, **more: Any
) -> PlainResponse:
    may = {"yank": curated.may_yank, "delete": curated.may_delete, "free": curated.may_free}
    if action not in may:
        raise InvalidRequest("There is nothing to confirm here: choose on the project's page what to change")
    if not may[action] and "refused" not in more:
        raise NotFound(f"There is nothing to {action} in project {curated.project.name} for you")
    files = () if action == "free" else _chosen(curated, action, filename, version)[1]
    what = filename or (f"{curated.project.display_name} {files[0].version}" if version else curated.project.name.value)
    values = {
        "project": curated.project,
        "action": action,
        "file": filename,
        "version": version,
        "what": what,
        "files": files,
        "size": sum(one.size for one in files),
        "asks_for_name": _asks_for_name(action, filename, version),
        "max_reason": MAX_REASON,
    }
    return manage_page(request, "confirm", values, more)


def _chosen(curated: Curated, action: str, filename: str, version: str) -> tuple[Selection, Sequence[FileRecord]]:
    if action != "delete" and not filename and not version:
        raise InvalidRequest("Say which file or which release: a project as a whole is not yanked, but has a status")
    return curated.chosen(filename, version)


def _asks_for_name(action: str, filename: str, version: str) -> bool:
    """Whether so much goes that the project's name has to be typed."""
    return action == "free" or (action == "delete" and not filename and not version)


def _name(request: Request) -> ProjectName:
    spelling = request.matchdict["project"]
    try:
        return ProjectName.parse(spelling)
    except InvalidName:
        raise NotFound(f"There is no project {shown(spelling)} here") from None


def _path(name: ProjectName, version: str) -> str:
    return f"/manage/projects/{name}" + (f"?{urlencode({'version': version})}" if version else "")
