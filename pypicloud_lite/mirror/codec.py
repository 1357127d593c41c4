"""A project as a mirror keeps it: what the upstream last said, and the digests that were seen first."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pypicloud_lite.kernel.clock import iso_utc, parse_iso_utc
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.upstream.port import Link, UpstreamPage

_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Known:
    """One file: its link, whose hashes are those of all times, and when it was seen first."""

    link: Link
    seen_at: datetime

    @property
    def uploaded_at(self) -> datetime:
        """When it came to the upstream; where that does not say, when it was seen first."""
        return self.link.upload_time or self.seen_at


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A project of a mirror. ``pins`` are first-seen hashes of files that are not listed any more.

    ``changed`` are files that the upstream lists with another hash than before: they are not among ``files``.
    ``came_by`` are the servers of this kind that it came by.
    """

    project: ProjectName
    files: tuple[Known, ...]
    pins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    versions: tuple[str, ...] | None = None
    status: str | None = None
    status_reason: str | None = None
    serial: int | None = None
    came_by: tuple[str, ...] = ()

    @property
    def newest_at(self) -> datetime | None:
        """The time of the youngest file."""
        return max((file.uploaded_at for file in self.files), default=None)

    def file(self, filename: str) -> Known | None:
        """One file; looks through all of them."""
        return next((file for file in self.files if file.link.filename.value == filename), None)


def follow(before: KnownPage | None, page: UpstreamPage, stored: Mapping[str, str], now: datetime) -> KnownPage:
    """What is known after an upstream said ``page``; ``stored`` are the sha256 of its files that are kept here.

    Hashes only come to be more: the bytes of a file have to agree with every one that was ever seen of it. A file whose
    page takes one back is left out, as somebody changed it who should not.
    """
    pins: dict[str, Mapping[str, str]] = {name: {"sha256": sha256} for name, sha256 in stored.items()}
    seen = {}
    if before is not None:
        pins = {**before.pins, **pins}
        for file in before.files:
            name = file.link.filename.value
            pins[name] = {**file.link.hashes, **pins.get(name, {})}
            seen[name] = file.seen_at
    files, changed = [], []
    for link in page.files:
        name = link.filename.value
        pinned = pins.get(name, {})
        if any(link.hashes.get(kind, value) != value for kind, value in pinned.items()):
            changed.append(name)
        else:
            pins.pop(name, None)
            files.append(Known(replace(link, hashes={**link.hashes, **pinned}), seen.get(name, now)))
    return KnownPage(
        project=page.project,
        files=tuple(files),
        pins=pins,
        changed=tuple(changed),
        versions=page.versions,
        status=page.status,
        status_reason=page.status_reason,
        serial=page.serial,
        came_by=page.came_by,
    )


def encode(page: KnownPage) -> bytes:
    """As bytes, packed; about a hundred for each file."""
    document = {
        "files": [_written(file) for file in page.files],
        "pins": page.pins,
        "changed": page.changed,
        "versions": page.versions,
        "status": page.status,
        "status_reason": page.status_reason,
        "serial": page.serial,
        "came_by": page.came_by,
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), _LEVEL)


def decode(project: ProjectName, content: bytes) -> KnownPage:
    """What :func:`encode` wrote."""
    document = json.loads(zlib.decompress(content))
    versions: Sequence[str] | None = document["versions"]
    return KnownPage(
        project=project,
        files=tuple(_read(project, file) for file in document["files"]),
        pins=document["pins"],
        changed=tuple(document["changed"]),
        versions=None if versions is None else tuple(versions),
        status=document["status"],
        status_reason=document["status_reason"],
        serial=document["serial"],
        came_by=tuple(document.get("came_by", ())),
    )


def _written(file: Known) -> dict[str, Any]:
    link = file.link
    filename = link.filename
    written = {
        "name": [filename.value, filename.version, filename.packagetype, filename.python],
        "url": link.url,
        "hashes": link.hashes,
        "requires": link.requires_python,
        "yanked": (link.yanked_reason or "") if link.yanked else None,
        "size": link.size,
        "time": iso_utc(link.upload_time) if link.upload_time else None,
        "metadata": link.core_metadata,
        "sig": link.gpg_sig,
        "provenance": link.provenance,
        "seen": iso_utc(file.seen_at),
    }
    return {name: value for name, value in written.items() if value is not None}


def _read(project: ProjectName, written: Mapping[str, Any]) -> Known:
    value, version, packagetype, python = written["name"]
    yanked: str | None = written.get("yanked")
    time = written.get("time")
    link = Link(
        # It was valid when it came: thousands of names need not be parsed again.
        filename=Filename(value, project, version, packagetype, python),
        url=written["url"],
        hashes=written["hashes"],
        requires_python=written.get("requires"),
        yanked=yanked is not None,
        yanked_reason=yanked or None,
        size=written.get("size"),
        upload_time=parse_iso_utc(time) if time else None,
        core_metadata=written.get("metadata"),
        gpg_sig=written.get("sig"),
        provenance=written.get("provenance"),
    )
    return Known(link, parse_iso_utc(written["seen"]))
