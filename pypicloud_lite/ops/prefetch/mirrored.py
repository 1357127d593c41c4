"""The index as planning and fetching ask it: what is listed, what is needed, what is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from packaging.metadata import parse_email

from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import NotFound, PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.showing import Show
from pypicloud_lite.mirror.transfers import HasCome
from pypicloud_lite.ops.prefetch.planning import Chosen, Key, Offer, Plan, Whose
from pypicloud_lite.storage.port import Storage

_PATIENCE = 3600.0
_AT_ONCE = 4


@dataclass(slots=True)
class Fetched:
    """What became of a plan's files, by filename; ``failed`` says why."""

    came: list[str] = field(default_factory=list)
    here: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class Mirrored:
    """Our own files and the mirror's, as the default index shows them; with ``offline`` nobody is asked."""

    def __init__(
        self, mirror: Mirror, catalog: Catalog, storage: Storage, index: IndexName, *, offline: bool = False
    ) -> None:
        self._mirror = mirror
        self._catalog = catalog
        self._storage = storage
        self._index = index
        self._offline = offline

    def offer(self, project: ProjectName) -> Offer | None:
        """What the default index lists; None where nobody has the project. Offline: only files that are here."""
        with self._catalog.read(snapshot=False) as catalog:
            found = self._mirror.ours.find(catalog, project, with_files=True)
        found.require_known()
        record = found.record
        own = [PageFile.of(one) for one in found.files if one.is_listed]
        show = self._mirror.showing.show(self._index, project, is_ours=record is not None)
        if show is Show.NOTHING and record is None and self._mirror.showing.is_on:
            # mirror.enabled alone: what can be had by the mirror's own address.
            show = self._mirror.showing.show(self._mirror.index, project, is_ours=False)
        listing = None
        if show is Show.FILES:
            listing = self._mirror.listing(project, may_ask=not self._offline)
        if record is None and self._mirror.showing.is_on and not self._mirror.curation.asks_for(project):
            raise NotFound("it is never asked for (pypi.disallow_fallback, mirror.deny or mirror.allow)")
        if own or record is not None:
            names = {one.filename.value for one in own}
            theirs = [one for one in listing.read().files if one.filename.value not in names] if listing else []
            return Offer(Whose.OURS, [*own, *theirs])
        return None if listing is None else Offer(Whose.UPSTREAM, listing.read().files)

    def requires(self, chosen: Chosen) -> Sequence[str]:
        """Requires-Dist of a release; ``NotFound`` where it has no wheel from which to tell."""
        for file in chosen.files:
            if file.filename.is_wheel:
                return parse_email(self._metadata(file))[0].get("requires_dist", [])
        if all(file.filename.packagetype == "sdist" for file in chosen.files):
            return self._of_sdist(chosen)
        return ()

    def _metadata(self, file: PageFile) -> bytes:
        name, project = file.filename.value, file.filename.project
        for index in (self._index, self._mirror.index):
            with self._catalog.read(snapshot=False) as catalog:
                record = catalog.file(index, name)
            if record is not None and record.is_listed and record.metadata_sha256 is not None:
                return self._storage.read(record.metadata_key)
            if record is not None and index == self._index:
                # It is ours: nobody else is asked for it.
                raise NotFound(f"METADATA of {name} could not be read when it came")
        wanted = self._mirror.wanted(project, name, _NOBODY, may_ask=not self._offline)
        if wanted is None:
            raise NotFound(f"METADATA of {name} is not here")
        return self._mirror.metadata(wanted).content

    def _of_sdist(self, chosen: Chosen) -> Sequence[str]:
        """What was read from an sdist when it came; one that is not here may need anything."""
        for index in (self._index, self._mirror.index):
            for file in chosen.files:
                with self._catalog.read() as catalog:
                    record = catalog.file(index, file.filename.value)
                    core = catalog.core_metadata(record.id) if record is not None else {}
                if core:
                    return list(core.get("requires_dist", ()))
        raise NotFound("there is no wheel, and an sdist tells only once it is here")

    def is_here(self, file: PageFile) -> bool:
        """Whether a file can be had without an upstream."""
        with self._catalog.read(snapshot=False) as catalog:
            rows = [catalog.file(index, file.filename.value) for index in (self._index, self._mirror.index)]
        return any(row is not None and row.is_listed for row in rows)

    def fetch(self, plan: Plan, author: Author, progress: Callable[[int, int], None]) -> Fetched:
        """Bring every file of a plan here, a few at a time; what fails keeps no other from coming."""
        files = [file for one in plan.chosen.values() for file in one.files]
        fetched, left = Fetched(), [file for file in files if not self.is_here(file)]
        missing = {file.filename.value for file in left}
        fetched.here = [file.filename.value for file in files if file.filename.value not in missing]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = {pool.submit(self._bring, file, author): file.filename.value for file in left}
            for done, future in enumerate(as_completed(running), 1):
                error = future.exception()
                if error is None:
                    fetched.came.append(running[future])
                elif isinstance(error, PpcError):
                    fetched.failed[running[future]] = error.message
                else:
                    raise error
                progress(done, len(running))
        return fetched

    def _bring(self, file: PageFile, author: Author) -> None:
        wanted = self._mirror.wanted(file.filename.project, file.filename.value, author, may_ask=True)
        if wanted is None:
            raise NotFound(f"{file.filename} is not listed any more")
        try:
            self._mirror.keep(wanted, _PATIENCE)
        except HasCome:
            return


_NOBODY = Author(None)


def missing_of(plan: Plan, is_here: Callable[[PageFile], bool]) -> Mapping[Key, Chosen]:
    """The releases of a plan of which no file is here."""
    return {key: one for key, one in plan.chosen.items() if not any(is_here(file) for file in one.files)}
