"""The WSGI application: settings, wiring, and which feature answers where.

A path that could be two things is decided by the order here: Pyramid asks routes from the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from pyramid.config import Configurator
from pyramid.tweens import INGRESS

from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.publish.settings import PublishSettings
from pypicloud_lite.publish.views import ManageFileViews, UploadViews
from pypicloud_lite.serve.settings import ServeSettings
from pypicloud_lite.serve.views import FileViews, HomeView, SimpleViews
from pypicloud_lite.settings.source import from_factory
from pypicloud_lite.web.errors import ErrorViews
from pypicloud_lite.web.health import Health, HealthViews
from pypicloud_lite.web.logs import configure_logging
from pypicloud_lite.web.proxies import TrustedProxies
from pypicloud_lite.web.settings import WebSettings
from pypicloud_lite.wiring import Services, build, load_raw, prepare

_log = structlog.get_logger("pypicloud_lite")


def main(global_config: dict[str, str], **settings: str) -> Any:
    """PasteDeploy's factory: ``use = egg:pypicloud_lite``.

    A wrong configuration is a ``ConfigError``, never ``SystemExit`` (gunicorn would start workers for ever).
    """
    configure_logging()
    here = Path(global_config.get("here", "."))
    loaded = load_raw(from_factory(global_config, settings), here.resolve())
    prepare(loaded)
    file = global_config.get("__file__")
    services = build(loaded, follow=Path(file) if file else None)
    for warning in services.warnings:
        _log.warning("configuration", warning=warning)
    services.housekeeping().start()
    return make_app(services)


def make_app(services: Services) -> Any:
    """The application over wired services; starts nothing in the background."""
    web = services.settings.get(WebSettings)
    config = Configurator()
    config.add_tween("pypicloud_lite.web.hygiene.hygiene_tween", under=INGRESS)
    ErrorViews(services.settings.get(AccessSettings).realm).mount(config)
    _mount_features(config, services, web.base_url)
    app = config.make_wsgi_app()
    return TrustedProxies(app, web.networks) if web.networks else app


def _mount_features(config: Configurator, services: Services, base_url: str | None) -> None:
    identity = RequestIdentity(services.authenticator)
    index = services.index
    simple = SimpleViews(services.simple, identity, index)
    files = FileViews(services.downloads, services.storage, identity, index, services.settings.get(ServeSettings))
    uploads = UploadViews(
        services.uploads,
        services.storage,
        services.gate,
        identity,
        index,
        max_bytes=services.settings.get(PublishSettings).max_upload_size,
        base_url=base_url,
    )
    uploads.mount(config, home=HomeView(base_url).home, projects=simple.projects)
    simple.mount_projects(config)
    files.mount(config)
    ManageFileViews(services.removals, identity, index).mount(config, read=files.in_default_index)
    HealthViews(_health(services)).mount(config)
    simple.mount_root_projects(config)


def _health(services: Services) -> Health:
    return Health({"access": services.access.probe, "cache": services.catalog.probe, "storage": services.storage.probe})
