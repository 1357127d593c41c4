"""What requirements files and locks ask for."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.names import ProjectName, shown

_MAX_BYTES = 32 * 1024 * 1024
_MOST_FILES = 100
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"\s--?[a-z-]+[ =]\S+")
_HASH = re.compile(r"--hash[ =]([a-z0-9_]+:[0-9a-f]+)", re.ASCII)
_NESTED = re.compile(r"(-r|--requirement|-c|--constraint)(?:[ =]+|(?=\S))(\S+)")


class UnreadableRequirements(InvalidRequest):
    """A requirements file or lock cannot be understood; the message names it, the line and what is meant."""

    code = "unreadable-requirements"


@dataclass(frozen=True, slots=True)
class Wish:
    """One project that is asked for. ``hashes`` (``sha256:…``) are of the only files that may come, if any are named.

    ``is_pin``: a lock's, which stands by itself, as a lock may have a project in several versions. ``is_limit``: a
    constraint, which asks for nothing and only narrows what is asked for.
    """

    project: ProjectName
    versions: SpecifierSet
    extras: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    is_pin: bool = False
    is_limit: bool = False

    def __str__(self) -> str:
        return f"{self.project}{self.versions}"


def read_wishes(path: Path, environment: Mapping[str, str]) -> list[Wish]:
    """What a file asks for: a lock by its name, anything else as pip's requirements.

    ``environment`` decides markers (PEP 508); ``extra`` in it is empty. :class:`UnreadableRequirements`. What comes
    from elsewhere than an index (paths, addresses, version control) is refused in a requirements file, where somebody
    wrote it, and left out of a lock, where a tool did.
    """
    text = _text(path)
    reader = next((reader for ending, reader in _LOCKS.items() if path.name.endswith(ending)), None)
    if reader is None:
        return list(_requirements(path, text, environment, [path.resolve()]))
    try:
        return list(reader(text, environment))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidName) as error:
        raise UnreadableRequirements(f"{path.name} is no lock that is understood here: {error!r}") from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableRequirements(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise UnreadableRequirements(f"{path} has more than {_MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableRequirements(f"{path} is not UTF-8") from None


def _requirements(
    path: Path, text: str, environment: Mapping[str, str], opened: list[Path], *, are_limits: bool = False
) -> Iterator[Wish]:
    for number, line in _lines(text):
        nested = _NESTED.match(line)
        if nested:
            inner = (path.parent / nested[2]).resolve()
            if inner in opened or len(opened) > _MOST_FILES:
                raise UnreadableRequirements(f"{path.name}, line {number}: {nested[2]} leads to itself")
            limits = are_limits or nested[1] in {"-c", "--constraint"}
            yield from _requirements(inner, _text(inner), environment, [*opened, inner], are_limits=limits)
        elif not line.startswith("-"):
            wish = _wish(f"{path.name}, line {number}", line, environment)
            if wish is not None:
                yield replace(wish, is_limit=are_limits)
        elif line.startswith(("-e", "--editable")):
            raise UnreadableRequirements(f"{path.name}, line {number}: only what an index has can be fetched")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Without comments, those that go on after a backslash joined."""
    joined, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        began = began if joined else number
        plain = line if line.rstrip().endswith("\\") else _COMMENT.sub("", line)
        joined += plain.rstrip().removesuffix("\\") + " "
        if not plain.rstrip().endswith("\\"):
            if joined.strip():
                yield began, joined.strip()
            joined = ""
    if joined.strip():
        yield began, joined.strip()


def _wish(where: str, line: str, environment: Mapping[str, str]) -> Wish | None:
    plain = _OPTION.sub("", " " + line).strip()
    try:
        requirement = Requirement(plain)
        project = ProjectName.parse(requirement.name)
    except (InvalidRequirement, InvalidName):
        raise UnreadableRequirements(
            f"{where}: {shown(plain)} is no requirement: write NAME, NAME==1.0 or NAME>=1,<2"
        ) from None
    if requirement.url is not None:
        raise UnreadableRequirements(f"{where}: only what an index has can be fetched, not {shown(requirement.url)}")
    if requirement.marker is not None and not requirement.marker.evaluate({**environment, "extra": ""}):
        return None
    return Wish(project, requirement.specifier, frozenset(requirement.extras), frozenset(_HASH.findall(line)))


def _exactly(name: str, version: str, hashes: Iterable[str | None]) -> Wish:
    known = frozenset(one for one in hashes if one)
    try:
        return Wish(ProjectName.parse(name), SpecifierSet(f"=={version}"), hashes=known, is_pin=True)
    except InvalidSpecifier as error:
        raise ValueError(f"{name} has no version {version!a}") from error


def _applies(markers: Any, environment: Mapping[str, str]) -> bool:
    """Whether one of some markers, or the only one, is true here; without any it is."""
    texts = markers if isinstance(markers, list) else list(markers.values()) if isinstance(markers, dict) else [markers]
    try:
        return not any(texts) or any(Marker(text).evaluate({**environment, "extra": ""}) for text in texts if text)
    except InvalidMarker as error:
        raise ValueError(f"{texts} are no markers") from error


def _pylock(text: str, environment: Mapping[str, str]) -> Iterator[Wish]:
    """PEP 751."""
    for package in tomllib.loads(text)["packages"]:
        comes_from_index = "version" in package and not package.keys() & {"vcs", "directory", "archive"}
        if comes_from_index and _applies(package.get("marker"), environment):
            files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
            hashes = [f"{kind}:{value}" for file in files for kind, value in file["hashes"].items()]
            yield _exactly(package["name"], package["version"], hashes)


def _uv(text: str, environment: Mapping[str, str]) -> Iterator[Wish]:
    for package in tomllib.loads(text)["package"]:
        if "registry" in package.get("source", {}) and _applies(package.get("resolution-markers"), environment):
            files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
            yield _exactly(package["name"], package["version"], [file.get("hash") for file in files])


def _poetry(text: str, environment: Mapping[str, str]) -> Iterator[Wish]:
    for package in tomllib.loads(text)["package"]:
        comes_from_index = package.get("source", {}).get("type", "legacy") == "legacy"
        if comes_from_index and _applies(package.get("markers"), environment):
            yield _exactly(package["name"], package["version"], [file["hash"] for file in package["files"]])


def _pdm(text: str, environment: Mapping[str, str]) -> Iterator[Wish]:
    for package in tomllib.loads(text)["package"]:
        comes_from_index = not package.keys() & {"path", "url", "git", "hg", "svn", "bzr"}
        if comes_from_index and _applies(package.get("marker"), environment):
            yield _exactly(package["name"], package["version"], [file["hash"] for file in package.get("files", ())])


def _pipfile(text: str, environment: Mapping[str, str]) -> Iterator[Wish]:
    document = json.loads(text)
    for section in ("default", "develop"):
        for name, package in document.get(section, {}).items():
            if "version" in package and _applies(package.get("markers"), environment):
                yield _exactly(name, package["version"].removeprefix("=="), package.get("hashes", ()))


_LOCKS: Mapping[str, Callable[[str, Mapping[str, str]], Iterator[Wish]]] = MappingProxyType(
    {
        "uv.lock": _uv,
        "poetry.lock": _poetry,
        "pdm.lock": _pdm,
        "Pipfile.lock": _pipfile,
        ".toml": _pylock,
    }
)
