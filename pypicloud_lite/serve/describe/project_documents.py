"""The JSON API's documents of a project and of a release: of our own files, an upstream's, or both."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from urllib.parse import quote

from pypicloud_lite.access.model import Identity
from pypicloud_lite.catalog.model import ProjectRecord
from pypicloud_lite.catalog.port import CatalogReader
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.kernel.versions import is_version, normalised_version
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.serve.cache import Page, PageCache
from pypicloud_lite.serve.describe.documents import Release, Releases, project_document, release_document
from pypicloud_lite.serve.projects import Core, Merged, Projects
from pypicloud_lite.serve.shown import ShownFile

_SIMPLE = "/simple/"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The document is another server's."""

    url: str


@dataclass(frozen=True, slots=True)
class Wish:
    """Of which project, and of which release, whose version may be spelled in any way: None for the one to offer first.

    ``base`` is the server's own URL as the caller reaches it, without a slash at the end.
    """

    name: ProjectName
    spelling: str | None
    base: str

    @property
    def version(self) -> str | None:
        """The version, normalised where that is possible."""
        known = self.spelling is not None and is_version(self.spelling)
        return normalised_version(self.spelling) if known and self.spelling is not None else self.spelling

    def find(self, releases: Releases[ShownFile]) -> Release[ShownFile]:
        """The release that is meant; ``NotFound`` where there is none."""
        if self.spelling is None:
            return releases.latest
        release = releases.find(self.version) if self.version is not None and is_version(self.version) else None
        if release is None:
            raise NotFound(f"There is no version {shown(self.spelling)} of project {self.name} here")
        return release

    def written(
        self, project: ProjectRecord, releases: Releases[ShownFile], release: Release[ShownFile], core: Core
    ) -> bytes:
        """The document."""
        if self.spelling is None:
            document = project_document(project, releases, core, self.base)
        else:
            document = release_document(project, release, core, self.base)
        return json.dumps(document, separators=(",", ":")).encode()


class ProjectDocuments:
    """Documents of the default index; a warm one of our own files costs one indexed query.

    A project that is quarantined or whose last file is being removed is as unknown as one that never was.
    """

    def __init__(self, projects: Projects, cache: PageCache, index: IndexName) -> None:
        self._projects = projects
        self._cache = cache
        self._index = index

    def find(self, identity: Identity, wish: Wish, author: Author) -> Page | Elsewhere:
        """What is told of a project; raises what the gate says of one that is unknown or hidden.

        An ``UpstreamError`` where it is an upstream's, which does not answer.
        """
        key = ("json", wish.version, wish.base, self._index, wish.name)
        with self._projects.look(identity, wish.name, with_files=False) as (reader, looked):
            if looked.is_quarantined:
                raise self._projects.unknown(reader, identity, wish.name)
            own = looked.own
            if looked.show is Show.NOTHING and own is not None:
                return self._cache.get(key, own.revision, lambda: self._ours(reader, identity, own, wish))
            if looked.show is Show.REDIRECT:
                return self._elsewhere(identity, wish)
            files = reader.files(self._index, wish.name) if own is not None else ()
        merged = self._projects.merge(identity, replace(looked, files=[one for one in files if one.is_listed]))
        return self._cache.get((*key, merged.may_ask), merged.key, lambda: self._merged(identity, merged, wish, author))

    def _ours(self, reader: CatalogReader, identity: Identity, own: ProjectRecord, wish: Wish) -> Page:
        files = [ShownFile.ours(one) for one in reader.files(self._index, wish.name) if one.is_listed]
        if not files:
            raise self._projects.unknown(reader, identity, wish.name)
        releases = Releases.of(files)
        release = wish.find(releases)
        core = reader.release_metadata(self._index, wish.name, release.version)
        return Page.of(wish.written(own, releases, release, core), own.serial)

    def _merged(self, identity: Identity, merged: Merged, wish: Wish, author: Author) -> Page:
        """Raises where METADATA is to be had, and its upstream does not answer: a document without is no answer."""
        whole = merged.whole()
        if not whole.files:
            raise self._projects.nowhere(identity, wish.name, may_ask=merged.may_ask)
        releases = Releases.of(whole.files)
        release = wish.find(releases)
        core = self._projects.core(merged, release.version, release.files, author)
        return Page.of(wish.written(whole.named_by(core), releases, release, core), whole.project.serial)

    def _elsewhere(self, identity: Identity, wish: Wish) -> Elsewhere:
        """Where an upstream has such documents, if its Simple API lies where that of the public PyPI does."""
        simple = self._projects.upstream_address
        if not simple.endswith(_SIMPLE):
            raise self._projects.nowhere(identity, wish.name, may_ask=True)
        version = "" if wish.version is None else f"{quote(wish.version, safe='')}/"
        return Elsewhere(f"{simple.removesuffix(_SIMPLE)}/pypi/{wish.name}/{version}json")
