"""One upload, from the parsed form to a stored file."""

from __future__ import annotations

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import Author
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.incoming import NewFile, Stored
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.publish.form import UploadForm
from pypicloud_lite.publish.rules import (
    check_artifact,
    check_digests,
    check_protocol,
    check_status,
    claimed_filename,
)
from pypicloud_lite.storage.port import Spool

# hatch gives an upload ten seconds for its answer
_LIMITS = Limits(seconds=8)


class Uploads:
    """The upload service; the form's spool is the caller's to close."""

    def __init__(self, catalog: Catalog, gate: Gate, ingest: Ingest) -> None:
        self._catalog = catalog
        self._gate = gate
        self._ingest = ingest

    def upload(self, form: UploadForm, index: IndexName, identity: Identity, author: Author) -> Stored:
        """Check everything, cheapest first, then store: see :meth:`Ingest.add` for what is true after."""
        check_protocol(form)
        content, value = _content(form)
        filename = claimed_filename(form, value)
        project = filename.project
        self._gate.require(identity, Permission.WRITE, project)
        with self._catalog.read() as catalog:
            check_status(catalog.project(index, project))
        check_digests(form, content.digests)
        archive = content.reader()
        try:
            metadata = read_artifact(archive, filename, limits=_LIMITS)
        finally:
            archive.close()
        check_artifact(filename, metadata)
        new = NewFile(
            index=index,
            filename=filename,
            display_name=metadata.display_name,
            core=metadata.values,
            requires_python=metadata.requires_python,
            summary=metadata.summary,
            metadata=metadata.raw if filename.is_wheel else None,
            signature=form.signature,
            uploader=identity.username,
        )
        return self._ingest.add(
            new, content, author, lambda: self._gate.allows(identity, Permission.OVERWRITE, project)
        )


def _content(form: UploadForm) -> tuple[Spool, str]:
    if form.content is None or not form.content_filename:
        raise InvalidRequest(
            "The form has no file: send the distribution as a file part named 'content' with its filename"
        )
    if not form.content.size:
        raise InvalidRequest(f"{form.content_filename} is empty: build it again")
    return form.content, form.content_filename
