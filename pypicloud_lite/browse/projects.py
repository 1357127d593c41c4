"""What pages tell of projects, and to whom: values for templates, out of as few questions as there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.browse.charts import Chart, upright
from pypicloud_lite.browse.dependants import Dependants, relations
from pypicloud_lite.browse.manage.projects.curation import CURATING
from pypicloud_lite.browse.plain_tags import by_use, plain_words
from pypicloud_lite.catalog.model import FileRecord, ProjectRecord, ProjectStatus, ReleaseRecord
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.downloads.counts import Counts, DownloadCounts
from pypicloud_lite.indexes.layout import file_path
from pypicloud_lite.kernel.errors import InvalidName, NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import is_version, normalised_version, parse_version
from pypicloud_lite.serve.describe.documents import Release, Releases, core_links, core_list, core_text
from pypicloud_lite.serve.describe.newest import newest_readable
from pypicloud_lite.serve.visible import unknown, visible_files

_RECENT = 12
_VERSIONS = 50
_COUNTED_DAYS = 30
_SAFE_LINK = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the release that is shown."""

    record: FileRecord
    path: str

    @property
    def use(self) -> str:
        """What kind of file it is and what it is for."""
        return plain_words(self.record.filename)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A requirement; ``project`` is its name where it can be read."""

    text: str
    project: str | None
    here: bool = False


@dataclass(frozen=True, slots=True)
class ProjectView:
    """A project, seen by one of its releases. ``core`` is that release's core metadata."""

    project: ProjectRecord
    releases: Releases
    release: Release
    core: Mapping[str, Any]
    files: Sequence[FileRow]
    dependencies: Sequence[Dependency]
    dependants: Dependants
    may_write: bool
    may_manage: bool
    downloads: Counts

    @property
    def is_latest(self) -> bool:
        """Whether this is the release to offer first."""
        return self.release is self.releases.latest

    def history(self, *, whole: bool) -> Sequence[Release]:
        """Its releases, the newest first; but for the whole of it, only as many as somebody would look through."""
        newest_first = self.releases.all[::-1]
        return newest_first if whole else newest_first[:_VERSIONS]

    @property
    def chart(self) -> Chart:
        """Its downloads of each day."""
        return upright([(day.isoformat(), count) for day, count in self.downloads.days])

    @property
    def summary(self) -> str | None:
        """One line about it."""
        return core_text(self.core, "summary") or next((one.summary for one in self.release.files if one.summary), None)

    @property
    def description(self) -> tuple[str | None, str | None]:
        """The long description and its content type."""
        return core_text(self.core, "description"), core_text(self.core, "description_content_type")

    @property
    def requires_python(self) -> str | None:
        """The Pythons it is for."""
        return next((one.requires_python for one in self.release.files if one.requires_python), None)

    @property
    def links(self) -> Mapping[str, str]:
        """Label to address; only such as a browser may follow."""
        return {label: url for label, url in core_links(self.core).items() if _SAFE_LINK.match(url)}

    @property
    def people(self) -> Sequence[str]:
        """Author and maintainer, as they name themselves."""
        keys = ("author", "author_email", "maintainer", "maintainer_email")
        return list(dict.fromkeys(text for key in keys if (text := core_text(self.core, key))))

    @property
    def license(self) -> str | None:
        """Its licence, where it is short enough to be a name."""
        text = core_text(self.core, "license_expression") or core_text(self.core, "license")
        return text if text and len(text) <= 100 and "\n" not in text else None  # noqa: PLR2004  a name, not a text

    @property
    def classifiers(self) -> Mapping[str, Sequence[str]]:
        """Trove classifiers by their first word."""
        found: dict[str, list[str]] = {}
        for line in core_list(self.core, "classifier"):
            first, _, rest = line.partition(" :: ")
            found.setdefault(first, []).append(rest or first)
        return found


class ProjectPages:
    """Questions of the pages; what the caller may not read leaves no trace in any answer."""

    def __init__(self, catalog: Catalog, gate: Gate, counts: DownloadCounts) -> None:
        self._catalog = catalog
        self._counts = counts
        self._gate = gate

    def recent(self, identity: Identity, index: IndexName) -> Sequence[ReleaseRecord]:
        """The newest releases, one of each project; one query where all of the newest may be read."""
        with self._catalog.read(snapshot=False) as reader:
            found = newest_readable(reader, index, self._gate.readable(identity), _RECENT * 3)
        first: dict[ProjectName, ReleaseRecord] = {}
        for one in found:
            first.setdefault(one.project, one)
        return list(first.values())[:_RECENT]

    def project(self, identity: Identity, index: IndexName, name: ProjectName, spelling: str | None) -> ProjectView:
        """A project by its latest release, or by one whose version may be spelled in any way."""
        with visible_files(self._catalog, self._gate, identity, index, name) as (reader, record, all_files):
            files = [file for file in all_files if file.is_listed]
            if not files or (record.status is ProjectStatus.QUARANTINED and not identity.is_admin):
                raise unknown(reader, self._gate, identity, name)
            releases = Releases.of(files)
            release = releases.latest if spelling is None else _find(releases, spelling)
            if release is None:
                raise NotFound(f"There is no version {shown(spelling or '')} of project {name} here")
            core = reader.release_metadata(index, name, release.version)
            dependencies, dependants = self._relations(reader, identity, record, core)
        rows = [FileRow(one, file_path(one)) for one in sorted(release.files, key=_by_use)]
        downloads = self._counts.of(record.id, _COUNTED_DAYS)
        may_write = self._gate.allows(identity, Permission.WRITE, name)
        may_manage = any(self._gate.allows(identity, one, name) for one in CURATING)
        return ProjectView(
            record, releases, release, core, rows, dependencies, dependants, may_write, may_manage, downloads
        )

    def _relations(
        self, reader: CatalogReader, identity: Identity, project: ProjectRecord, core: Mapping[str, Any]
    ) -> tuple[Sequence[Dependency], Dependants]:
        texts = core_list(core, "requires_dist")
        names = {text: name for text in texts if (name := _required(text)) is not None}
        may_read = self._gate.readable(identity)
        here, dependants = relations(reader, may_read, project.index, project.name, set(names.values()))
        dependencies = [
            Dependency(text, str(names[text]) if text in names else None, here=names.get(text) in here)
            for text in texts
        ]
        return dependencies, dependants


def _by_use(record: FileRecord) -> Any:
    return by_use(record.filename)


def _required(text: str) -> ProjectName | None:
    try:
        return ProjectName.parse(Requirement(text).name)
    except (InvalidRequirement, InvalidName):
        return None


def _find(releases: Releases, spelling: str) -> Release | None:
    return releases.find(normalised_version(spelling)) if is_version(spelling) else None


def is_prerelease(version: str) -> bool:
    """As PEP 440 has it."""
    return parse_version(version).is_prerelease
