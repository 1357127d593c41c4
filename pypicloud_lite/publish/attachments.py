"""Documentation of releases and results of testing their files: taken in, found, copied to another index."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Sequence

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.artifacts.zips import ZipArchive
from pypicloud_lite.catalog.model import Attachment, AttachmentKind, FileRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader, FilenameTaken
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.attaching import LARGEST_PAGE, Attached, Attaching, NewAttachment
from pypicloud_lite.indexes.incoming import FileExists, MayOverwrite
from pypicloud_lite.indexes.layout import DIGEST_IN_PATH, documentation_filename, result_filename
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    BackendUnavailable,
    Conflict,
    InvalidName,
    InvalidRequest,
    NotFound,
    PpcError,
    StorageUnavailable,
    TooLarge,
)
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version, parse_version
from pypicloud_lite.publish.rules import check_status
from pypicloud_lite.storage.port import BlobReader, Spool, Storage

MAX_RESULT = 10 * 1024 * 1024
_LIMITS = Limits(seconds=8)
_ROUNDS = 20


class Attachments:
    """The service. What it takes in is durable when it returns, or leaves nothing: see ``indexes/attaching.py``."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        gate: Gate,
        registry: Registry,
        indexes: Indexes,
        attaching: Attaching,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._gate = gate
        self._registry = registry
        self._indexes = indexes
        self._attaching = attaching
        self._clock = clock
        # JSON of ten megabytes can be objects of hundreds: one at a time.
        self._parsing = threading.Lock()

    def add_docs(
        self,
        index: IndexName,
        project: ProjectName,
        version: str | None,
        spool: Spool,
        identity: Identity,
        author: Author,
        *,
        display_name: str | None = None,
    ) -> Attached:
        """Take in the documentation of a release, which need not be there yet: a ZIP file of pages.

        Without a version it is that of the newest one. Other documentation is replaced only where the index is
        volatile, or files may be overwritten: :class:`FileExists` else.
        """
        definition = self._stage(index, identity)
        self._gate.require(identity, Permission.WRITE, project, index)
        wanted = self._newest(index, project) if version is None else normalised_version(version)
        with self._catalog.read() as catalog:
            check_status(catalog.project(index, project))
        check_documentation(spool, documentation_filename(project, wanted))
        new = NewAttachment.documentation(index, project, wanted, self._clock(), identity.username, display_name)

        def may_overwrite() -> bool:
            return definition.volatile or self._gate.allows(identity, Permission.OVERWRITE, project, index)

        def admit(catalog: CatalogReader) -> None:
            self._require_defined(catalog, index, identity)
            check_status(catalog.project(index, project))

        return self._attaching.add(new, spool, author, may_overwrite, admit)

    def add_tox_result(
        self, index: IndexName, filename: str, digest: str, body: bytes, identity: Identity, author: Author
    ) -> Attachment:
        """Take in a result of testing a file, a JSON object.

        ``digest`` are the first 16 digits or more of the file's sha256: who does not know them is told of no file.
        """
        self._stage(index, identity)
        with self._catalog.read(snapshot=False) as catalog:
            file = catalog.file(index, filename)
        self._gate.require(identity, Permission.TEST, _project_of(file, filename), index)
        if file is None or len(digest) < DIGEST_IN_PATH or not file.digests.sha256.startswith(digest):
            raise _missing(filename)
        tested = file
        with self._catalog.read(snapshot=False) as catalog:
            _require_shown(catalog, tested)
        self._check_result(body)

        def admit(catalog: CatalogReader) -> None:
            self._require_defined(catalog, index, identity)
            _require_shown(catalog, tested)

        for _ in range(_ROUNDS):
            now = self._clock()
            with self._catalog.read(snapshot=False) as catalog:
                number = sum(one.for_file == filename for one in catalog.attachments(index, tested.project))
            new = NewAttachment(
                index,
                tested.project,
                tested.version,
                AttachmentKind.TOXRESULT,
                result_filename(filename, now, number),
                now,
                filename,
                identity.username,
            )
            with self._storage.spool(len(body)) as spool:
                spool.write(body)
                try:
                    return self._attaching.add(new, spool, author, lambda: False, admit).record
                except (FileExists, FilenameTaken):
                    continue
        raise BackendUnavailable(f"Many results of testing {filename} come at once: send it again")

    def of(self, indexes: Sequence[IndexName], project: ProjectName) -> Sequence[Attachment]:
        """Everything attached to a project in some indexes, in the order it came, by one query.

        Whether anybody may know it is not asked here.
        """
        with self._catalog.read(snapshot=False) as catalog:
            return catalog.attachments_of(indexes, project)

    def check_docs(self, source: IndexName, project: ProjectName, versions: Collection[str], target: IndexName) -> None:
        """:class:`FileExists` where documentation of a release cannot be copied, as :meth:`copy_release` would say."""
        definition = self._registry.now().get(target)
        if definition is not None and definition.volatile:
            return
        with self._catalog.read() as catalog:
            there = {one.filename: one.sha256 for one in catalog.attachments(target, project)}
            for one in catalog.attachments(source, project):
                is_docs = one.kind is AttachmentKind.DOCZIP and one.version in versions
                if is_docs and there.get(one.filename, one.sha256) != one.sha256:
                    raise FileExists(f"{one.filename} is in {target} with other content: copy the release without it")

    def find(self, index: IndexName, filename: str, identity: Identity) -> Attachment:
        """The attachment of that name, for a caller who may read its project: else the answer for what is not there."""
        self._indexes.require_known(identity, index)
        with self._catalog.read(snapshot=False) as catalog:
            found = catalog.attachment(index, filename)
            project = catalog.project(index, found.project) if found is not None else None
        may_read = self._gate.may_read_somewhere(identity, index)
        if found is not None and project is not None and project.status is not ProjectStatus.QUARANTINED:
            may_read = self._gate.allows(identity, Permission.READ, found.project, index)
            if may_read:
                return found
        if may_read or identity.is_authenticated:
            raise _missing(filename)
        raise AuthenticationRequired(f"Log in to see whether there is a file {shown(filename)} here")

    def read(self, attachment: Attachment) -> BlobReader:
        """Its bytes; ``BlobNotFound`` where it was removed or replaced since it was found."""
        return self._storage.open(attachment.key)

    def copy_release(
        self,
        source_index: IndexName,
        project: ProjectName,
        version: str,
        target_index: IndexName,
        files: Collection[str],
        author: Author,
        *,
        docs: bool,
        results: bool,
        may_overwrite: MayOverwrite | None = None,
    ) -> list[Attachment]:
        """Copy what is attached to a release to another index, with its times and uploaders; what is there now.

        ``files`` are the names of the files that were copied before: results about others, or about files that the
        target does not have with the same bytes, stay behind. Documentation that differs from the target's is
        :class:`FileExists` before anything is copied, unless ``may_overwrite`` says yes: by default where the target is
        volatile. Rights are the caller's to ask.
        """
        if may_overwrite is None:
            target = self._registry.now().get(target_index)
            may_overwrite = lambda: target is not None and target.volatile  # noqa: E731
        with self._catalog.read() as catalog:
            found = [one for one in catalog.attachments(source_index, project) if one.version == version]
            there = {one.filename: one for one in catalog.attachments(target_index, project)}
            ours = {str(row.filename): row for row in catalog.files(source_index, project)}
            theirs = {str(row.filename): row for row in catalog.files(target_index, project) if row.is_listed}
        wanted = [one for one in found if docs and one.kind is AttachmentKind.DOCZIP]
        for one in wanted:
            rival = there.get(one.filename)
            if rival is not None and rival.sha256 != one.sha256 and not may_overwrite():
                raise FileExists(f"{one.filename} is in {target_index} with other content: copy the release without it")
        if results:
            same = {name for name in files if _are_same(ours.get(name), theirs.get(name))}
            wanted += [one for one in found if one.for_file in same]
        return [self._copy(one, target_index, author, may_overwrite) for one in wanted]

    def _copy(self, one: Attachment, target: IndexName, author: Author, may_overwrite: MayOverwrite) -> Attachment:
        is_result = one.for_file is not None
        stem, _, number = one.filename.rpartition("-")
        for more in range(_ROUNDS):
            name = f"{stem}-{int(number) + more}" if is_result and number.isdecimal() else one.filename
            new = NewAttachment(
                target, one.project, one.version, one.kind, name, one.uploaded_at, one.for_file, one.uploader
            )
            with self._storage.spool(one.size) as spool:
                with self._storage.open(one.key) as blob:
                    for chunk in blob:
                        spool.write(chunk)
                if spool.digests.sha256 != one.sha256:
                    raise StorageUnavailable(f"{one.filename} is damaged in the storage: tell an administrator")
                try:
                    return self._attaching.add(
                        new, spool, author, (lambda: False) if is_result else may_overwrite
                    ).record
                except (FileExists, FilenameTaken):
                    if not is_result:
                        raise
        raise Conflict(f"{one.filename} cannot be copied to {target}: too many results of that time are there")

    def _stage(self, index: IndexName, identity: Identity) -> IndexDefinition:
        found = self._indexes.require_known(identity, index)
        if found.is_mirror:
            raise InvalidRequest(f"Index {index} is a mirror, to which nothing is uploaded: choose another index")
        return found

    def _require_defined(self, catalog: CatalogReader, index: IndexName, identity: Identity) -> None:
        """An index that is removed at this moment takes nothing in any more."""
        if self._registry.made_of(*catalog.indexes()).get(index) is None:
            raise self._indexes.unknown(identity, index)

    def _newest(self, index: IndexName, project: ProjectName) -> str:
        with self._catalog.read(snapshot=False) as catalog:
            versions = {row.version for row in catalog.files(index, project) if row.is_listed}
        if not versions:
            raise InvalidRequest(
                f"Documentation of {project} came without a version, and {index} has no release of it: send the version"
            )
        return max(versions, key=parse_version)

    def _check_result(self, body: bytes) -> None:
        if len(body) > MAX_RESULT:
            raise TooLarge(f"A result of tests may have at most {MAX_RESULT} bytes, and this one has {len(body)}")
        try:
            with self._parsing:
                is_object = isinstance(json.loads(body), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            raise InvalidRequest("A result of tests is a JSON object: send what tox writes with --result-json")


def check_documentation(spool: Spool, name: str) -> None:
    """Raise :class:`InvalidArtifact` unless it is a ZIP file within the limits of uploads; ``name`` is for messages."""
    file = spool.reader()
    try:
        source = Source(file, name, _LIMITS)
        archive = ZipArchive(source)
        if not archive.members:
            raise source.refusal("it has no page", "upload the folder that your documentation was built in")
        for member in archive.members.values():
            if member.size > LARGEST_PAGE:
                raise source.refusal(f"it is larger than {LARGEST_PAGE} bytes", "leave it out", member.name)
        archive.verify()
    finally:
        file.close()


def _are_same(ours: FileRecord | None, theirs: FileRecord | None) -> bool:
    return ours is not None and theirs is not None and ours.digests.sha256 == theirs.digests.sha256


def _project_of(file: FileRecord | None, filename: str) -> ProjectName:
    if file is not None:
        return file.project
    try:
        return Filename.parse(filename).project
    except InvalidName:
        raise _missing(filename) from None


def _require_shown(catalog: CatalogReader, file: FileRecord) -> None:
    row = catalog.file(file.index, str(file.filename))
    project = catalog.project(file.index, file.project)
    hidden = project is None or project.status is ProjectStatus.QUARANTINED
    if row is None or not row.is_listed or hidden or row.digests.sha256 != file.digests.sha256:
        raise _missing(str(file.filename))


def _missing(filename: str) -> PpcError:
    return NotFound(f"There is no file {shown(filename)} here: check its name, or ask for access to its project")
