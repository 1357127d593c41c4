"""Which bytes a file URL stands for, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.errors import InvalidName, NotFound, PpcError, StillRebuilding
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey


class Part(Enum):
    """What beside the file itself may be asked for."""

    FILE = ""
    METADATA = ".metadata"
    SIGNATURE = ".asc"


@dataclass(frozen=True, slots=True)
class Download:
    """What was found: ``etag`` is strong and comes from the digest where one is known."""

    record: FileRecord
    part: Part
    key: StorageKey
    etag: str
    size: int | None
    project_id: int


class Downloads:
    """Finds the one row of (index, project, filename), then authorises that row."""

    def __init__(self, catalog: Catalog, gate: Gate) -> None:
        self._catalog = catalog
        self._gate = gate

    def find(self, identity: Identity, index: IndexName, spelling: str, filename: str, digest: str | None) -> Download:
        """The file, or the sidecar that the filename's ending asks for.

        A file of another project, of another digest than the URL says, or of a quarantined project is as
        unknown as one that never was.
        """
        try:
            project = ProjectName.parse(spelling)
        except InvalidName:
            raise self.missing(filename) from None
        visible = self._gate.allows(identity, Permission.READ, project, index)
        if not visible and not identity.is_authenticated:
            raise self._gate.unknown(identity, project, index)
        name, part = split_part(filename)
        holder = None
        with self._catalog.read(snapshot=False) as catalog:
            record = catalog.file(index, name) if name.isascii() else None
            if record is None and catalog.state().rebuilding_since is not None:
                raise StillRebuilding("The index is being rebuilt and this file may still come: try again")
            if record is not None and not record.is_listed:
                record = None
            if record is not None and record.project == project:
                holder = catalog.project(index, project)
                if holder is None or holder.status is ProjectStatus.QUARANTINED:
                    record = None
        # A hidden file costs the same queries, and is told of in the same words, as one that is not there.
        if record is None or holder is None or not visible:
            raise self.missing(filename)
        if digest is not None and not record.digests.sha256.startswith(digest):
            raise self.missing(filename)
        return self._part(record, part, holder.id)

    def find_by_name(self, identity: Identity, index: IndexName, path: str) -> Download:
        """The file of that name, whatever its project, or the one that lies at that path: pypiserver's addresses.

        For what is not there, the project that the name itself tells of decides how its caller is told.
        """
        filename = path.rpartition("/")[2]
        name, part = split_part(filename)
        with self._catalog.read(snapshot=False) as catalog:
            record = catalog.file(index, name) if name.isascii() else None
        try:
            project = record.project if record is not None else Filename.parse(name).project
        except InvalidName:
            raise self.missing(filename) from None
        found = self.find(identity, index, str(project), filename, None)
        if "/" in path and path.removesuffix(part.value) != found.record.key.value:
            raise self.missing(filename)
        return found

    def _part(self, record: FileRecord, part: Part, project_id: int) -> Download:
        sha256 = record.digests.sha256
        if part is Part.FILE:
            return Download(record, part, record.key, f'"{sha256}"', record.size, project_id)
        if part is Part.METADATA and record.metadata_sha256 is not None:
            return Download(record, part, record.metadata_key, f'"{record.metadata_sha256}"', None, project_id)
        if part is Part.SIGNATURE and record.signed:
            return Download(record, part, record.signature_key, f'"{sha256}.asc"', None, project_id)
        raise self.missing(f"{record.filename}{part.value}")

    @staticmethod
    def missing(filename: str) -> PpcError:
        """The one answer for what is not there and what the caller may not see."""
        return NotFound(
            f"There is no file {filename!a} here: check its name, or ask an administrator for access to its project"
        )


def split_part(filename: str) -> tuple[str, Part]:
    """What an address ends in as the file's name, and what of it is meant."""
    for part in (Part.METADATA, Part.SIGNATURE):
        if filename.endswith(part.value):
            return filename.removesuffix(part.value), part
    return filename, Part.FILE
