"""The documents of the JSON API, with every key and type of the public PyPI's.

Metadata comes from the files themselves. Rows that another server's storage was read into may have none, or values
of any shape: a value of another type than its key has counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from pypicloud_lite.catalog.model import ProjectRecord
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.versions import parse_version, preference
from pypicloud_lite.serve.describe.addresses import file_url, project_url, release_url
from pypicloud_lite.serve.shown import ShownFile

_TEXTS = (
    *("author", "author_email", "description", "description_content_type", "download_url", "home_page", "license"),
    *("license_expression", "maintainer", "maintainer_email", "requires_python", "summary"),
)
# JSON API's key, core metadata's
_LISTS = (("dynamic", "dynamic"), ("license_files", "license_file"), ("provides_extra", "provides_extra"))
_DIGESTS = ("blake2b_256", "md5", "sha256")
_NOT_COUNTED = -1


class ReleaseFile(Protocol):
    """What of a file makes its release."""

    @property
    def filename(self) -> Filename: ...
    @property
    def version(self) -> str: ...
    @property
    def yanked(self) -> bool: ...
    @property
    def yanked_reason(self) -> str | None: ...


_File = TypeVar("_File", bound=ReleaseFile)


@dataclass(frozen=True, slots=True)
class Release(Generic[_File]):
    """The files of one version, by filename."""

    version: str
    files: Sequence[_File]

    @property
    def yanked(self) -> bool:
        """Whether every file is."""
        return all(record.yanked for record in self.files)

    @property
    def yanked_reason(self) -> str | None:
        """The first reason that was given, of a release that is yanked."""
        reasons = (record.yanked_reason for record in self.files if record.yanked_reason)
        return next(reasons, None) if self.yanked else None


@dataclass(frozen=True, slots=True)
class Releases(Generic[_File]):
    """All releases of a project, by version; never empty."""

    all: Sequence[Release[_File]]

    @classmethod
    def of(cls, files: Sequence[_File]) -> Self:
        """Group the files of a project, of which there is at least one."""
        by_version: dict[str, list[_File]] = {}
        for record in sorted(files, key=lambda record: str(record.filename)):
            by_version.setdefault(record.version, []).append(record)
        versions = sorted(by_version, key=lambda version: (parse_version(version), version))
        return cls([Release(version, by_version[version]) for version in versions])

    @property
    def latest(self) -> Release[_File]:
        """The release to offer first."""
        return max(self.all, key=lambda release: preference(release.version, yanked=release.yanked))

    def find(self, version: str) -> Release[_File] | None:
        """The release of a normalised version: as it is stored, else an equal one (``1.0.0`` finds ``1.0``)."""
        wanted = parse_version(version)
        equal = [release for release in self.all if parse_version(release.version) == wanted]
        return next((release for release in equal if release.version == version), next(iter(equal), None))


def project_document(
    project: ProjectRecord, releases: Releases[ShownFile], core: Mapping[str, Any], base: str
) -> dict[str, Any]:
    """``/pypi/NAME/json``; ``core`` is the metadata of the latest release."""
    document = release_document(project, releases.latest, core, base)
    document["releases"] = {one.version: [_file(record, base) for record in one.files] for one in releases.all}
    return document


def release_document(
    project: ProjectRecord, release: Release[ShownFile], core: Mapping[str, Any], base: str
) -> dict[str, Any]:
    """``/pypi/NAME/VERSION/json``."""
    return {
        "info": _info(project, release, core, base),
        "last_serial": project.serial,
        # rights are rules of this server, and told to administrators alone
        "ownership": {"roles": [], "organization": None},
        "urls": [_file(record, base) for record in release.files],
        "vulnerabilities": [],
    }


def _info(project: ProjectRecord, release: Release[ShownFile], core: Mapping[str, Any], base: str) -> dict[str, Any]:
    page = project_url(base, project.name)
    return {
        **{key: core_text(core, key) or _of_files(release, key) for key in _TEXTS},
        **{key: core_list(core, stored) or None for key, stored in _LISTS},
        "bugtrack_url": None,
        "classifiers": core_list(core, "classifier"),
        "docs_url": None,
        "downloads": {"last_day": _NOT_COUNTED, "last_month": _NOT_COUNTED, "last_week": _NOT_COUNTED},
        "keywords": ",".join(core_list(core, "keywords")) or core_text(core, "keywords"),
        "name": project.display_name,
        "package_url": page,
        "platform": ",".join(core_list(core, "platform")) or core_text(core, "platform"),
        "project_url": page,
        "project_urls": core_links(core) or None,
        "release_url": release_url(base, project.name, release.version),
        "requires_dist": core_list(core, "requires_dist") or None,
        "version": release.version,
        "yanked": release.yanked,
        "yanked_reason": release.yanked_reason,
    }


def _of_files(release: Release[ShownFile], key: str) -> str | None:
    """What the catalog keeps of each file even where its metadata is unknown."""
    if key not in {"requires_python", "summary"}:
        return None
    return next((text for record in release.files if (text := getattr(record, key))), None)


def core_links(core: Mapping[str, Any]) -> dict[str, str]:
    """Label to URL, the two that have fields of their own first; as the public PyPI shows them."""
    links = {"Homepage": core_text(core, "home_page"), "Download": core_text(core, "download_url")}
    found = {label: url for label, url in links.items() if url}
    for line in core_list(core, "project_url"):
        label, _comma, url = (part.strip() for part in line.partition(","))
        if url:
            found[label] = url
    return found


def core_text(core: Mapping[str, Any], key: str) -> str | None:
    """A text of core metadata; None for an empty one, and for a value of another type."""
    value = core.get(key)
    return value if isinstance(value, str) and value else None


def core_list(core: Mapping[str, Any], key: str) -> list[str]:
    """The texts of a list of core metadata; values of other types are left out."""
    value = core.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _file(file: ShownFile, base: str) -> dict[str, Any]:
    """Of a file that is not here only what its upstream tells is known: not all digests, perhaps no size or time."""
    uploaded = None if file.uploaded_at is None else iso_utc(file.uploaded_at)
    digests = file.digests
    return {
        "comment_text": "",
        "core-metadata": False if file.metadata is None else file.metadata or True,
        "digests": {name: digests[name] for name in _DIGESTS if name in digests},
        "downloads": _NOT_COUNTED,
        "filename": str(file.filename),
        "has_sig": file.signed,
        "md5_digest": digests.get("md5"),
        "packagetype": file.filename.packagetype,
        "python_version": file.filename.python,
        "requires_python": file.requires_python,
        "size": file.size,
        "upload_time": None if uploaded is None else uploaded.rstrip("Z").partition(".")[0],
        "upload_time_iso_8601": uploaded,
        "url": file_url(base, file.page),
        "yanked": file.yanked,
        "yanked_reason": file.yanked_reason if file.yanked else None,
    }
