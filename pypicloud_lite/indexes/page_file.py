"""One file as a page lists it, wherever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.indexes.layout import file_path
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.versions import parse_version


@dataclass(frozen=True, slots=True)
class PageFile:
    """``where`` is a path from this server's root, without a leading slash, or a whole address elsewhere.

    ``metadata`` are the hashes of the ``.metadata`` beside it: None where there is none, empty where nobody knows them.
    None elsewhere: nobody knows.
    """

    filename: Filename
    where: str
    hashes: Mapping[str, str]
    requires_python: str | None = None
    yanked: bool = False
    yanked_reason: str | None = None
    size: int | None = None
    uploaded_at: datetime | None = None
    metadata: Mapping[str, str] | None = None
    signed: bool | None = None
    provenance: str | None = None

    @classmethod
    def of(cls, record: FileRecord) -> PageFile:
        """A file that is here."""
        sha256 = record.metadata_sha256
        return cls(
            filename=record.filename,
            where=file_path(record),
            hashes={"sha256": record.digests.sha256},
            requires_python=record.requires_python,
            yanked=record.yanked,
            yanked_reason=record.yanked_reason,
            size=record.size,
            uploaded_at=record.uploaded_at,
            metadata=None if sha256 is None else {"sha256": sha256},
            signed=record.signed,
        )

    @property
    def order(self) -> tuple[Any, str]:
        """A key by which pages list files: by version, then by name."""
        return parse_version(self.filename.version), self.filename.value

    def address(self, root: str) -> str:
        """Where it is, for a page from which ``root`` leads to this server's root (``../../``)."""
        return self.where if "://" in self.where else root + self.where
