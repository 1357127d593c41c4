"""Deleting a file, a release or a project, and freeing a project's name."""

from __future__ import annotations

from collections.abc import Sequence

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import Attachment, FileRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.changes import Changes, Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import Conflict, NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName


class Removals:
    """The deletion service."""

    def __init__(self, catalog: Catalog, gate: Gate, changes: Changes) -> None:
        self._catalog = catalog
        self._gate = gate
        self._changes = changes

    def require(self, selection: Selection, identity: Identity, *, force: bool = False) -> None:
        """Raise where the caller may not delete that, whether or not it is there."""
        index = selection.index
        if not (force and self._gate.allows(identity, Permission.FORCE, selection.project, index)):
            self._gate.require(identity, Permission.DELETE, selection.project, index)

    def remove(
        self, selection: Selection, identity: Identity, author: Author, *, force: bool = False
    ) -> list[FileRecord]:
        """Delete what is selected, out of the lists all at once; the filenames stay reserved for the same bytes.

        ``force`` deletes from an index that is not volatile too, which takes a right of its own.

        The files that were deleted: :class:`NotFound` where there is nothing to delete, not even documentation. The
        project's name stays private until :meth:`free`.
        """
        self.require(selection, identity, force=force)
        removed, attached = self._changes.remove_all(selection, author)
        if not (removed or attached):
            raise NotFound(f"Project {selection.project} has no {selection}: nothing was deleted")
        return removed

    def remove_rows(
        self,
        records: Sequence[FileRecord],
        identity: Identity,
        author: Author,
        documentation: Sequence[Attachment] = (),
    ) -> None:
        """See :meth:`~pypicloud_lite.indexes.changes.Changes.remove_rows`."""
        for index, project in {(one.index, one.project) for one in records}:
            self._gate.require(identity, Permission.DELETE, project, index)
        self._changes.remove_rows(records, author, documentation)

    def free(self, index: IndexName, project: ProjectName, identity: Identity, author: Author) -> None:
        """Forget a project without files: its name is nobody's again, and so are its reserved filenames."""
        self._gate.require(identity, Permission.ADMINISTER, project, index)
        if self._changes.forget(index, project, author):
            return
        with self._catalog.read() as catalog:
            known = catalog.project(index, project)
        if known is None:
            raise NotFound(f"There is no project {project} here: its name is free")
        has = f"{known.file_count} files" if known.file_count else "documentation"
        raise Conflict(f"Project {project} has {has}: delete the project before you free its name")
