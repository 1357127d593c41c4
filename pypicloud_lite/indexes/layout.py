"""Where an index keeps its blobs, and under which path it shows them.

``{owner}/{index}/{project}/{sha256[:8]}-{random 64 bits}/{filename}``: a person finds a file in a bucket, a key
never changes its content, and no two attempts share one, so cleaning up after an attempt cannot touch another. What is
attached to releases lies the same way below ``{owner}/{index}/{project}/+attached/``, which no file's key can be.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey

_ATTEMPT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{16}")
_SIDECARS = (".manifest.json", ".metadata", ".asc")
DIGEST_IN_PATH = 16
PROJECT_DOCUMENT = "project.json"
_ATTACHED = "+attached"
_FILE_DEPTH = 5
_ATTACHED_DEPTH = 6
_DOCUMENT_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Place:
    """What a key of our own layout says; ``sidecar`` is the suffix of a sidecar, or None for the file itself."""

    index: IndexName
    project: ProjectName
    home: StorageKey
    sidecar: str | None


def new_home(index: IndexName, project: ProjectName, filename: str, sha256: str) -> StorageKey:
    """Draw a key for one attempt to store a file."""
    return StorageKey(f"{index}/{project}/{sha256[:8]}-{secrets.token_hex(8)}/{filename}")


def project_document(index: IndexName, project: ProjectName) -> StorageKey:
    """Where ``project.json`` lies."""
    return StorageKey(f"{index}/{project}/{PROJECT_DOCUMENT}")


def new_attached(index: IndexName, project: ProjectName, filename: str, sha256: str) -> StorageKey:
    """Draw a key for one attempt to store an attachment."""
    return StorageKey(f"{index}/{project}/{_ATTACHED}/{sha256[:8]}-{secrets.token_hex(8)}/{filename}")


def documentation_filename(project: ProjectName, version: str) -> str:
    """The one name of a release's documentation: no version has a ``-``, so no two releases share it."""
    return f"{project}-{version}.doc.zip"


def result_filename(filename: str, moment: datetime, number: int) -> str:
    """The name of a result of testing a file."""
    return f"{filename}.toxresult-{moment:%Y%m%d%H%M%S}-{number}"


def read_place(key: StorageKey) -> Place | None:
    """Understand the key of a file, or of what lies beside it, in our own layout; None for anything else."""
    segments = key.value.split("/")
    return _place(key, segments) if len(segments) == _FILE_DEPTH else None


def read_attached(key: StorageKey) -> Place | None:
    """Understand the key of an attachment, or of its manifest; None for anything else."""
    segments = key.value.split("/")
    if len(segments) != _ATTACHED_DEPTH or segments[3] != _ATTACHED:
        return None
    return _place(key, segments)


def _place(key: StorageKey, segments: Sequence[str]) -> Place | None:
    filename = segments[-1]
    if not _ATTEMPT.fullmatch(segments[-2]):
        return None
    try:
        index, project = IndexName(segments[0], segments[1]), ProjectName(segments[2])
    except InvalidName:
        return None
    for suffix in _SIDECARS:
        if filename.endswith(suffix) and filename != suffix:
            return Place(index, project, StorageKey(key.value.removesuffix(suffix)), suffix)
    return Place(index, project, key, None)


def read_project_document(key: StorageKey) -> tuple[IndexName, ProjectName] | None:
    """Understand the key of a ``project.json``; None for anything else."""
    segments = key.value.split("/")
    if len(segments) != _DOCUMENT_DEPTH or segments[3] != PROJECT_DOCUMENT:
        return None
    try:
        return IndexName(segments[0], segments[1]), ProjectName(segments[2])
    except InvalidName:
        return None


def file_path(record: FileRecord) -> str:
    """The immutable path of a file's bytes, from the server's root and without a leading slash."""
    digest = record.digests.sha256[:DIGEST_IN_PATH]
    return f"packages/{record.index}/{record.project}/{digest}/{quote(str(record.filename), safe='')}"


_RESULT = re.compile(r".+\.toxresult-\d{14}-\d+", re.ASCII)


def is_attachment_name(filename: str) -> bool:
    """Whether it is the name of documentation or of a result of tests: no file of a release has such a one."""
    return filename.endswith(".doc.zip") or _RESULT.fullmatch(filename) is not None
