"""Every file that an index shows of a project, by where it is: for those who tell more than a page for installers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord, ProjectRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.definitions import Chain
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.serve.resolving import Resolved, Resolver
from pypicloud_lite.serve.simple import Asked
from pypicloud_lite.serve.visible import unknown


@dataclass(frozen=True, slots=True)
class Held:
    """What one stage of the chain has of it; ``files`` are the listed ones, in the order they came."""

    project: ProjectRecord
    files: Sequence[FileRecord]


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What one mirror of the chain lists."""

    index: IndexName
    files: Sequence[PageFile]


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """One project of one index: what stages have, in order, then what mirrors list.

    ``hides_mirrors``: there are mirrors that the caller may read in, and a name of ours hides what they have.
    """

    chain: Chain
    name: ProjectName
    held: Sequence[Held]
    mirrored: Sequence[Mirrored]
    hides_mirrors: bool

    @property
    def display_name(self) -> str:
        """As its first stage spells it."""
        return self.held[0].project.display_name if self.held else self.name.value


class ProjectLookup:
    """Looks for them: two queries, and what each mirror costs."""

    def __init__(self, catalog: Catalog, gate: Gate, resolver: Resolver) -> None:
        self._catalog = catalog
        self._gate = gate
        self._resolver = resolver

    def find(self, identity: Identity, index: IndexName, name: ProjectName, *, with_bases: bool = True) -> ProjectFiles:
        """The project, as the page for installers would list it; raises the same for what is unknown or hidden.

        Without bases it is what the index has itself. A mirror that does not answer is left out where there is more.
        """
        with self._catalog.read(snapshot=False) as catalog:
            resolved = self._resolver.resolve(catalog, identity, index, name)
            holders = [one for one in resolved.with_files if with_bases or one.index == index]
            asks = bool(resolved.mirrors) and (with_bases or resolved.chain.index.is_mirror)
            visible = self._gate.allows(identity, Permission.READ, name, index)
            if not visible or resolved.withheld is not None or not (holders or asks):
                raise unknown(catalog, self._gate, identity, name, index)
            files = catalog.files_of(holders)
        held = [Held(one, [file for file in files[one.index] if file.is_listed]) for one in holders]
        mirrored = self._mirrored(identity, resolved, has_own=bool(held)) if asks else []
        return ProjectFiles(resolved.chain, name, held, mirrored, resolved.hides_mirrors)

    def refresh(self, index: IndexName, name: ProjectName) -> None:
        """Have each mirror of the index asked anew when somebody wants the project next; nobody is asked now.

        For anybody: the devpi client sends no login with it. Nothing is told, not even whether there is such an index,
        and what is known stays.
        """
        for mirror in self._resolver.mirrors(index):
            mirror.pages.expire(name)

    def _mirrored(self, identity: Identity, resolved: Resolved, *, has_own: bool) -> list[Mirrored]:
        if all(one.show is Show.REDIRECT for one in resolved.mirrors):
            return []
        asked = Asked.all(resolved)
        if not asked.listings and not has_own:
            if asked.error is not None:
                raise asked.error
            raise self._gate.nowhere(identity, resolved.name, resolved.chain.index.name, may_ask=asked.may_ask)
        return [Mirrored(one.index, one.listing.read().files) for one in asked.answers]
