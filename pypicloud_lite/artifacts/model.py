"""What was read from one artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pypicloud_lite.kernel.names import ProjectName

MetadataValue = str | tuple[str, ...] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """The core metadata of a wheel or sdist.

    ``raw`` are the exact bytes of METADATA or PKG-INFO; ``values`` holds every field that was given under its
    JSON name (PEP 566: ``requires_dist``, ``classifier``, ``description`` …), lists as tuples.
    ``absent_license_files`` are those that License-File names (metadata 2.4 or later) and the archive does not have.
    """

    raw: bytes
    name: ProjectName
    display_name: str
    version: str
    requires_python: str | None
    summary: str | None
    values: Mapping[str, MetadataValue] = field(default_factory=dict)
    absent_license_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """The budget of one reading; every number is a ceiling and passing it is a refusal.

    The ratios, of inflated to packed bytes, count from 64 MiB inflated on; that of ZIP files is the public PyPI's.
    But ``verified_bytes``: of a ZIP file's members, the smallest are inflated and compared with their CRC-32 and
    RECORD's hash as long as that many inflated bytes in all are enough; the others are left to installers.
    """

    metadata_bytes: int = 2 * 1024 * 1024
    inflated_bytes: int = 2 * 1024 * 1024 * 1024
    zip_ratio: int = 50
    tar_ratio: int = 200
    entries: int = 100_000
    name_bytes: int = 16 * 1024 * 1024
    verified_bytes: int = 64 * 1024 * 1024
    seconds: float = 20.0
