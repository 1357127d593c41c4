"""What the manage page of a project shows, and to whom: only what the caller may do there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.grants import Rule
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord, ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.kernel.errors import InvalidName, NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.serve.describe.documents import Release, Releases
from pypicloud_lite.serve.visible import unknown

CURATING = (Permission.DELETE, Permission.YANK, Permission.ARCHIVE, Permission.GRANT, Permission.ADMINISTER)
"""Whoever holds one of these on a project has something to do on its page."""

_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class ProjectList:
    """A page of all projects; ``more_after`` is the name after which the next one begins."""

    projects: Sequence[ProjectRecord]
    more_after: str | None


@dataclass(frozen=True, slots=True)
class Curated:
    """A project as its curator sees it. ``rights`` are what the caller holds of :data:`CURATING`."""

    project: ProjectRecord
    releases: Releases[FileRecord] | None
    rights: frozenset[Permission]
    rules: Sequence[Rule] = ()

    @property
    def may_delete(self) -> bool:
        """Whether files may be deleted."""
        return Permission.DELETE in self.rights

    @property
    def may_yank(self) -> bool:
        """Whether files may be yanked."""
        return Permission.YANK in self.rights

    @property
    def may_grant(self) -> bool:
        """Whether rules may be changed."""
        return Permission.GRANT in self.rights

    @property
    def may_free(self) -> bool:
        """Whether the name may be given back: by an administrator, once there is no file."""
        return Permission.ADMINISTER in self.rights and self.releases is None

    @property
    def statuses(self) -> Sequence[ProjectStatus]:
        """Those that the caller may choose from; empty where the status is not the caller's to change."""
        if Permission.ADMINISTER in self.rights:
            return list(ProjectStatus)
        if Permission.ARCHIVE not in self.rights:
            return []
        return [one for one in ProjectStatus if one is not ProjectStatus.QUARANTINED]

    def history(self, *, whole: bool) -> Sequence[Release[FileRecord]]:
        """Its releases, the newest first; but for the whole of it, only as many as somebody would look through."""
        newest_first = [] if self.releases is None else self.releases.all[::-1]
        return newest_first if whole else newest_first[:_PER_PAGE]

    def release(self, spelling: str) -> Release[FileRecord] | None:
        """The release of that version, spelled in any way; the latest for an empty one; None without any file."""
        if not spelling:
            return None if self.releases is None else self.releases.latest
        try:
            found = None if self.releases is None else self.releases.find(normalised_version(spelling))
        except InvalidName:
            found = None
        if found is None:
            raise NotFound(f"There is no version {shown(spelling)} of project {self.project.name} here")
        return found

    def chosen(self, filename: str, version: str) -> tuple[Selection, Sequence[FileRecord]]:
        """What a form is about, and the files that it means: one, those of a release, or with empty texts all."""
        index, name = self.project.index, self.project.name
        every = [] if self.releases is None else [file for one in self.releases.all for file in one.files]
        if filename:
            found = [file for file in every if str(file.filename) == filename]
            if not found:
                raise NotFound(f"There is no file {shown(filename)} in project {name} here")
            return Selection(index, name, filename=filename), found
        if version:
            release = self.release(version)
            assert release is not None, "a version was asked for"  # noqa: S101  for the type checker
            return Selection(index, name, version=release.version), release.files
        if not every:
            raise NotFound(f"Project {name} has no file: there is nothing to change")
        return Selection(index, name), every


class Curation:
    """The questions of the pages; a project that the caller may not read leaves no trace in any answer."""

    def __init__(self, catalog: Catalog, gate: Gate, directory: Directory, index: IndexName) -> None:
        self._catalog = catalog
        self._gate = gate
        self._directory = directory
        self._index = index

    def projects(self, part: str, after: str) -> ProjectList:
        """All projects, by name, whose name holds ``part``: for administrators. One query."""
        with self._catalog.read(snapshot=False) as reader:
            found = reader.projects_named(self._index, part, after, _PER_PAGE + 1)
        shown_here = found[:_PER_PAGE]
        return ProjectList(shown_here, str(shown_here[-1].name) if len(found) > _PER_PAGE else None)

    def project(self, identity: Identity, name: ProjectName) -> Curated:
        """A project, with or without files.

        Raises what the gate says of one that is unknown or hidden, with the same queries for both, and
        PermissionDenied for a reader who may change nothing in it.
        """
        visible = self._gate.allows(identity, Permission.READ, name)
        with self._catalog.read(snapshot=False) as reader:
            record = reader.project(self._index, name)
            if record is None or not visible or (record.status is ProjectStatus.QUARANTINED and not identity.is_admin):
                raise unknown(reader, self._gate, identity, name)
            rights = frozenset(one for one in CURATING if self._gate.allows(identity, one, name))
            if not rights:
                self._gate.require(identity, Permission.DELETE, name)
            releases = self._releases(reader, name)
        rules = self._directory.grant_book().rules_of(name) if Permission.GRANT in rights else ()
        return Curated(record, releases, rights, rules)

    def _releases(self, reader: CatalogReader, name: ProjectName) -> Releases[FileRecord] | None:
        files = [file for file in reader.files(self._index, name) if file.is_listed]
        return Releases.of(files) if files else None
