"""The files of an export: verified, read as an upload's are, and put into their index."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pypicloud_lite.access.names import is_kept
from pypicloud_lite.artifacts.model import CoreMetadata, Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import Origin, ProjectRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.incoming import FileExists, NewFile
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.digests import Digests, Hasher
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.ops.devpi_export.reading import Export, ExportedFile, ExportedProject, Rel
from pypicloud_lite.ops.devpi_export.renaming import Names
from pypicloud_lite.ops.devpi_export.report import ImportReport
from pypicloud_lite.storage.port import CHUNK, ReadSeek, Storage

# Nobody waits for an answer.
_LIMITS = Limits(seconds=300)


class Attachments(Protocol):
    """Where documentation and the results of tests go.

    Each method returns whether it was not there yet, raises InvalidRequest where it cannot be kept, and is harmless
    when it is called again. ``version`` is normalised; ``uploaded_at`` is None where nobody knows.
    """

    def keep_docs(
        self,
        index: IndexName,
        project: ProjectName,
        version: str,
        path: Path,
        uploaded_at: datetime | None,
        uploader: str | None,
    ) -> bool:
        """Keep the ZIP file at ``path`` as the documentation of a release."""

    def keep_result(
        self,
        index: IndexName,
        project: ProjectName,
        version: str,
        tested: str,
        path: Path,
        uploaded_at: datetime | None,
        uploader: str | None,
    ) -> bool:
        """Keep the JSON document at ``path`` as a result of testing the file ``tested`` of a release."""


class Sink(Protocol):
    """What takes the bytes of a file, and gives them to whoever reads archives."""

    @property
    def digests(self) -> Digests: ...
    def write(self, chunk: bytes) -> None: ...
    def reader(self) -> ReadSeek: ...


class FileImport:
    """Takes projects over into indexes that are there. With ``dry_run`` it finds out what it would do."""

    def __init__(
        self,
        export: Export,
        storage: Storage,
        catalog: Catalog,
        ingest: Ingest,
        names: Names,
        author: Author,
        report: ImportReport,
        attachments: Attachments | None,
        *,
        dry_run: bool,
        take_unsound: bool,
    ) -> None:
        self._export = export
        self._storage = storage
        self._catalog = catalog
        self._ingest = ingest
        self._names = names
        self._author = author
        self._report = report
        self._attachments = attachments
        self._dry_run = dry_run
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
        there: dict[str, Digests] = {}
        for row in rows:
            if row.is_listed and (self._dry_run or self._ingest.changes.settle(row)):
                there[row.filename.value] = row.digests
        for file in exported.files:
            try:
                self._take(index, project, file, there, known)
            except (InvalidRequest, FileExists) as error:
                self._report.left.append(f"{index}: {shown(file.relpath, 300)}: {error.message}")
            except OSError as error:
                self._report.left.append(f"{index}: {shown(file.relpath, 300)}: cannot be read: {error.strerror}")
        if not there:
            self._keep_name(index, project, exported.spelling, known)
        with_files = {_normalised_or_same(file.version) for file in exported.files if file.rel == Rel.RELEASE}
        for version in sorted(exported.versions):
            if _normalised_or_same(version) not in with_files:
                self._report.notes.append(
                    f"{index}: {project} {shown(version)} was registered without a file: its metadata have no place "
                    "here"
                )

    def _take(
        self,
        index: IndexName,
        project: ProjectName,
        file: ExportedFile,
        there: dict[str, Digests],
        known: ProjectRecord | None,
    ) -> None:
        match file.rel:
            case Rel.RELEASE:
                self._release(index, project, file, there, known)
            case Rel.DOCS | Rel.RESULT:
                self._attachment(index, project, file)
            case _:
                raise InvalidRequest(f"files of the kind {shown(file.rel)} have no place here")

    def _release(
        self,
        index: IndexName,
        project: ProjectName,
        file: ExportedFile,
        there: dict[str, Digests],
        known: ProjectRecord | None,
    ) -> None:
        filename = Filename.parse(file.filename, project)
        if filename.project != project:
            raise InvalidName(f"its name is that of a file of {filename.project}, and devpi had it under {project}")
        found = there.get(filename.value)
        if found is not None and _is_same(found, file.hashes):
            self._report.files_there += 1
            return
        if found is not None and file.hashes.keys() & {"sha256", "md5"}:
            raise FileExists("a file of that name is there already with other content: left as it is")
        if found is None and known is not None and self._is_deleted(index, filename):
            raise FileExists("it was deleted here: upload it if it is to come back")
        path = self._export.path(file.relpath)
        if self._dry_run:
            sink = _Measured(path)
            self._read(index, path, sink, file, filename)
            there[filename.value] = sink.digests
            self._report.files += 1
            return
        with self._storage.spool(path.stat().st_size) as spool:
            metadata = self._read(index, path, spool, file, filename)
            new = NewFile(
                index=index,
                filename=filename,
                display_name=metadata.display_name if metadata else str(project),
                core=metadata.values if metadata else {},
                requires_python=metadata.requires_python if metadata else None,
                summary=metadata.summary if metadata else None,
                metadata=metadata.raw if metadata and filename.is_wheel else None,
                uploader=self._uploader(file),
                uploaded_at=file.uploaded_at,
                origin=Origin.IMPORT,
            )
            stored = self._ingest.add(new, spool, self._author, lambda: False)
        there[filename.value] = stored.record.digests
        self._report.files += stored.created
        self._report.files_there += not stored.created

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

    def _is_deleted(self, index: IndexName, filename: Filename) -> bool:
        with self._catalog.read(snapshot=False) as catalog:
            return catalog.reservation(index, filename.value) is not None

    def _attachment(self, index: IndexName, project: ProjectName, file: ExportedFile) -> None:
        is_docs = file.rel == Rel.DOCS
        if self._attachments is None:
            raise InvalidRequest(f"{'documentation' if is_docs else 'results of tests'} cannot be kept here")
        version = normalised_version(file.version)
        path = self._export.path(file.relpath)
        pour(path, _Measured(path), file.hashes)
        if self._dry_run:
            is_new = True
        elif is_docs:
            is_new = self._attachments.keep_docs(index, project, version, path, file.uploaded_at, self._uploader(file))
        elif file.tested is None:
            raise InvalidRequest("the export does not say which file was tested")
        else:
            is_new = self._attachments.keep_result(
                index, project, version, file.tested, path, file.uploaded_at, self._uploader(file)
            )
        if is_docs:
            self._report.docs += is_new
            self._report.docs_there += not is_new
        else:
            self._report.results += is_new
            self._report.results_there += not is_new

    def _keep_name(self, index: IndexName, project: ProjectName, spelling: str, known: ProjectRecord | None) -> None:
        """Nobody but who may upload to this index is to get the name: it hides what mirrors have of it."""
        self._report.names += known is None
        self._report.names_there += known is not None
        if self._dry_run:
            return
        if known is None:
            with self._catalog.write(self._author) as catalog:
                catalog.restore_project(ProjectRecord(index, project, spelling, 0, 0), [], [])
        # Of an earlier run too, which may have ended in between.
        self._ingest.changes.tell_project(index, project)

    def _uploader(self, file: ExportedFile) -> str | None:
        name = self._names.user(file.uploader or "")
        return name if is_kept(name) else None


class _Measured:
    """A file where it lies, hashed as it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hasher = Hasher()

    @property
    def digests(self) -> Digests:
        """Of what was written."""
        return self._hasher.digests()

    def write(self, chunk: bytes) -> None:
        """Hash it."""
        self._hasher.update(chunk)

    def reader(self) -> ReadSeek:
        """The file."""
        return self._path.open("rb")


def pour(path: Path, sink: Sink, hashes: Mapping[str, str]) -> None:
    """Read a file once, a piece at a time; InvalidRequest where it has not every one of these hashes."""
    others = {algorithm: _hasher(algorithm) for algorithm in hashes if algorithm not in {"sha256", "md5"}}
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            sink.write(chunk)
            for other in others.values():
                other.update(chunk)
    digests = sink.digests
    found = {"sha256": digests.sha256, "md5": digests.md5, **{name: one.hexdigest() for name, one in others.items()}}
    for algorithm, value in hashes.items():
        if found[algorithm] != value:
            raise InvalidRequest(
                f"its {algorithm} is {found[algorithm][:16]}... and should be {value[:16]}...: it is damaged"
            )


def _hasher(algorithm: str) -> Any:
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        raise InvalidRequest(f"its hash is of the kind {shown(algorithm)}, which cannot be checked here")
    return hashlib.new(algorithm, usedforsecurity=False)


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
