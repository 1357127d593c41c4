"""What pages tell of projects, and to whom: values for templates, out of as few questions as there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.browse.charts import Chart, upright
from pypicloud_lite.browse.dependants import Dependants, relations
from pypicloud_lite.browse.manage.projects.curation import CURATING
from pypicloud_lite.browse.plain_tags import by_use, plain_words
from pypicloud_lite.browse.upstream import HASH_WORDS, OfUpstream, nothing_to_show, of_upstream
from pypicloud_lite.catalog.model import ProjectRecord, ReleaseRecord
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.downloads.counts import Counts, DownloadCounts
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidName, NotFound, UpstreamError
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import is_version, normalised_version, parse_version
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.serve.describe.documents import Release, Releases, core_links, core_list, core_text
from pypicloud_lite.serve.describe.newest import newest_readable
from pypicloud_lite.serve.projects import Core, Looked, Merged, Projects
from pypicloud_lite.serve.shown import ShownFile

_RECENT = 12
_VERSIONS = 50
_COUNTED_DAYS = 30
_SAFE_LINK = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the release that is shown."""

    file: ShownFile

    @property
    def use(self) -> str:
        """What kind of file it is and what it is for."""
        return plain_words(self.file.filename)

    @property
    def place(self) -> str:
        """Where it is: ``ours``, ``cached`` or ``upstream``."""
        return self.file.place.value

    @property
    def is_direct(self) -> bool:
        """Whether its address is another server's."""
        return "://" in self.file.page.where

    @property
    def digest(self) -> tuple[str, str] | None:
        """The name and the value of the best that is known."""
        hashes = self.file.page.hashes
        return next(((words, hashes[name]) for name, words in HASH_WORDS.items() if name in hashes), None)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A requirement; ``project`` is its name where it can be read, ``linked`` whether there is a page of that."""

    text: str
    project: str | None
    linked: bool = False


@dataclass(frozen=True, slots=True)
class ProjectView:
    """A project, seen by one of its releases. ``core`` is that release's core metadata.

    ``upstream`` is where some of it, or all, comes from; ``hidden`` what administrators are told that ours hides.
    """

    project: ProjectRecord
    releases: Releases[ShownFile]
    release: Release[ShownFile]
    core: Mapping[str, Any]
    files: Sequence[FileRow]
    dependencies: Sequence[Dependency]
    dependants: Dependants
    may_write: bool
    may_manage: bool
    downloads: Counts
    is_ours: bool = True
    upstream: OfUpstream | None = None
    hidden: OfUpstream | None = None

    @property
    def is_latest(self) -> bool:
        """Whether this is the release to offer first."""
        return self.release is self.releases.latest

    def history(self, *, whole: bool) -> Sequence[Release[ShownFile]]:
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


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A project that is not here, and for which installers are sent to ``url``."""

    name: ProjectName
    url: str


_Related = tuple[Sequence[Dependency], Dependants]
_Told = tuple[ProjectRecord, Releases[ShownFile], Release[ShownFile], Core, _Related]


