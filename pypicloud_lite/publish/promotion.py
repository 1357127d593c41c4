"""A release, or some files of one, from one index to another: all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.indexes.copying import Copied, Copying, How
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidRequest, NotFound
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.publish.attachments import Attachments
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.publish.rules import check_status
from pypicloud_lite.publish.strict import check_strict
from pypicloud_lite.publish.upload import Uploads
from pypicloud_lite.storage.port import Spool

_PATIENCE = 60.0
"""Seconds for a file that a mirror has still to fetch."""


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
        mirror_of: Callable[[IndexName], Mirror | None],
    ) -> None:
        self._catalog = catalog
        self._gate = gate
        self._registry = registry
        self._copying = copying
        self._uploads = uploads
        self._attachments = attachments
        self._removals = removals
        self._mirror_of = mirror_of

    def plan(self, wanted: PromotionRequest, identity: Identity, author: Author) -> list[Promoted]:
        """What :meth:`promote` would do, or the same refusal; changes nothing but what a mirror keeps."""
        self._admitted(wanted, identity)
        sources = self._sources(wanted, identity, author)
        steps = self._copying.plan(
            sources, wanted.target, lambda: self._uploads.may_overwrite(identity, wanted.project, wanted.target)
        )
        return [Promoted(str(step.source.filename), step.how) for step in steps]

    def promote(self, wanted: PromotionRequest, identity: Identity, author: Author) -> list[Promoted]:
        """Copy it, or with ``move`` take it away from the source afterwards.

        The same bytes in the target are no error. :class:`~pypicloud_lite.indexes.incoming.FileExists` names the files
        that the target has with other bytes, where it does not take those; then nothing has changed.
        """
        target = self._admitted(wanted, identity)
        if wanted.only_docs:
            self._copy_attached(wanted, {wanted.version} if wanted.version else set(), (), author)
            return []
        sources = self._sources(wanted, identity, author)
        versions = {one.version for one in sources}
        if wanted.docs:
            # Before any file goes: it is all of it or nothing.
            self._attachments.check_docs(wanted.source, wanted.project, versions, wanted.target)

        def admit(catalog: CatalogReader) -> None:
            if self._registry.require(wanted.target, catalog):
                self._gate.require(identity, Permission.WRITE, wanted.project, wanted.target)
            check_status(catalog.project(wanted.target, wanted.project))

        copied = self._copying.copy(
            sources,
            wanted.target,
            author,
            lambda: self._uploads.may_overwrite(identity, wanted.project, wanted.target),
            admit,
            _inspect_strictly if self._uploads.is_strict(target) else None,
        )
        self._copy_attached(wanted, versions, [str(one.filename) for one in sources], author)
        if wanted.move:
            self._removals.remove_rows(sources, identity, author)
        return [_promoted(one) for one in copied]

    def _copy_attached(
        self, wanted: PromotionRequest, versions: Collection[str], files: Collection[str], author: Author
    ) -> None:
        """Documentation, and the results of testing the files that have gone."""
        copied = [
            one
            for version in sorted(versions)
            for one in self._attachments.copy_release(
                wanted.source,
                wanted.project,
                version,
                wanted.target,
                files,
                author,
                docs=wanted.docs or wanted.only_docs,
                results=not wanted.only_docs,
            )
        ]
        if wanted.only_docs and not copied:
            raise NotFound(f"Index {wanted.source} has no documentation of {wanted.project}: nothing was copied")

    def _admitted(self, wanted: PromotionRequest, identity: Identity) -> IndexDefinition:
        """The target, once everything that the caller needs is there."""
        if wanted.source == wanted.target:
            raise InvalidRequest(f"Source and target are both {wanted.source}: name two indexes")
        definitions = self._registry.now()
        if definitions.get(wanted.source) is None:
            raise self._gate.unknown_index(identity, wanted.source)
        if not self._gate.allows(identity, Permission.READ, wanted.project, wanted.source):
            raise self._gate.unknown(identity, wanted.project, wanted.source)
        target = self._uploads.stage(wanted.target, identity)
        self._gate.require(identity, Permission.WRITE, wanted.project, wanted.target)
        if wanted.move:
            self._gate.require(identity, Permission.DELETE, wanted.project, wanted.source)
        return target

    def _sources(self, wanted: PromotionRequest, identity: Identity, author: Author) -> Sequence[FileRecord]:
        mirror = self._mirror_of(wanted.source)
        if mirror is not None:
            self._fetch(mirror, wanted, identity, author)
        with self._catalog.read(snapshot=False) as catalog:
            project = catalog.project(wanted.source, wanted.project)
            files = [
                one
                for one in catalog.files(wanted.source, wanted.project)
                if one.is_listed
                and wanted.version in {None, one.version}
                and (not wanted.filenames or str(one.filename) in wanted.filenames)
            ]
        if project is not None:
            check_status(project)
        missing = set(wanted.filenames) - {str(one.filename) for one in files}
        if missing or not files:
            what = min(missing) if missing else f"{wanted.project} {wanted.version or ''}".strip()
            raise NotFound(f"Index {wanted.source} has no {what} itself: nothing was copied")
        return files

    def _fetch(self, mirror: Mirror, wanted: PromotionRequest, identity: Identity, author: Author) -> None:
        may_ask = self._gate.allows(identity, Permission.FILL_CACHE, wanted.project, wanted.source)
        listing = mirror.listing(wanted.project, may_ask=may_ask)
        for file in listing.read().files if listing is not None else ():
            name = file.filename.value
            if wanted.version not in {None, file.filename.version} or (
                wanted.filenames and name not in wanted.filenames
            ):
                continue
            there = mirror.wanted(wanted.project, name, author, may_ask=may_ask)
            if there is not None and may_ask:
                mirror.keep(there, _PATIENCE)


def _inspect_strictly(spool: Spool, filename: Filename) -> None:
    reader = spool.reader()
    try:
        check_strict(filename, read_artifact(reader, filename))
    finally:
        reader.close()


def _promoted(copied: Copied) -> Promoted:
    return Promoted(str(copied.record.filename), copied.how, copied.record)
