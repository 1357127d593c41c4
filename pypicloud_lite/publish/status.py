"""The status of a project (PEP 792): archived and quarantined ones take no uploads."""

from __future__ import annotations

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import ProjectRecord, ProjectStatus
from pypicloud_lite.indexes.changes import Changes
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.publish.yanking import one_line


class Statuses:
    """The service that gives a project its status."""

    def __init__(self, gate: Gate, changes: Changes) -> None:
        self._gate = gate
        self._changes = changes

    def set(
        self,
        index: IndexName,
        project: ProjectName,
        status: ProjectStatus,
        reason: str | None,
        identity: Identity,
        author: Author,
    ) -> None:
        """Set it: for owners of the project, and where quarantine begins or ends for administrators.

        The reason is shown to everybody who may read the project.
        """
        self._gate.require(identity, Permission.ARCHIVE, project, index)

        def admit(before: ProjectRecord) -> None:
            if ProjectStatus.QUARANTINED in {status, before.status}:
                self._gate.require(identity, Permission.ADMINISTER, project, index)

        if not self._changes.set_status(index, project, status, one_line(reason), author, admit):
            raise NotFound(f"There is no project {project} here: upload a file to it first")
