"""Named indexes and users at the addresses of the devpi client."""

from __future__ import annotations

from collections.abc import Callable

from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.devpi.index_views import IndexViews, Others, listed_projects
from pypicloud_lite.devpi.login import api_config
from pypicloud_lite.devpi.mounting import mount_indexes
from pypicloud_lite.devpi.project_views import ProjectServices, ProjectViews
from pypicloud_lite.devpi.promoting import Promoter
from pypicloud_lite.devpi.push_views import PushViews
from pypicloud_lite.devpi.user_views import UserViews
from pypicloud_lite.serve.views import FileViews, SimpleViews
from pypicloud_lite.web.settings import WebSettings
from pypicloud_lite.wiring import Services


def user_views(services: Services, identity: RequestIdentity, base_url: str | None) -> UserViews:
    """What answers about users."""

    def serial() -> int:
        with services.catalog.read(snapshot=False) as catalog:
            return catalog.state().serial

    return UserViews(services.devpi_users, services.devpi_logins, identity, serial, base_url)


def mount_named(
    add: Callable[..., None],
    services: Services,
    identity: RequestIdentity,
    others: Others,
    files: FileViews,
    simple: SimpleViews,
) -> None:
    """Named indexes, for the devpi client and at its addresses."""
    base_url = services.settings.get(WebSettings).base_url
    listed = listed_projects(services.catalog, services.gate)
    mount_indexes(
        add,
        IndexViews(services.indexes, listed, identity, api_config, others, base_url),
        ProjectViews(
            ProjectServices(
                services.indexes, services.lookup, services.catalog, services.removals, services.attachments
            ),
            identity,
            simple.project,
            files.by_digest,
            base_url,
        ),
        PushViews(Promoter(services.promotion, services.attachments), services.sending, identity),
    )
