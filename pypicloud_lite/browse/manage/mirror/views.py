"""The HTTP skin of the page about the mirror, for administrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from pyramid.request import Request

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.manage.upkeep.views import Rebuild
from pypicloud_lite.browse.manage.views import manage_page, see_other, unknown_action
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import Conflict, InvalidName, NotFound, PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.overview import MirrorOverview, ProjectState
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.settings import Fallback
from pypicloud_lite.mirror.showing import MIRROR_INDEX, Show
from pypicloud_lite.settings.in_force import SettingInForce
from pypicloud_lite.upstream.hops import came_by
from pypicloud_lite.web.forms import read_form
from pypicloud_lite.web.local_paths import login_path
from pypicloud_lite.web.responses import PlainResponse, redirect

_PATH = "/manage/mirror"
_SHOWN = 5
_MODES = {
    Fallback.NONE: "the default index shows nothing of it; installers can use the address /root/pypi/+simple/ itself",
    Fallback.REDIRECT: "for what is not here installers are sent to the upstream, and nothing is kept",
    Fallback.CACHE: "what is not here is shown as our own, and what is downloaded is kept",
    Fallback.MIRROR: "all that the upstream has is shown beside our own, and what is downloaded is kept",
}
_NAMED = "indexes that name it among their bases show it, and installers can use its own address"


class Room(Protocol):
    """Removes cached files in the background, and tells of the last runs."""

    def start(self, author: Author, index: IndexName, project: ProjectName | None) -> None: ...
    def latest(self, limit: int) -> Sequence[Rebuild]: ...


@dataclass(frozen=True, slots=True)
class MirrorServices:
    """What the views call."""

    mirrors: Mirrors
    overview: MirrorOverview
    room: Room
    rules: Callable[[], Sequence[SettingInForce]]
    catalog: Catalog
    gate: Gate
    index: IndexName


class MirrorManagement:
    """The page, and its forms."""

    def __init__(self, services: MirrorServices, identity: RequestIdentity) -> None:
        self._services = services
        self._identity = identity

    def mirror(self, request: Request) -> PlainResponse:
        """How it is; with ``?project=NAME`` what is known of one project. Nobody is asked.

        ``?index=OWNER/NAME`` is about another mirror than the built-in one.
        """
        identity = self._identity(request)
        if not identity.is_authenticated:
            return redirect(login_path(request), permanent=False)
        self._require(identity)
        return self._page(request, self._mirror(request.GET.get("index", "")))

    def act(self, request: Request) -> PlainResponse:
        """Ask for one project now, or remove cached files."""
        form = read_form(request)
        identity = self._identity.by_form(request, form.text("csrf_token"))
        self._require(identity)
        author = Author(identity.username, request.remote_addr, identity.credential)
        action, project, mirror = form.text("action"), None, self._mirror(form.text("index"))
        try:
            if action in {"refresh", "remove"}:
                project = ProjectName.parse(form.text("project").strip())
            match action:
                case "refresh" if project is not None:
                    with came_by(request.environ.get("HTTP_VIA")):
                        self._refresh(mirror, project)
                case "remove" | "room":
                    self._services.room.start(author, mirror.index, project)
                case _:
                    raise unknown_action()
        except PpcError as error:
            return self._page(request, mirror, refused=error, project=project)
        asked = {} if mirror.index == MIRROR_INDEX else {"index": str(mirror.index)}
        if project is not None:
            asked["project"] = project.value
        where = f"?{urlencode(asked)}" if asked else ""
        return see_other(request, f"{_PATH}{where}{'#project' if project is not None else ''}")

    def _mirror(self, index: str) -> Mirror:
        try:
            return self._services.mirrors.require(IndexName.parse(index) if index else MIRROR_INDEX)
        except InvalidName as error:
            raise NotFound(error.message) from None

    def _refresh(self, mirror: Mirror, project: ProjectName) -> None:
        services = self._services
        with services.catalog.read(snapshot=False) as reader:
            found = mirror.ours.find(reader, project)
        found.require_known()
        is_ours = found.record is not None and not services.mirrors.whitelists(project)
        shows = (services.index, mirror.index)
        if all(mirror.showing.show(one, project, is_ours=is_ours) in _NOT_ASKED for one in shows):
            raise Conflict(_why_not(project, is_ours=is_ours))
        mirror.pages.refresh(project)

    def _page(self, request: Request, mirror: Mirror, **more: Any) -> PlainResponse:
        services = self._services
        state = services.overview.state(mirror)
        runs = services.room.latest(_SHOWN)
        name: ProjectName | None = more.get("project")
        asked = request.GET.get("project", "").strip() if name is None else name.value
        told: ProjectState | None = None
        try:
            name = ProjectName.parse(asked) if asked else None
            told = services.overview.project(mirror, name) if name is not None else None
        except PpcError as error:
            more.setdefault("refused", error)
        values: Mapping[str, Any] = {
            "state": state,
            "mode": _MODES[state.fallback] if mirror.index == MIRROR_INDEX else _NAMED,
            "indexes": services.mirrors.names(),
            "rules": services.rules(),
            "runs": runs,
            "asked": asked[:200],
            "told": told,
            "now": mirror.clock(),
        }
        return manage_page(request, "mirror", values, more)

    def _require(self, identity: Identity) -> None:
        self._services.gate.require_administrator(identity, "manage this server")


_NOT_ASKED = {Show.NOTHING, Show.REDIRECT}


def _why_not(project: ProjectName, *, is_ours: bool) -> str:
    if is_ours:
        return (
            f"Project {project} is ours: no upstream is told its name, unless it is named in mirror.merge, "
            "or in mirror_whitelist of an index"
        )
    return f"No upstream is asked for {project}: the rules of this index say so, or the mirror is off"
