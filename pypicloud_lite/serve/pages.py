"""The Simple API's pages as bytes: version 1.4 of the specification, HTML and JSON from one value.

Sources: PEP 503, 592, 629, 658/714, 691, 700, 792 and the living specification. In JSON the old name
``dist-info-metadata`` is never written: pip 22.3 to 23.1 crash on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Any

from pypicloud_lite.catalog.model import FileRecord, ProjectRecord, ProjectStatus
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.service import Read

API_VERSION = "1.4"

_BATCH = 2000
_BEST = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5")
_HTML_HEAD = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
)


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """One project as installers see it; ``files`` are sorted by version, then filename."""

    name: ProjectName
    files: Sequence[PageFile]
    status: ProjectStatus = ProjectStatus.ACTIVE
    status_reason: str | None = None
    serial: int = 0

    @classmethod
    def of(cls, project: ProjectRecord, files: Sequence[FileRecord]) -> ProjectPage:
        """A quarantined project lists nothing (PEP 792)."""
        hidden = project.status is ProjectStatus.QUARANTINED
        return cls(
            name=project.name,
            files=[] if hidden else sorted(map(PageFile.of, filter(_is_listed, files)), key=_order),
            status=project.status,
            status_reason=project.status_reason,
            serial=project.serial,
        )

    @classmethod
    def merged(
        cls,
        name: ProjectName,
        holders: Sequence[ProjectRecord],
        own: Mapping[IndexName, Sequence[FileRecord]],
        reads: Sequence[Read],
    ) -> ProjectPage:
        """Our own files and mirrors': of one filename those of the first, in order, and status and serial likewise."""
        files: dict[str, PageFile] = {}
        for holder in holders:
            for record in own.get(holder.index, ()):
                if record.is_listed and record.filename.value not in files:
                    files[record.filename.value] = PageFile.of(record)
        for read in reads:
            for file in read.files:
                files.setdefault(file.filename.value, file)
        told: Sequence[ProjectRecord | Read] = [*holders, *reads]
        return cls(
            name=name,
            files=sorted(files.values(), key=_order),
            status=told[0].status if told else ProjectStatus.ACTIVE,
            status_reason=told[0].status_reason if told else None,
            serial=max((one.serial for one in holders), default=told[0].serial if told else 0),
        )


def project_json(page: ProjectPage, root: str) -> bytes:
    """PEP 691; ``root`` leads from the page's own URL to the server's root (``../../``)."""
    document: dict[str, Any] = {
        "meta": {"api-version": API_VERSION, "_last-serial": page.serial},
        "name": str(page.name),
        "project-status": _status(page),
        "versions": list(dict.fromkeys(file.filename.version for file in page.files)),
        "files": [_json_file(file, root) for file in page.files],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def project_html(page: ProjectPage, root: str) -> bytes:
    """PEP 503, frozen at 1.4 by PEP 833."""
    out = [_HTML_HEAD]
    out.append(f'<meta name="pypi:project-status" content="{page.status}">\n')
    if page.status_reason:
        reason = escape(page.status_reason)
        out.append(f'<meta name="pypi:project-status-reason" content="{reason}">\n')
    title = f"Links for {page.name}"
    out.append(f"<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n")
    out.extend(_html_file(file, root) for file in page.files)
    out.append(f"</body>\n</html>\n<!--SERIAL {page.serial}-->\n")
    return "".join(out).encode()


def list_json(names: Iterable[str], serial: int) -> Iterator[bytes]:
    """The list of projects, PEP 691; in pieces, of normalised names, of which there may be a million."""
    yield f'{{"meta":{{"api-version":"{API_VERSION}","_last-serial":{serial}}},"projects":['.encode()
    comma = ""
    for batch in _batches(names):
        yield (comma + ",".join(f'{{"name":"{name}"}}' for name in batch)).encode()
        comma = ","
    yield b"]}"


def list_html(names: Iterable[str], serial: int) -> Iterator[bytes]:
    """The list of projects, PEP 503; in pieces, as :func:`list_json`."""
    yield f"{_HTML_HEAD}<title>Simple index</title>\n</head>\n<body>\n".encode()
    for batch in _batches(names):
        yield "".join(f'<a href="{name}/">{name}</a><br>\n' for name in batch).encode()
    yield f"</body>\n</html>\n<!--SERIAL {serial}-->\n".encode()


def files_html(files: Iterable[FileRecord], root: str) -> bytes:
    """Links to files of many projects; ``root`` leads to the server's root."""
    out = [_HTML_HEAD, "<title>Index of packages</title>\n</head>\n<body>\n<h1>Index of packages</h1>\n"]
    out.extend(_html_file(PageFile.of(record), root) for record in files)
    out.append("</body>\n</html>\n")
    return "".join(out).encode()


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    left = iter(names)
    while batch := list(islice(left, _BATCH)):
        yield batch


def _order(file: PageFile) -> tuple[Any, str]:
    return file.order


def _is_listed(record: FileRecord) -> bool:
    return record.is_listed


def _status(page: ProjectPage) -> dict[str, str]:
    status = {"status": str(page.status)}
    if page.status_reason:
        status["reason"] = page.status_reason
    return status


def _json_file(file: PageFile, root: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename.value,
        "url": file.address(root),
        "hashes": file.hashes,
        "requires-python": file.requires_python,
        "yanked": (file.yanked_reason or True) if file.yanked else False,
    }
    if file.size is not None:
        entry["size"] = file.size
    if file.uploaded_at is not None:
        entry["upload-time"] = iso_utc(file.uploaded_at)
    if file.signed is not None:
        entry["gpg-sig"] = file.signed
    if file.metadata is not None:
        entry["core-metadata"] = file.metadata or True
    if file.provenance is not None:
        entry["provenance"] = file.provenance
    return entry


def _html_file(file: PageFile, root: str) -> str:
    # HTML has room for one hash: that which installers take for the best.
    fragment = next((f"#{kind}={file.hashes[kind]}" for kind in _BEST if kind in file.hashes), "")
    attributes = [f'href="{escape(file.address(root) + fragment)}"']
    if file.requires_python:
        attributes.append(f'data-requires-python="{escape(file.requires_python)}"')
    if file.metadata is not None:
        told = f"sha256={file.metadata['sha256']}" if "sha256" in file.metadata else "true"
        attributes += [f'data-core-metadata="{told}"', f'data-dist-info-metadata="{told}"']
    if file.signed is not None:
        attributes.append(f'data-gpg-sig="{"true" if file.signed else "false"}"')
    if file.yanked:
        attributes.append(f'data-yanked="{escape(file.yanked_reason or "")}"')
    if file.provenance is not None:
        attributes.append(f'data-provenance="{escape(file.provenance)}"')
    return f"<a {' '.join(attributes)}>{escape(file.filename.value)}</a><br>\n"
