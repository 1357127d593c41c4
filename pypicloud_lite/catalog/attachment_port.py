"""Documentation and results of tests, beside the files of releases: a part of the catalog's port."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from pypicloud_lite.catalog.model import Attachment
from pypicloud_lite.kernel.names import IndexName, ProjectName


class AttachmentReader(Protocol):
    """The questions, each one query."""

    def attachments(self, index: IndexName, project: ProjectName) -> Sequence[Attachment]:
        """Everything attached to a project, in the order it came: by ``uploaded_at``."""

    def attachments_of(self, indexes: Sequence[IndexName], project: ProjectName) -> Sequence[Attachment]:
        """As :meth:`attachments`, of one project in several indexes: one query for all of them."""

    def attachment(self, index: IndexName, filename: str) -> Attachment | None:
        """The attachment of that name, whatever its project: the caller compares ``project``."""

    def all_attachments(self) -> Iterator[Attachment]:
        """Those of every index: one query for each 1,000, made as they are asked for."""


class AttachmentWriter(Protocol):
    """The changes. Each draws the scope's serial and tells the journal, as the changes of files do."""

    def add_attachment(self, attachment: Attachment, display_name: str) -> Attachment:
        """Insert, creating the project, which then has no files, where needed: its document is due then.

        ``FilenameTaken`` when the index has an attachment of that name, decided by the unique constraint alone.
        """

    def replace_attachment(self, old: Attachment, attachment: Attachment) -> Attachment | None:
        """Put ``attachment`` in the place of ``old``; None when ``old.id`` is no longer there."""

    def remove_attachment(self, attachment: Attachment) -> bool:
        """Remove the row, the project's document being due then; False, and nothing changes, when it is gone."""

    def restore_attachments(self, attachments: Sequence[Attachment], *, to_known: bool) -> int:
        """Take over what storage says of the attachments of one project, which is there; how many rows changed.

        A row of a name that has a higher serial stays; rows that are not named stay too. The serials given are kept,
        and the catalog's own becomes at least the highest of them. The project gets a new revision, and with
        ``to_known``, as it was there before, a new serial too.
        """
