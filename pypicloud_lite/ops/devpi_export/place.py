"""What the parts of an import share: the run, and where what is taken over goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from pypicloud_lite.catalog.model import ProjectRecord
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.ops.devpi_export.earlier import EarlierImports
from pypicloud_lite.ops.devpi_export.reading import Export
from pypicloud_lite.ops.devpi_export.renaming import Names
from pypicloud_lite.ops.devpi_export.report import ImportReport


@dataclass(frozen=True, slots=True)
class Run:
    """One import; with ``dry_run`` it finds out what it would do."""

    export: Export
    names: Names
    author: Author
    report: ImportReport
    earlier: EarlierImports
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A project of an index; ``known`` is what it was before this run.

    ``there`` are its listed files by name, those that this run has brought, or would bring, too.
    """

    index: IndexName
    project: ProjectName
    known: ProjectRecord | None
    there: dict[str, Digests] = field(default_factory=dict)
