"""Files of one index into another one: all of them or none, for whoever looks.

Bytes first, under keys of their own, then one transaction that enters every row, then the manifests. A process that
dies before the transaction leaves bytes that nothing names; after it, rows that are settled as those of an upload are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

from pypicloud_lite.catalog.model import FileRecord, ManifestState, Origin
from pypicloud_lite.catalog.port import Catalog, CatalogWriter
from pypicloud_lite.indexes.changes import Changes
from pypicloud_lite.indexes.copying_attached import AttachedCopy
from pypicloud_lite.indexes.history import overwritten, pushed
from pypicloud_lite.indexes.incoming import (
    Admit,
    FileExists,
    MayOverwrite,
    check_existing,
    check_rebuilding,
    check_reservation,
)
from pypicloud_lite.indexes.layout import new_home
from pypicloud_lite.indexes.sidecars import Sidecars
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import CatalogUnavailable, CommitUnknown, Conflict
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.storage.port import BlobNotFound, DigestMismatch, Spool, Storage

_ROUNDS = 20

Inspect = Callable[[Spool, Filename], None]
"""Looks at the bytes of one file on its way; raises where they may not come in."""


class How(Enum):
    """What becomes of one file."""

    COPY = "copied"
    REPLACE = "replaced"
    THERE = "already there"


@dataclass(frozen=True, slots=True)
class Step:
    """One file of the source, and what there is in the target."""

    source: FileRecord
    how: How
    existing: FileRecord | None = None


@dataclass(frozen=True, slots=True)
class Copied:
    """One file as the target has it now."""

    record: FileRecord
    how: How


class _Changed(Exception):
    """Something changed between the plan and the transaction."""


class Copying:
    """Copies files; who may have it done is decided by whoever calls."""

    def __init__(self, storage: Storage, catalog: Catalog, changes: Changes, clock: Clock) -> None:
        self._storage = storage
        self._catalog = catalog
        self._changes = changes
        self._sidecars = Sidecars(storage, catalog)
        self._clock = clock

    def plan(self, sources: Sequence[FileRecord], target: IndexName, may_overwrite: MayOverwrite) -> list[Step]:
        """What would be done; :class:`FileExists` names every file that is not taken. Changes nothing.

        One request to the storage for each file that is there already: one whose bytes got lost is put there again.
        """
        steps, refused = [], []
        with self._catalog.read() as catalog:
            for source in sources:
                existing = catalog.file(target, str(source.filename))
                reservation = None if existing else catalog.reservation(target, str(source.filename))
                sha256 = source.digests.sha256
                try:
                    if existing is not None:
                        check_existing(existing, source.filename, sha256, may_overwrite)
                    else:
                        check_rebuilding(catalog, source.filename)
                    check_reservation(reservation, source.filename, sha256, may_overwrite)
                except FileExists as error:
                    refused.append(error.message)
                    continue
                is_there = existing is not None and existing.digests.sha256 == sha256
                how = How.COPY if existing is None else How.THERE if is_there else How.REPLACE
                steps.append(Step(source, how, existing))
        if refused:
            raise FileExists(f"Nothing was copied to {target}: {'; '.join(refused)}")
        return [self._verified(step) for step in steps]

    def _verified(self, step: Step) -> Step:
        """Who promotes what got lost in the target repairs it; no right to overwrite is needed for that."""
        if step.how is not How.THERE or step.existing is None or self._sidecars.is_whole(step.existing):
            return step
        return replace(step, how=How.REPLACE)

    def inspect(self, source: FileRecord, inspect: Inspect) -> None:
        """Have the bytes of one file looked at, as :meth:`copy` has them; nothing changes."""
        try:
            with self._inspected(source, inspect):
                return
        except (BlobNotFound, DigestMismatch):
            raise _gone(source) from None

    def copy(
        self,
        sources: Sequence[FileRecord],
        target: IndexName,
        author: Author,
        may_overwrite: MayOverwrite,
        admit: Admit,
        inspect: Inspect | None = None,
        attached: AttachedCopy | None = None,
    ) -> list[Copied]:
        """Copy them; durable in bytes, rows and manifests when this returns. Upload time and uploader stay theirs.

        ``attached`` comes in the same transaction. :class:`FileExists` where one of all is not taken, Conflict where
        one is deleted meanwhile: then there is nothing of any.
        """
        prepared: dict[str, FileRecord] = {}
        try:
            enter = partial(self._enter, author=author, may_overwrite=may_overwrite, admit=admit, attached=attached)
            steps, copied = self._rounds(sources, target, author, may_overwrite, inspect, prepared, enter)
        except CommitUnknown:
            # These bytes may be somebody's: what nobody names is found later, as a leftover.
            raise
        except BaseException:
            for record in prepared.values():
                self._sidecars.discard(record)
            if attached is not None:
                attached.discard()
            raise
        self._finish(steps, copied, prepared, author)
        if attached is not None:
            attached.finish()
        return copied

    def _rounds(
        self,
        sources: Sequence[FileRecord],
        target: IndexName,
        author: Author,
        may_overwrite: MayOverwrite,
        inspect: Inspect | None,
        prepared: dict[str, FileRecord],
        enter: Callable[[Sequence[Step], dict[str, FileRecord]], list[Copied]],
    ) -> tuple[list[Step], list[Copied]]:
        """Plan, store, enter, until nothing changed in between; what is stored already is not stored again."""
        for _ in range(_ROUNDS):
            steps = self._settled(self.plan(sources, target, may_overwrite))
            for step in steps:
                name = str(step.source.filename)
                if step.how is not How.THERE and name not in prepared:
                    prepared[name] = self._stored(step.source, target, author, inspect)
            try:
                return steps, enter(steps, prepared)
            except _Changed:
                continue
        raise CatalogUnavailable(f"What is in {target} changes all the time: try again later")

    def _settled(self, steps: Sequence[Step]) -> list[Step]:
        """What is there already must be there for good; one that is on its way out makes room first."""
        return [
            step if step.existing is None or self._changes.settle(step.existing) else Step(step.source, How.COPY)
            for step in steps
        ]

    def _stored(self, source: FileRecord, target: IndexName, author: Author, inspect: Inspect | None) -> FileRecord:
        """The bytes under a key of the target; they come by way of this machine only where somebody looks at them.

        So do those that lie where other hands write: a link would let such a hand write both, and its time tells when
        the file was taken over.
        """
        home = new_home(target, source.project, str(source.filename), source.digests.sha256)
        now = self._clock()
        record = replace(
            source,
            index=target,
            key=home,
            home=home,
            origin=Origin.UPLOAD,
            manifest=ManifestState.PENDING,
            serial=0,
            id=0,
            history=pushed(source, target, author.name, now),
        )
        try:
            if inspect is None and source.key == source.home:
                self._storage.copy(source.key, record.key, source.size)
            else:
                with self._inspected(source, inspect) as spool:
                    self._storage.put(record.key, spool)
            if source.metadata_sha256 is not None:
                self._storage.write(record.metadata_key, self._storage.read(source.metadata_key))
            if source.signed:
                self._storage.write(record.signature_key, self._storage.read(source.signature_key))
        except (BlobNotFound, DigestMismatch):
            self._sidecars.discard(record)
            raise _gone(source) from None
        except BaseException:
            self._sidecars.discard(record)
            raise
        return record

    @contextmanager
    def _inspected(self, source: FileRecord, inspect: Inspect | None) -> Iterator[Spool]:
        """The bytes by way of this machine, held against their digest and looked at before they are published."""
        with self._storage.open(source.key) as chunks, self._storage.spool(source.size) as spool:
            for chunk in chunks:
                spool.write(chunk)
            _check_bytes(spool, source)
            if inspect is not None:
                inspect(spool, source.filename)
            yield spool

    def _enter(
        self,
        steps: Sequence[Step],
        prepared: dict[str, FileRecord],
        *,
        author: Author,
        may_overwrite: MayOverwrite,
        admit: Admit,
        attached: AttachedCopy | None,
    ) -> list[Copied]:
        if attached is not None:
            attached.stage()
        with self._catalog.write(author) as catalog:
            admit(catalog)
            copied = [
                self._entered(catalog, step, prepared.get(str(step.source.filename)), may_overwrite) for step in steps
            ]
            if attached is not None:
                attached.enter(catalog)
        return copied

    def _entered(
        self, catalog: CatalogWriter, step: Step, new: FileRecord | None, may_overwrite: MayOverwrite
    ) -> Copied:
        source = catalog.file(step.source.index, str(step.source.filename))
        if source is None or source.id != step.source.id or not source.is_listed:
            raise Conflict(
                f"{step.source.filename} was deleted or replaced in {step.source.index} meanwhile: nothing was copied"
            )
        if new is not None:
            # It may have been yanked since; of a file of a mirror its listing tells, not its row.
            told = step.source if source.origin is Origin.CACHE else source
            new = replace(new, yanked=told.yanked, yanked_reason=told.yanked_reason)
        index = new.index if new is not None else step.existing.index if step.existing is not None else source.index
        now = catalog.file(index, str(step.source.filename))
        if (now and now.id) != (step.existing and step.existing.id):
            raise _Changed
        if now is not None and step.how is How.THERE:
            return Copied(now, step.how)
        if new is None:
            raise _Changed
        # The index may be another since the plan was made.
        filename, sha256 = source.filename, source.digests.sha256
        if now is not None:
            check_existing(now, filename, sha256, may_overwrite)
        core = catalog.core_metadata(source.id)
        if now is None:
            # Once more, now that no other writer can reserve the name.
            check_rebuilding(catalog, filename)
            check_reservation(catalog.reservation(index, str(filename)), filename, sha256, may_overwrite)
            project = catalog.project(source.index, source.project)
            spelling = project.display_name if project is not None else source.project.value
            return Copied(catalog.add_file(new, core, spelling), step.how)
        if now.digests.sha256 != new.digests.sha256:
            new = replace(new, history=overwritten(now, new, self._clock()))
        row = catalog.replace_file(now, new, core)
        if row is None:
            raise _Changed
        return Copied(row, step.how)

    def _finish(
        self, steps: Sequence[Step], copied: Sequence[Copied], prepared: dict[str, FileRecord], author: Author
    ) -> None:
        for step, done in zip(steps, copied, strict=True):
            if done.how is How.THERE:
                unused = prepared.get(str(step.source.filename))
                if unused is not None:
                    self._sidecars.discard(unused)
                continue
            self._sidecars.tell(done.record)
            if step.existing is not None:
                self._sidecars.discard(step.existing)
                if step.existing.digests.sha256 != done.record.digests.sha256:
                    # They are about other bytes.
                    names = {str(done.record.filename)}
                    self._changes.attached.remove_results(
                        done.record.index, done.record.project, names, author, before=done.record.serial
                    )


def _gone(source: FileRecord) -> Conflict:
    return Conflict(
        f"{source.filename} was deleted from {source.index} meanwhile, or is damaged there: nothing was copied"
    )


def _check_bytes(spool: Spool, source: FileRecord) -> None:
    if spool.digests.sha256 != source.digests.sha256:
        ours, theirs = "restore it from a backup, or delete it there and upload it again", "run ppc-resync"
        how = ours if source.key == source.home else theirs
        raise Conflict(
            f"{source.filename} in {source.index} has other bytes in the storage than when it came, so nothing was "
            f"copied: {how}"
        )
