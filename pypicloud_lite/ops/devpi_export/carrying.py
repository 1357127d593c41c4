"""Documentation, results of tests and what people say of themselves, on their way from an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.profiles import Profile, read_values
from pypicloud_lite.catalog.model import AttachmentKind
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.attaching import Attaching, NewAttachment
from pypicloud_lite.indexes.incoming import FileExists
from pypicloud_lite.indexes.layout import result_filename
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.publish.attachments import check_documentation
from pypicloud_lite.storage.port import Spool, Storage

_PIECE = 1024 * 1024


class CarriedAttachments:
    """Keeps them with their times and uploaders; what is there with the same bytes is not stored again."""

    def __init__(self, storage: Storage, catalog: Catalog, attaching: Attaching, clock: Clock, author: Author) -> None:
        self._storage = storage
        self._catalog = catalog
        self._attaching = attaching
        self._clock = clock
        self._author = author

    def keep_docs(
        self,
        index: IndexName,
        project: ProjectName,
        version: str,
        path: Path,
        uploaded_at: datetime | None,
        uploader: str | None,
    ) -> bool:
        """See :class:`~pypicloud_lite.ops.devpi_export.files.Attachments`."""
        new = NewAttachment.documentation(index, project, version, uploaded_at or self._clock(), uploader)
        with self._spooled(path) as spool:
            check_documentation(spool, new.filename)
            return self._added(new, spool)

    def keep_result(
        self,
        index: IndexName,
        project: ProjectName,
        version: str,
        tested: str,
        path: Path,
        uploaded_at: datetime | None,
        uploader: str | None,
    ) -> bool:
        """See :class:`~pypicloud_lite.ops.devpi_export.files.Attachments`."""
        at = uploaded_at or self._clock()
        with self._spooled(path) as spool:
            with self._catalog.read(snapshot=False) as catalog:
                there = [one for one in catalog.attachments(index, project) if one.for_file == tested]
            if any(one.sha256 == spool.digests.sha256 for one in there):
                return False
            name, kind = result_filename(tested, at, len(there)), AttachmentKind.TOXRESULT
            return self._added(NewAttachment(index, project, version, kind, name, at, tested, uploader), spool)

    def _spooled(self, path: Path) -> Spool:
        spool = self._storage.spool(path.stat().st_size)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                spool.write(piece)
        return spool

    def _added(self, new: NewAttachment, spool: Spool) -> bool:
        try:
            return self._attaching.add(new, spool, self._author, lambda: False).created
        except FileExists as error:
            raise InvalidRequest(error.message) from None


class CarriedProfiles:
    """Keeps what nothing was said of here: what somebody has changed since stays."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def keep_profile(self, username: str, more: Mapping[str, object], author: Author) -> None:
        """See :class:`~pypicloud_lite.ops.devpi_export.people.Profiles`."""
        values = read_values(more)

        def completed(before: Profile) -> Profile:
            return replace(before, **{name: value for name, value in values.items() if getattr(before, name) is None})

        self._administration.change_user(username, completed, None, author)
