"""Finding projects by words, and by what they require: the part of the catalog's port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from pypicloud_lite.catalog.model import ReleaseRecord
from pypicloud_lite.catalog.words import words_of
from pypicloud_lite.kernel.names import IndexName, ProjectName

_WORDS = 8


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Words, all of which a project must have: in its name, or in summary, keywords or people of the release shown.

    A word is found by its beginning, and one of a single letter at the beginning of a name or alone. ``within``:
    also inside a name. The best come first: the name that the words are together, those that begin with it, then
    those whose words stand in name, summary, keywords, people, each place before the next; of equal ones by name.
    """

    words: tuple[str, ...]
    within: bool = False

    @classmethod
    def parse(cls, text: str, *, within: bool = False) -> SearchQuery:
        """Any text; the first eight words count."""
        return cls(tuple(words_of(text)[:_WORDS]), within)

    @property
    def name(self) -> str:
        """The project's name that the words are together; empty where no name could be that."""
        joined = "-".join(self.words)
        return joined if joined.isascii() else ""


@dataclass(frozen=True, slots=True)
class UsedBy:
    """A project whose release that is offered first requires another; ``optional`` when only its extras do."""

    name: ProjectName
    optional: bool


@dataclass(frozen=True, slots=True)
class Related:
    """``here`` of the names that were asked for, and one batch of dependants, by name."""

    here: set[ProjectName]
    dependants: Sequence[UsedBy]


class SearchReader(Protocol):
    """Projects that have a listed file and are not quarantined, each told by the release that is offered first."""

    def search_is_whole(self) -> bool:
        """Whether every project can be found; not while those are read that were there before it could be searched."""

    def search(
        self, index: IndexName, query: SearchQuery, skip: int, limit: int
    ) -> tuple[Sequence[ReleaseRecord], int]:
        """A part of what is found, and how many are found in all (0 where the part is empty)."""

    def search_names(self, index: IndexName, query: SearchQuery) -> AbstractContextManager[Iterator[ProjectName]]:
        """What :meth:`search` finds, as it is read: one query, and a thousand names in memory.

        In a snapshot only, and nothing else may be asked for before it is left, which may be at any name.
        """

    def releases_shown(self, index: IndexName, names: Iterable[ProjectName]) -> Sequence[ReleaseRecord]:
        """What a list shows of at most 500 projects, in their order; those that are not found are left out."""

    def related(
        self, index: IndexName, project: ProjectName, names: Iterable[ProjectName], after: str, limit: int
    ) -> Related:
        """As :meth:`CatalogReader.having_files` of ``names``, and at once who requires the project, after a name.

        One query, and one more for each 500 names but the first; the project itself is none of its dependants.
        """
