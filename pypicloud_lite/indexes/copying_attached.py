"""What is attached to releases, on its way to another index with their files.

The bytes are staged first, then the rows come in the transaction that enters the files (``copying``), then the
manifests: what the source has lost is told before anything is published, and no release is there without what belongs
to it. A process that dies before the transaction leaves bytes that nothing names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import structlog

from pypicloud_lite.catalog.model import Attachment, AttachmentKind
from pypicloud_lite.catalog.port import Catalog, CatalogReader, CatalogWriter
from pypicloud_lite.indexes.attaching import Attaching
from pypicloud_lite.indexes.incoming import Admit, FileExists, MayOverwrite
from pypicloud_lite.indexes.layout import new_attached
from pypicloud_lite.indexes.sidecars import Sidecars
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import BackendUnavailable, CommitUnknown, Conflict
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.storage.port import BlobNotFound, Storage

_log = structlog.get_logger("pypicloud_lite.copying")
_ROUNDS = 20
_LEAVE = 'leave it behind (--no-docs, "docs": false)'


@dataclass(frozen=True, slots=True)
class AttachedChoice:
    """What goes along: the documentation of these (normalised) versions, and results of testing these files."""

    source: IndexName
    target: IndexName
    project: ProjectName
    versions: Collection[str]
    files: Collection[str] = ()
    docs: bool = True
    results: bool = True

    def rows(self, catalog: CatalogReader) -> list[Attachment]:
        """Those that there are, documentation first: one query."""
        found = [one for one in catalog.attachments(self.source, self.project) if one.version in self.versions]
        docs = [one for one in found if self.docs and one.kind is AttachmentKind.DOCZIP]
        return docs + [one for one in found if self.results and one.for_file in self.files]


@dataclass(slots=True)
class _Piece:
    """One attachment: ``new`` is as it would be in the target, ``row`` as it is there in the end.

    ``lost`` is what the target had and what is replaced, as its bytes are others or gone.
    """

    source: Attachment
    new: Attachment
    is_stored: bool = False
    lost: Attachment | None = None
    replaced: Attachment | None = None
    row: Attachment | None = None


class AttachedCopy:
    """One copy, made once: :meth:`carry` alone, else :meth:`stage`, :meth:`enter`, then :meth:`finish`.

    Documentation that differs from the target's is :class:`FileExists` unless ``may_overwrite`` says yes. A result of
    tests whose bytes are lost stays behind, and so does one about a file that the target has not with the same bytes.
    """

    def __init__(self, storage: Storage, catalog: Catalog, choice: AttachedChoice, may_overwrite: MayOverwrite) -> None:
        self._storage = storage
        self._catalog = catalog
        self._choice = choice
        self._may_overwrite = may_overwrite
        self._attaching = Attaching(storage, catalog)
        self._sidecars = Sidecars(storage, catalog)
        self._pieces: list[_Piece] | None = None
        self._is_new = False
        self.copied: list[tuple[Attachment, Attachment]] = []
        """Once finished: what the source had, and what the target has for it."""

    def check(self) -> bool:
        """Raise what :meth:`stage` would of documentation, as far as lengths tell; whether there is any."""
        chosen, there = self._read()
        documentation = [one for one in chosen if one.for_file is None]
        for one in documentation:
            existing = there.get(one.filename)
            self._check_rival(one, existing)
            if not self._attaching.is_whole(one) and (existing is None or not self._is_copy(existing, one)):
                raise _lost(one)
        return bool(documentation)

    def carry(self, author: Author, admit: Admit) -> list[Attachment]:
        """Copy it in a transaction of its own; what the target has now."""
        try:
            self.stage()
            if self._pieces:
                with self._catalog.write(author) as catalog:
                    admit(catalog)
                    self.enter(catalog)
        except CommitUnknown:
            # These bytes may be the target's by now: what nobody names is found later, as a leftover.
            raise
        except BaseException:
            self.discard()
            raise
        self.finish()
        return [row for _source, row in self.copied]

    def stage(self) -> None:
        """Bring the bytes to keys of the target, where it has them not; Conflict where documentation is lost."""
        if self._pieces is not None:
            return
        chosen, there = self._read()
        self._pieces = []
        for one in chosen:
            name = _free_name(one, there, {piece.new.filename for piece in self._pieces})
            existing = there.get(name)
            if one.for_file is None:
                self._check_rival(one, existing)
            target = self._choice.target
            key = new_attached(target, one.project, name, one.sha256)
            piece = _Piece(one, replace(one, index=target, filename=name, key=key, serial=0, id=0))
            self._pieces.append(piece)
            if existing is not None and self._is_copy(existing, one):
                continue
            piece.lost = existing
            self._store(piece)

    def enter(self, catalog: CatalogWriter) -> None:
        """Make the rows; may be asked again where the transaction was rolled back."""
        choice = self._choice
        if not self._pieces:
            return
        ours = {one.filename: one.id for one in catalog.attachments(choice.source, choice.project)}
        theirs = {one.filename: one for one in catalog.attachments(choice.target, choice.project)}
        same = self._same_files(catalog)
        self._is_new = False
        for piece in self._pieces:
            piece.row = piece.replaced = None
            one = piece.source
            is_there = ours.get(one.filename) == one.id
            if one.for_file is None and not is_there:
                raise Conflict(
                    f"{one.filename} was removed or replaced in {one.index} meanwhile: nothing was copied, try again"
                )
            if one.for_file is None or (is_there and one.for_file in same):
                self._enter_one(catalog, piece, theirs.get(piece.new.filename))

    def finish(self) -> None:
        """Write the manifests, once the rows are committed."""
        if self._is_new:
            self._sidecars.tell_project(self._choice.target, self._choice.project)
        for piece in self._pieces or ():
            if piece.row is not None and self._attaching.tell(piece.row):
                self.copied.append((piece.source, piece.row))
            if piece.is_stored and (piece.row is None or piece.row.key != piece.new.key):
                self._attaching.discard(piece.new)
            if piece.replaced is not None:
                self._attaching.discard(piece.replaced)

    def discard(self) -> None:
        """Remove the bytes, where no row came to name them."""
        for piece in self._pieces or ():
            if piece.is_stored:
                self._attaching.discard(piece.new)

    def _read(self) -> tuple[list[Attachment], dict[str, Attachment]]:
        with self._catalog.read() as catalog:
            there = catalog.attachments(self._choice.target, self._choice.project)
            return self._choice.rows(catalog), {one.filename: one for one in there}

    def _is_copy(self, existing: Attachment, one: Attachment) -> bool:
        """Whether the target has the same bytes, and has them still."""
        return existing.sha256 == one.sha256 and self._attaching.is_whole(existing)

    def _check_rival(self, one: Attachment, rival: Attachment | None) -> None:
        if rival is not None and rival.sha256 != one.sha256 and not self._may_overwrite():
            raise FileExists(
                f"{one.filename} is in {self._choice.target} with other content, so nothing was copied: {_LEAVE}"
            )

    def _store(self, piece: _Piece) -> None:
        one = piece.source
        with self._storage.spool(one.size) as spool:
            try:
                with self._storage.open(one.key) as blob:
                    for chunk in blob:
                        spool.write(chunk)
                refusal = _damaged(one) if spool.digests.sha256 != one.sha256 else None
            except BlobNotFound:
                refusal = _lost(one)
            if refusal is None:
                piece.is_stored = True
                self._storage.put(piece.new.key, spool)
            elif one.for_file is None:
                raise refusal
            else:
                _log.warning("a result of tests is lost and stays behind", index=str(one.index), filename=one.filename)

    def _same_files(self, catalog: CatalogReader) -> set[str]:
        """The files that both indexes have with the same bytes."""
        choice = self._choice
        if not choice.results or not choice.files:
            return set()
        ours = {str(row.filename): row.digests.sha256 for row in catalog.files(choice.source, choice.project)}
        theirs = [row for row in catalog.files(choice.target, choice.project) if row.is_listed]
        return {str(row.filename) for row in theirs if ours.get(str(row.filename)) == row.digests.sha256}

    def _enter_one(self, catalog: CatalogWriter, piece: _Piece, now: Attachment | None) -> None:
        one = piece.source
        is_same = now is not None and now.sha256 == one.sha256
        if is_same and now is not None and (piece.lost is None or now.id != piece.lost.id):
            piece.row = now
            return
        if not piece.is_stored:
            if one.for_file is not None:
                # Lost in the source.
                return
            raise _changing(one)
        if now is None:
            if catalog.state().rebuilding_since is not None:
                raise BackendUnavailable(
                    f"The index is being rebuilt and may have {piece.new.filename} already: try again later"
                )
            self._is_new = self._is_new or catalog.project(piece.new.index, one.project) is None
            project = catalog.project(one.index, one.project)
            piece.row = catalog.add_attachment(piece.new, project.display_name if project else str(one.project))
            return
        if not is_same:
            if one.for_file is not None:
                raise _changing(one)
            self._check_rival(one, now)
        piece.row, piece.replaced = catalog.replace_attachment(now, piece.new), now
        if piece.row is None:
            raise _changing(one)


def _free_name(one: Attachment, there: Mapping[str, Attachment], coming: Collection[str]) -> str:
    """A result gets the next number that is free, where the target has or gets another one of its name."""
    stem, _, number = one.filename.rpartition("-")
    if one.for_file is None or not number.isdecimal():
        return one.filename
    for more in range(_ROUNDS):
        name = f"{stem}-{int(number) + more}"
        if name not in coming and (name not in there or there[name].sha256 == one.sha256):
            return name
    raise Conflict(f"{one.filename} cannot be copied: too many results of that time are there")


def _lost(one: Attachment) -> Conflict:
    return Conflict(
        f"{one.filename} of {one.index} is not in the storage any more, so nothing was copied: upload the "
        f"documentation of {one.project} {one.version} there again, or {_LEAVE}"
    )


def _damaged(one: Attachment) -> Conflict:
    return Conflict(
        f"{one.filename} of {one.index} is damaged in the storage, so nothing was copied: restore it from a backup, "
        f"or {_LEAVE}"
    )


def _changing(one: Attachment) -> BackendUnavailable:
    return BackendUnavailable(f"{one.filename} changed in the target meanwhile: nothing was copied, try again")
