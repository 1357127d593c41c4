"""A project as a named index shows it: each file with the index that it comes from, and what is hidden by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.browse.indexes.promoting import Promoting
from pypicloud_lite.browse.indexes.switch import IndexSwitch
from pypicloud_lite.browse.plain_tags import by_use, plain_words
from pypicloud_lite.browse.upstream import HASH_WORDS
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import is_version, normalised_version
from pypicloud_lite.serve.describe.documents import Release, Releases, core_text
from pypicloud_lite.serve.project_files import ProjectFiles, ProjectLookup

_VERSIONS = 50
_SHADOWED = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A file that is shown, and the index that it comes from; ``record`` is None of one that a mirror lists."""

    page: PageFile
    index: IndexName
    record: FileRecord | None = None

    @property
    def filename(self) -> Filename:
        """Its name, taken apart."""
        return self.page.filename

    @property
    def version(self) -> str:
        """The normalised version."""
        return self.page.filename.version

    @property
    def yanked(self) -> bool:
        """PEP 592."""
        return self.page.yanked

    @property
    def yanked_reason(self) -> str | None:
        """Why, where that is told."""
        return self.page.yanked_reason

    @property
    def use(self) -> str:
        """What kind of file it is and what it is for."""
        return plain_words(self.page.filename)

    @property
    def digest(self) -> tuple[str, str] | None:
        """The name and the value of the best that is known."""
        hashes = self.page.hashes
        return next(((words, hashes[name]) for name, words in HASH_WORDS.items() if name in hashes), None)


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A file that is not shown, as another index before has one of its name. ``is_same``: with the same content."""

    filename: Filename
    index: IndexName
    by: IndexName
    is_same: bool


@dataclass(frozen=True, slots=True)
class Source:
    """An index from which files of the release may be promoted, and into which."""

    index: IndexName
    files: Sequence[Row]
    targets: Sequence[IndexName]
    may_move: bool


@dataclass(frozen=True, slots=True)
class ProjectInIndex:
    """One project of one index, seen by one of its releases. ``core`` is that release's core metadata.

    ``silent`` are the mirrors that are not asked, as the name is private here.
    """

    index: IndexDefinition
    name: ProjectName
    display_name: str
    releases: Releases[Row]
    release: Release[Row]
    core: Mapping[str, Any]
    shadowed: Sequence[Shadowed]
    silent: Sequence[IndexName]
    choices: Sequence[IndexName]
    sources: Sequence[Source]
    may_configure: bool
    may_yank: bool
    may_delete: bool

    @property
    def is_latest(self) -> bool:
        """Whether this is the release to offer first."""
        return self.release is self.releases.latest

    @property
    def files(self) -> Sequence[Row]:
        """Those of the release, what most people want first."""
        return sorted(self.release.files, key=lambda one: by_use(one.filename))

    @property
    def own_files(self) -> Sequence[Row]:
        """Those of the release that are in the index itself."""
        return [one for one in self.release.files if one.record is not None and one.index == self.index.name]

    @property
    def is_yanked_here(self) -> bool:
        """Whether all that the index itself has of the release is yanked."""
        return all(one.yanked for one in self.own_files)

    @property
    def is_of_mirrors(self) -> bool:
        """Whether any of it is not here."""
        return any(one.record is None for one in self.release.files)

    def history(self, *, whole: bool) -> Sequence[Release[Row]]:
        """Its releases, the newest first; but for the whole of it, only as many as somebody would look through."""
        newest_first = self.releases.all[::-1]
        return newest_first if whole else newest_first[:_VERSIONS]

    @property
    def shadowed_shown(self) -> Sequence[Shadowed]:
        """As many as somebody would look through."""
        return self.shadowed[:_SHADOWED]

    @property
    def summary(self) -> str | None:
        """One line about it."""
        told = (one.record.summary for one in self.release.files if one.record is not None and one.record.summary)
        return core_text(self.core, "summary") or next(told, None)

    def fact(self, key: str) -> str | None:
        """One line of its metadata."""
        text = core_text(self.core, key)
        return text if text and len(text) <= 200 and "\n" not in text else None  # noqa: PLR2004  a line, not a text

    @property
    def requires_python(self) -> str | None:
        """The Pythons it is for."""
        return next((one.page.requires_python for one in self.release.files if one.page.requires_python), None)


class ProjectsInIndexes:
    """Looks for them: two queries for its files, one for its metadata and one for the switch, and what mirrors cost."""

    def __init__(
        self,
        catalog: Catalog,
        gate: Gate,
        indexes: Indexes,
        lookup: ProjectLookup,
        switch: IndexSwitch,
        promoting: Promoting | None,
    ) -> None:
        self._catalog = catalog
        self._gate = gate
        self._indexes = indexes
        self._lookup = lookup
        self._switch = switch
        self._promoting = promoting

    def project(self, identity: Identity, index: IndexName, name: ProjectName, spelling: str | None) -> ProjectInIndex:
        """The project by its latest release, or by one whose version may be spelled in any way."""
        definition = self._indexes.get(identity, index)
        found = self._lookup.find(identity, index, name)
        rows, shadowed = _first_wins(found)
        if not rows:
            raise NotFound(f"Project {name} has no file that {index} shows")
        releases = Releases.of(rows)
        release = _find(releases, name, spelling)
        own = any(one.index == index and one.record is not None for one in release.files)
        return ProjectInIndex(
            definition,
            name,
            found.display_name,
            releases,
            release,
            self._core(name, release),
            shadowed,
            found.chain.mirrors if found.hides_mirrors else (),
            self._switch.choices(identity, name, index),
            self._sources(identity, index, name, release),
            self._gate.may_configure(identity, index),
            may_yank=own and self._gate.allows(identity, Permission.YANK, name, index),
            may_delete=own and self._gate.allows(identity, Permission.DELETE, name, index),
        )

    def _core(self, name: ProjectName, release: Release[Row]) -> Mapping[str, Any]:
        holder = next((one.index for one in release.files if one.record is not None), None)
        if holder is None:
            return {}
        with self._catalog.read(snapshot=False) as reader:
            return reader.release_metadata(holder, name, release.version)

    def _sources(
        self, identity: Identity, shown_by: IndexName, name: ProjectName, release: Release[Row]
    ) -> Sequence[Source]:
        targets = self._promoting.targets(identity, name) if self._promoting is not None else ()
        by_index: dict[IndexName, list[Row]] = {}
        for one in release.files:
            by_index.setdefault(one.index, []).append(one)
        found = [
            Source(
                index,
                files,
                [one for one in targets if one != index],
                may_move=self._gate.allows(identity, Permission.DELETE, name, index),
            )
            for index, files in sorted(by_index.items(), key=lambda one: one[0] != shown_by)
        ]
        return [one for one in found if one.targets]


def _first_wins(found: ProjectFiles) -> tuple[list[Row], list[Shadowed]]:
    """The files that are shown, and those that are not as their names were there before."""
    rows: dict[str, Row] = {}
    shadowed = []
    for one in _in_order(found):
        first = rows.setdefault(str(one.filename), one)
        if first is not one:
            shadowed.append(Shadowed(one.filename, one.index, first.index, _is_same(one.page, first.page)))
    return list(rows.values()), shadowed


def _in_order(found: ProjectFiles) -> list[Row]:
    own = [Row(PageFile.of(file), held.project.index, file) for held in found.held for file in held.files]
    return own + [Row(file, mirror.index) for mirror in found.mirrored for file in mirror.files]


def _is_same(one: PageFile, other: PageFile) -> bool:
    return any(other.hashes.get(name) == value for name, value in one.hashes.items())


def _find(releases: Releases[Row], name: ProjectName, spelling: str | None) -> Release[Row]:
    if spelling is None:
        return releases.latest
    release = releases.find(normalised_version(spelling)) if is_version(spelling) else None
    if release is None:
        raise NotFound(f"There is no version {shown(spelling)} of project {name} here")
    return release


def released(release: Release[Row]) -> datetime | None:
    """When its first file came; None where nobody knows."""
    return min((one.page.uploaded_at for one in release.files if one.page.uploaded_at is not None), default=None)
