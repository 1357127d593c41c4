"""The settings of everything: which there are, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.db.settings import DatabaseSettings
from pypicloud_lite.devpi.settings import DevpiSettings
from pypicloud_lite.indexes.settings import IndexSettings
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.publish.settings import PublishSettings
from pypicloud_lite.serve.docs.settings import DocsSettings
from pypicloud_lite.serve.settings import ServeSettings
from pypicloud_lite.settings.choice import CHOICES, Backends
from pypicloud_lite.settings.declare import Settings
from pypicloud_lite.settings.environment import variable
from pypicloud_lite.settings.load import Loaded, load
from pypicloud_lite.settings.source import RawSettings, read_ini
from pypicloud_lite.storage.port import Storage
from pypicloud_lite.upstream.settings import UpstreamSettings
from pypicloud_lite.web.settings import WebSettings

MODELS: tuple[type[Settings], ...] = (
    Backends,
    IndexSettings,
    DatabaseSettings,
    AccessSettings,
    LoginSettings,
    DevpiSettings,
    PublishSettings,
    ServeSettings,
    DevpiSettings,
    DocsSettings,
    MirrorSettings,
    UpstreamSettings,
    WebSettings,
)
"""Every feature's settings; those of the chosen storage and access backends join them."""


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read and validate a configuration file, or the built-in defaults when there is none.

    :class:`ConfigError` with every problem at once.
    """
    if path is None:
        return load_raw({}, Path.cwd(), environ)
    return load_raw(read_ini(path), path.resolve().parent, environ)


def load_raw(raw: RawSettings, here: Path, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Validate settings that were read already; files lie below ``here`` where nothing else is said."""
    # A container passes variables on that nobody has set; an empty one must not take a default away.
    given = {name: text for name, text in environ.items() if text or name not in _DEFAULTED}
    return load(raw, given, MODELS, choices=CHOICES, defaults=_defaults(raw, here, given))


_DEFAULTED = frozenset(variable(key) for key in ("db.url", "storage.dir", "pypi.storage", "pypi.auth", "pypi.db"))


def _defaults(raw: RawSettings, here: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A folder and a database beside the configuration, where it names none."""
    defaults = {"db.url": f"sqlite:///{here}/data/catalog.sqlite"}
    if environ.get("PPC_PYPI_STORAGE", raw.get("pypi.storage", "file")).strip() == "file":
        defaults["storage.dir"] = f"{here}/data/packages"
    return defaults


def storage_of(settings: Loaded) -> Storage:
    """The storage backend that was chosen; no I/O."""
    plugin = settings.plugin("pypi.storage")
    built: Storage = plugin.build(settings.get(plugin.settings))
    return built
