"""What the ``.dist-info`` and ``.data`` directories of a wheel must hold and agree with."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from pypicloud_lite.artifacts.entry_points import check_entry_points
from pypicloud_lite.artifacts.paths import folded
from pypicloud_lite.artifacts.record import REBUILD, check_record
from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.artifacts.zips import ZipArchive
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.kernel.versions import parse_version

_SMALL = 1024 * 1024
_SCHEMES = frozenset({"purelib", "platlib", "headers", "scripts", "data"})


def read_wheel(source: Source, archive: ZipArchive, filename: Filename) -> tuple[str, bytes]:
    """The path and bytes of METADATA; RECORD, WHEEL and entry points have been checked.

    The rules are those of the binary distribution format; :func:`check_record` tells which members are inflated.
    """
    directory = _dist_info(source, archive, filename)
    for name in ("METADATA", "WHEEL", "RECORD"):
        if f"{directory}/{name}" not in archive.members:
            raise source.refusal(f"a wheel must have the file {name} in {directory}", REBUILD)
    _check_double(source, archive, directory)
    _check_data(source, archive, filename)
    metadata = archive.read(f"{directory}/METADATA", source.limits.metadata_bytes)
    archive.read(f"{directory}/WHEEL", _SMALL)
    entry_points = f"{directory}/entry_points.txt"
    if entry_points in archive.members:
        check_entry_points(source, entry_points, archive.read(entry_points, _SMALL))
    check_record(source, archive, f"{directory}/RECORD")
    return f"{directory}/METADATA", metadata


def read_wheel_metadata(source: Source, archive: ZipArchive, filename: Filename) -> tuple[str, bytes]:
    """The path and bytes of METADATA alone, for an archive that is read partly."""
    path = f"{_dist_info(source, archive, filename)}/METADATA"
    if path not in archive.members:
        raise source.refusal("a wheel must have the file METADATA in its .dist-info directory", REBUILD)
    return path, archive.read(path, source.limits.metadata_bytes)


def _dist_info(source: Source, archive: ZipArchive, filename: Filename) -> str:
    """The one ``.dist-info`` directory, which must be this release's."""
    tops = {name.partition("/")[0] for name in archive.members}
    found = sorted(top for top in tops if folded(top).endswith(".dist-info"))
    if len(found) != 1:
        raise source.refusal(f"a wheel must have exactly one .dist-info directory, not {len(found)}", REBUILD)
    if not _is_of(found[0], ".dist-info", filename):
        raise source.refusal(
            f"its .dist-info directory is not that of {filename.project} {filename.version}, the filename's",
            "do not rename wheels",
            found[0],
        )
    return found[0]


def _is_of(directory: str, suffix: str, filename: Filename) -> bool:
    name, _, version = directory.removesuffix(suffix).rpartition("-")
    try:
        return canonicalize_name(name) == filename.project.value and (
            parse_version(version) == parse_version(filename.version)
        )
    except InvalidName:
        return False


def _check_double(source: Source, archive: ZipArchive, directory: str) -> None:
    """Nothing directly in ``.dist-info`` may overwrite another where names are compared leniently."""
    seen: dict[str, str] = {}
    for name in archive.members:
        top, _, rest = name.partition("/")
        if top == directory and rest:
            entry = rest.partition("/")[0]
            first = seen.setdefault(folded(entry), entry)
            if first != entry:
                raise source.refusal(
                    f"on some file systems it is the same file as {shown(first)}", "rename one of them", name
                )


def _check_data(source: Source, archive: ZipArchive, filename: Filename) -> None:
    """``NAME-VERSION.data`` holds what goes elsewhere; installers disagree about any other one."""
    for name in archive.members:
        top, _, rest = name.partition("/")
        if not top.endswith(".data") or not rest:
            continue
        if not _is_of(top, ".data", filename):
            raise source.refusal(
                f"its .data directory is not that of {filename.project} {filename.version}, the filename's",
                REBUILD,
                name,
            )
        scheme, slash, _ = rest.partition("/")
        if scheme not in _SCHEMES or not slash:
            raise source.refusal(
                "in a .data directory there may be only the directories purelib, platlib, headers, scripts and data",
                REBUILD,
                name,
            )
