"""Names stay private when the configuration takes away a base, an index or the default index between two starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog

from pypicloud_lite.catalog.model import ConfiguredIndex
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.definitions import Definitions
from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.indexes.registry import Registry, definitions_of
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName

_log = structlog.get_logger("pypicloud_lite.indexes")

_AUTHOR = Author("pypicloud_lite")

_TOLD = (
    "the configuration has another default index, or lacks an index or a base that it had: names stay private in what "
    "showed them, free those that shall be public (docs/manage.rst)"
)


def keep_names(catalog: Catalog, registry: Registry) -> None:
    """Compare what is configured with what was at the last start, and give every index the names that it lost.

    One query where nothing changed, one transaction else: of workers that start at once the first one does it all.
    """
    configured = [_noted(one) for one in registry.fixed]
    with catalog.read(snapshot=False) as reader:
        if set(reader.configured_indexes()) == set(configured):
            return
    with catalog.write(_AUTHOR) as writer:
        noted = writer.configured_indexes()
        default = next((one.name for one in noted if one.is_default), None)
        if default is not None:
            revision, rows = writer.indexes()
            before = definitions_of(map(_fixed, noted), default, revision, rows)
            for index, of in lost(before, registry.made_of(revision, rows)):
                kept = writer.reserve_projects(index, of)
                if kept:
                    _log.warning(_TOLD, index=str(index), of=[str(one) for one in of], names=kept)
        writer.note_configured(configured)


def lost(before: Definitions, now: Definitions) -> Iterator[tuple[IndexName, Sequence[IndexName]]]:
    """The indexes that lost names, each with those that it had them of. Pure.

    Whoever stands on one of them still has the names by it. An index that is gone keeps those of its bases too, for
    when it is configured again.
    """
    for index in before:
        own = now.get(index.name)
        if own is not None and own.is_mirror:
            # It hides nothing any more, and whoever stands on it has lost it.
            continue
        bases = now.bases_of(index.name)
        of = [stage for base in before.bases_of(index.name) if base not in bases for stage in before.stages(base)]
        if of:
            yield index.name, tuple(dict.fromkeys(of))
    if before.default != now.default:
        yield now.default, before.stages(before.default)


def _noted(index: IndexDefinition) -> ConfiguredIndex:
    return ConfiguredIndex(index.name, index.kind.value, index.source.value, index.bases, index.is_default)


def _fixed(noted: ConfiguredIndex) -> IndexDefinition:
    options = {"bases": [str(base) for base in noted.bases]}
    return IndexDefinition(noted.name, Kind(noted.kind), options, Source(noted.source), noted.is_default)
