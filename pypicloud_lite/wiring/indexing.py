"""Named indexes, of their parts."""

from __future__ import annotations

from functools import partial

from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.db.engine import Database
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.changes import Changes
from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.indexes.settings import IndexSettings
from pypicloud_lite.mirror.forgetting import forget_mirror
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.mirror.showing import MIRROR_INDEX
from pypicloud_lite.settings.load import Loaded

SYSTEM_OWNER = "root"
"""Owns the built-in indexes: administrators act for it where there is no such user."""


def registry_of(settings: Loaded, catalog: Catalog) -> Registry:
    """The indexes that are built in or configured, and where the others are read from. No I/O."""
    own = settings.get(IndexSettings)
    fixed = {one.name: one for one in own.definitions()}
    fixed.setdefault(own.default, IndexDefinition(own.default, source=Source.BUILT_IN, is_default=True))
    if settings.get(MirrorSettings).is_on:
        fixed.setdefault(MIRROR_INDEX, IndexDefinition(MIRROR_INDEX, Kind.MIRROR, source=Source.BUILT_IN))
    return Registry(catalog, fixed.values(), own.default)


def build_indexes(
    settings: Loaded,
    database: Database,
    catalog: Catalog,
    registry: Registry,
    gate: Gate,
    changes: Changes,
    access: Directory,
) -> Indexes:
    """The service that makes and changes them."""
    by_owners = settings.get(IndexSettings).mirrors_by == "owners"

    def mirrors_by(identity: Identity) -> bool:
        return identity.is_admin or by_owners

    def knows_user(name: str) -> bool:
        return name == SYSTEM_OWNER or access.lookup(name) is not None

    return Indexes(catalog, registry, gate, changes, knows_user, mirrors_by, partial(forget_mirror, database))
