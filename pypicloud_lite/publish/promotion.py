"""A release, or some files of one, from one index to another: all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.indexes.copying import Copied, Copying, How, Inspect
from pypicloud_lite.indexes.copying_attached import AttachedChoice, AttachedCopy
from pypicloud_lite.indexes.incoming import MayOverwrite
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import Conflict, InvalidRequest, NotFound
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.publish.attachments import Attachments
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.publish.rules import check_gives, check_status
from pypicloud_lite.publish.sources import Choice, Sources
from pypicloud_lite.publish.strict import check_strict
from pypicloud_lite.publish.upload import Uploads
from pypicloud_lite.storage.port import Spool


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """What goes where. ``version`` is normalised; None means every one. ``filenames`` chooses among its files.

    Documentation goes along unless ``docs`` says no, with ``only_docs`` nothing else does.
    """

    source: IndexName
    target: IndexName
    project: ProjectName
    version: str | None = None
    filenames: tuple[str, ...] = ()
    move: bool = False
    docs: bool = True
    only_docs: bool = False


@dataclass(frozen=True, slots=True)
class Promoted:
    """What became, or would become, of one file."""

    filename: str
    how: How
    record: FileRecord | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is to be copied: files, and what is attached to them and their releases."""

    sources: Sequence[FileRecord]
    attached: AttachedCopy
    may_overwrite: MayOverwrite
    inspect: Inspect | None


class Promotion:
    """The service. Only what the source has itself counts; of a mirror what it lists, which is then fetched."""

    def __init__(
        self,
        catalog: Catalog,
        gate: Gate,
        registry: Registry,
        copying: Copying,
        uploads: Uploads,
        attachments: Attachments,
        removals: Removals,
        sources: Sources,
    ) -> None:
        self._catalog = catalog
        self._gate = gate
        self._registry = registry
        self._copying = copying
        self._uploads = uploads
        self._attachments = attachments
        self._removals = removals
        self._sources = sources

    def plan(self, wanted: PromotionRequest, identity: Identity, author: Author) -> list[Promoted]:
        """What :meth:`promote` would do, or the same refusal; changes nothing but what a mirror keeps."""
        ready = self._ready(wanted, identity, author)
        steps = self._copying.plan(ready.sources, wanted.target, ready.may_overwrite)
        for step in steps:
            if ready.inspect is not None and step.how is not How.THERE:
                self._copying.inspect(step.source, ready.inspect)
        return [Promoted(str(step.source.filename), step.how) for step in steps]

    def promote(self, wanted: PromotionRequest, identity: Identity, author: Author) -> list[Promoted]:
        """Copy it, or with ``move`` take it away from the source afterwards, a whole release with its documentation.

        The same bytes in the target are no error. :class:`~pypicloud_lite.indexes.incoming.FileExists` names the files
        that the target has with other bytes, where it does not take those; then nothing has changed.
        """
        ready = self._ready(wanted, identity, author)
        sources, attached, admit = ready.sources, ready.attached, partial(self._admit, wanted, identity, ready.sources)
        if wanted.only_docs:
            if not attached.carry(author, admit):
                raise _no_docs(wanted)
            return []
        copied = self._copying.copy(sources, wanted.target, author, ready.may_overwrite, admit, ready.inspect, attached)
        if wanted.move:
            documentation = [one for one, _copy in attached.copied if one.for_file is None]
            self._removals.remove_rows(sources, identity, author, documentation)
        return [_promoted(one) for one in copied]

    def _ready(self, wanted: PromotionRequest, identity: Identity, author: Author) -> _Ready:
        """What there is to do, once all is asked that can be known before anything changes."""
        target = self._admitted(wanted, identity)
        with self._catalog.read(snapshot=False) as catalog:
            self._admit(wanted, identity, (), catalog)
        sources: Sequence[FileRecord] = ()
        if not wanted.only_docs:
            choice = Choice(wanted.source, wanted.project, wanted.version, wanted.filenames)
            sources = self._sources.find(choice, identity, author)
        attached = self._attached(wanted, sources)
        # Before any bytes are copied.
        if not attached.check() and wanted.only_docs:
            raise _no_docs(wanted)
        if wanted.move:
            with self._catalog.read() as catalog:
                _check_yanks(sources, wanted.target, catalog)
        return _Ready(
            sources,
            attached,
            lambda: self._uploads.may_overwrite(identity, wanted.project, wanted.target),
            _inspect_strictly if self._uploads.is_strict(target) else None,
        )

    def _admit(
        self, wanted: PromotionRequest, identity: Identity, sources: Sequence[FileRecord], catalog: CatalogReader
    ) -> None:
        """Raise where the source may not give, the target may not take, or a yank would be lost on the way."""
        if self._registry.require(wanted.target, catalog):
            self._gate.require(identity, Permission.WRITE, wanted.project, wanted.target)
        check_status(catalog.project(wanted.target, wanted.project))
        check_gives(catalog.project(wanted.source, wanted.project))
        if wanted.move:
            _check_yanks(sources, wanted.target, catalog)

    def _attached(self, wanted: PromotionRequest, sources: Sequence[FileRecord]) -> AttachedCopy:
        """Documentation, and the results of testing the files that go."""
        return self._attachments.copying(
            AttachedChoice(
                wanted.source,
                wanted.target,
                wanted.project,
                {wanted.version} if wanted.only_docs and wanted.version else {one.version for one in sources},
                {str(one.filename) for one in sources},
                docs=wanted.docs or wanted.only_docs,
                results=not wanted.only_docs,
            )
        )

    def _admitted(self, wanted: PromotionRequest, identity: Identity) -> IndexDefinition:
        """The target, once everything that the caller needs is there."""
        if wanted.source == wanted.target:
            raise InvalidRequest(f"Source and target are both {wanted.source}: name two indexes")
        self._sources.check(wanted.source, wanted.project, identity)
        target = self._uploads.stage(wanted.target, identity)
        self._gate.require(identity, Permission.WRITE, wanted.project, wanted.target)
        if wanted.move:
            self._gate.require(identity, Permission.DELETE, wanted.project, wanted.source)
        return target


def _inspect_strictly(spool: Spool, filename: Filename) -> None:
    reader = spool.reader()
    try:
        check_strict(filename, read_artifact(reader, filename))
    finally:
        reader.close()


def _check_yanks(sources: Sequence[FileRecord], target: IndexName, catalog: CatalogReader) -> None:
    """What is there already keeps its own mark; once the source is gone, nothing would tell of that one's."""
    for one in sources:
        now = catalog.file(one.index, str(one.filename))
        there = catalog.file(target, str(one.filename))
        is_yanked = one.yanked or (now is not None and now.yanked)
        if is_yanked and there is not None and there.digests.sha256 == one.digests.sha256 and not there.yanked:
            raise Conflict(
                f"{one.filename} is yanked in {one.index} and not in {target}, which has it already: yank it there "
                "too, or promote without moving"
            )


def _no_docs(wanted: PromotionRequest) -> NotFound:
    release = f"{wanted.project} {wanted.version or ''}".strip()
    return NotFound(f"Index {wanted.source} has no documentation of {release}: upload it there first")


def _promoted(copied: Copied) -> Promoted:
    return Promoted(str(copied.record.filename), copied.how, copied.record)
