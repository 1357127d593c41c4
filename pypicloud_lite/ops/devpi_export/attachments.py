"""Documentation and results of tests, on their way from an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pypicloud_lite.catalog.model import Attachment, AttachmentKind
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.attaching import Attaching, NewAttachment
from pypicloud_lite.indexes.incoming import FileExists
from pypicloud_lite.indexes.layout import DIGEST_IN_PATH, result_filename
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.ops.devpi_export.earlier import Kind
from pypicloud_lite.ops.devpi_export.place import Place, Run
from pypicloud_lite.ops.devpi_export.reading import ExportedFile, Rel
from pypicloud_lite.ops.devpi_export.verifying import Measured, Sink, pour
from pypicloud_lite.publish.attachments import check_documentation, check_result, check_result_size
from pypicloud_lite.storage.port import Storage


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is there of one thing: of documentation by its name, of results by the file that was tested.

    ``row`` is None where a dry run only would have brought it.
    """

    of: str
    sha256: str
    row: Attachment | None


class AttachmentImport:
    """Takes them over with their times and uploaders."""

    def __init__(self, run: Run, storage: Storage, catalog: Catalog, attaching: Attaching, clock: Clock) -> None:
        self._run = run
        self._report = run.report
        self._storage = storage
        self._catalog = catalog
        self._attaching = attaching
        self._clock = clock

    def take(self, place: Place, files: Sequence[ExportedFile]) -> None:
        """All of one project, once its files are here. What is there already costs one query, and no look at a file."""
        if not files:
            return
        with self._catalog.read(snapshot=False) as catalog:
            rows = catalog.attachments(place.index, place.project)
        kept = [_Kept(one.for_file or one.filename, one.sha256, one) for one in rows]
        for file in files:
            with self._report.leaving(place.index, file.relpath):
                is_docs = file.rel == Rel.DOCS
                new = self._documentation(place, file, kept) if is_docs else self._result(place, file, kept)
                self._report.count("docs" if is_docs else "results", is_new=self._add(new, file, kept))
                if is_docs:
                    self._run.earlier.note(Kind.DOCS, [f"{new.index}/{new.filename}"])

    def _documentation(self, place: Place, file: ExportedFile, kept: Sequence[_Kept]) -> NewAttachment:
        version, at, uploader = normalised_version(file.version), file.uploaded_at or self._clock(), file.uploader
        new = NewAttachment.documentation(place.index, place.project, version, at, self._run.names.kept(uploader))
        if not any(one.of == new.filename for one in kept):
            if self._run.earlier.has(Kind.DOCS, f"{new.index}/{new.filename}"):
                raise FileExists("it was deleted here: upload it if it is to come back")
            if self._is_deleted(place, version):
                raise FileExists(f"release {version} was deleted here: upload both if they are to come back")
        return new

    def _is_deleted(self, place: Place, version: str) -> bool:
        """Whether a release has no file here, and had one."""
        if place.known is None or self._run.earlier.again:
            return False
        if any(Filename.parse(name, place.project).version == version for name in place.there):
            return False
        with self._catalog.read(snapshot=False) as catalog:
            names = [one.filename for one in catalog.reservations(place.index, place.project)]
        return any(Filename.parse(name, place.project).version == version for name in names)

    def _result(self, place: Place, file: ExportedFile, kept: Sequence[_Kept]) -> NewAttachment:
        """The file that was tested must be here, with the bytes that were."""
        if not file.tested:
            raise InvalidRequest("the export does not say which file was tested")
        tested = Filename.parse(file.tested, place.project)
        ours = place.there.get(tested.value)
        if ours is None:
            raise InvalidRequest(f"{tested}, which was tested, is not here: the result comes along when that file does")
        if len(file.tested_digest) < DIGEST_IN_PATH:
            raise InvalidRequest(f"the export does not say which bytes of {tested} were tested")
        # In exports of old servers it is the md5.
        if not any(one.startswith(file.tested_digest) for one in (ours.sha256, ours.md5)):
            raise InvalidRequest(f"other bytes were tested than those that {tested} has here: test it again")
        at = file.uploaded_at or self._clock()
        name = result_filename(tested.value, at, sum(one.of == tested.value for one in kept))
        uploader, kind = self._run.names.kept(file.uploader), AttachmentKind.TOXRESULT
        return NewAttachment(
            place.index, place.project, tested.version, kind, name, at, for_file=tested.value, uploader=uploader
        )

    def _add(self, new: NewAttachment, file: ExportedFile, kept: list[_Kept]) -> bool:
        """Whether it was not there yet."""
        rivals = [one for one in kept if one.of == (new.for_file or new.filename)]
        if self._is_there(rivals, file.hashes.get("sha256")):
            return False
        path = self._run.export.path(file.relpath)
        size = path.stat().st_size
        if new.kind is AttachmentKind.TOXRESULT:
            check_result_size(size)
        if self._run.dry_run:
            sink = Measured(path)
            pour(path, sink, file.hashes)
            return self._would_add(new, sink, rivals, kept)
        with self._storage.spool(size) as spool:
            pour(path, spool, file.hashes)
            if self._is_there(rivals, spool.digests.sha256):
                return False
            self._check(new, spool, rivals)
            attached = self._attaching.add(new, spool, self._run.author, lambda: False)
        row = attached.record
        kept.append(_Kept(row.for_file or row.filename, row.sha256, row))
        return attached.created

    def _would_add(self, new: NewAttachment, sink: Sink, rivals: Sequence[_Kept], kept: list[_Kept]) -> bool:
        sha256 = sink.digests.sha256
        if self._is_there(rivals, sha256):
            return False
        self._check(new, sink, rivals)
        kept.append(_Kept(new.for_file or new.filename, sha256, None))
        return True

    def _is_there(self, rivals: Sequence[_Kept], sha256: str | None) -> bool:
        """Whether it is there with these bytes, and whole, which a run that was killed may have kept it from."""
        found = next((one for one in rivals if one.sha256 == sha256), None)
        if found is None:
            return False
        return found.row is None or self._run.dry_run or self._attaching.settle(found.row)

    @staticmethod
    def _check(new: NewAttachment, sink: Sink, rivals: Sequence[_Kept]) -> None:
        if new.kind is AttachmentKind.DOCZIP:
            if any(one.sha256 != sink.digests.sha256 for one in rivals):
                raise FileExists(f"{shown(new.filename)} is there already with other content: left as it is")
            check_documentation(sink, new.filename)
            return
        file = sink.reader()
        try:
            check_result(file.read())
        finally:
            file.close()
