"""The files of an export: verified, read as an upload's are, and put into their index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pypicloud_lite.artifacts.model import CoreMetadata, Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import Origin, ProjectRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.incoming import FileExists, NewFile
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.ops.devpi_export.attachments import AttachmentImport
from pypicloud_lite.ops.devpi_export.earlier import Kind
from pypicloud_lite.ops.devpi_export.place import Place, Run
from pypicloud_lite.ops.devpi_export.reading import ExportedFile, ExportedProject, Rel
from pypicloud_lite.ops.devpi_export.verifying import Measured, Sink, pour
from pypicloud_lite.storage.port import Storage

# Nobody waits for an answer.
_LIMITS = Limits(seconds=300)


class FileImport:
    """Takes projects over into indexes that are there."""

    def __init__(
        self,
        run: Run,
        storage: Storage,
        catalog: Catalog,
        ingest: Ingest,
        attachments: AttachmentImport,
        *,
        take_unsound: bool,
    ) -> None:
        self._run = run
        self._report = run.report
        self._storage = storage
        self._catalog = catalog
        self._ingest = ingest
        self._attachments = attachments
        self._take_unsound = take_unsound

    def take(self, index: IndexName, exported: ExportedProject) -> None:
        """Everything of one project. What is there already costs one query for all of it, and no look at a file."""
        project = exported.name
        if project is None:
            self._report.left.append(
                f"{index}: project {shown(exported.spelling)} with {len(exported.files)} files: no project has such a "
                "name here"
            )
            return
        with self._catalog.read(snapshot=False) as catalog:
            known, rows = catalog.project_with_files(index, project)
        if known is None and self._run.earlier.has(Kind.PROJECT, f"{index}/{project}"):
            self._report.left.append(
                f"{index}: project {project} was removed here after an earlier import: its {len(exported.files)} files "
                "stay where they are"
            )
            return
        place = Place(index, project, known)
        for row in rows:
            if row.is_listed and (self._run.dry_run or self._ingest.changes.settle(row)):
                place.there[row.filename.value] = row.digests
        attached: list[ExportedFile] = []
        for file in exported.files:
            with self._report.leaving(index, file.relpath):
                if file.rel == Rel.RELEASE:
                    self._release(place, file)
                elif file.rel in {Rel.DOCS, Rel.RESULT}:
                    attached.append(file)
                else:
                    raise InvalidRequest(f"files of the kind {shown(file.rel)} have no place here")
        self._attachments.take(place, attached)
        if not place.there:
            self._keep_name(place, exported.spelling)
        self._run.earlier.note(Kind.PROJECT, [f"{index}/{project}"])
        self._note_versions_without_files(index, project, exported)

    def _note_versions_without_files(self, index: IndexName, project: ProjectName, exported: ExportedProject) -> None:
        with_files = {_normalised_or_same(file.version) for file in exported.files if file.rel == Rel.RELEASE}
        for version in sorted(exported.versions):
            if _normalised_or_same(version) not in with_files:
                self._report.notes.append(
                    f"{index}: {project} {shown(version)} was registered without a file: its metadata have no place "
                    "here"
                )

    def _release(self, place: Place, file: ExportedFile) -> None:
        index, project, there = place.index, place.project, place.there
        filename = Filename.parse(file.filename, project)
        if filename.project != project:
            raise InvalidName(f"its name is that of a file of {filename.project}, and devpi had it under {project}")
        found = there.get(filename.value)
        if found is not None and _is_same(found, file.hashes):
            self._report.files_there += 1
            return
        if found is not None and file.hashes.keys() & {"sha256", "md5"}:
            raise FileExists("a file of that name is there already with other content: left as it is")
        reserved = self._reserved(place, filename) if found is None else None
        if reserved is not None and not self._run.earlier.again:
            raise FileExists("it was deleted here: upload it if it is to come back")
        path = self._run.export.path(file.relpath)
        if self._run.dry_run:
            sink = Measured(path)
            self._read(index, path, sink, file, filename)
            if reserved not in {None, sink.digests.sha256}:
                raise FileExists("it was deleted here, and its name is reserved for what it was: give it a new version")
            there[filename.value] = sink.digests
            self._report.files += 1
            return
        with self._storage.spool(path.stat().st_size) as spool:
            metadata = self._read(index, path, spool, file, filename)
            stored = self._ingest.add(
                self._new_file(place, file, filename, metadata), spool, self._run.author, lambda: False
            )
        there[filename.value] = stored.record.digests
        self._report.count("files", is_new=stored.created)

    def _new_file(self, place: Place, file: ExportedFile, filename: Filename, metadata: CoreMetadata | None) -> NewFile:
        return NewFile(
            index=place.index,
            filename=filename,
            display_name=metadata.display_name if metadata else str(place.project),
            core=metadata.values if metadata else {},
            requires_python=metadata.requires_python if metadata else None,
            summary=metadata.summary if metadata else None,
            metadata=metadata.raw if metadata and filename.is_wheel else None,
            uploader=self._run.names.kept(file.uploader),
            uploaded_at=file.uploaded_at,
            origin=Origin.IMPORT,
        )

    def _read(
        self, index: IndexName, path: Path, sink: Sink, file: ExportedFile, filename: Filename
    ) -> CoreMetadata | None:
        """The metadata of an artifact, its bytes being those that the export means; None where it is taken without."""
        pour(path, sink, file.hashes)
        if not file.hashes:
            self._report.notes.append(
                f"{index}: {shown(file.relpath, 300)}: the export says no hash of it, so nothing was compared"
            )
        archive = sink.reader()
        try:
            return read_artifact(archive, filename, limits=_LIMITS, bare=True)
        except InvalidRequest as error:
            if not self._take_unsound:
                raise
            self._report.notes.append(
                f"{index}: {shown(file.relpath, 300)}: taken over by its name alone: {error.message}"
            )
            return None
        finally:
            archive.close()

    def _reserved(self, place: Place, filename: Filename) -> str | None:
        """The sha256 of a file that was deleted here."""
        if place.known is None:
            return None
        with self._catalog.read(snapshot=False) as catalog:
            found = catalog.reservation(place.index, filename.value)
        return found.sha256 if found is not None else None

    def _keep_name(self, place: Place, spelling: str) -> None:
        """Nobody but who may upload to this index is to get the name: it hides what mirrors have of it."""
        index, project, known = place.index, place.project, place.known
        self._report.names += known is None
        self._report.names_there += known is not None
        if self._run.dry_run:
            return
        if known is None:
            with self._catalog.write(self._run.author) as catalog:
                catalog.restore_project(ProjectRecord(index, project, spelling, 0, 0), [], [])
        # Of an earlier run too, which may have ended in between.
        self._ingest.changes.tell_project(index, project)


def _is_same(digests: Digests, hashes: Mapping[str, str]) -> bool:
    ours = {"sha256": digests.sha256, "md5": digests.md5}
    compared = ours.keys() & hashes.keys()
    return bool(compared) and all(ours[one] == hashes[one] for one in compared)


def _normalised_or_same(version: str) -> str:
    """Two spellings of one version are one version; what is none is itself."""
    try:
        return normalised_version(version)
    except InvalidName:
        return version
