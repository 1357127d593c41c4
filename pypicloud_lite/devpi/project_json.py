"""One project as the devpi client is told of it: versions, and the links of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pypicloud_lite.catalog.model import Attachment, FileRecord
from pypicloud_lite.indexes.history import events
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.clock import parse_iso_utc
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.kernel.versions import parse_version
from pypicloud_lite.serve.project_files import Held, Mirrored, ProjectFiles

_SPLIT = 3
_END = 16
"""devpi's address of a file has the first 3 and the next 13 digits of its SHA-256."""


def file_path(index: IndexName, sha256: str, filename: str) -> str:
    """devpi's path of a file, from the server's root and without a leading slash."""
    return f"{index}/+f/{sha256[:_SPLIT]}/{sha256[_SPLIT:_END]}/{quote(filename, safe='+')}"


@dataclass
class _Version:
    """One version of one index, while it is put together."""

    name: str
    version: str
    values: dict[str, Any] = field(default_factory=dict)
    links: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, **self.values, "+links": self.links}


def versions_of(
    found: ProjectFiles, base: str, more: Mapping[IndexName, Mapping[str, Sequence[dict[str, Any]]]] | None = None
) -> dict[str, dict[str, Any]]:
    """``projectconfig``: the newest version first; of each the first index that has it, the others as shadowed.

    ``base`` is this server's address without a slash at its end: the client compares addresses as texts. ``more`` are
    links of other kinds, by index and version.
    """
    layers = [
        _of_stage(held, base, found.display_name, (more or {}).get(held.project.index, {})) for held in found.held
    ]
    layers += [_of_mirror(one, base, found.display_name) for one in found.mirrored]
    names = {version for layer in layers for version in layer}
    result: dict[str, dict[str, Any]] = {}
    for version in sorted(names, key=lambda one: (parse_version(one), one), reverse=True):
        having = [layer[version].document() for layer in layers if version in layer]
        first = having[0]
        if len(having) > 1:
            first["+shadowing"] = having[1:]
        result[version] = first
    return result


def _of_stage(held: Held, base: str, name: str, more: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, _Version]:
    versions: dict[str, _Version] = {}
    for record in held.files:
        one = versions.setdefault(record.version, _Version(name, record.version))
        for key, value in (("summary", record.summary), ("requires_python", record.requires_python)):
            if value and key not in one.values:
                one.values[key] = value
        if record.yanked:
            one.values["yanked"] = record.yanked_reason or True
        one.links.append(release_link(record, base))
    for version, links in more.items():
        versions.setdefault(version, _Version(name, version)).links.extend(links)
    return versions


def release_link(record: FileRecord, base: str) -> dict[str, Any]:
    """A file of ours, with how it came here."""
    sha256 = record.digests.sha256
    return {
        "rel": "releasefile",
        "href": f"{base}/{file_path(record.index, sha256, str(record.filename))}",
        "hash_spec": f"sha256={sha256}",
        "hashes": {"sha256": sha256, "md5": record.digests.md5},
        "log": list(history(record)),
    }


def attached_links(
    attached: Sequence[Attachment], found: ProjectFiles, base: str
) -> dict[IndexName, dict[str, list[dict[str, Any]]]]:
    """Documentation and results of tests as links, by index and version; of results those whose file is shown."""
    releases = {(held.project.index, str(record.filename)): record for held in found.held for record in held.files}
    links: dict[IndexName, dict[str, list[dict[str, Any]]]] = {}
    for one in attached:
        link: dict[str, Any] = {
            "rel": one.kind.value,
            "href": f"{base}/{file_path(one.index, one.sha256, one.filename)}",
            "hash_spec": f"sha256={one.sha256}",
            "hashes": {"sha256": one.sha256},
            "log": [{"what": "upload", "who": one.uploader, "when": when(one.uploaded_at), "dst": str(one.index)}],
        }
        if one.for_file is not None:
            record = releases.get((one.index, one.for_file))
            if record is None:
                continue
            # The client compares it with the address of the release, sign by sign.
            link["for_href"] = release_link(record, base)["href"]
        links.setdefault(one.index, {}).setdefault(one.version, []).append(link)
    return links


def history(record: FileRecord) -> Iterable[dict[str, Any]]:
    """What became of a file, in order, with times as the client reads them."""
    for event in events(record):
        yield {**event, "when": when(parse_iso_utc(event["when"]))}


def when(moment: datetime) -> list[int]:
    """A time as the client reads it: year, month, day, hour, minute, second, in UTC."""
    return list(moment.utctimetuple()[:6])


def _of_mirror(mirrored: Mirrored, base: str, name: str) -> dict[str, _Version]:
    versions: dict[str, _Version] = {}
    for file in mirrored.files:
        version = file.filename.version
        one = versions.setdefault(version, _Version(name, version))
        if file.requires_python and "requires_python" not in one.values:
            one.values["requires_python"] = file.requires_python
        if file.yanked:
            one.values["yanked"] = file.yanked_reason or True
        one.links.append(_mirror_link(mirrored.index, file, base))
    return versions


def _mirror_link(index: IndexName, file: PageFile, base: str) -> dict[str, Any]:
    sha256 = file.hashes.get("sha256")
    if sha256 is None or "://" in file.where:
        href = file.address(f"{base}/")
    else:
        href = f"{base}/{file_path(index, sha256, file.filename.value)}"
    link: dict[str, Any] = {"rel": "releasefile", "href": href, "hashes": dict(file.hashes), "log": []}
    if sha256 is not None:
        link["hash_spec"] = f"sha256={sha256}"
    return link
