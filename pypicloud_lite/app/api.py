"""The REST API at its addresses."""

from __future__ import annotations

from pyramid.config import Configurator

from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.manage.account.views import AccountViews, LoginViews
from pypicloud_lite.manage.api import ApiViews, operations
from pypicloud_lite.manage.audit import Audit
from pypicloud_lite.manage.guard import Guard
from pypicloud_lite.manage.indexes.views import IndexViews as IndexApi
from pypicloud_lite.manage.operations import Operation
from pypicloud_lite.manage.people.views import PeopleViews, RuleViews, ServerViews
from pypicloud_lite.manage.reference.views import ReferenceViews
from pypicloud_lite.manage.views import PackageViews
from pypicloud_lite.publish.views import UploadViews
from pypicloud_lite.serve.views import FileViews
from pypicloud_lite.web.routing import View, add_resource
from pypicloud_lite.web.settings import WebSettings
from pypicloud_lite.wiring import Services


def mount_api(
    config: Configurator, services: Services, identity: RequestIdentity, files: FileViews, uploads: UploadViews
) -> None:
    """The REST API, as its table says: ``manage/api.py``."""
    table: list[Operation] = []
    reference = ReferenceViews(lambda: table)
    table += operations(_api_views(services, identity, reference, files.in_default_index, uploads.upload))
    guard = Guard(identity, services.gate)
    resources: dict[tuple[str, tuple[str, ...]], dict[str, View]] = {}
    for operation in table:
        resources.setdefault((operation.name, operation.patterns), {})[operation.method] = guard(operation)
    for (name, patterns), methods in resources.items():
        add_resource(config, name, *patterns, **methods)
    add_resource(config, "api.asset", "/api/{asset:page.css|page.js}", GET=reference.asset)


def _api_views(
    services: Services, identity: RequestIdentity, reference: ReferenceViews, download: View, upload: View
) -> ApiViews:
    settings, index, base_url = services.settings, services.index, services.settings.get(WebSettings).base_url
    login, directory, administration = settings.get(LoginSettings), services.access, services.administration
    removals, yanking, statuses = services.removals, services.yanking, services.statuses
    return ApiViews(
        packages=PackageViews(
            services.listings, removals, yanking, statuses, services.counts, identity, index, base_url
        ),
        login=LoginViews(
            services.authenticator, directory, services.sessions, administration, services.registration, identity, login
        ),
        account=AccountViews(services.tokens, identity, login),
        people=PeopleViews(administration, directory, services.registration, identity, base_url),
        rules=RuleViews(administration, directory, services.gate, identity),
        server=ServerViews(Audit(services.database), identity, services.rebuild, services.export_people),
        indexes=IndexApi(
            services.indexes,
            services.lookup,
            removals,
            services.promotion,
            services.catalog,
            services.gate,
            identity,
            base_url,
        ),
        download=download,
        upload=upload,
        reference=reference,
    )
