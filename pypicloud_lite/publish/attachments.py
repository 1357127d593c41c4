"""Documentation of releases and results of testing their files: taken in, found, copied to another index."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.artifacts.zips import ZipArchive
from pypicloud_lite.catalog.model import Attachment, AttachmentKind, FileRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader, FilenameTaken
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.attaching import LARGEST_PAGE, Attached, Attaching, NewAttachment
from pypicloud_lite.indexes.copying_attached import AttachedChoice, AttachedCopy
from pypicloud_lite.indexes.incoming import FileExists, MayOverwrite
from pypicloud_lite.indexes.layout import DIGEST_IN_PATH, documentation_filename, result_filename
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    BackendUnavailable,
    InvalidName,
    InvalidRequest,
    NotFound,
    PpcError,
    TooLarge,
)
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version, parse_version
from pypicloud_lite.publish.rules import check_status
from pypicloud_lite.storage.port import BlobReader, ReadSeek, Spool, Storage

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
        self._stage(index, identity)
        self._gate.require(identity, Permission.WRITE, project, index)
        wanted = self._newest(index, project) if version is None else normalised_version(version)
        with self._catalog.read() as catalog:
            check_status(catalog.project(index, project))
        check_documentation(spool, documentation_filename(project, wanted))
        new = NewAttachment.documentation(index, project, wanted, self._clock(), identity.username, display_name)

        def may_overwrite() -> bool:
            return self._is_volatile(index) or self._gate.allows(identity, Permission.OVERWRITE, project, index)

        def admit(catalog: CatalogReader) -> None:
            self._require_defined(catalog, index, identity)
            self._gate.require(identity, Permission.WRITE, project, index)
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

    def copying(self, choice: AttachedChoice, may_overwrite: MayOverwrite | None = None) -> AttachedCopy:
        """What goes along with a release; documentation is replaced by default where the target is volatile.

        Rights are the caller's to ask.
        """
        if may_overwrite is None:
            may_overwrite = partial(self._is_volatile, choice.target)
        return AttachedCopy(self._storage, self._catalog, choice, may_overwrite)

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

    def _stage(self, index: IndexName, identity: Identity) -> IndexDefinition:
        found = self._indexes.require_known(identity, index)
        if found.is_mirror:
            raise InvalidRequest(f"Index {index} is a mirror, to which nothing is uploaded: choose another index")
        return found

    def _is_volatile(self, index: IndexName) -> bool:
        now = self._registry.now().get(index)
        return now is not None and now.volatile

    def _require_defined(self, catalog: CatalogReader, index: IndexName, identity: Identity) -> None:
        """An index that is removed at this moment takes nothing in any more; one that was changed, as it is now."""
        if self._registry.within(catalog).get(index) is None:
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
        check_result_size(len(body))
        with self._parsing:
            check_result(body)


class Readable(Protocol):
    """What a ZIP file can be read from, more than once."""

    def reader(self) -> ReadSeek: ...


def check_result_size(size: int) -> None:
    """Raise :class:`TooLarge` where a result of tests has more bytes than are kept."""
    if size > MAX_RESULT:
        raise TooLarge(f"A result of tests may have at most {MAX_RESULT} bytes, and this one has {size}")


def check_result(body: bytes) -> None:
    """Raise :class:`InvalidRequest` unless it is a JSON object; the caller has seen to its size."""
    try:
        is_object = isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise InvalidRequest("A result of tests is a JSON object: send what tox writes with --result-json")


def check_documentation(spool: Readable, name: str) -> None:
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
