"""What comes into an index, and the rules of names by which it may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pypicloud_lite.catalog.model import FileRecord, Origin, Reservation
from pypicloud_lite.catalog.port import CatalogReader
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.errors import BackendUnavailable, Conflict
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, StorageKey


class FileExists(Conflict):
    """The index has this filename with other bytes, or had it and keeps it reserved."""

    code = "file-exists"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file on its way in; ``metadata`` are the exact bytes of METADATA, for wheels only."""

    index: IndexName
    filename: Filename
    display_name: str
    core: Mapping[str, Any]
    requires_python: str | None = None
    summary: str | None = None
    metadata: bytes | None = None
    signature: bytes | None = None
    uploader: str | None = None
    uploaded_at: datetime | None = None
    origin: Origin = Origin.UPLOAD


@dataclass(frozen=True, slots=True)
class Adopted:
    """A file whose bytes lie in the storage already, under a key that another server chose."""

    index: IndexName
    filename: Filename
    key: StorageKey
    size: int
    digests: Digests
    uploaded_at: datetime
    display_name: str
    core: Mapping[str, Any]
    uploader: str | None = None
    requires_python: str | None = None
    summary: str | None = None
    metadata: bytes | None = None
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome: ``created`` is False when the same bytes were there already."""

    record: FileRecord
    created: bool


MayOverwrite = Callable[[], bool]
"""Asked only when it matters: whether the caller may put other bytes under a name that was used.

Once more inside the transaction that enters them, after :data:`Admit`."""

Admit = Callable[[CatalogReader], object]
"""Raises where the file may not come in; asked inside the transaction that enters it, so nothing changes between."""


def check_existing(existing: FileRecord, filename: Filename, sha256: str, may_overwrite: MayOverwrite) -> None:
    """A name that stands for other bytes is refused, and one that another project uses is, whoever asks."""
    if existing.project != filename.project:
        raise FileExists(_ambiguous(filename))
    if existing.digests.sha256 != sha256 and not may_overwrite():
        raise FileExists(_exists(existing.filename, existing.digests.sha256))


def check_rebuilding(catalog: CatalogReader, filename: Filename) -> None:
    """A name that the catalog does not know yet may be taken: by a file, or by one that was deleted."""
    if catalog.state().rebuilding_since is not None:
        raise BackendUnavailable(f"The index is being rebuilt and may have {filename} already: try again later")


def check_reservation(
    reservation: Reservation | None, filename: Filename, sha256: str, may_overwrite: MayOverwrite
) -> None:
    """A deleted file's name takes the same bytes again; others only by the right to overwrite."""
    if reservation is None:
        return
    if reservation.project != filename.project:
        raise FileExists(_ambiguous(filename))
    if reservation.sha256 != sha256 and not may_overwrite():
        raise FileExists(
            f"File already exists: {reservation.filename} was here with other content and was deleted, and its "
            "name stays reserved. Upload it under a new version"
        )


def _ambiguous(filename: Filename) -> str:
    """``py-2-1.tar.gz`` is version 1 of py-2 and version 2-1 of py: rights on one are none on the other.

    Says nothing of the other project, which the caller may not be allowed to see.
    """
    return (
        f"File already exists: the name {filename} can be read as a file of another project and was used as such. "
        "Upload your change under another version"
    )


def _exists(filename: Filename, sha256: str) -> str:
    return (
        f"File already exists: {filename} is here with other content (sha256 {sha256[:16]}...). "
        "Upload your change under a new version"
    )
