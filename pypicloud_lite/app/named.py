"""Named indexes and users at the addresses of the devpi client."""

from __future__ import annotations

from collections.abc import Callable

from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.devpi.answers import ApiConfig, Dialect
from pypicloud_lite.devpi.index_views import IndexViews, Others, listed_projects
from pypicloud_lite.devpi.mounting import mount_indexes
from pypicloud_lite.devpi.project_views import ProjectServices, ProjectViews
from pypicloud_lite.devpi.promoting import Promoter
from pypicloud_lite.devpi.push_views import PushViews
from pypicloud_lite.serve.views import FileViews, SimpleViews
from pypicloud_lite.web.settings import WebSettings
from pypicloud_lite.wiring import Services


def mount_named(
    add: Callable[..., None],
    services: Services,
    identity: RequestIdentity,
    dialect: Dialect,
    others: Others,
    files: FileViews,
    simple: SimpleViews,
) -> None:
    """Named indexes, for the devpi client and at its addresses."""
    api = ApiConfig(services.settings.get(WebSettings).base_url)
    listed = listed_projects(services.catalog, services.gate)
    mount_indexes(
        add,
        dialect,
        IndexViews(services.indexes, listed, identity, api, others),
        ProjectViews(
            ProjectServices(
                services.indexes,
                services.gate,
                services.lookup,
                services.catalog,
                services.removals,
                services.attachments,
            ),
            identity,
            simple.named_project,
            files.by_digest,
            api,
        ),
        PushViews(Promoter(services.promotion, services.attachments), services.sending, identity),
    )
