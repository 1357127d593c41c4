"""What the page of one file tells, and to whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.artifacts.listing import Entry, Listing
from pypicloud_lite.browse.files.contents import Contents, Unlisted
from pypicloud_lite.browse.plain_tags import plain_words
from pypicloud_lite.browse.upstream import HASH_WORDS
from pypicloud_lite.catalog.model import FileRecord, Origin, ProjectRecord
from pypicloud_lite.indexes.layout import file_path
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import is_version, parse_version
from pypicloud_lite.mirror.listing import page_file
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.serve.projects import Projects

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
    """One file, with what it contains. ``upstream`` is the address that it was fetched from, without credentials."""

    project: ProjectRecord
    record: FileRecord
    contents: Listing | Unlisted
    upstream: str | None = None

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


@dataclass(frozen=True, slots=True)
class FileElsewhere:
    """A file that is not here, and that an upstream lists. ``keeps``: whoever downloads it has it kept here."""

    file: PageFile
    upstream: str
    keeps: bool

    @property
    def digests(self) -> Sequence[tuple[str, str, str]]:
        """Those that its upstream tells: as people write the name of each, its own name, the value."""
        return [(HASH_WORDS.get(name, name.upper()), name, value) for name, value in self.file.hashes.items()]

    @property
    def use(self) -> str:
        """What kind of file it is and what it is for."""
        return plain_words(self.file.filename)


class FilePages:
    """Asks for one file; what the caller may not read leaves no trace in any answer."""

    def __init__(self, gate: Gate, contents: Contents, projects: Projects, mirrors: Mirrors) -> None:
        self._gate = gate
        self._contents = contents
        self._projects = projects
        self._mirrors = mirrors

    @property
    def _mirror(self) -> Mirror:
        return self._mirrors.built_in

    def file(
        self, identity: Identity, author: Author, index: IndexName, name: ProjectName, version: str, filename: str
    ) -> FileView | FileElsewhere:
        """A file of a project and a version in any spelling; one of ours costs two queries, and what reading it costs.

        An upstream's that is not here: ``FileWithheld`` where a rule keeps it back, an ``UpstreamError`` where the
        upstream does not answer.
        """
        with self._projects.look(identity, name, with_files=False) as (reader, looked):
            project, record = looked.own, reader.file(index, filename) if looked.own is not None else None
            if not _is_it(record, name, version):
                record = None
            if record is None and looked.show is Show.FILES:
                project, record = reader.project(self._mirror.index, name), reader.file(self._mirror.index, filename)
        if record is not None and project is not None and _is_it(record, name, version):
            if record.origin is Origin.CACHE and record.index == self._mirror.index:
                return self._cached(author, project, record)
            return FileView(project, record, self._contents.of(record))
        found = None
        if looked.show in {Show.FILES, Show.LINKS}:
            found = self._elsewhere(identity, author, name, filename, direct=looked.show is Show.LINKS)
        if found is None or not _is_of(found.file.filename.version, version):
            raise NotFound(
                f"There is no file {shown(filename)} in version {shown(version)} of project {name} here: look at the "
                "project's page for the files that there are"
            )
        return found

    def _cached(self, author: Author, project: ProjectRecord, record: FileRecord) -> FileView:
        self._mirror.check_cached(record)
        # What is known of it: nobody is asked.
        wanted = self._mirror.wanted(record.project, record.filename.value, author, may_ask=False)
        if wanted is not None:
            link = wanted.file.link
            record = replace(record, yanked=link.yanked, yanked_reason=link.yanked_reason)
        upstream = wanted.upstream.name if wanted is not None else self._mirror.upstreams[0].name
        return FileView(project, record, self._contents.of(record), upstream)

    def _elsewhere(
        self, identity: Identity, author: Author, name: ProjectName, filename: str, *, direct: bool
    ) -> FileElsewhere | None:
        if not self._gate.allows(identity, Permission.FILL_CACHE, name):
            if identity.is_authenticated:
                return None
            raise self._gate.nowhere(identity, name, may_ask=False)
        wanted = self._mirror.wanted(name, filename, author, may_ask=True)
        if wanted is None:
            return None
        page = page_file(wanted.file, None if direct else self._mirror.index)
        return FileElsewhere(page, wanted.upstream.name, keeps=not direct)


def _is_it(record: FileRecord | None, name: ProjectName, version: str) -> bool:
    return record is not None and record.project == name and record.is_listed and _is_of(record.version, version)


def _is_of(stored: str, version: str) -> bool:
    return is_version(version) and parse_version(version) == parse_version(stored)


def _folders(entries: Iterable[Entry]) -> Sequence[Folder]:
    found = [Folder(path, list(members)) for path, members in groupby(entries, lambda entry: entry.place[0])]
    headed = {folder.path for folder in found}
    # A folder with members has its own heading, and needs no line in the folder that it lies in.
    kept = [Folder(one.path, [entry for entry in one.entries if entry.path[:-1] not in headed]) for one in found]
    return [folder for folder in kept if folder.entries]
