"""One project, for a caller who may see it; for any other the answer that gives nothing away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import ProjectRecord
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.kernel.errors import AuthenticationRequired, PpcError, StillRebuilding
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.registry import Mirrors


@contextmanager
def visible_project(
    catalog: Catalog, gate: Gate, identity: Identity, index: IndexName, name: ProjectName
) -> Iterator[tuple[CatalogReader, ProjectRecord]]:
    """A read scope, and the project in it; raises what the gate says of one that is unknown or hidden.

    One query. A hidden project costs a logged-in caller the same queries as an unknown one, so that the time tells
    nothing.
    """
    visible = gate.allows(identity, Permission.READ, name)
    if not visible and not identity.is_authenticated:
        raise gate.unknown(identity, name)
    with catalog.read(snapshot=False) as reader:
        record = reader.project(index, name)
        if record is None or not record.file_count or not visible:
            raise unknown(reader, gate, identity, name)
        yield reader, record


def may_fall_back(gate: Gate, mirrors: Mirrors, identity: Identity) -> bool:
    """Whether the default index shows the caller what it falls back to: not what he may not read in that mirror.

    No query, but where the mirror's definition names its readers.
    """
    return not mirrors.built_in_names_readers or gate.may_know_of(identity, mirrors.built_in.index)


def unknown(
    reader: CatalogReader, gate: Gate, identity: Identity, name: ProjectName, index: IndexName | None = None
) -> PpcError:
    """What is said of a project that is not there: while the first rebuild runs, that it may still come."""
    if reader.state().rebuilding_since is not None:
        return still_rebuilding(gate, identity, name, index)
    return gate.unknown(identity, name, index)


def still_rebuilding(gate: Gate, identity: Identity, name: ProjectName, index: IndexName | None = None) -> PpcError:
    """That it may still come; but not to whom a login is asked of, nor of an index that the caller may not know of."""
    told = gate.unknown(identity, name, index)
    if isinstance(told, AuthenticationRequired) or (index is not None and not gate.may_know_of(identity, index)):
        return told
    return StillRebuilding.of_project(name)
