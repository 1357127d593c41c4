"""What an index gives away: its own files; of a mirror those that it lists, by its rules and with its yanks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import FileRecord, ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.publish.rules import check_gives, check_not_quarantined

_PATIENCE = 60.0
"""Seconds for a file that a mirror has still to fetch."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Files of one project. ``version`` is normalised; None means every one. ``filenames`` chooses among them."""

    index: IndexName
    project: ProjectName
    version: str | None = None
    filenames: tuple[str, ...] = ()

    def has(self, filename: Filename) -> bool:
        """Whether a file of the project is meant."""
        return self.version in {None, filename.version} and (not self.filenames or filename.value in self.filenames)


class Sources:
    """Finds the files that are to go elsewhere; what its bases show is not the index's to give."""

    def __init__(
        self, catalog: Catalog, gate: Gate, registry: Registry, mirror_of: Callable[[IndexName], Mirror | None]
    ) -> None:
        self._catalog = catalog
        self._gate = gate
        self._registry = registry
        self._mirror_of = mirror_of

    def check(self, index: IndexName, project: ProjectName, identity: Identity) -> None:
        """Raise, as for what is not there, where the caller does not read the project in the index."""
        if self._registry.now().get(index) is None:
            raise self._gate.unknown_index(identity, index)
        if not self._gate.allows(identity, Permission.READ, project, index):
            raise self._gate.unknown(identity, project, index)

    def find(self, choice: Choice, identity: Identity, author: Author) -> Sequence[FileRecord]:
        """The files, for a caller who was checked; NotFound where one that was named, or any, is missing.

        NotFound where the project is quarantined, here or where it is mirrored from. A mirror fetches what it lists and
        has not, for callers for whom it fetches; ``FileWithheld`` where a rule of it keeps back what it has.
        """
        mirror = self._mirror_of(choice.index)
        listed = {} if mirror is None else self._listed(mirror, choice, identity, author)
        with self._catalog.read(snapshot=False) as catalog:
            check_gives(catalog.project(choice.index, choice.project))
            there = [
                one for one in catalog.files(choice.index, choice.project) if one.is_listed and choice.has(one.filename)
            ]
        found = there if mirror is None else _as_listed(there, listed)
        missing = set(choice.filenames) - {str(one.filename) for one in found}
        is_whole = bool(found) and not missing
        if mirror is not None:
            for one in found if is_whole else there:
                mirror.check_cached(one)
        if not is_whole:
            raise _missing(choice, missing, is_mirror=mirror is not None)
        return found

    def _listed(self, mirror: Mirror, choice: Choice, identity: Identity, author: Author) -> Mapping[str, PageFile]:
        """What the mirror shows of them now, by name; nothing of a name that is ours, of which nobody is asked."""
        with self._catalog.read(snapshot=False) as catalog:
            ours = mirror.ours.find(catalog, choice.project)
        ours.require_known()
        is_held = ours.record is not None and ours.record.status is ProjectStatus.QUARANTINED
        show = mirror.showing.show(mirror.index, choice.project, is_ours=ours.record is not None)
        if is_held or show is Show.NOTHING:
            return {}
        may_ask = self._gate.allows(identity, Permission.FILL_CACHE, choice.project, choice.index)
        listing = mirror.listing(choice.project, may_ask=may_ask)
        if listing is None:
            return {}
        read = listing.read()
        check_not_quarantined(mirror.index, choice.project, read.status, read.status_reason)
        files = {one.filename.value: one for one in read.files if choice.has(one.filename)}
        for name in files if may_ask else ():
            wanted = mirror.wanted(choice.project, name, author, may_ask=True)
            if wanted is not None:
                mirror.keep(wanted, _PATIENCE)
        return files


def _as_listed(rows: Sequence[FileRecord], listed: Mapping[str, PageFile]) -> list[FileRecord]:
    """Those of the rows that are listed with these bytes, and yanked where the listing says so: rows do not know."""
    return [
        replace(row, yanked=file.yanked, yanked_reason=file.yanked_reason)
        for row in rows
        if (file := listed.get(str(row.filename))) is not None
        and file.hashes.get("sha256") in {None, row.digests.sha256}
    ]


def _missing(choice: Choice, missing: set[str], *, is_mirror: bool) -> NotFound:
    what = min(missing) if missing else f"{choice.project} {choice.version or ''}".strip()
    if is_mirror:
        return NotFound(
            f"Mirror {choice.index} has no {what} to give: look at what it lists, or ask an administrator whether a "
            "rule keeps it back"
        )
    return NotFound(f"Index {choice.index} has no {what} itself: name an index that has it, not one that stands on it")
