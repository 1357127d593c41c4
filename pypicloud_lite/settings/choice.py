"""Which backend stands behind a port: a short name, an entry point, or ``package.module:attribute``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.settings.declare import Plugin, Settings
from pypicloud_lite.settings.nearest import nearest

STORAGE = "pypicloud_lite.storage"
ACCESS = "pypicloud_lite.access"
"""The entry point groups of the two ports."""


class Backends(Settings):
    """Which backends are in force."""

    storage: str = Field(
        "file",
        alias="pypi.storage",
        description="Where the files lie: 'file' (a folder), 's3' (a bucket), the name of another installed "
        "backend, or package.module:attribute.",
    )
    db: Literal["sql"] = Field(
        "sql",
        alias="pypi.db",
        description="Where the catalog is kept: 'sql' (SQLite, PostgreSQL, MySQL or MariaDB, by db.url).",
    )
    auth: str = Field(
        "config",
        alias="pypi.auth",
        description="Who knows the users: 'config' (user.* and group.* of this file), 'htpasswd', 'sql', 'ldap', "
        "'remote', 'aws_secrets_manager', the name of another installed backend, or package.module:attribute. "
        "Several are asked in their order, and their groups and rules add up: htpasswd config.",
    )


CHOICES: Mapping[str, str] = MappingProxyType({"pypi.storage": STORAGE, "pypi.auth": ACCESS})
"""The keys of :class:`Backends` that choose a plugin, and the entry point group of each."""

CHAINED = frozenset({"pypi.auth"})
"""Those of them that may choose several."""


def choose(port_group: str, name: str) -> Plugin[Any, Any]:
    """Load the plugin that ``name`` means; :class:`ConfigError` says what there is instead."""
    if ":" in name:
        return _checked(_import(name), name)
    named = _named(port_group)
    if name not in named:
        choices = ", ".join(sorted(named)) or "nothing (is pypicloud_lite installed, not only copied?)"
        guess = nearest(name, named)
        hint = f"did you mean {guess}? " if guess else ""
        raise ConfigError(
            f"there is no backend {shown(name)}: {hint}choose one of {choices}, or write package.module:attribute"
        )
    entries = named[name]
    if len(entries) > 1:
        places = " and ".join(entry.value for entry in entries)
        raise ConfigError(f"{shown(name)} is offered by {places}: write the one you mean as package.module:attribute")
    try:
        backend = entries[0].load()
    except Exception as error:  # a plugin of others may raise anything
        raise ConfigError(
            f"{shown(name)} cannot be loaded ({error}): install its packages with pip install 'pypicloud_lite[{name}]'"
        ) from error
    return _checked(backend, name)


def others(port_group: str, chosen: Iterable[Plugin[Any, Any]]) -> tuple[type[Settings], ...]:
    """List the settings of the plugins that were not chosen; one that cannot be loaded is left out."""
    found: list[type[Settings]] = []
    in_force = [plugin.settings for plugin in chosen]
    for name in sorted(_named(port_group)):
        try:
            plugin = choose(port_group, name)
        except ConfigError:
            continue
        if plugin.settings not in in_force:
            found.append(plugin.settings)
    return tuple(found)


def _named(port_group: str) -> Mapping[str, Sequence[EntryPoint]]:
    return _installed(port_group, tuple(sys.path))


@lru_cache(maxsize=16)
def _installed(port_group: str, _path: tuple[str, ...]) -> Mapping[str, Sequence[EntryPoint]]:
    """Reads a file of every installed package, so once is enough: what is installed later wants a new process."""
    named: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=port_group):
        same = named.setdefault(entry.name, [])
        # A checkout beside an installed copy says the same thing twice.
        if all(entry.value != other.value for other in same):
            same.append(entry)
    return named


def _import(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except Exception as error:  # a plugin of others may raise anything
        raise ConfigError(
            f"{shown(name)} cannot be imported ({error}): write it as package.module:attribute and install its package"
        ) from error


def _checked(backend: object, name: str) -> Plugin[Any, Any]:
    if not isinstance(backend, Plugin):
        raise ConfigError(f"{shown(name)} is not a backend: it must be a pypicloud_lite.settings.declare.Plugin")
    return backend
