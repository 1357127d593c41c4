"""What a project's page says, in JSON (PEP 691) or HTML (PEP 503), with whatever is wrong in it left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

from packaging.utils import canonicalize_name
from pydantic import ValidationError
from pypi_simple import DistributionPackage

from pypicloud_lite.kernel.errors import InvalidName, UpstreamError, UpstreamNonsense
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.upstream.anchors import Anchors, anchors
from pypicloud_lite.upstream.hashes import sound
from pypicloud_lite.upstream.port import Freshness, Link, UpstreamPage
from pypicloud_lite.upstream.targets import Target

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

JSON_TYPES = frozenset({"application/vnd.pypi.simple.v1+json", "application/json"})
HTML_TYPES = frozenset({"application/vnd.pypi.simple.v1+html", "text/html"})
# What a file is still of use without. Not among them: what decides who may or should install it.
_DISPENSABLE = frozenset({"size", "upload-time", "provenance", "gpg-sig", "core-metadata"})
_VERSION = re.compile(r"1\.\d{1,4}", re.ASCII)
_CHARSETS = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252"}
_LONGEST = 1000
_MOST_VERSIONS = 200_000


@dataclass(frozen=True, slots=True)
class Document:
    """A body as it came, unpacked, and where it came from: ``url`` is the last one of its redirects."""

    body: bytes
    content_type: str
    url: str


def read_page(document: Document, project: ProjectName, freshness: Freshness, serial: int | None) -> UpstreamPage:
    """Understand a page; ``UpstreamNonsense`` when it is none, or one of another project."""
    kind, _, parameters = document.content_type.partition(";")
    kind = kind.strip().lower()
    if kind in JSON_TYPES:
        page = _from_json(document, project)
    elif kind in HTML_TYPES or (not kind and looks_like_html(document.body)):
        page = _from_html(document, project, _charset(parameters))
    else:
        raise UpstreamNonsense(f"It is of type {shown(kind)}, not a page of an index")
    files, dropped = _files(page.packages, document.url, project)
    return UpstreamPage(
        project=project,
        url=document.url,
        files=files,
        freshness=freshness,
        versions=page.versions,
        status=page.status,
        status_reason=page.status_reason,
        api_version=page.api_version,
        serial=page.serial if page.serial is not None else serial,
        dropped=dropped + page.dropped,
    )


@dataclass(slots=True)
class _Said:
    """A page of either kind; ``packages`` is read once, and ``dropped`` is true after that."""

    packages: Iterable[DistributionPackage]
    api_version: str
    versions: tuple[str, ...] | None = None
    status: str | None = None
    status_reason: str | None = None
    serial: int | None = None
    dropped: int = 0


def looks_like_html(body: bytes) -> bool:
    """Whether what came without a type begins as HTML does: old and simple servers tell none."""
    return body[:_LONGEST].lstrip().startswith(b"<")


def _from_json(document: Document, project: ProjectName) -> _Said:
    try:
        data = json.loads(document.body)
    except (ValueError, RecursionError):
        raise UpstreamNonsense("It is no JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("files"), list):
        raise UpstreamNonsense("Its JSON has no list of files")
    name, meta = data.get("name"), _mapping(data.get("meta"))
    if not isinstance(name, str) or canonicalize_name(name) != project.value:
        raise UpstreamNonsense(f"It is the page of another project: {shown(str(name))}")
    # The specification's own example has it among the metadata of the page.
    status = _mapping(data.get("project-status")) or _mapping(meta.get("project-status"))
    said = _Said(
        (),
        api_version(str(meta.get("api-version", "1.0"))),
        versions=_versions(data.get("versions")),
        status=_line(status.get("status")),
        status_reason=_line(status.get("reason")),
        serial=meta["_last-serial"] if type(meta.get("_last-serial")) is int else None,
    )
    said.packages = _packages(data["files"], document.url, said)
    return said


def _packages(entries: list[Any], url: str, said: _Said) -> Iterator[DistributionPackage]:
    for entry in entries:
        package = _package(entry, url)
        if package is None:
            said.dropped += 1
        else:
            yield package


def _package(entry: Any, url: str) -> DistributionPackage | None:
    if not isinstance(entry, dict):
        return None
    # PEP 714: the older name of what pypi-simple reads under the newer one.
    given = {"core-metadata": entry.get("dist-info-metadata"), **entry}
    try:
        try:
            return DistributionPackage.from_json_data(given, base_url=url)
        except ValidationError as error:
            wrong = {str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False) if one["loc"]}
            if not wrong <= _DISPENSABLE:
                return None
            return DistributionPackage.from_json_data(
                {key: value for key, value in given.items() if key not in wrong}, base_url=url
            )
    except (ValueError, RecursionError, OverflowError):
        return None


def _from_html(document: Document, project: ProjectName, charset: str) -> _Said:
    text = document.body.decode(charset, "replace")
    found = anchors(text, document.url)
    version = found.metas.get("repository-version")
    if version is None and (found.has_form or not _has_files(found)):
        raise UpstreamNonsense("Its HTML is no page of an index: it may be one to log in at")
    said = _Said(
        (),
        api_version("1.0" if version is None else version),
        status=_line(found.metas.get("project-status")),
        status_reason=_line(found.metas.get("project-status-reason")),
    )
    said.packages = _linked(found, project, said)
    return said


def _has_files(found: Anchors) -> bool:
    """Whether there is a file among its links; a page without links may be one of a project without files."""
    for link in found.links:
        try:
            Filename.parse(_basename(link.url))
        except InvalidName:
            continue
        return True
    return not found.links


def _linked(found: Anchors, project: ProjectName, said: _Said) -> Iterator[DistributionPackage]:
    for link in found.links:
        # pip goes by the address, and some indexes shorten the text; others hide the name in a query.
        name = _basename(link.url)
        if name.endswith((".whl", ".gz", ".zip", ".bz2", ".tgz", ".egg")):
            link.text = name
        older = link.attrs.get("data-dist-info-metadata")
        if older is not None:
            link.attrs.setdefault("data-core-metadata", older)
        try:
            yield DistributionPackage.from_link(link, project.value)
        except (ValueError, AssertionError):
            said.dropped += 1


def _files(packages: Iterable[DistributionPackage], page: str, project: ProjectName) -> tuple[tuple[Link, ...], int]:
    """Those that are this project's, each filename once, and how many were not."""
    links: dict[str, Link] = {}
    dropped = 0
    for package in packages:
        link = _link(package, page, project)
        if link is None or link.filename.value in links:
            dropped += 1
        else:
            links[link.filename.value] = link
    return tuple(links.values()), dropped


