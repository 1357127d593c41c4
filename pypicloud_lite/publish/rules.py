"""What an upload must satisfy: pure functions that return, or raise with the rule that was broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pypicloud_lite.artifacts.model import CoreMetadata
from pypicloud_lite.catalog.model import ProjectRecord, ProjectStatus
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest, NotFound, PermissionDenied
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import parse_version

_FILETYPES = {
    "sdist": "sdist",
    "bdist_wheel": "bdist_wheel",
    "bdist_egg": "bdist_egg",
    "bdist_dumb": "bdist_dumb",
}
_DIGEST_FIELDS: Mapping[str, Callable[[Digests], str]] = {
    "sha256_digest": lambda digests: digests.sha256,
    "blake2_256_digest": lambda digests: digests.blake2b_256,
    "md5_digest": lambda digests: digests.md5,
}

_BLAKE2B_512_LENGTH = 128


class Fields(Protocol):
    """The text fields of the form; ``one`` is None where a field is absent, empty or ``UNKNOWN``."""

    def one(self, name: str) -> str | None:
        """The first value of a field."""


def check_protocol(fields: Fields) -> None:
    """Only protocol version 1 exists; absent means 1."""
    version = fields.one("protocol_version")
    if version not in {None, "1"}:
        raise InvalidRequest(f"protocol_version {shown(str(version))} is unknown: send 1")


def claimed_filename(fields: Fields, value: str) -> Filename:
    """The filename, read with the project name that the form claims, and agreeing with the form.

    A form without ``name`` or ``version`` (a browser, curl) is taken by its filename alone.
    """
    claimed_name = fields.one("name")
    project = ProjectName.parse(claimed_name) if claimed_name is not None else None
    filename = Filename.parse(value, project)
    if project is not None and filename.project != project:
        raise InvalidName(
            f"File {shown(value)} belongs to project {filename.project}, and the form says {project}: "
            "the two must agree"
        )
    claimed_version = fields.one("version")
    if claimed_version is not None and parse_version(claimed_version) != parse_version(filename.version):
        raise InvalidName(
            f"File {shown(value)} is of version {filename.version}, and the form says "
            f"{shown(claimed_version)}: the two must agree"
        )
    _check_filetype(fields, filename)
    return filename


def check_digests(fields: Fields, digests: Digests) -> None:
    """Every digest that was sent must be that of the bytes that arrived (any one of the three will do).

    The distutils of Python 3.9 to 3.11 send 512 bits of BLAKE2b as ``blake2_256_digest``: no such digest, so it
    says nothing beside the sha256 that they send too.
    """
    sent_digests = {field: sent.strip().lower() for field in _DIGEST_FIELDS if (sent := fields.one(field)) is not None}
    if "sha256_digest" in sent_digests and len(sent_digests.get("blake2_256_digest", "")) == _BLAKE2B_512_LENGTH:
        del sent_digests["blake2_256_digest"]
    for field, sent in sent_digests.items():
        if sent != _DIGEST_FIELDS[field](digests):
            raise InvalidRequest(
                f"{field} does not match the file that arrived: it was damaged on its way, upload it again"
            )


def check_artifact(filename: Filename, metadata: CoreMetadata) -> None:
    """The artifact itself must be what its filename says."""
    if metadata.name != filename.project:
        raise InvalidName(
            f"{filename}: the metadata inside says project {metadata.name}, the filename {filename.project}: "
            "build it again"
        )
    if parse_version(metadata.version) != parse_version(filename.version):
        raise InvalidName(
            f"{filename}: the metadata inside says version {metadata.version}, the filename "
            f"{filename.version}: build it again"
        )


def check_status(project: ProjectRecord | None) -> None:
    """An archived or quarantined project takes no uploads (PEP 792)."""
    if project is None or project.status in {ProjectStatus.ACTIVE, ProjectStatus.DEPRECATED}:
        return
    reason = f" ({project.status_reason})" if project.status_reason else ""
    raise PermissionDenied(
        f"Project {project.name} is {project.status}{reason} and takes no uploads: "
        "ask an administrator of this index to make it active"
    )


def check_gives(project: ProjectRecord | None) -> None:
    """As :func:`check_not_quarantined`; an archived project gives its files as before."""
    if project is not None:
        check_not_quarantined(project.index, project.name, project.status, project.status_reason)


def check_not_quarantined(index: IndexName, name: ProjectName, status: ProjectStatus, reason: str | None) -> None:
    """What nobody may download goes nowhere else either (PEP 792): the answer is that of a download, NotFound."""
    if status is ProjectStatus.QUARANTINED:
        why = f" ({reason})" if reason else ""
        raise NotFound(
            f"Project {name} in {index} is quarantined{why} and gives no files: ask an administrator of that index"
        )


def _check_filetype(fields: Fields, filename: Filename) -> None:
    filetype = fields.one("filetype")
    if filetype is None:
        return
    expected = _FILETYPES.get(filetype)
    if expected is None:
        raise InvalidRequest(f"filetype {shown(filetype)} is unknown: send sdist or bdist_wheel")
    if expected != filename.packagetype:
        raise InvalidRequest(
            f"filetype {filetype} does not fit {filename}, which is a {filename.packagetype}: send the right one"
        )
