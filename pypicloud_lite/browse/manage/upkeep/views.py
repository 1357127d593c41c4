"""The HTTP skin of the pages about the server itself, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyramid.request import Request

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.manage.storage_chart import storage_chart
from pypicloud_lite.browse.manage.views import manage_page
from pypicloud_lite.browse.views import login_path
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.errors import InvalidRequest, NotFound
from pypicloud_lite.kernel.names import IndexName, shown
from pypicloud_lite.web.responses import PlainResponse, redirect

_PER_PAGE = 50
_MOST_PAGES = 10_000

Disk = Callable[[], tuple[int, int] | None]
"""Bytes that are free and bytes that there are on the disk of the files; None where that is no disk of this machine."""


@dataclass(frozen=True, slots=True)
class UpkeepServices:
    """What the views call."""

    catalog: Catalog
    gate: Gate
    index: IndexName
    disk: Disk


class UpkeepPages:
    """The room that files take."""

    def __init__(self, services: UpkeepServices, identity: RequestIdentity) -> None:
        self._services = services
        self._identity = identity

    def storage(self, request: Request) -> PlainResponse:
        """How much is used, by what, and how much is left: two queries."""
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
            "disk": services.disk(),
            "chart": storage_chart(space.largest) if number == 1 else None,
            "number": number,
            "more": number + 1 if number * _PER_PAGE < space.projects else None,
        }
        return manage_page(request, "storage", values, {})

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
