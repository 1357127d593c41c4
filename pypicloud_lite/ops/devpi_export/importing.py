"""A whole export, taken over into a server that runs or is stopped.

Every step is one that is made already or not: a run that ended at any point is continued by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.model import Identity
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.db.engine import Database
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import Clock
from pypicloud_lite.ops.devpi_export.attachments import AttachmentImport
from pypicloud_lite.ops.devpi_export.definitions import IndexImport
from pypicloud_lite.ops.devpi_export.earlier import EarlierImports
from pypicloud_lite.ops.devpi_export.files import FileImport
from pypicloud_lite.ops.devpi_export.people import PeopleImport, Profiles
from pypicloud_lite.ops.devpi_export.place import Run
from pypicloud_lite.ops.devpi_export.reading import Export, ExportedIndex
from pypicloud_lite.ops.devpi_export.renaming import Names
from pypicloud_lite.ops.devpi_export.report import ImportReport
from pypicloud_lite.storage.port import Storage

Progress = Callable[[str], None]
"""Told a line about each index as it begins and as it ends."""


@dataclass(frozen=True, slots=True)
class Target:
    """The server's parts that an import writes to.

    ``profiles`` is None where such things cannot be kept, which is then reported.
    """

    storage: Storage
    catalog: Catalog
    ingest: Ingest
    administration: Administration
    indexes: Indexes
    registry: Registry
    database: Database
    clock: Clock
    profiles: Profiles | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """How it is to be done.

    ``root_is_admin``: devpi's ``root`` gets the role. ``take_unsound``: files that an upload would refuse are taken
    over by their name. ``again``: what was removed here after an earlier import comes back. ``dry_run``: what is not
    here yet is read and verified, nothing is written.
    """

    root_is_admin: bool = False
    take_unsound: bool = False
    again: bool = False
    dry_run: bool = False


def import_export(
    export: Export,
    target: Target,
    names: Names,
    wishes: Wishes,
    identity: Identity,
    author: Author,
    progress: Progress = lambda _line: None,
) -> ImportReport:
    """Users, then indexes, then what is in them; outages of storage or database are raised as they come."""
    report = ImportReport()
    earlier = EarlierImports(target.database, target.clock, again=wishes.again, dry_run=wishes.dry_run)
    people = PeopleImport(target.administration, names, author, report, target.profiles, earlier)
    people.run(export, root_is_admin=wishes.root_is_admin, dry_run=wishes.dry_run)
    indexes = IndexImport(
        target.indexes, target.registry, names, identity, author, report, earlier, dry_run=wishes.dry_run
    )
    run = Run(export, names, author, report, earlier, dry_run=wishes.dry_run)
    attached = target.ingest.changes.attached
    attachments = AttachmentImport(run, target.storage, target.catalog, attached, target.clock)
    files = FileImport(
        run, target.storage, target.catalog, target.ingest, attachments, take_unsound=wishes.take_unsound
    )
    for index, definition in indexes.run(export):
        _fill(index, definition, files, report, progress)
    return report


def _fill(
    index: ExportedIndex, definition: IndexDefinition, files: FileImport, report: ImportReport, progress: Progress
) -> None:
    if definition.is_mirror:
        if index.file_count:
            report.left.append(
                f"index {definition.name}: {index.file_count} files that devpi had fetched: they are fetched again "
                "when somebody asks for them"
            )
        return
    before = report.counts()
    left = len(report.left)
    projects = 0
    for project in index.projects():
        files.take(definition.name, project)
        projects += 1
    added, there = (sum(report.counts()[key] - before[key] for key in keys) for keys in (_ADDED, _THERE))
    progress(
        f"{definition.name}: {projects} projects, {added} files added, {there} there already, "
        f"{len(report.left) - left} left out"
    )


_ADDED = ("files", "docs", "results")
_THERE = ("files_there", "docs_there", "results_there")
