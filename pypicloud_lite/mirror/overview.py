"""How a mirror is, for whoever runs this server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pypicloud_lite.catalog.model import Amount, ProjectSpace
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.eviction import Cached, Eviction
from pypicloud_lite.mirror.page_store import PageRow
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.settings import Fallback, MirrorSettings
from pypicloud_lite.mirror.usage import What

_LARGEST = 10


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """``name`` is its address without credentials; ``is_shut``: this process leaves it alone now. None: not known."""

    name: str
    is_shut: bool | None


@dataclass(frozen=True, slots=True)
class MirrorState:
    """One mirror index. Counts are those that the processes have written down, each by the minute.

    ``quota`` is in bytes, None for none; it is for ``space_of_all``, which is what all mirrors together take.
    ``last_error`` is what was not answered since, and when.
    """

    index: IndexName
    is_on: bool
    fallback: Fallback
    upstreams: Sequence[UpstreamState]
    pages: int
    stale: int
    missing: int
    last_error: tuple[str, datetime] | None
    week: Mapping[What, int]
    month: Mapping[What, int]
    space: Amount
    space_of_all: Amount
    projects: int
    largest: Sequence[ProjectSpace]
    quota: int | None
    warnings: Sequence[str]

    @property
    def spans(self) -> Sequence[tuple[str, Mapping[str, int]]]:
        """What was counted, by the names of :class:`What` in lower case."""
        return [
            (words, {what.name.lower(): count for what, count in counts.items()})
            for words, counts in (("7 days", self.week), ("30 days", self.month))
        ]


@dataclass(frozen=True, slots=True)
class ProjectState:
    """What a mirror knows of one project: its ``page``, None where it was never asked for, and files that are here."""

    name: ProjectName
    page: PageRow | None
    files: Sequence[Cached]

    @property
    def size(self) -> int:
        """Of the files, in bytes."""
        return sum(file.size for file in self.files)


class MirrorOverview:
    """Asks the database, and no upstream."""

    def __init__(self, eviction: Eviction, catalog: Catalog, settings: MirrorSettings) -> None:
        self._eviction = eviction
        self._catalog = catalog
        self._settings = settings

    def state(self, mirror: Mirror) -> MirrorState:
        """All of it: six queries, or seven where there are other mirrors. The quota is that of all mirrors together."""
        settings = self._settings
        totals = mirror.pages.totals()
        own = self._eviction.of(mirror.index).space()
        with self._catalog.read(snapshot=False) as reader:
            space = reader.space(mirror.index, 0, _LARGEST)
        return MirrorState(
            index=mirror.index,
            is_on=mirror.showing.is_on,
            fallback=settings.fallback,
            upstreams=[UpstreamState(one.name, getattr(one, "is_shut", None)) for one in mirror.upstreams],
            pages=totals["pages"],
            stale=totals["stale"],
            missing=totals["missing"],
            last_error=mirror.pages.last_error(),
            week=mirror.usage.totals(7),
            month=mirror.usage.totals(30),
            space=own,
            space_of_all=self._eviction.space() if len(self._eviction.indexes()) > 1 else own,
            projects=space.projects,
            largest=space.largest,
            quota=settings.quota,
            warnings=settings.warnings,
        )

    def project(self, mirror: Mirror, name: ProjectName) -> ProjectState:
        """One project: two queries."""
        return ProjectState(name, mirror.pages.known(name), self._eviction.of(mirror.index).files(name))
