"""What storage tells of a project, held against what the catalog says: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pypicloud_lite.catalog.model import FileRecord, ManifestState, ProjectRecord, ProjectStatus, Reservation
from pypicloud_lite.indexes.manifest import Manifest, ProjectDocument


@dataclass(frozen=True, slots=True)
class Known:
    """One project as the catalog has it."""

    project: ProjectRecord | None
    rows: Sequence[FileRecord]
    reserved: Sequence[Reservation]

    def lacks(self, told: ProjectRecord, reserved: Sequence[Reservation]) -> bool:
        """Whether storage knows more of the project itself than the catalog does."""
        if self.project is None:
            return True
        if told.serial > self.project.serial:
            return True
        here = {reservation.filename for reservation in self.reserved} | {row.filename.value for row in self.rows}
        return any(reservation.filename not in here for reservation in reserved)

    def outlives(self, document: ProjectDocument | None) -> bool:
        """Whether the catalog knows more of the project itself than ``project.json`` does."""
        if self.project is None or (document is not None and document.serial >= self.project.serial):
            return False
        ours = (self.project.status, self.project.status_reason)
        theirs = (document.status, document.status_reason) if document else (ProjectStatus.ACTIVE, None)
        told = {reservation.filename for reservation in document.reservations} if document else set()
        return ours != theirs or any(reservation.filename not in told for reservation in self.reserved)


def surviving(manifests: Sequence[Manifest], deleted: Sequence[Reservation], remarks: list[str]) -> list[Manifest]:
    """Leave out manifests of files that a later deletion removed: leftovers of a process that died at it."""
    serials: dict[str, int] = {}
    for one in deleted:
        serials[one.filename] = max(one.serial, serials.get(one.filename, 0))
    survivors = []
    for manifest in manifests:
        if manifest.record.serial <= serials.get(manifest.record.filename.value, -1):
            remarks.append(f"{manifest.record.home}: left by the deletion of {manifest.record.filename}, skipped")
        else:
            survivors.append(manifest)
    return survivors


def differing(rows: Sequence[FileRecord], manifests: Iterable[Manifest]) -> list[Manifest]:
    """The manifests that the catalog does not say already; a row that is newer than its manifest wins."""
    known = {row.filename.value: row for row in rows}
    missing = []
    for manifest in manifests:
        row = known.get(manifest.record.filename.value)
        if row is None or (row.serial <= manifest.record.serial and not _same(row, manifest.record)):
            missing.append(manifest)
    return missing


def outdated(rows: Sequence[FileRecord], manifests: Iterable[Manifest]) -> list[FileRecord]:
    """The rows that say more than their own manifests, although both are done: a late writer may have died."""
    told = {manifest.record.home: manifest.record.serial for manifest in manifests}
    return [row for row in rows if row.manifest is ManifestState.DONE and told.get(row.home, row.serial) < row.serial]


def _same(row: FileRecord, told: FileRecord) -> bool:
    ours: Mapping[str, Any] = {name: getattr(row, name) for name in _COMPARED}
    return all(getattr(told, name) == value for name, value in ours.items())


_COMPARED = (
    "filename",
    "size",
    "digests",
    "key",
    "home",
    "uploaded_at",
    "uploader",
    "requires_python",
    "summary",
    "metadata_sha256",
    "signed",
    "yanked",
    "yanked_reason",
    "origin",
    "serial",
)


def project_of(
    seen: ProjectRecord | None, manifests: Sequence[Manifest], document: ProjectDocument | None
) -> ProjectRecord | None:
    """The project as storage tells it; None when storage says nothing."""
    if not manifests and document is None:
        return None
    newest = max(manifests, key=lambda manifest: manifest.record.serial, default=None)
    serial = max(newest.record.serial if newest else 0, document.serial if document else 0)
    first = newest.record if newest else document
    if first is None:
        return None
    return ProjectRecord(
        index=first.index,
        name=first.project,
        display_name=newest.display_name if newest else document.display_name if document else "",
        serial=serial,
        revision=seen.revision if seen else 0,
        status=document.status if document else ProjectStatus.ACTIVE,
        status_reason=document.status_reason if document else None,
    )


def still_reserved(document: ProjectDocument | None, manifests: Sequence[Manifest]) -> list[Reservation]:
    """A filename that has a file is not reserved, whatever an older document says."""
    if document is None:
        return []
    present = {manifest.record.filename.value for manifest in manifests}
    return [reservation for reservation in document.reservations if reservation.filename not in present]