class ProjectPages:
    """Questions of the pages; what the caller may not read leaves no trace in any answer."""

    def __init__(
        self, catalog: Catalog, gate: Gate, counts: DownloadCounts, projects: Projects, mirrors: Mirrors
    ) -> None:
        self._catalog = catalog
        self._counts = counts
        self._gate = gate
        self._projects = projects
        self._mirrors = mirrors

    @property
    def _mirror(self) -> Mirror:
        return self._mirrors.built_in

    def recent(self, identity: Identity, index: IndexName) -> Sequence[ReleaseRecord]:
        """The newest releases, one of each project; one query where all of the newest may be read."""
        with self._catalog.read(snapshot=False) as reader:
            found = newest_readable(reader, index, self._gate.readable(identity), _RECENT * 3)
        first: dict[ProjectName, ReleaseRecord] = {}
        for one in found:
            first.setdefault(one.project, one)
        return list(first.values())[:_RECENT]

    def project(
        self, identity: Identity, author: Author, index: IndexName, name: ProjectName, spelling: str | None
    ) -> ProjectView | Elsewhere:
        """A project by its latest release, or by one whose version may be spelled in any way.

        An ``UpstreamError`` where it is an upstream's alone, which does not answer.
        """
        with self._projects.look(identity, name, with_files=True) as (reader, looked):
            if looked.show is Show.REDIRECT:
                return Elsewhere(name, self._mirror.page_address(name))
            ours = self._ours(reader, identity, index, looked, spelling) if looked.show is Show.NOTHING else None
        if ours is None:
            return self._merged(identity, author, index, self._projects.merge(identity, looked), spelling)
        return replace(self._view(identity, *ours), hidden=self._hidden(identity, name))

    def _ours(
        self, reader: CatalogReader, identity: Identity, index: IndexName, looked: Looked, spelling: str | None
    ) -> _Told:
        record = looked.own
        if record is None or not looked.files:
            raise self._projects.unknown(reader, identity, looked.name)
        releases = Releases.of([ShownFile.ours(one) for one in looked.files])
        release = _find(releases, looked.name, spelling)
        core = reader.release_metadata(index, looked.name, release.version)
        return record, releases, release, core, self._relations(reader, identity, index, looked.name, core)

    def _merged(
        self, identity: Identity, author: Author, index: IndexName, merged: Merged, spelling: str | None
    ) -> ProjectView:
        whole = merged.whole()
        if not whole.files:
            raise nothing_to_show(whole)
        releases = Releases.of(whole.files)
        release = _find(releases, whole.project.name, spelling)
        unread = None
        core: Core = {}
        try:
            core = self._projects.core(merged, release.version, release.files, author)
        except UpstreamError as error:
            unread = error.message
        with self._catalog.read(snapshot=False) as reader:
            related = self._relations(reader, identity, index, whole.project.name, core)
        view = self._view(identity, whole.named_by(core), releases, release, core, related)
        upstream = replace(of_upstream(self._mirror, merged.listing, merged.failure), unread=unread)
        return replace(view, is_ours=whole.is_ours, upstream=upstream)

    def _view(
        self,
        identity: Identity,
        project: ProjectRecord,
        releases: Releases[ShownFile],
        release: Release[ShownFile],
        core: Core,
        related: _Related,
    ) -> ProjectView:
        return ProjectView(
            project=project,
            releases=releases,
            release=release,
            core=core,
            files=[FileRow(one) for one in sorted(release.files, key=_by_use)],
            dependencies=related[0],
            dependants=related[1],
            may_write=self._gate.allows(identity, Permission.WRITE, project.name),
            may_manage=any(self._gate.allows(identity, one, project.name) for one in CURATING),
            # What was never here was never downloaded.
            downloads=self._counts.of(project.id, _COUNTED_DAYS) if project.id else Counts((), {}),
        )

    def _hidden(self, identity: Identity, name: ProjectName) -> OfUpstream | None:
        """What is known already of an upstream's project that ours hides: nobody is asked, and a name stays private."""
        if not identity.is_admin or not self._mirror.showing.is_on:
            return None
        seen = self._mirror.pages.see(name, ask=False)
        if seen is None:
            return None
        return OfUpstream(seen.row.upstream or "", seen.row.checked_at)

    def _relations(
        self, reader: CatalogReader, identity: Identity, index: IndexName, project: ProjectName, core: Core
    ) -> _Related:
        texts = core_list(core, "requires_dist")
        names = {text: name for text in texts if (name := _required(text)) is not None}
        may_read = self._gate.readable(identity)
        here, dependants = relations(reader, may_read, index, project, set(names.values()))

        def is_linked(name: ProjectName | None) -> bool:
            if name is None or name in here:
                return name is not None
            return self._mirror.showing.show(index, name, is_ours=False) is not Show.NOTHING and may_read(name)

        dependencies = [
            Dependency(text, str(names[text]) if text in names else None, linked=is_linked(names.get(text)))
            for text in texts
        ]
        return dependencies, dependants


def released(release: Release[ShownFile]) -> datetime | None:
    """When its first file came; None where nobody knows."""
    return min((one.uploaded_at for one in release.files if one.uploaded_at is not None), default=None)


def _by_use(file: ShownFile) -> Any:
    return by_use(file.filename)


def _required(text: str) -> ProjectName | None:
    try:
        return ProjectName.parse(Requirement(text).name)
    except (InvalidRequirement, InvalidName):
        return None


def _find(releases: Releases[ShownFile], name: ProjectName, spelling: str | None) -> Release[ShownFile]:
    if spelling is None:
        return releases.latest
    release = releases.find(normalised_version(spelling)) if is_version(spelling) else None
    if release is None:
        raise NotFound(f"There is no version {shown(spelling)} of project {name} here")
    return release


def is_prerelease(version: str) -> bool:
    """As PEP 440 has it."""
    return parse_version(version).is_prerelease
