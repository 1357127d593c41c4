"""Searching for projects: what somebody may not read leaves no trace in what is found, counted or leafed through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity, Permission
from pypicloud_lite.catalog.model import ReleaseRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.catalog.search_port import SearchQuery
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.showing import MIRROR_INDEX, Show, Showing

PER_PAGE = 20
MOST_PAGES = 500

_AT_ONCE = 200
_COUNTED = 1000
"""For a caller who may not read everything, matches are looked at one by one until there are more than so many."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search; ``more``: there are more than ``total``.

    ``elsewhere`` is the name that was searched for, where it is none of ours and an upstream may be asked for it.
    """

    releases: Sequence[ReleaseRecord]
    total: int
    number: int
    more: bool = False
    elsewhere: ProjectName | None = None

    @property
    def has_more(self) -> bool:
        """Whether there is a next page."""
        return self.number < MOST_PAGES and (self.more or self.number * PER_PAGE < self.total)


class ProjectSearch:
    """One query, and another one where little begins with the words.

    Two more for a caller who may not read everything, where more than 200 projects are found. One or two more where an
    upstream may have what has not been found; it is not asked.
    """

    def __init__(self, catalog: Catalog, gate: Gate, showing: Callable[[], Showing]) -> None:
        self._catalog = catalog
        self._gate = gate
        self._showing = showing

    def find(self, identity: Identity, index: IndexName, text: str, number: int) -> Found:
        """The projects that have every word, the best first. ``number``: the page, from 1."""
        query = SearchQuery.parse(text)
        if not query.words:
            return Found((), 0, number)
        everything = self._gate.reads_everything(identity)
        may_read = self._gate.readable(identity)

        def find(query: SearchQuery) -> Found:
            if everything:
                return self._of_all(index, query, number)
            return self._of_readable(index, query, number, may_read)

        found = find(query)
        if found.total <= PER_PAGE and not found.more:
            # By what the caller may read: else the others would show by what is found inside of names.
            found = find(SearchQuery(query.words, within=True))
        return replace(found, elsewhere=self._elsewhere(identity, index, text, found))

    def _elsewhere(self, identity: Identity, index: IndexName, text: str, found: Found) -> ProjectName | None:
        try:
            name = ProjectName.parse(text)
        except InvalidName:
            return None
        show = self._showing().show(index, name, is_ours=False)
        if show is Show.NOTHING or found.number > 1 or any(one.project == name for one in found.releases):
            return None
        if not self._gate.allows(identity, Permission.READ, name):
            return None
        with self._catalog.read(snapshot=False) as reader:
            # Names without a file are ours as well.
            if reader.project(index, name) is not None:
                return None
            if show is Show.REDIRECT or self._gate.allows(identity, Permission.FILL_CACHE, name):
                return name
            kept = reader.project(MIRROR_INDEX, name)
        return name if kept is not None and kept.file_count else None

    def _of_all(self, index: IndexName, query: SearchQuery, number: int) -> Found:
        with self._catalog.read(snapshot=False) as reader:
            releases, total = reader.search(index, query, (number - 1) * PER_PAGE, PER_PAGE)
            if not releases and number > 1:
                _first, total = reader.search(index, query, 0, 1)
        return Found(releases, total, number)

    def _of_readable(
        self, index: IndexName, query: SearchQuery, number: int, may_read: Callable[[ProjectName], bool]
    ) -> Found:
        begin, end = (number - 1) * PER_PAGE, number * PER_PAGE
        with self._catalog.read(snapshot=False) as reader:
            found, total = reader.search(index, query, 0, _AT_ONCE)
        if total <= _AT_ONCE:
            readable = [one for one in found if may_read(one.project)]
            return Found(readable[begin:end], len(readable), number)
        counted, total = max(_COUNTED, end), 0
        shown: list[ProjectName] = []
        # Only a snapshot can be read a part at a time.
        with self._catalog.read() as reader:
            with reader.search_names(index, query) as names:
                for name in filter(may_read, names):
                    if begin <= total < end:
                        shown.append(name)
                    total += 1
                    if total > counted:
                        break
            releases = reader.releases_shown(index, shown)
        return Found(releases, min(total, counted), number, more=total > counted)
