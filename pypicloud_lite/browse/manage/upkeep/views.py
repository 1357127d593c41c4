"""The HTTP skin of the pages about the server itself, for administrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pyramid.request import Request

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.manage.storage_chart import storage_chart
from pypicloud_lite.browse.manage.views import manage_page, see_other
from pypicloud_lite.catalog.model import Amount
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import Conflict, InvalidRequest, NotFound
from pypicloud_lite.kernel.names import IndexName, shown
from pypicloud_lite.web.errors import answers_json
from pypicloud_lite.web.forms import read_form
from pypicloud_lite.web.local_paths import login_path
from pypicloud_lite.web.responses import PlainResponse, redirect, respond_json

_PER_PAGE = 50
_MOST_PAGES = 10_000
_SHOWN = 20

Disk = Callable[[], tuple[int, int] | None]
"""Bytes that are free and bytes that there are on the disk of the files; None where that is no disk of this machine."""


class Rebuild(Protocol):
    """A run of the rebuild: its ``state`` is ``running``, ``done``, ``failed`` or ``interrupted``."""

    @property
    def state(self) -> str: ...
    @property
    def started_by(self) -> str | None: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def heartbeat_at(self) -> datetime: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def report(self) -> Mapping[str, Any] | None: ...
    @property
    def error(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class UpkeepServices:
    """What the views call."""

    catalog: Catalog
    gate: Gate
    index: IndexName
    disk: Disk
    mirrored: Callable[[], Amount]
    start_rebuild: Callable[[Author], None]
    rebuilds: Callable[[int], Sequence[Rebuild]]


class UpkeepPages:
    """The room that files take; the rebuild of the catalog, watched."""

    def __init__(self, services: UpkeepServices, identity: RequestIdentity) -> None:
        self._services = services
        self._identity = identity

    def storage(self, request: Request) -> PlainResponse:
        """How much is used, by what, and how much is left: three queries."""
        return self._for_admins(request, self._storage)

    def _storage(self, request: Request) -> PlainResponse:
        services, number = self._services, _page_number(request.GET.get("page", "1"))
        with services.catalog.read(snapshot=False) as reader:
            space = reader.space(services.index, (number - 1) * _PER_PAGE, _PER_PAGE)
            reserved = reader.reserved(services.index)
        if number > 1 and not space.largest:
            raise NotFound(f"There is no page {number} of the projects by size")
        values = {
            "space": space,
            "reserved": reserved,
            "mirrored": services.mirrored(),
            "disk": services.disk(),
            "chart": storage_chart(space.largest) if number == 1 else None,
            "number": number,
            "more": number + 1 if number * _PER_PAGE < space.projects else None,
        }
        return manage_page(request, "storage", values, {})

    def resync(self, request: Request) -> PlainResponse:
        """The run under way, or what the last ones found."""
        return self._for_admins(request, self._resync)

    def start_resync(self, request: Request) -> PlainResponse:
        """Start one; where one runs, in any process, a page that says so."""
        form = read_form(request)
        identity = self._identity.by_form(request, form.text("csrf_token"))
        self._services.gate.require_administrator(identity, "manage this server")
        try:
            self._services.start_rebuild(Author(identity.username, request.remote_addr, identity.credential))
        except Conflict as error:
            return self._resync(request, refused=error)
        return see_other(request, "/manage/resync")

    def progress(self, request: Request) -> PlainResponse:
        """How far the last run is, for the script of its page."""
        answers_json(request)
        self._services.gate.require_administrator(self._identity(request), "manage this server")
        last = next(iter(self._services.rebuilds(1)), None)
        told = {"state": "none", "done": 0, "total": 0}
        if last is not None:
            told = {"state": str(last.state), "done": last.done, "total": last.total}
        return respond_json("200 OK", told, [("Cache-Control", "no-store")])

    def _resync(self, request: Request, **more: Any) -> PlainResponse:
        runs = self._services.rebuilds(_SHOWN)
        return manage_page(request, "resync", {"last": runs[0] if runs else None, "earlier": runs[1:]}, more)

    def _for_admins(self, request: Request, show: Callable[[Request], PlainResponse]) -> PlainResponse:
        identity = self._identity(request)
        if not identity.is_authenticated:
            return redirect(login_path(request), permanent=False)
        self._services.gate.require_administrator(identity, "manage this server")
        return show(request)


def _page_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= _MOST_PAGES):  # noqa: PLR2004
        raise InvalidRequest(f"There is no page {shown(text)}: pages are 1 to {_MOST_PAGES}")
    return int(text)
