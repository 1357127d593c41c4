"""What an index shows of one project, to one caller: its own files, those of its bases, then what mirrors have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import CatalogReader
from pypicloud_lite.indexes.definitions import Chain, Definitions
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.serve.visible import may_fall_back, still_rebuilding

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """What of one mirror is shown; ``may_ask``: the caller may have it asked."""

    mirror: Mirror
    show: Show
    may_ask: bool


@dataclass(frozen=True, slots=True)
class Resolved:
    """One project of one index. ``holders`` are the stages that have it and show it to the caller, in order.

    ``hides_mirrors``: a stage of the chain has the name, or keeps it, whoever may see that, and keeps out mirrors that
    the caller may read in. ``withheld`` is the project of the index itself, or of the default one where that is in the
    chain and the caller may read it there, in quarantine: then nothing at all is shown.
    """

    chain: Chain
    name: ProjectName
    holders: Sequence[ProjectRecord]
    mirrors: Sequence[Shown]
    hides_mirrors: bool
    withheld: ProjectRecord | None = None

    @property
    def with_files(self) -> Sequence[ProjectRecord]:
        """Those that list files."""
        return [one for one in self.holders if one.file_count and not _is_quarantined(one)]


class Resolver:
    """One query for all stages of a chain, however many: the definitions are known, or it tells that they changed."""

    def __init__(self, registry: Registry, gate: Gate, mirrors: Mirrors) -> None:
        self._registry = registry
        self._gate = gate
        self._mirrors = mirrors

    def mirrors(self, index: IndexName) -> Sequence[Mirror]:
        """Those whose files the index could show; none where there is no such index."""
        return self._of(self._registry.now().chain(index))

    def _of(self, chain: Chain | None) -> list[Mirror]:
        return [] if chain is None else [found for found in map(self._mirrors.of, chain.mirrors) if found is not None]

    def chain(
        self, identity: Identity, index: IndexName, reader: CatalogReader | None = None, revision: int = 0
    ) -> Chain:
        """What the index shows; :meth:`Gate.unknown_index` where there is none.

        One query, but where a ``reader`` has told the ``revision`` of the definitions and they are known.
        """
        definitions = self._registry.now() if reader is None else self._registry.current(reader, revision)
        chain = definitions.chain(index)
        if chain is None:
            raise self._gate.unknown_index(identity, index)
        return chain

    def resolve(self, reader: CatalogReader, identity: Identity, index: IndexName, name: ProjectName) -> Resolved:
        """The project; NotFound where there is no such index, as :func:`still_rebuilding` where it may be ours.

        Nothing of it may be told to a caller who has no READ on it in ``index``: whoever calls asks the gate.
        """
        found = self._read(reader, identity, index, name)
        stages = frozenset(found.chain.stages)
        held = [one for one in found.records if one.index in stages]
        mirrors = self._readable(found, identity, name)
        shown = self._shown(found, identity, name, mirrors, held)
        if shown and not found.records and not found.is_whole:
            raise still_rebuilding(self._gate, identity, name, index)
        visible = [one for one in held if self._is_visible(identity, one, index)]
        ruling = {index, found.definitions.default}
        withheld = next((one for one in visible if one.index in ruling and _is_quarantined(one)), None)
        hides = bool(mirrors and held and not shown)
        return Resolved(found.chain, name, visible, shown, hides_mirrors=hides, withheld=withheld)

    def _read(self, reader: CatalogReader, identity: Identity, index: IndexName, name: ProjectName) -> _Read:
        definitions = self._registry.known() or self._registry.read(reader)
        for _ in range(_ROUNDS):
            chain = definitions.chain(index)
            # Before the project is read: a rebuild that ends in between would have brought it.
            is_whole = chain is None or not self._may_ask(chain) or self._mirrors.ours.is_whole(reader)
            stages = (*chain.stages, definitions.default) if chain is not None else (definitions.default,)
            revision, records = reader.holders(list(dict.fromkeys(stages)), name)
            known, definitions = definitions, self._registry.current(reader, revision)
            if known is definitions:
                break
        chain = definitions.chain(index)
        if chain is None:
            raise self._gate.unknown_index(identity, index)
        return _Read(definitions, chain, records, is_whole)

    def _may_ask(self, chain: Chain) -> bool:
        return bool(chain.mirrors) or (chain.index.is_default and self._mirrors.built_in.showing.is_on)

    def _is_visible(self, identity: Identity, record: ProjectRecord, index: IndexName) -> bool:
        """What a base has is shown to those who may read it there."""
        return record.index == index or self._gate.allows(identity, Permission.READ, record.name, record.index)

    def _readable(self, found: _Read, identity: Identity, name: ProjectName) -> list[Mirror]:
        """The mirrors of the chain that the caller may read in: the others are as if they were not there."""
        return [
            mirror
            for mirror in self._of(found.chain)
            if self._gate.allows(identity, Permission.READ, name, mirror.index)
        ]

    def _shown(
        self,
        found: _Read,
        identity: Identity,
        name: ProjectName,
        mirrors: Sequence[Mirror],
        held: Sequence[ProjectRecord],
    ) -> list[Shown]:
        """Private hides public: a name of the chain, and of the default index, unless it is whitelisted.

        One that is quarantined in the default index is not looked for elsewhere by anybody.
        """
        shown: list[Shown] = []
        if any(one.index == found.definitions.default and _is_quarantined(one) for one in found.records):
            return shown
        built_in = self._mirrors.built_in
        showing = built_in.showing
        chain, index = found.chain, found.chain.index
        # What is merged is so in the default index and with the built-in mirror alone.
        merged = (
            {built_in.index}
            if showing.merges(name) and index.name in {found.definitions.default, built_in.index}
            else set()
        )
        for mirror in mirrors:
            if chain.asks_mirrors(name, is_private=bool(found.records) and mirror.index not in merged):
                may_ask = self._gate.allows(identity, Permission.FILL_CACHE, name, mirror.index)
                shown.append(Shown(mirror, mirror.showing.show_mirror(name), may_ask))
        falls_back = index.is_default and built_in.index not in chain.mirrors
        if falls_back and may_fall_back(self._gate, self._mirrors, identity):
            may_ask = self._gate.allows(identity, Permission.FILL_CACHE, name, index.name)
            shown.append(Shown(built_in, showing.show(index.name, name, is_ours=bool(held)), may_ask))
        return [one for one in shown if one.show is not Show.NOTHING]


@dataclass(frozen=True, slots=True)
class _Read:
    """``records`` are of the stages of the chain and of the default index."""

    definitions: Definitions
    chain: Chain
    records: Sequence[ProjectRecord]
    is_whole: bool


def _is_quarantined(record: ProjectRecord) -> bool:
    return record.status is ProjectStatus.QUARANTINED
