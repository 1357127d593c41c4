"""The WSGI application: settings, wiring, and which feature answers where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from pyramid.config import Configurator
from pyramid.tweens import INGRESS

from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.security import REFUSALS, RequestIdentity
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.browse.account.logging_in import LoggingIn
from pypicloud_lite.browse.account.mine import Mine
from pypicloud_lite.browse.account.views import AccountPages, AccountServices
from pypicloud_lite.browse.files.page import FilePages
from pypicloud_lite.browse.files.views import FilePageViews
from pypicloud_lite.browse.greeting import Greeting
from pypicloud_lite.browse.indexes.mounting import NamedIndexPages
from pypicloud_lite.browse.manage.mirror.views import MirrorManagement, MirrorServices
from pypicloud_lite.browse.manage.projects.curation import Curation
from pypicloud_lite.browse.manage.projects.views import CurationPages, CurationServices
from pypicloud_lite.browse.manage.upkeep.views import UpkeepPages, UpkeepServices
from pypicloud_lite.browse.manage.views import ManagePages, ManageServices
from pypicloud_lite.browse.projects import ProjectPages
from pypicloud_lite.browse.register.views import RegisterPages
from pypicloud_lite.browse.search import ProjectSearch
from pypicloud_lite.browse.views import BrowseViews
from pypicloud_lite.devpi.index_views import IndexViews, Others, listed_projects
from pypicloud_lite.devpi.login import api_config
from pypicloud_lite.devpi.mounting import mount_indexes
from pypicloud_lite.devpi.project_views import ProjectViews
from pypicloud_lite.indexes.layout import DIGEST_IN_PATH
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.manage.account.views import AccountViews, LoginViews
from pypicloud_lite.manage.api import ApiViews, operations
from pypicloud_lite.manage.audit import Audit
from pypicloud_lite.manage.guard import Guard
from pypicloud_lite.manage.operations import Operation
from pypicloud_lite.manage.people.views import PeopleViews, RuleViews, ServerViews
from pypicloud_lite.manage.reference.views import ReferenceViews
from pypicloud_lite.manage.views import PackageViews
from pypicloud_lite.ops.housekeeping import Housekeeping
from pypicloud_lite.publish.settings import PublishSettings
from pypicloud_lite.publish.views import UploadViews
from pypicloud_lite.serve.describe.views import DescriptionViews, XmlRpcView
from pypicloud_lite.serve.settings import ServeSettings
from pypicloud_lite.serve.views import FileViews, SimpleViews
from pypicloud_lite.settings.source import RawSettings, from_factory, read_ini
from pypicloud_lite.web import pages
from pypicloud_lite.web.errors import ErrorViews
from pypicloud_lite.web.health import HealthViews
from pypicloud_lite.web.logs import configure_logging
from pypicloud_lite.web.proxies import TrustedProxies
from pypicloud_lite.web.routing import View, add_resource
from pypicloud_lite.web.settings import WebSettings
from pypicloud_lite.wiring import Services, build, load_raw
from pypicloud_lite.wiring.in_force import configuration, mirror_rules

_log = structlog.get_logger("pypicloud_lite")


def main(global_config: dict[str, str], **settings: str) -> Any:
    """PasteDeploy's factory: ``use = egg:pypicloud_lite``.

    A wrong configuration is a ``ConfigError``, never ``SystemExit`` (gunicorn would start workers for ever).
    """
    configure_logging()
    here = Path(global_config.get("here", "."))
    raw = from_factory(global_config, settings)
    loaded = load_raw(raw, here.resolve())
    services = build(loaded, follow=_followable(global_config, raw))
    for warning in services.warnings:
        _log.warning("configuration", warning=warning)
    return Served(make_app(services), services.housekeeping())


class Served:
    """The application with its housekeeping, which begins with the first request of each process.

    Or earlier where the server says that the process will not fork any more: ``cli/gunicorn_settings.py``. Storage
    and database are made ready there too, so that a worker that starts while they are down does not end the
    server: it answers 503 until they are there.
    """

    def __init__(self, app: Any, housekeeping: Housekeeping) -> None:
        self._app = app
        self.housekeeping = housekeeping

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.housekeeping.ensure()
        return self._app(environ, start_response)


def _followable(global_config: dict[str, str], raw: RawSettings) -> Path | None:
    """The file to follow: only where reading it again would give what PasteDeploy gave."""
    file = global_config.get("__file__")
    try:
        if file and read_ini(file) == raw:
            return Path(file)
    except ConfigError:
        pass
    _log.info("changes of users and groups need a restart: these settings do not come from one [app:main] alone")
    return None


def make_app(services: Services) -> Any:
    """The application over wired services; starts nothing in the background."""
    config = Configurator(introspection=False)
    config.registry[REFUSALS] = services.refusals
    config.add_tween("pypicloud_lite.web.hygiene.hygiene_tween", under=INGRESS)
    config.add_tween("pypicloud_lite.access.security.refusals_tween", under="pypicloud_lite.web.hygiene.hygiene_tween")
    ErrorViews(services.settings.get(AccessSettings).realm).mount(config)
    _mount(config, services)
    return TrustedProxies(config.make_wsgi_app(), services.settings.get(WebSettings).networks)


def _mount(config: Configurator, services: Services) -> None:
    """The table of addresses. A path that could be two things is the first of them."""
    settings, index = services.settings, services.index
    base_url = settings.get(WebSettings).base_url
    identity = RequestIdentity(services.logins)
    projects = ProjectPages(services.catalog, services.gate, services.counts, services.projects, services.mirror)
    searching = ProjectSearch(services.catalog, services.gate, services.mirror.showing)
    named = NamedIndexPages(services, identity, base_url, promotion=None)
    browse = BrowseViews(projects, searching, services.readmes, identity, index, base_url, named.choices)
    pages.mount(config, Greeting(identity, named.has_any))
    simple = SimpleViews(services.simple, identity, index)
    files = FileViews(
        services.downloads,
        services.mirrored,
        services.counter,
        services.storage,
        identity,
        index,
        settings.get(ServeSettings),
    )
    uploads = UploadViews(
        services.uploads,
        services.storage,
        services.gate,
        identity,
        index,
        max_bytes=settings.get(PublishSettings).max_upload_size,
        base_url=base_url,
    )
    rpc = XmlRpcView(services.descriptions, identity, index)
    health = HealthViews(services.health())

    def add(name: str, *patterns: str, **methods: View) -> None:
        add_resource(config, name, *patterns, **methods)

    add("root", "/", GET=browse.home, POST=rpc.unless_form(uploads.upload))
    add("lists", "/simple/", "/simple", "/pypi/", "/pypi", GET=simple.projects, POST=rpc.unless_form(uploads.upload))
    add("rpc", "/RPC2", POST=rpc.call)
    add("legacy", "/legacy/", "/legacy", POST=uploads.upload)
    add("project", f"/simple/{_PROJECT}/", f"/pypi/{_PROJECT}/", GET=simple.project)
    add("project.bare", f"/simple/{_PROJECT}", f"/pypi/{_PROJECT}", GET=simple.add_slash)
    # where hatch looks, before it uploads, for the files that are there: devpi's page below the upload's address
    add("project.checked", *(f"{path}/+simple/{_PROJECT}/" for path in _UPLOAD_PATHS), GET=simple.project)
    _mount_named(add, simple)
    _mount_descriptions(add, DescriptionViews(services.descriptions, services.documents, identity, index, base_url))
    add("file", f"/packages/{_INDEX}/{_PROJECT}/{_DIGEST}/{_FILE}", GET=files.by_digest)
    add("file.named", f"/packages/{_INDEX}/{_PROJECT}/{_FILE}", GET=files.by_name)
    # pypiserver's addresses: its clients' lock files and requirements name them
    add("files", "/packages/", "/packages", GET=simple.files)
    add("file.in_folder", f"/packages/{_PATH}", GET=files.in_folder)
    _mount_pages(add, services, identity, browse, named)
    _mount_account(add, services, identity)
    _mount_api(config, services, identity, files, uploads)
    add("health", "/health", "/health/", GET=health.whole)
    add("health.live", "/health/live", GET=health.live)
    add("health.ready", "/health/ready", GET=health.ready)
    _mount_indexes(add, services, identity, Others(simple.named_projects, named.page, uploads.upload), files, simple)
    # every other word at the root is a project, but for kernel.names.RESERVED_WORDS
    add("root.project", f"/{_PROJECT}/", f"/{_PROJECT}", GET=simple.root_project)


def _mount_pages(
    add: Callable[..., None], services: Services, identity: RequestIdentity, browse: BrowseViews, named: NamedIndexPages
) -> None:
    named.mount(add, _with_slash(f"/project/{_PROJECT}", f"/project/{_PROJECT}/{_VERSION}"), browse.project)
    one_file = FilePages(services.gate, services.contents, services.projects, services.mirror)
    inside = FilePageViews(one_file, identity, services.index)
    add("page.file", *_with_slash(f"/project/{_PROJECT}/{_VERSION}/{_FILE}"), GET=inside.file)
    add("static", "/static/{version:[0-9a-f]{12}}/{asset:[a-z-]+[.](?:css|js|svg)}", GET=pages.asset)
    add("search", "/search", GET=browse.search)
    add("upload", "/upload", GET=browse.upload)


def _mount_account(add: Callable[..., None], services: Services, identity: RequestIdentity) -> None:
    settings = services.settings
    login, base_url = settings.get(LoginSettings), settings.get(WebSettings).base_url
    account = AccountPages(
        AccountServices(
            services.authenticator,
            services.access,
            services.sessions,
            services.administration,
            services.tokens,
            services.registration,
            Mine(services.catalog, services.access, services.gate, services.database, services.index),
            login,
        ),
        identity,
        base_url,
    )
    register = RegisterPages(services.registration, LoggingIn(services.access, services.sessions, login))
    add("login", *_with_slash("/login"), GET=account.login, POST=account.log_in)
    add("logout", *_with_slash("/logout"), POST=account.log_out)
    add("register", *_with_slash("/register"), GET=register.form, POST=register.send)
    add("account", *_with_slash("/account"), GET=account.account)
    add("account.token", "/account/token", POST=account.create_token)
    add("account.revoke", "/account/token/revoke", POST=account.revoke_token)
    add("account.password", "/account/password", POST=account.change_password)
    add("account.actions", "/account/actions", GET=account.actions)
    add("account.session", "/account/sessions/end", POST=account.end_session)
    add("account.sessions", "/account/sessions/end-others", POST=account.end_other_sessions)
    manage = ManagePages(
        ManageServices(
            services.administration,
            services.access,
            services.gate,
            services.database,
            services.registration,
            lambda: configuration(services),
        ),
        identity,
        base_url,
    )
    add("manage", *_with_slash("/manage"), GET=manage.home)
    add("manage.users", "/manage/users", GET=manage.users, POST=manage.change_users)
    add("manage.invite", "/manage/users/invite", POST=manage.invite)
    add("manage.groups", "/manage/groups", GET=manage.groups, POST=manage.change_groups)
    add("manage.rules", "/manage/rules", GET=manage.rules, POST=manage.change_rules)
    add("manage.config", "/manage/config", GET=manage.config)
    add("manage.journal", "/manage/journal", GET=manage.journal)
    _mount_curation(add, services, identity)
    upkeep = UpkeepPages(
        UpkeepServices(
            services.catalog,
            services.gate,
            services.index,
            services.disk,
            services.eviction.space,
            services.start_rebuild,
            services.rebuilds,
        ),
        identity,
    )
    add("manage.storage", "/manage/storage", GET=upkeep.storage)
    add("manage.resync", "/manage/resync", GET=upkeep.resync, POST=upkeep.start_resync)
    add("manage.resync.progress", "/manage/resync/progress", GET=upkeep.progress)
    _mount_mirror(add, services, identity)


def _mount_mirror(add: Callable[..., None], services: Services, identity: RequestIdentity) -> None:
    management = MirrorManagement(
        MirrorServices(
            services.mirror,
            services.mirror_overview,
            services.mirror_room,
            lambda: mirror_rules(services),
            services.catalog,
            services.gate,
            services.index,
        ),
        identity,
    )
    add("manage.mirror", "/manage/mirror", GET=management.mirror, POST=management.act)


def _mount_curation(add: Callable[..., None], services: Services, identity: RequestIdentity) -> None:
    curation = Curation(services.catalog, services.gate, services.access, services.index)
    curators = CurationPages(
        CurationServices(
            curation,
            services.gate,
            services.removals,
            services.yanking,
            services.statuses,
            services.administration,
        ),
        identity,
    )
    add("manage.projects", "/manage/projects", GET=curators.projects)
    add("manage.project", f"/manage/projects/{_PROJECT}", GET=curators.project, POST=curators.change)
    add("manage.confirm", f"/manage/projects/{_PROJECT}/confirm", GET=curators.confirm, POST=curators.take_away)


def _mount_api(
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
        download=download,
        upload=upload,
        reference=reference,
    )


def _mount_named(add: Callable[..., None], simple: SimpleViews) -> None:
    for path in (f"/{_INDEX}/+simple/", f"/{_INDEX}/simple/"):
        add(f"lists.named {path}", path, GET=simple.named_projects)
        add(f"project.named {path}", f"{path}{_PROJECT}/", GET=simple.project)


def _mount_indexes(
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
            services.lookup,
            services.catalog,
            services.removals,
            identity,
            simple.project,
            files.by_digest,
            base_url,
        ),
    )


def _mount_descriptions(add: Callable[..., None], views: DescriptionViews) -> None:
    add("json", *_with_slash(f"/simple/{_PROJECT}/json", f"/pypi/{_PROJECT}/json"), GET=views.project_json)
    add("json.root", *_with_slash(f"/{_PROJECT}/json"), GET=views.root_project_json)
    add("json.release", *_with_slash(f"/pypi/{_PROJECT}/{_VERSION}/json"), GET=views.release_json)
    add("rss.updates", "/rss/updates.xml", GET=views.updates)
    add("rss.packages", "/rss/packages.xml", GET=views.newcomers)
    add("rss.project", f"/rss/project/{_PROJECT}/releases.xml", GET=views.releases)
    add("stats", *_with_slash("/stats"), GET=views.statistics)


def _with_slash(*patterns: str) -> tuple[str, ...]:
    """Each with and without a slash at its end."""
    return tuple(pattern + end for pattern in patterns for end in ("", "/"))


_UPLOAD_PATHS = ("", "/simple", "/pypi", "/legacy")
_INDEX = "{owner:[^/]+}/{index:[^/]+}"
_PROJECT = "{project:[^/]+}"
_DIGEST = f"{{digest:[0-9a-f]{{{DIGEST_IN_PATH}}}}}"
_FILE = "{filename:[^/]+}"
_PATH = "{path:.+}"
_VERSION = "{version:[^/]+}"
