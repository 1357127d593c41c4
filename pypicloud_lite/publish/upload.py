"""One upload, from the parsed form to a stored file."""

from __future__ import annotations

from dataclasses import dataclass

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.indexes.incoming import NewFile, Stored
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest, NotFound
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.publish.form import UploadForm
from pypicloud_lite.publish.rules import (
    check_artifact,
    check_digests,
    check_protocol,
    check_status,
    claimed_filename,
)
from pypicloud_lite.publish.strict import check_only_sdist, check_strict
from pypicloud_lite.storage.port import Spool

# hatch gives an upload ten seconds for its answer
_LIMITS = Limits(seconds=8)


@dataclass(frozen=True, slots=True)
class Expected:
    """Where a caller said that its file goes: any spelling of the project, and the filename as it is."""

    project: str
    filename: str

    def check(self, filename: Filename) -> None:
        """The file that came must be that one: rights on one project are none on another."""
        if ProjectName.parse(self.project) != filename.project or self.filename != filename.value:
            raise InvalidRequest(
                f"The address names file {shown(self.filename)} of project {shown(self.project)}, and the file that "
                f"came is {filename} of project {filename.project}: the two must agree"
            )


class Uploads:
    """The upload service; the form's spool is the caller's to close.

    ``strict``: see ``publish/strict.py``; an index may be told otherwise.
    """

    def __init__(
        self, catalog: Catalog, gate: Gate, ingest: Ingest, registry: Registry, *, strict: bool = False
    ) -> None:
        self._catalog = catalog
        self._gate = gate
        self._ingest = ingest
        self._registry = registry
        self._strict = strict

    def upload(
        self, form: UploadForm, index: IndexName, identity: Identity, author: Author, expected: Expected | None = None
    ) -> Stored:
        """Check everything, cheapest first, then store: see :meth:`Ingest.add` for what is true after."""
        check_protocol(form)
        content, value = _content(form)
        filename = claimed_filename(form, value)
        if expected is not None:
            expected.check(filename)
        project = filename.project
        definition = self.stage(index, identity)
        strict = self.is_strict(definition)
        self._gate.require(identity, Permission.WRITE, project, index)

        def may_overwrite() -> bool:
            return self.may_overwrite(identity, project, index)

        def admit(catalog: CatalogReader) -> None:
            if self._registry.require(index, catalog):
                self._gate.require(identity, Permission.WRITE, project, index)
            check_status(catalog.project(index, project))
            if strict and filename.packagetype == "sdist":
                check_only_sdist(filename, catalog.files(index, project))

        with self._catalog.read() as catalog:
            admit(catalog)
        check_digests(form, content.digests)
        archive = content.reader()
        try:
            metadata = read_artifact(archive, filename, limits=_LIMITS, bare=not (strict or definition.is_default))
        finally:
            archive.close()
        check_artifact(filename, metadata)
        if strict:
            check_strict(filename, metadata)
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
        return self._ingest.add(new, content, author, may_overwrite, admit)

    def is_strict(self, index: IndexDefinition) -> bool:
        """Whether what comes into the index must be as ``publish/strict.py`` says."""
        own = index.get("strict")
        return self._strict if own is None else bool(own)

    def require_stage(self, owner: str, name: str, identity: Identity) -> IndexName:
        """The index of that name, if it takes uploads; NotFound else."""
        try:
            return self.stage(IndexName(owner, name), identity).name
        except InvalidName:
            raise NotFound(f"There is no index {shown(f'{owner}/{name}')} here: check the address") from None

    def stage(self, index: IndexName, identity: Identity) -> IndexDefinition:
        """The index, if it takes uploads; as an unknown one where the caller may not know of it."""
        definition = self._registry.now().get(index)
        if definition is None and self._gate.may_configure(identity, index):
            raise NotFound(f"There is no index {index} here: check the address, or make the index first")
        if definition is None or not self._gate.may_know_of(identity, index):
            raise self._gate.unknown_index(identity, index)
        if definition.is_mirror:
            raise NotFound(f"Index {index} is a mirror and takes no uploads: upload to an index that stands on it")
        return definition

    def may_overwrite(self, identity: Identity, project: ProjectName, index: IndexName) -> bool:
        """The default index that is volatile takes other bytes from everybody who may upload.

        By the definitions of this moment: within a transaction :meth:`Registry.require` brings those that it sees.
        """
        now = self._registry.now().get(index)
        is_open = now is not None and now.is_default and now.volatile
        if is_open and self._gate.allows(identity, Permission.WRITE, project):
            return True
        return self._gate.allows(identity, Permission.OVERWRITE, project, index)


def _content(form: UploadForm) -> tuple[Spool, str]:
    if form.content is None or not form.content_filename:
        raise InvalidRequest(
            "The form has no file: send the distribution as a file part named 'content' with its filename"
        )
    if not form.content.size:
        raise InvalidRequest(f"{form.content_filename} is empty: build it again")
    return form.content, form.content_filename
