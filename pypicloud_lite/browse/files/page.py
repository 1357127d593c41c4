"""What the page of one file tells, and to whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.artifacts.listing import Entry, Listing
from pypicloud_lite.browse.files.contents import Contents, Unlisted
from pypicloud_lite.browse.plain_tags import plain_words
from pypicloud_lite.catalog.model import FileRecord, Origin, ProjectRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.layout import file_path
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import is_version, parse_version
from pypicloud_lite.serve.visible import unknown, visible_project

_ORIGINS = {
    Origin.UPLOAD: "Uploaded to",
    Origin.IMPORT: "Found in the storage, where another server had put it, and taken over by",
    Origin.CACHE: "Fetched from an upstream, and kept by",
}


@dataclass(frozen=True, slots=True)
class Folder:
    """The members that lie in one folder of the archive; its path is empty at the top."""

    path: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class FileView:
    """One file, with what it contains."""

    project: ProjectRecord
    record: FileRecord
    contents: Listing | Unlisted

    @property
    def path(self) -> str:
        """Where its bytes are, from the server's root."""
        return file_path(self.record)

    @property
    def use(self) -> str:
        """What kind of file it is and what it is for."""
        return plain_words(self.record.filename)

    @property
    def tags(self) -> str | None:
        """A wheel's compatibility tags, as its name has them."""
        filename = self.record.filename
        return "-".join(filename.value.removesuffix(".whl").split("-")[-3:]) if filename.is_wheel else None

    @property
    def origin(self) -> str:
        """How it came here; the name of its index follows."""
        return _ORIGINS[self.record.origin]

    @property
    def unlisted(self) -> str | None:
        """Why its contents cannot be told, if they cannot."""
        return self.contents.reason if isinstance(self.contents, Unlisted) else None

    def folders(self, most: int) -> Sequence[Folder]:
        """Its first members, folder by folder."""
        return [] if isinstance(self.contents, Unlisted) else _folders(self.contents.entries[:most])


class FilePages:
    """Asks for one file; what the caller may not read leaves no trace in any answer."""

    def __init__(self, catalog: Catalog, gate: Gate, contents: Contents) -> None:
        self._catalog = catalog
        self._gate = gate
        self._contents = contents

    def file(self, identity: Identity, index: IndexName, name: ProjectName, version: str, filename: str) -> FileView:
        """A file of a project and a version in any spelling; two queries, and what reading it costs."""
        with visible_project(self._catalog, self._gate, identity, index, name) as (reader, project):
            if project.status is ProjectStatus.QUARANTINED and not identity.is_admin:
                raise unknown(reader, self._gate, identity, name)
            record = reader.file(index, filename)
        if record is None or record.project != name or not record.is_listed or not _is_of(record, version):
            raise NotFound(
                f"There is no file {shown(filename)} in version {shown(version)} of project {name} here: look at the "
                "project's page for the files that there are"
            )
        return FileView(project, record, self._contents.of(record))


def _is_of(record: FileRecord, version: str) -> bool:
    return is_version(version) and parse_version(version) == parse_version(record.version)


def _folders(entries: Iterable[Entry]) -> Sequence[Folder]:
    found = [Folder(path, list(members)) for path, members in groupby(entries, lambda entry: entry.place[0])]
    headed = {folder.path for folder in found}
    # A folder with members has its own heading, and needs no line in the folder that it lies in.
    kept = [Folder(one.path, [entry for entry in one.entries if entry.path[:-1] not in headed]) for one in found]
    return [folder for folder in kept if folder.entries]
