"""What of the upstream each index shows of a project: private hides public, some names are nobody's business."""

from __future__ import annotations

from enum import Enum

from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.rules import NamePatterns
from pypicloud_lite.mirror.settings import Fallback, MirrorSettings

MIRROR_INDEX = IndexName("root", "pypi")
"""The built-in mirror."""


class Show(Enum):
    """What of the upstream is shown."""

    NOTHING = "nothing"
    REDIRECT = "redirect"
    """The upstream's own page."""
    LINKS = "links"
    """Its files under the upstream's addresses, beside our own."""
    FILES = "files"
    """Its files under our addresses."""


class Showing:
    """The rules of one mirror, from the settings alone; ``is_defined``: it has an upstream by its own definition."""

    def __init__(
        self, settings: MirrorSettings, default: IndexName, index: IndexName = MIRROR_INDEX, *, is_defined: bool = False
    ) -> None:
        self._settings = settings
        self._default = default
        self._index = index
        self._is_defined = is_defined
        self._merged = NamePatterns(settings.merge)
        self._curation = settings.curation()

    @property
    def is_on(self) -> bool:
        """Whether anything of an upstream is ever shown."""
        return self.has_index or self._settings.fallback is not Fallback.NONE

    @property
    def has_index(self) -> bool:
        """Whether the mirror answers by its own address."""
        return self._is_defined or self._settings.is_on

    def merges(self, project: ProjectName) -> bool:
        """Whether files of the default index do not hide the upstream's; of the built-in mirror alone, and there."""
        is_merged = self._settings.merges_everything or project in self._merged
        return self._index == MIRROR_INDEX and is_merged

    def show_mirror(self, project: ProjectName) -> Show:
        """What the mirror itself shows of a project whose name is not ours."""
        return Show.FILES if self.has_index and self._curation.asks_for(project) else Show.NOTHING

    def show(self, index: IndexName, project: ProjectName, *, is_ours: bool) -> Show:
        """What ``index`` shows; ``is_ours``: the default index has the project, or keeps its name reserved.

        A name that is ours is not asked for through the mirror index either: its upstream would learn of it.
        """
        if not self.is_on or not self._curation.asks_for(project) or (is_ours and not self.merges(project)):
            return Show.NOTHING
        if index == self._index:
            return self.show_mirror(project)
        if index != self._default or self._index != MIRROR_INDEX:
            return Show.NOTHING
        match self._settings.fallback:
            case Fallback.NONE:
                return Show.NOTHING
            case Fallback.REDIRECT:
                return Show.LINKS if is_ours else Show.REDIRECT
            case Fallback.CACHE | Fallback.MIRROR:
                return Show.FILES
