"""Which files of which releases would satisfy what is asked for: the newest that fits, with what it needs in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.errors import InvalidName, PpcError
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.kernel.versions import parse_version
from pypicloud_lite.ops.prefetch.wishes import Wish

_MOST_PROJECTS = 5000


class Whose(StrEnum):
    """Where a project's files would come from."""

    OURS = "ours"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Offer:
    """What an index lists of a project, for the one who plans."""

    whose: Whose
    files: Sequence[PageFile]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A release that satisfies a wish, and its files that may be taken."""

    wish: Wish
    whose: Whose
    version: str
    files: tuple[PageFile, ...]


@dataclass(frozen=True, slots=True)
class Unsatisfied:
    """A wish that nothing satisfies, and why."""

    wish: Wish
    why: str


@dataclass(slots=True)
class Plan:
    """One release for each project."""

    chosen: dict[ProjectName, Chosen] = field(default_factory=dict)
    unsatisfied: list[Unsatisfied] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Taste:
    """Which files are wanted: sdists or not, and wheels of some tags only (None: of all)."""

    sdists: bool = True
    tags: frozenset[Tag] | None = None

    def wants(self, file: PageFile) -> bool:
        """Whether a file may be taken."""
        if not file.filename.is_wheel:
            return self.sdists and file.filename.packagetype == "sdist"
        if self.tags is None:
            return True
        return not self.tags.isdisjoint(parse_wheel_filename(file.filename.value)[3])


class Planner:
    """Chooses one project after another, and never goes back: two wishes that no release satisfies are told.

    ``offer`` lists a project (None: nobody has it); ``requires`` gives the Requires-Dist of a release, or None where
    dependencies are not followed.
    """

    def __init__(
        self,
        offer: Callable[[ProjectName], Offer | None],
        requires: Callable[[Chosen], Sequence[str]] | None,
        taste: Taste,
        environment: Mapping[str, str],
    ) -> None:
        self._offer = offer
        self._requires = requires
        self._taste = taste
        self._environment = environment

    def plan(self, wishes: Iterable[Wish]) -> Plan:
        """Choose for all of them, and for what they need."""
        plan, waiting = Plan(), list(wishes)
        together: dict[ProjectName, Wish] = {}
        while waiting:
            wish = waiting.pop(0)
            known = together.get(wish.project)
            wish = wish if known is None else _both(known, wish)
            if wish == known:
                continue
            together[wish.project] = wish
            if len(together) > _MOST_PROJECTS:
                plan.unsatisfied.append(Unsatisfied(wish, f"more than {_MOST_PROJECTS} projects are needed"))
                break
            found = self._choose(wish)
            if isinstance(found, Unsatisfied):
                plan.unsatisfied.append(found)
                continue
            plan.chosen[wish.project] = found
            waiting += self._needs(found, plan)
        failed = {one.wish.project for one in plan.unsatisfied}
        plan.chosen = {name: one for name, one in plan.chosen.items() if name not in failed}
        return plan

    def _choose(self, wish: Wish) -> Chosen | Unsatisfied:
        try:
            offer = self._offer(wish.project)
        except PpcError as error:
            return Unsatisfied(wish, error.message)
        if offer is None:
            return Unsatisfied(wish, "neither this index nor the one upstream has such a project")
        fitting = [file for file in offer.files if self._fits(wish, file)]
        versions = {file.filename.version for file in fitting}
        if not versions:
            return Unsatisfied(wish, "no file that may be taken fits")
        best = max(versions, key=lambda version: _preference(version, fitting))
        return Chosen(wish, offer.whose, best, tuple(file for file in fitting if file.filename.version == best))

    def _fits(self, wish: Wish, file: PageFile) -> bool:
        if wish.sha256 and file.hashes.get("sha256") not in wish.sha256:
            return False
        if not self._taste.wants(file):
            return False
        if file.yanked and not any(one.operator in {"==", "==="} for one in wish.versions):
            return False
        python = self._environment.get("python_full_version")
        if python and file.requires_python and not _allows_python(file.requires_python, python):
            return False
        return wish.versions.contains(parse_version(file.filename.version), prereleases=True)

    def _needs(self, chosen: Chosen, plan: Plan) -> list[Wish]:
        if self._requires is None:
            return []
        try:
            lines = self._requires(chosen)
        except PpcError as error:
            plan.unsatisfied.append(Unsatisfied(chosen.wish, f"what it needs is not known: {error.message}"))
            return []
        return [wish for line in lines if (wish := self._need(line, chosen.wish.extras)) is not None]

    def _need(self, line: str, extras: frozenset[str]) -> Wish | None:
        try:
            requirement = Requirement(line)
            project = ProjectName.parse(requirement.name)
        except (InvalidRequirement, InvalidName):
            return None
        if requirement.url is not None:
            return None
        marker = requirement.marker
        contexts = [{**self._environment, "extra": extra} for extra in ("", *extras)]
        if marker is not None and not any(marker.evaluate(context) for context in contexts):
            return None
        return Wish(project, requirement.specifier, frozenset(requirement.extras))


def _both(first: Wish, second: Wish) -> Wish:
    hashes = first.sha256 & second.sha256 if first.sha256 and second.sha256 else first.sha256 | second.sha256
    return Wish(first.project, first.versions & second.versions, first.extras | second.extras, hashes)


def _preference(version: str, files: Sequence[PageFile]) -> tuple[bool, bool, object]:
    """Not yanked, no pre-release, the highest."""
    parsed = parse_version(version)
    yanked = all(file.yanked for file in files if file.filename.version == version)
    return not yanked, not parsed.is_prerelease, parsed


def _allows_python(requires: str, python: str) -> bool:
    try:
        return SpecifierSet(requires).contains(python, prereleases=True)
    except ValueError:
        # As installers do with what nobody can read.
        return True
