"""The Simple API's pages as bytes: version 1.4 of the specification, HTML and JSON from one value.

Sources: PEP 503, 592, 629, 658/714, 691, 700, 792 and the living specification. In JSON the old name
``dist-info-metadata`` is never written: pip 22.3 to 23.1 crash on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from pypicloud_lite.catalog.model import FileRecord, ProjectRecord, ProjectStatus
from pypicloud_lite.indexes.layout import file_path
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.kernel.versions import parse_version

API_VERSION = "1.4"

_HTML_HEAD = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
)


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """One project as installers see it; ``files`` are sorted by version, then filename."""

    name: ProjectName
    files: Sequence[FileRecord]
    status: ProjectStatus = ProjectStatus.ACTIVE
    status_reason: str | None = None
    serial: int = 0

    @classmethod
    def of(cls, project: ProjectRecord, files: Sequence[FileRecord]) -> ProjectPage:
        """A quarantined project lists nothing (PEP 792)."""
        hidden = project.status is ProjectStatus.QUARANTINED
        return cls(
            name=project.name,
            files=[] if hidden else sorted((file for file in files if file.is_listed), key=_order),
            status=project.status,
            status_reason=project.status_reason,
            serial=project.serial,
        )


def project_json(page: ProjectPage, root: str) -> bytes:
    """PEP 691; ``root`` leads from the page's own URL to the server's root (``../../``)."""
    document: dict[str, Any] = {
        "meta": {"api-version": API_VERSION, "_last-serial": page.serial},
        "name": str(page.name),
        "project-status": _status(page),
        "versions": list(dict.fromkeys(record.version for record in page.files)),
        "files": [_json_file(record, root) for record in page.files],
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
    out.extend(_html_file(record, root) for record in page.files)
    out.append(f"</body>\n</html>\n<!--SERIAL {page.serial}-->\n")
    return "".join(out).encode()


def list_json(names: Sequence[ProjectName], serial: int) -> bytes:
    """The list of projects, PEP 691."""
    return json.dumps(
        {
            "meta": {"api-version": API_VERSION, "_last-serial": serial},
            "projects": [{"name": str(name)} for name in names],
        },
        separators=(",", ":"),
    ).encode()


def list_html(names: Sequence[ProjectName], serial: int) -> bytes:
    """The list of projects, PEP 503."""
    out = [_HTML_HEAD, "<title>Simple index</title>\n</head>\n<body>\n"]
    out.extend(f'<a href="{name}/">{name}</a><br>\n' for name in names)
    out.append(f"</body>\n</html>\n<!--SERIAL {serial}-->\n")
    return "".join(out).encode()


def files_html(files: Iterable[FileRecord], root: str) -> bytes:
    """Links to files of many projects; ``root`` leads to the server's root."""
    out = [_HTML_HEAD, "<title>Index of packages</title>\n</head>\n<body>\n<h1>Index of packages</h1>\n"]
    out.extend(_html_file(record, root) for record in files)
    out.append("</body>\n</html>\n")
    return "".join(out).encode()


def _order(record: FileRecord) -> tuple[Any, str]:
    return parse_version(record.version), str(record.filename)


def _status(page: ProjectPage) -> dict[str, str]:
    status = {"status": str(page.status)}
    if page.status_reason:
        status["reason"] = page.status_reason
    return status


def _json_file(record: FileRecord, root: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": str(record.filename),
        "url": root + file_path(record),
        "hashes": {"sha256": record.digests.sha256},
        "requires-python": record.requires_python,
        "size": record.size,
        "upload-time": iso_utc(record.uploaded_at),
        "yanked": (record.yanked_reason or True) if record.yanked else False,
        "gpg-sig": record.signed,
    }
    if record.metadata_sha256 is not None:
        entry["core-metadata"] = {"sha256": record.metadata_sha256}
    return entry


def _html_file(record: FileRecord, root: str) -> str:
    attributes = [f'href="{root}{file_path(record)}#sha256={record.digests.sha256}"']
    if record.requires_python:
        attributes.append(f'data-requires-python="{escape(record.requires_python)}"')
    if record.metadata_sha256 is not None:
        attributes.append(f'data-core-metadata="sha256={record.metadata_sha256}"')
        attributes.append(f'data-dist-info-metadata="sha256={record.metadata_sha256}"')
    attributes.append(f'data-gpg-sig="{"true" if record.signed else "false"}"')
    if record.yanked:
        attributes.append(f'data-yanked="{escape(record.yanked_reason or "")}"')
    return f"<a {' '.join(attributes)}>{escape(str(record.filename))}</a><br>\n"
