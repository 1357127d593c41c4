"""What the REST API lists: projects and files, for whom."""

from __future__ import annotations

from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord, ProjectOverview, ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.errors import StillRebuilding
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.kernel.versions import parse_version


@dataclass(frozen=True, slots=True)
class Listed:
    """The files of a project, highest version first, and whether the caller may upload more."""

    files: list[FileRecord]
    may_write: bool


class Listings:
    """Questions of the REST API; each costs the same queries whatever there is and whatever is hidden.

    What is in quarantine is shown to administrators, who have to decide about it.
    """

    def __init__(self, catalog: Catalog, gate: Gate) -> None:
        self._catalog = catalog
        self._gate = gate

    def projects(self, identity: Identity, index: IndexName) -> list[ProjectOverview]:
        """The projects that the caller may read, by name."""
        may_read = self._gate.readable(identity)
        with self._catalog.read(snapshot=False) as catalog:
            found = catalog.overview(index)
        return [one for one in found if may_read(one.name) and _shows(one.status, identity)]

    def files(self, identity: Identity, index: IndexName, name: ProjectName) -> Listed:
        """The files of a project; none where it is unknown or hidden, as pypicloud has it.

        An anonymous caller gets what the gate says of a hidden one, so that clients send their credentials.
        """
        visible = self._gate.allows(identity, Permission.READ, name)
        if not visible and not identity.is_authenticated:
            raise self._gate.unknown(identity, name)
        with self._catalog.read() as catalog:
            project = catalog.project(index, name)
            files = catalog.files(index, name)
            if project is None and catalog.state().rebuilding_since is not None:
                raise StillRebuilding.of_project(name)
        if project is None or not visible or not _shows(project.status, identity):
            files = []
        return Listed(
            sorted((file for file in files if file.is_listed), key=_version_and_filename, reverse=True),
            self._gate.allows(identity, Permission.WRITE, name),
        )

    def project(self, identity: Identity, index: IndexName, name: ProjectName) -> ProjectRecord:
        """A project, with or without files; raises what the gate says of one that is unknown or hidden."""
        visible = self._gate.allows(identity, Permission.READ, name)
        with self._catalog.read(snapshot=False) as catalog:
            project = catalog.project(index, name)
        if project is None or not visible:
            raise self._gate.unknown(identity, name)
        return project

    def shown_project(self, identity: Identity, index: IndexName, name: ProjectName) -> ProjectRecord:
        """A project that has files and is shown to the caller; any other is as unknown as one that never was."""
        project = self.project(identity, index, name)
        if not project.file_count or not _shows(project.status, identity):
            raise self._gate.unknown(identity, name)
        return project


def _shows(status: ProjectStatus, identity: Identity) -> bool:
    return identity.is_admin or status is not ProjectStatus.QUARANTINED


def _version_and_filename(record: FileRecord) -> tuple[object, str]:
    return parse_version(record.version), str(record.filename)
