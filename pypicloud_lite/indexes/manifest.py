"""The manifest beside a file and ``project.json`` beside a project: all that a rebuild of the catalog needs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pypicloud_lite.catalog.model import (
    Attachment,
    AttachmentKind,
    FileRecord,
    ManifestState,
    Origin,
    ProjectRecord,
    ProjectStatus,
    Reservation,
)
from pypicloud_lite.kernel.clock import iso_utc, parse_iso_utc
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.kernel.versions import normalised_version

_FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnreadableManifest(PpcError):
    """A manifest or project document cannot be understood; the message says why."""

    code = "unreadable-manifest"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One file as its manifest tells it."""

    record: FileRecord
    core: Mapping[str, Any]
    display_name: str


@dataclass(frozen=True, slots=True)
class ProjectDocument:
    """What outlives the files of a project."""

    index: IndexName
    project: ProjectName
    display_name: str
    serial: int
    status: ProjectStatus
    status_reason: str | None
    reservations: Sequence[Reservation]


def encode_manifest(record: FileRecord, core: Mapping[str, Any], display_name: str) -> bytes:
    """The manifest of a catalogued file."""
    return _encode(
        {
            "index": str(record.index),
            "project": str(record.project),
            "display_name": display_name,
            "filename": str(record.filename),
            "size": record.size,
            "sha256": record.digests.sha256,
            "blake2b_256": record.digests.blake2b_256,
            "md5": record.digests.md5,
            "key": str(record.key),
            "uploaded_at": iso_utc(record.uploaded_at),
            "uploader": record.uploader,
            "requires_python": record.requires_python,
            "summary": record.summary,
            "metadata_sha256": record.metadata_sha256,
            "signed": record.signed,
            "yanked": record.yanked,
            "yanked_reason": record.yanked_reason,
            "origin": str(record.origin),
            "serial": record.serial,
            **({"history": json.loads(record.history)} if record.history else {}),
            "core_metadata": dict(core),
        }
    )


def decode_manifest(home: StorageKey, data: bytes) -> Manifest:
    """Read a manifest that lies beside ``home``; :class:`UnreadableManifest` for anything else."""
    document = _decode(home, data)
    try:
        project = ProjectName(document["project"])
        record = FileRecord(
            index=IndexName.parse(document["index"]),
            project=project,
            filename=Filename.parse(document["filename"], project),
            size=_whole(document["size"]),
            digests=Digests(document["sha256"], document["blake2b_256"], document["md5"]),
            key=StorageKey(document["key"]),
            home=home,
            uploaded_at=parse_iso_utc(document["uploaded_at"]),
            uploader=document["uploader"],
            requires_python=document["requires_python"],
            summary=document["summary"],
            metadata_sha256=document["metadata_sha256"],
            signed=bool(document["signed"]),
            yanked=bool(document["yanked"]),
            yanked_reason=document["yanked_reason"],
            origin=Origin(document["origin"]),
            manifest=ManifestState.DONE,
            serial=_whole(document["serial"]),
            history=json.dumps(document["history"]) if document.get("history") else None,
        )
        return Manifest(record, _core(document["core_metadata"]), str(document["display_name"]))
    except (PpcError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableManifest(f"The manifest of {home} cannot be read: {error!r}") from error


def encode_attachment(attachment: Attachment) -> bytes:
    """The manifest of an attachment."""
    return _encode(
        {
            "index": str(attachment.index),
            "project": str(attachment.project),
            "version": attachment.version,
            "kind": str(attachment.kind),
            "filename": attachment.filename,
            "for_file": attachment.for_file,
            "size": attachment.size,
            "sha256": attachment.sha256,
            "uploaded_at": iso_utc(attachment.uploaded_at),
            "uploader": attachment.uploader,
            "serial": attachment.serial,
        }
    )


def decode_attachment(key: StorageKey, data: bytes) -> Attachment:
    """Read the manifest that lies beside an attachment; :class:`UnreadableManifest` for anything else."""
    document = _decode(key, data)
    try:
        for_file = document["for_file"]
        return Attachment(
            index=IndexName.parse(document["index"]),
            project=ProjectName(document["project"]),
            version=normalised_version(document["version"]),
            kind=AttachmentKind(document["kind"]),
            filename=_name_of(key, document["filename"]),
            for_file=None if for_file is None else str(for_file),
            size=_whole(document["size"]),
            sha256=_sha256(document["sha256"]),
            key=key,
            uploaded_at=parse_iso_utc(document["uploaded_at"]),
            uploader=document["uploader"],
            serial=_whole(document["serial"]),
        )
    except (PpcError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableManifest(f"The manifest of {key} cannot be read: {error!r}") from error


def encode_project(project: ProjectRecord, reservations: Sequence[Reservation]) -> bytes:
    """The ``project.json`` of a project."""
    return _encode(
        {
            "index": str(project.index),
            "project": str(project.name),
            "display_name": project.display_name,
            "serial": project.serial,
            "status": str(project.status),
            "status_reason": project.status_reason,
            "reserved": {one.filename: {"sha256": one.sha256, "serial": one.serial} for one in reservations},
        }
    )


def decode_project(key: StorageKey, data: bytes) -> ProjectDocument:
    """Read a ``project.json``; :class:`UnreadableManifest` for anything else."""
    document = _decode(key, data)
    try:
        index, project = IndexName.parse(document["index"]), ProjectName(document["project"])
        return ProjectDocument(
            index=index,
            project=project,
            display_name=str(document["display_name"]),
            serial=_whole(document["serial"]),
            status=ProjectStatus(document["status"]),
            status_reason=document["status_reason"],
            reservations=[
                Reservation(index, project, str(filename), str(told["sha256"]), _whole(told["serial"]))
                for filename, told in document["reserved"].items()
            ],
        )
    except (PpcError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableManifest(f"{key} cannot be read: {error!r}") from error


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps({"format": _FORMAT, **document}, ensure_ascii=False, indent=1).encode()


def _decode(key: StorageKey, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableManifest(f"{key}: what lies beside it is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise UnreadableManifest(f"{key}: what lies beside it is no manifest of format {_FORMAT}")
    return document


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"not a whole number: {value!r}")
    return value


def _name_of(key: StorageKey, filename: object) -> str:
    if filename != key.filename or not key.filename.isascii():
        raise ValueError(f"it speaks of {filename!r}")
    return key.filename


def _sha256(text: object) -> str:
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        raise ValueError(f"no sha256: {text!r}")
    return text


def _core(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
