"""What a distribution's filename says, by the rules of the packaging specifications.

Lenient where old tools still build such files: sdists whose name is not normalised or that are ``.zip`` or
``.tar.bz2``, eggs, and ``bdist_dumb`` archives are understood. Strictness is an upload rule, not a grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version

PackageType = Literal["sdist", "bdist_wheel", "bdist_egg", "bdist_dumb"]

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", re.ASCII)
_ARCHIVES = (".tar.gz", ".tar.bz2", ".tgz", ".zip")
_EGG = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-py(?P<python>\d+(?:\.\d+)?)(?:-(?P<platform>.+))?)?", re.ASCII
)
_DUMB_PLATFORM = re.compile(r"\.(?=(?:linux|macosx|win|darwin|cygwin)[-A-Za-z0-9_.]*$)", re.ASCII)
_MAX_FILENAME = 200


@dataclass(frozen=True, slots=True)
class Filename:
    """One distribution's filename and what it says.

    ``version`` is normalised; ``python`` is the wheel's or egg's Python tag, ``source`` for an sdist.
    """

    value: str
    project: ProjectName
    version: str
    packagetype: PackageType
    python: str

    @classmethod
    def parse(cls, value: str, project: ProjectName | None = None) -> Filename:
        """Read a filename; :class:`InvalidName` says what is wrong with it.

        ``a-2-1.0.tar.gz`` has two readings; ``project`` decides where it is known, else the last hyphen that
        leaves a valid version.
        """
        if not _SAFE.fullmatch(value) or len(value) > _MAX_FILENAME:
            raise InvalidName(
                f"{shown(value)} is not a valid filename: use at most {_MAX_FILENAME} ASCII letters, digits and "
                "'.', '_', '-', '+', '!', beginning with a letter or digit"
            )
        if value.endswith(".whl"):
            return _wheel(value)
        if value.endswith(".egg"):
            return _egg(value)
        for suffix in _ARCHIVES:
            if value.endswith(suffix):
                return _archive(value, value.removesuffix(suffix), project)
        raise InvalidName(f"{shown(value)} is neither a wheel (.whl) nor an sdist (.tar.gz): build one of those")

    @property
    def is_wheel(self) -> bool:
        """Whether this is a wheel, the only kind with a ``.metadata`` file."""
        return self.packagetype == "bdist_wheel"

    def __str__(self) -> str:
        return self.value


def _wheel(value: str) -> Filename:
    try:
        name, version, _build, tags = parse_wheel_filename(value)
    except InvalidWheelFilename as error:
        raise InvalidName(f"{shown(value)} is not a valid wheel filename: {error}") from None
    python = value.removesuffix(".whl").split("-")[-3]
    if not tags:
        raise InvalidName(f"{shown(value)} is not a valid wheel filename: it has no tags")
    return Filename(value, ProjectName.parse(name), normalised_version(str(version)), "bdist_wheel", python)


def _egg(value: str) -> Filename:
    match = _EGG.fullmatch(value.removesuffix(".egg"))
    if match is None:
        raise InvalidName(f"{shown(value)} is not a valid egg filename: name-version-pyX.Y.egg")
    version = normalised_version(match["version"].replace("_", "-"))
    return Filename(value, ProjectName.parse(match["name"]), version, "bdist_egg", match["python"] or "any")


def _archive(value: str, stem: str, project: ProjectName | None) -> Filename:
    reading = _split(stem, project)
    if reading is not None:
        return Filename(value, *reading, "sdist", "source")
    platform = _DUMB_PLATFORM.search(stem)
    if platform is not None:
        reading = _split(stem[: platform.start()], project)
        if reading is not None:
            return Filename(value, *reading, "bdist_dumb", "any")
    of_project = f" of project {project}" if project else ""
    raise InvalidName(
        f"{shown(value)} is not a valid sdist filename{of_project}: it must be name-version.tar.gz with a PEP 440 "
        "version"
    )


def _split(stem: str, project: ProjectName | None) -> tuple[ProjectName, str] | None:
    """Try each hyphen, the last first."""
    end = len(stem)
    while (end := stem.rfind("-", 0, end)) > 0:
        try:
            name = ProjectName.parse(stem[:end])
            version = normalised_version(stem[end + 1 :])
        except InvalidName:
            continue
        if project in {None, name}:
            return name, version
    return None
