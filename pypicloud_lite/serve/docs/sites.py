"""Which documentation an address means, and its pages, read out of the archive in the storage."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import structlog

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import ANONYMOUS, Identity, Permission
from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.artifacts.zips import Member, ZipArchive
from pypicloud_lite.catalog.model import Attachment, AttachmentKind, ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.attaching import LARGEST_PAGE
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.kernel.cache import Cache
from pypicloud_lite.kernel.errors import (
    BackendUnavailable,
    InvalidArtifact,
    InvalidName,
    NotFound,
    StorageUnavailable,
    TooLarge,
)
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version, parse_version
from pypicloud_lite.storage.blob_file import BlobFile, OtherSize
from pypicloud_lite.storage.port import BlobNotFound, Storage

_WHOLE = 4 * 1024 * 1024
_READING = Limits(seconds=20)
_SENDING = Limits(seconds=float("inf"))
_CACHED = 16 * 1024 * 1024
_MEMBER_BYTES = 400
_INDEX = "index.html"
_log = structlog.get_logger("pypicloud_lite.serve")


class TooManySites(BackendUnavailable):
    """Archives of documentation are being opened, as many as this process opens at once."""

    code = "too-many-readings"
    retry_after = 5


@dataclass(frozen=True, slots=True)
class Site:
    """The documentation of one release; ``is_public``: anybody may read it."""

    record: Attachment
    is_public: bool

    def etag(self, path: str) -> str:
        """Of a page: strong, as the bytes of archive and path are all that it depends on."""
        return f'"{self.record.sha256[:32]}-{hashlib.sha256(path.encode()).hexdigest()[:16]}"'


@dataclass(frozen=True, slots=True)
class DocPage:
    """A member that an address means; ``path`` is its own, of which the address may leave ``index.html`` out."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Folder:
    """The address is that of a folder, but for the slash at its end."""


class Documentation:
    """The service. Thread-safe; of archives it keeps the lists of their members, in 16 MiB of memory."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        gate: Gate,
        registry: Registry,
        *,
        opening: int = 2,
        patience: float = 5.0,
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._gate = gate
        self._registry = registry
        self._patience = patience
        self._places = threading.BoundedSemaphore(opening)
        self._lock = threading.Lock()
        self._cache = Cache[Mapping[str, Member]](_CACHED, _weight)

    def find(self, identity: Identity, place: tuple[str, str], spelling: str, version: str) -> Site:
        """The documentation of a version, of the ``latest`` that has some, or of the ``stable`` one.

        Which is the newest that is no pre-release. NotFound, or the answer for a project that the caller may not see.
        """
        try:
            index, project = IndexName(*place), ProjectName.parse(spelling)
        except InvalidName:
            raise NotFound("There is no such project here: check the address") from None
        visible = self._gate.allows(identity, Permission.READ, project, index)
        with self._catalog.read(snapshot=False) as catalog:
            known = catalog.project(index, project)
            attached = catalog.attachments(index, project)
        hidden = known is None or known.status is ProjectStatus.QUARANTINED or self._registry.now().get(index) is None
        if hidden or not visible:
            raise self._gate.unknown(identity, project, index)
        record = _chosen({one.version: one for one in attached if one.kind is AttachmentKind.DOCZIP}, version)
        if record is None:
            raise NotFound(f"Project {project} has no documentation of version {shown(version)} in {index}")
        return Site(record, self._gate.allows(ANONYMOUS, Permission.READ, project, index))

    def look(self, site: Site, path: str) -> DocPage | Folder:
        """What lies at a path; NotFound, and :class:`TooLarge` for a member that is not sent."""
        members = self._members(site.record)
        wanted = f"{path}{_INDEX}" if path.endswith("/") or not path else path
        member = members.get(wanted)
        if member is None or wanted.endswith("/"):
            if f"{path}/{_INDEX}" in members:
                return Folder()
            name = f"{site.record.project} {site.record.version}"
            raise NotFound(f"The documentation of {name} has no page {shown(wanted)}: check the address")
        if member.size > LARGEST_PAGE:
            raise TooLarge(
                f"{shown(wanted)} has {member.size} bytes, and documentation is sent in files of up to {LARGEST_PAGE}"
            )
        return DocPage(wanted, member.size)

    def read(self, site: Site, page: DocPage) -> bytes | Iterator[bytes]:
        """The bytes of a page, known to be whole: a large one is read through before, and then comes piece by piece.

        ``StorageUnavailable`` where they are not what was uploaded.
        """
        record = site.record
        members = self._members(record)
        try:
            archive = ZipArchive(self._source(record, _READING), partly=True, members=members)
            if page.size <= _WHOLE:
                return b"".join(archive.stream(page.path))
            for _ in archive.stream(page.path):
                pass
        except (InvalidArtifact, BlobNotFound, OtherSize) as error:
            raise _damaged(record, error) from error
        return ZipArchive(self._source(record, _SENDING), partly=True, members=members).stream(page.path)

    def _members(self, record: Attachment) -> Mapping[str, Member]:
        with self._lock:
            kept = self._cache.get(record.sha256)
        if kept is not None:
            return kept
        if not self._places.acquire(timeout=self._patience):
            raise TooManySites("Much documentation is being opened just now: load this page again soon")
        try:
            members = ZipArchive(self._source(record, _READING), partly=True).members
        except (InvalidArtifact, BlobNotFound, OtherSize) as error:
            raise _damaged(record, error) from error
        finally:
            self._places.release()
        with self._lock:
            self._cache.put(record.sha256, members)
        return members

    def _source(self, record: Attachment, limits: Limits) -> Source:
        return Source(BlobFile(self._storage, record.key, record.size), record.filename, limits)


def _chosen(found: Mapping[str, Attachment], version: str) -> Attachment | None:
    if version in {"latest", "stable"}:
        versions = [one for one in found if version == "latest" or not parse_version(one).is_prerelease]
        return found[max(versions, key=parse_version)] if versions else None
    try:
        return found.get(normalised_version(version))
    except InvalidName:
        return None


def _damaged(record: Attachment, error: Exception) -> StorageUnavailable:
    _log.error(
        "documentation in the storage is not what was uploaded: upload it again",
        filename=record.filename,
        key=str(record.key),
        error=repr(error),
    )
    return StorageUnavailable(f"{record.filename} cannot be read: it is damaged or missing, tell an administrator")


def _weight(members: Mapping[str, Member]) -> int:
    return sum(_MEMBER_BYTES + 2 * len(name) for name in members)
