"""The WSGI application: settings, wiring, and which feature answers where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from pyramid.config import Configurator
from pyramid.tweens import INGRESS

from pypicloud_lite.access.security import REFUSALS, RequestIdentity
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.app.api import mount_api
from pypicloud_lite.app.named import mount_named
from pypicloud_lite.app.pages import mount_account, mount_pages
from pypicloud_lite.app.patterns import DIGEST, FILE, INDEX, PATH, PROJECT, UPLOAD_PATHS, VERSION, with_slash
from pypicloud_lite.browse.greeting import Greeting
from pypicloud_lite.browse.indexes.mounting import NamedIndexPages
from pypicloud_lite.browse.projects import ProjectPages
from pypicloud_lite.browse.search import ProjectSearch
from pypicloud_lite.browse.views import BrowseViews
from pypicloud_lite.devpi.answers import ApiConfig, Dialect
from pypicloud_lite.devpi.index_views import Others
from pypicloud_lite.devpi.user_views import UserViews, mount_users
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.ops.housekeeping import Housekeeping
from pypicloud_lite.publish.settings import PublishSettings
from pypicloud_lite.publish.views import UploadViews
from pypicloud_lite.serve.describe.views import DescriptionViews, XmlRpcView
from pypicloud_lite.serve.docs.routes import mount_docs
from pypicloud_lite.serve.docs.settings import DocsSettings
from pypicloud_lite.serve.docs.views import DocumentationViews, separate_docs
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
    separate_docs(config, services.settings.get(DocsSettings), services.settings.get(WebSettings).base_url)
    ErrorViews(services.settings.get(AccessSettings).realm).mount(config)
    _mount(config, services)
    return TrustedProxies(config.make_wsgi_app(), services.settings.get(WebSettings).networks)


def _mount(config: Configurator, services: Services) -> None:
    """The table of addresses. A path that could be two things is the first of them."""
    settings, index = services.settings, services.index
    base_url = settings.get(WebSettings).base_url
    identity = RequestIdentity(services.logins)
    projects = ProjectPages(services.catalog, services.gate, services.counts, services.projects, services.mirrors)
    searching = ProjectSearch(services.catalog, services.gate, lambda: services.mirror.showing)
    named = NamedIndexPages(services, identity, base_url)
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
        services.attachments,
        max_bytes=settings.get(PublishSettings).max_upload_size,
        base_url=base_url,
    )
    rpc = XmlRpcView(services.descriptions, identity, index)

    def add(name: str, *patterns: str, **methods: View) -> None:
        add_resource(config, name, *patterns, **methods)

    dialect = Dialect(services.mirror.server)
    people = UserViews(
        services.users, services.devpi_login, ApiConfig(base_url), dialect, identity, services.catalog_serial
    )
    mount_users(add, people, dialect)
    add("root", "/", GET=people.root(browse.home), POST=rpc.unless_form(uploads.upload))
    add("lists", "/simple/", "/simple", "/pypi/", "/pypi", GET=simple.projects, POST=rpc.unless_form(uploads.upload))
    add("rpc", "/RPC2", POST=rpc.call)
    add("legacy", "/legacy/", "/legacy", POST=uploads.upload)
    add("project", f"/simple/{PROJECT}/", f"/pypi/{PROJECT}/", GET=simple.project)
    add("project.bare", f"/simple/{PROJECT}", f"/pypi/{PROJECT}", GET=simple.add_slash)
    # where hatch looks, before it uploads, for the files that are there: devpi's page below the upload's address
    add("project.checked", *(f"{path}/+simple/{PROJECT}/" for path in UPLOAD_PATHS), GET=simple.project)
    _mount_named(add, simple)
    mount_docs(add, DocumentationViews(services.documentation, identity, settings.get(DocsSettings)))
    _mount_descriptions(add, DescriptionViews(services.descriptions, services.documents, identity, index, base_url))
    add("file", f"/packages/{INDEX}/{PROJECT}/{DIGEST}/{FILE}", GET=files.by_digest)
    add("file.named", f"/packages/{INDEX}/{PROJECT}/{FILE}", GET=files.by_name)
    # pypiserver's addresses: its clients' lock files and requirements name them
    add("files", "/packages/", "/packages", GET=simple.files)
    add("file.in_folder", f"/packages/{PATH}", GET=files.in_folder)
    mount_pages(add, services, identity, browse, named)
    mount_account(add, services, identity)
    mount_api(config, services, identity, files, uploads)
    _mount_health(add, HealthViews(services.health()))
    others = Others(simple.named_projects, named.page, uploads.upload)
    mount_named(add, services, identity, dialect, others, files, simple)
    # every other word at the root is a project, but for kernel.names.RESERVED_WORDS
    add("root.project", f"/{PROJECT}/", f"/{PROJECT}", GET=people.root_word(simple.root_project), **people.changes())


def _mount_health(add: Callable[..., None], health: HealthViews) -> None:
    add("health", "/health", "/health/", GET=health.whole)
    add("health.live", "/health/live", GET=health.live)
    add("health.ready", "/health/ready", GET=health.ready)


def _mount_named(add: Callable[..., None], simple: SimpleViews) -> None:
    for path in (f"/{INDEX}/+simple/", f"/{INDEX}/simple/"):
        add(f"lists.named {path}", path, GET=simple.named_projects)
        add(f"project.named {path}", f"{path}{PROJECT}/", GET=simple.project)
    # Below simple/ they are a project of that name, and its releases, to the devpi client.
    add("lists.named.bare", f"/{INDEX}/+simple", GET=simple.named_projects)
    add("project.named.bare", f"/{INDEX}/+simple/{PROJECT}", GET=simple.add_slash)


def _mount_descriptions(add: Callable[..., None], views: DescriptionViews) -> None:
    add("json", *with_slash(f"/simple/{PROJECT}/json", f"/pypi/{PROJECT}/json"), GET=views.project_json)
    add("json.root", *with_slash(f"/{PROJECT}/json"), GET=views.root_project_json)
    add("json.release", *with_slash(f"/pypi/{PROJECT}/{VERSION}/json"), GET=views.release_json)
    add("rss.updates", "/rss/updates.xml", GET=views.updates)
    add("rss.packages", "/rss/packages.xml", GET=views.newcomers)
    add("rss.project", f"/rss/project/{PROJECT}/releases.xml", GET=views.releases)
    add("stats", *with_slash("/stats"), GET=views.statistics)
