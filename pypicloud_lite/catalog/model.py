"""The rows of the catalog, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey


class ManifestState(StrEnum):
    """Whether the manifest beside the bytes says what the row says.

    A file that is being removed never goes back: whoever meets it, after a crash too, finishes the removal.
    """

    PENDING = "pending"
    DONE = "done"
    REMOVING = "removing"


class Origin(StrEnum):
    """How a file came here."""

    UPLOAD = "upload"
    IMPORT = "import"  # found in a folder or bucket that another server wrote
    CACHE = "cache"  # fetched from an upstream


class ProjectStatus(StrEnum):
    """PEP 792."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of an index.

    ``home`` is the key whose siblings are the sidecars (manifest, ``.metadata``, ``.asc``); it equals ``key``
    but for a file that another server wrote. ``metadata_sha256`` is None when there is no ``.metadata``.
    ``id`` and ``serial`` are 0 until the catalog has given them. ``history`` is how it came here, as
    ``indexes/history.py`` writes it; None of one that was uploaded, once.
    """

    index: IndexName
    project: ProjectName
    filename: Filename
    size: int
    digests: Digests
    key: StorageKey
    home: StorageKey
    uploaded_at: datetime
    uploader: str | None = None
    requires_python: str | None = None
    summary: str | None = None
    metadata_sha256: str | None = None
    signed: bool = False
    yanked: bool = False
    yanked_reason: str | None = None
    origin: Origin = Origin.UPLOAD
    manifest: ManifestState = ManifestState.PENDING
    serial: int = 0
    id: int = 0
    history: str | None = None

    @property
    def is_listed(self) -> bool:
        """Whether anybody is shown this file: from the moment that its removal begins, nobody is."""
        return self.manifest is not ManifestState.REMOVING

    @property
    def version(self) -> str:
        """The normalised version."""
        return self.filename.version

    @property
    def manifest_key(self) -> StorageKey:
        """Where the manifest lies."""
        return self.home.sibling(".manifest.json")

    @property
    def metadata_key(self) -> StorageKey:
        """Where the ``.metadata`` file lies, when there is one."""
        return self.home.sibling(".metadata")

    @property
    def signature_key(self) -> StorageKey:
        """Where the GPG signature lies, when there is one."""
        return self.home.sibling(".asc")


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """One project of an index, with or without files; ``file_count`` counts those that are listed.

    ``revision`` is a random number drawn anew at every change: a cache key that stays right when a database is
    lost, restored or rebuilt, where ``serial`` may repeat.
    """

    index: IndexName
    name: ProjectName
    display_name: str
    serial: int
    revision: int
    file_count: int = 0
    status: ProjectStatus = ProjectStatus.ACTIVE
    status_reason: str | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class ProjectOverview:
    """A project in a list, told by its listed files.

    ``summary`` and ``updated_at`` are those of the file that came last, ``created_at`` is the time of the first;
    ``size`` is that of all of them in bytes.
    """

    name: ProjectName
    display_name: str
    status: ProjectStatus
    summary: str | None
    updated_at: datetime
    created_at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class UploadedProject:
    """A project to which somebody uploaded: how many of the files looked at, and when the last of them came."""

    project: ProjectName
    display_name: str
    files: int
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class Amount:
    """So many files, of so many bytes together."""

    files: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class ProjectSpace:
    """The room that a project's listed files take; ``cached`` is the part that came from an upstream."""

    name: ProjectName
    display_name: str
    whole: Amount
    cached: Amount


@dataclass(frozen=True, slots=True)
class Space:
    """The room that the listed files of an index take: of all by origin, and of some projects, the largest first.

    ``projects`` is how many there are that have files.
    """

    whole: Amount
    by_origin: Mapping[Origin, Amount]
    projects: int
    largest: Sequence[ProjectSpace]


@dataclass(frozen=True, slots=True)
class Reserved:
    """Names that are kept from everybody: filenames that were deleted, and projects without a file."""

    filenames: int
    projects: int


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One version of a project, as its files together tell it.

    ``summary`` is that of the first wheel that has one, else of the first file that has one; ``uploaded_at`` is the
    time of the first file; ``yanked`` when every file is.
    """

    project: ProjectName
    display_name: str
    version: str
    summary: str | None
    uploaded_at: datetime
    yanked: bool


@dataclass(frozen=True, slots=True)
class Reservation:
    """A deleted filename: only the same bytes may come back under it, unless the caller may overwrite.

    ``serial`` is that of the deletion: a manifest with a lower one is of a file that it deleted.
    """

    index: IndexName
    project: ProjectName
    filename: str
    sha256: str
    serial: int = 0


class AttachmentKind(StrEnum):
    """What is kept beside the files of a release."""

    DOCZIP = "doczip"
    TOXRESULT = "toxresult"


@dataclass(frozen=True, slots=True)
class Attachment:
    """The documentation of a release, or one result of testing a file of it.

    The two have names that no other has in their index: see ``indexes/layout.py``. ``for_file`` is the file that a
    result is about, None for documentation. ``version`` is normalised, and need not have a file. ``id`` and ``serial``
    are 0 until the catalog has given them.
    """

    index: IndexName
    project: ProjectName
    version: str
    kind: AttachmentKind
    filename: str
    for_file: str | None
    size: int
    sha256: str
    key: StorageKey
    uploaded_at: datetime
    uploader: str | None = None
    serial: int = 0
    id: int = 0

    @property
    def manifest_key(self) -> StorageKey:
        """Where the manifest lies."""
        return self.key.sibling(".manifest.json")


@dataclass(frozen=True, slots=True)
class CatalogState:
    """``revision`` changes with every change of the catalog, ``definitions`` with every change of a named index.

    ``rebuilt_at`` is None until the storage was looked at for the first time, and ``rebuilding_since`` is None but
    while that first rebuild runs: then it is the time of its last sign of life.
    """

    serial: int
    revision: int
    rebuilding_since: datetime | None
    rebuilt_at: datetime | None
    definitions: int = 0


@dataclass(frozen=True, slots=True)
class IndexRow:
    """The definition of an index, as it is kept; what its options mean is said in ``indexes/options.py``."""

    name: IndexName
    kind: str
    options: Mapping[str, Any]
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConfiguredIndex:
    """What is remembered of an index that needs no row to be there; ``source`` as ``indexes/model.py`` has it."""

    name: IndexName
    kind: str
    source: str
    bases: tuple[IndexName, ...] = ()
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One change: who, what, when, from where."""

    serial: int
    at: datetime
    author: Author
    action: str
    index: IndexName
    project: ProjectName
    subject: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)
