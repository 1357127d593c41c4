"""Sixty small projects that require each other in all the ways that resolvers know, with the one right outcome.

A tree of wheels and sdists whose root requires all others: lower and upper bounds, exclusions, another spelling of a
name, extras and markers, taken and not, a release that conflicts with another project, one that is yanked, one that
needs a later Python, pre-releases beside releases and alone, a post-release. The same call gives the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

from packaging.version import Version

from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex

COUNT = 60
ROOT = "graph-00"
NOT_ASKED_FOR = ("graph-elsewhere", "graph-unused")
"""Required for another platform, and by an extra that nobody takes: neither is anywhere."""

_IN_TREE = 58
_USUAL = ("1.0", "1.1", "2.0")
_RELEASES: Mapping[int, tuple[str, ...]] = {
    10: (*_USUAL, "3.0rc1"),
    11: (*_USUAL, "3.0"),
    20: ("1.0a1", "1.0b2"),
    25: ("1.0", "1.0.post1"),
}
_REQUIRES_PYTHON = {(11, "3.0"): ">=4"}
_YANKED = {(6, "2.0"): "it loses data"}
_MORE = {
    3: ("Graph.08[speed]",),
    7: ("graph-16>=1.1",),
    8: ('graph-58>=1; extra == "speed"', 'graph-unused; extra == "unused"'),
    12: ('graph-59; python_version >= "3"', 'graph-elsewhere; sys_platform == "win32"'),
}
_EXTRAS = {8: (("Provides-Extra", "speed"), ("Provides-Extra", "unused"))}
_CONFLICT = {(15, "2.0"): ("graph-16<1.1",)}
# By the number's last digit: what is required of a project, and what that leaves of the usual releases.
_BOUNDS = (("", "2.0"), (">=1", "2.0"), ("~=1.0", "1.1"), ("!=2.0", "1.1"), (">=1.0,<3", "2.0"))
_EXCEPTIONS = {0: "2.0", 6: "1.1", 15: "1.1", 20: "1.0b2", 25: "1.0.post1", 58: "2.0", 59: "2.0"}
_LARGE = 96 * 1024


class _Described(TypedDict):
    requires_dist: tuple[str, ...]
    requires_python: str | None
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A file of the graph, and what a page says of it beside its name and hash."""

    project: str
    artifact: BuiltArtifact
    requires_python: str | None
    yanked: str | None
    lists_metadata: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """All files, and the version of each project that a resolver comes to from :data:`ROOT`."""

    files: tuple[GraphFile, ...]
    pinned: Mapping[str, str]

    def put_on(self, index: FakeIndex) -> None:
        """Let the server have it, a third of the wheels without METADATA beside them."""
        for file in self.files:
            told: dict[str, object] = {"requires_python": file.requires_python, "yanked": file.yanked}
            index.add(
                file.project,
                file.artifact.filename,
                file.artifact.data,
                file.artifact.metadata if file.lists_metadata else None,
                **{key: value for key, value in told.items() if value is not None},
            )

    def wheel(self, project: str) -> GraphFile:
        """That of the pinned version."""
        end = f"-{self.pinned[project]}-py3-none-any.whl"
        (found,) = (file for file in self.files if file.project == project and file.artifact.filename.endswith(end))
        return found


def build_graph() -> Graph:
    """Build it; about a second."""
    files = tuple(file for number in range(COUNT) for file in _project(number))
    pinned = {_name(number): _EXCEPTIONS.get(number, _BOUNDS[number % 5][1]) for number in range(COUNT)}
    return Graph(files, pinned)


def _name(number: int) -> str:
    return f"graph-{number:02d}"


def _project(number: int) -> Iterator[GraphFile]:
    name, lists_metadata = _name(number), number % 3 != 1
    # METADATA of a large wheel is worth being read from parts of it.
    body = b"" if lists_metadata else random.Random(number).randbytes(_LARGE)  # noqa: S311  the same each time
    for version in _RELEASES.get(number, _USUAL):
        requires_python = _REQUIRES_PYTHON.get((number, version), ">=3.8" if number % 4 == 0 else None)
        yanked = _YANKED.get((number, version))
        requires = _requires(number, version)
        said: _Described = {
            "requires_dist": requires,
            "requires_python": requires_python,
            "headers": _EXTRAS.get(number, ()),
        }
        wheel = build_wheel(name, version, **said, body=body)
        yield GraphFile(name, wheel, requires_python, yanked, lists_metadata)
        if number % 3 == 0:
            stem = f"Graph.{number:02d}-{version}" if Version(version) < Version("1.1") else None
            sdist = build_sdist(name, version, **said, stem=stem)
            yield GraphFile(name, sdist, requires_python, yanked, lists_metadata=False)


def _requires(number: int, version: str) -> tuple[str, ...]:
    children = [child for child in (2 * number + 1, 2 * number + 2) if child < _IN_TREE]
    spelled = "GRAPH_{:02d}{}" if number % 7 == 0 else "graph-{:02d}{}"
    tree = tuple(spelled.format(child, _BOUNDS[child % 5][0]) for child in children)
    return (*tree, *_MORE.get(number, ()), *_CONFLICT.get((number, version), ()))
