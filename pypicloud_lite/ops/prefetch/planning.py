"""Which files of which releases would satisfy what is asked for: the newest that fits, with what it needs in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier, SpecifierSet
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


Key = tuple[ProjectName, str]
"""A project; of a lock's pins the version too."""


@dataclass(slots=True)
class Plan:
    """One release for each project, or for each pin of a lock."""

    chosen: dict[Key, Chosen] = field(default_factory=dict)
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
        asked = list(wishes)
        plan, waiting = Plan(), [wish for wish in asked if not wish.is_limit]
        limits = [wish for wish in asked if wish.is_limit]
        together: dict[Key, Wish] = {}
        while waiting:
            wish = waiting.pop(0)
            key = _key(wish)
            known = together.get(key)
            for other in [*([known] if known is not None else ()), *(one for one in limits if _limits(one, wish))]:
                wish = _both(wish, other)
            if wish == known:
                continue
            together[key] = wish
            if len(together) > _MOST_PROJECTS:
                plan.unsatisfied.append(Unsatisfied(wish, f"more than {_MOST_PROJECTS} projects are needed"))
                break
            found = self._choose(wish)
            if isinstance(found, Unsatisfied):
                plan.unsatisfied.append(found)
                continue
            plan.chosen[key] = found
            pinned = {pin.project for pin in together.values() if pin.is_pin}
            waiting += [need for need in self._needs(found, plan) if need.project not in pinned]
        failed = {_key(one.wish) for one in plan.unsatisfied}
        plan.chosen = {key: one for key, one in plan.chosen.items() if key not in failed}
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
        if wish.hashes and wish.hashes.isdisjoint(f"{kind}:{value}" for kind, value in file.hashes.items()):
            return False
        if not self._taste.wants(file):
            return False
        if file.yanked and not any(_is_exact(one) for one in wish.versions):
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


def _key(wish: Wish) -> Key:
    return wish.project, str(wish.versions) if wish.is_pin else ""


def _limits(limit: Wish, wish: Wish) -> bool:
    return limit.project == wish.project


def _both(first: Wish, second: Wish) -> Wish:
    hashes = first.hashes & second.hashes if first.hashes and second.hashes else first.hashes | second.hashes
    return replace(first, versions=first.versions & second.versions, extras=first.extras | second.extras, hashes=hashes)


def _is_exact(specifier: Specifier) -> bool:
    """As PEP 592 has it: a yanked file is for those who name its version."""
    return specifier.operator == "===" or (specifier.operator == "==" and not specifier.version.endswith(".*"))


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