def _link(package: DistributionPackage, page: str, project: ProjectName) -> Link | None:
    try:
        filename = Filename.parse(package.filename, project)
        target = Target.parse(urldefrag(package.url).url)
    except (InvalidName, UpstreamError, ValueError):
        return None
    if filename.project != project or (target.scheme == "http" and page.startswith("https:")):
        return None
    requires = (package.requires_python or "").strip()
    if requires and _line(requires) is None:
        return None
    uploaded, provenance = package.upload_time, package.provenance_url
    return Link(
        filename=filename,
        url=str(target),
        hashes=sound(package.digests),
        requires_python=_line(requires),
        yanked=package.is_yanked,
        yanked_reason=_line(package.yanked_reason),
        size=package.size if package.size is not None and package.size >= 0 else None,
        upload_time=_moment(uploaded),
        core_metadata=sound(package.metadata_digests or {}) if package.has_metadata else None,
        gpg_sig=package.has_sig,
        provenance=provenance if provenance and provenance.startswith("https://") else None,
    )


_EARLIEST, _LATEST = 1990, 2200
"""Years in which anything can have been uploaded."""


def _moment(uploaded: datetime | None) -> datetime | None:
    """In UTC; None for what no upload can have been: nobody has to reckon with it then."""
    if uploaded is None or not _EARLIEST <= uploaded.year <= _LATEST:
        return None
    return uploaded.astimezone(UTC) if uploaded.tzinfo else uploaded.replace(tzinfo=UTC)


def _basename(url: str) -> str:
    try:
        return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    except ValueError:
        return ""


def api_version(text: str) -> str:
    """The version of the Simple API that a page says; ``UpstreamNonsense`` for one that is not understood here."""
    if not _VERSION.fullmatch(text):
        raise UpstreamNonsense(f"It is of version {shown(text)} of the Simple API; 1.x is understood here")
    return text


def _versions(given: Any) -> tuple[str, ...] | None:
    if not isinstance(given, list):
        return None
    lines = (_line(one) for one in given[:_MOST_VERSIONS])
    return tuple(dict.fromkeys(line for line in lines if line))


def _line(text: Any) -> str | None:
    """One line of text as somebody may be shown it; None for anything else."""
    if not isinstance(text, str):
        return None
    line = " ".join(text.split())[:_LONGEST]
    return line if line.isprintable() and line else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _charset(parameters: str) -> str:
    """One of the few that web pages have: Python's other codecs are not made for strangers."""
    match = re.search(r"charset=\"?([\w-]{1,40})", parameters, re.IGNORECASE | re.ASCII)
    return _CHARSETS.get(match[1].lower(), "utf-8") if match else "utf-8"
