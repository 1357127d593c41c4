"""A release uploaded to another server, with a login that its caller has there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pypicloud_lite.access.model import Identity
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import AuthenticationRequired, BackendUnavailable, StorageUnavailable, UpstreamError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.publish.sources import Choice, Sources
from pypicloud_lite.storage.port import BlobNotFound, Storage
from pypicloud_lite.upstream.outgoing import Outgoing, Uploaded
from pypicloud_lite.upstream.settings import Login

if TYPE_CHECKING:
    # Importing the client takes its time, and few ever send.
    from pypicloud_lite.upstream.uploading import Uploader

_OTHER_NAMES = {"classifier": "classifiers", "project_url": "project_urls"}
_NOT_SENT = frozenset({"name", "version", "description_headers"})


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The address that takes uploads, and who does it there."""

    url: str
    login: Login


@dataclass(frozen=True, slots=True)
class Sent:
    """One file, and what the other server said."""

    record: FileRecord
    answer: Uploaded


class Sending:
    """Sends what an index itself has; ``uploader`` is made when it is needed, as it takes its time."""

    def __init__(self, catalog: Catalog, storage: Storage, sources: Sources, uploader: Callable[[], Uploader]) -> None:
        self._catalog = catalog
        self._storage = storage
        self._sources = sources
        self._uploader = uploader

    def check(self, source: IndexName, project: ProjectName, identity: Identity) -> None:
        """Raise where the caller may have nothing of the project sent: who is not logged in, and who cannot read it."""
        if not identity.is_authenticated:
            raise AuthenticationRequired("Log in to have files sent to another server")
        self._sources.check(source, project, identity)

    def send(
        self,
        source: IndexName,
        project: ProjectName,
        version: str,
        elsewhere: Elsewhere,
        identity: Identity,
        author: Author,
    ) -> Iterator[Sent]:
        """Send each file of a release, one after the other, up to the first that is refused or cannot be sent.

        No connection to the database is held meanwhile. Before the first one whatever :meth:`Sources.find` raises;
        from then on nothing: where the other server or the storage cannot be asked, the answer says so with 502.
        """
        self.check(source, project, identity)
        for record, core in self._files(Choice(source, project, version), identity, author):
            try:
                answer = self._post(record, core, elsewhere)
            except (UpstreamError, BackendUnavailable) as error:
                answer = Uploaded(502, error.message)
            yield Sent(record, answer)
            if answer.status >= 400:  # noqa: PLR2004  refused
                return

    def _files(
        self, choice: Choice, identity: Identity, author: Author
    ) -> Sequence[tuple[FileRecord, Mapping[str, Any]]]:
        found = self._sources.find(choice, identity, author)
        with self._catalog.read(snapshot=False) as catalog:
            return [(one, catalog.core_metadata(one.id)) for one in found]

    def _post(self, record: FileRecord, core: Mapping[str, Any], elsewhere: Elsewhere) -> Uploaded:
        try:
            with closing(self._storage.open(record.key)) as chunks:
                file = Outgoing(form_fields(record, core), str(record.filename), record.size, chunks)
                return self._uploader().post(elsewhere.url, elsewhere.login, file)
        except BlobNotFound:
            raise StorageUnavailable(
                f"{record.filename} is missing in the storage, or was deleted from {record.index} meanwhile: send the "
                "release again, or tell an administrator"
            ) from None


def form_fields(record: FileRecord, core: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The text fields of the legacy upload form, as twine sends them: a list is the field again and again."""
    filename = record.filename
    fields = [
        (":action", "file_upload"),
        ("protocol_version", "1"),
        ("name", str(core.get("name", record.project))),
        ("version", str(core.get("version", record.version))),
        ("filetype", filename.packagetype),
        ("pyversion", filename.python),
        ("sha256_digest", record.digests.sha256),
        ("blake2_256_digest", record.digests.blake2b_256),
    ]
    for name, value in core.items():
        if name in _NOT_SENT:
            continue
        values = value if isinstance(value, list | tuple) else [value]
        fields += [(_OTHER_NAMES.get(name, name), str(one)) for one in values]
    if "metadata_version" not in core:
        fields.append(("metadata_version", "1.0"))
    return fields
