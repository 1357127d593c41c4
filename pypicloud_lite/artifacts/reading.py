"""Reading one uploaded file: what it is, whether it is sound, and its core metadata."""

from __future__ import annotations

import re
from collections.abc import Collection, Container
from dataclasses import replace
from io import BytesIO
from typing import NamedTuple

from packaging.utils import canonicalize_name

from pypicloud_lite.artifacts.core_metadata import read_core_metadata
from pypicloud_lite.artifacts.model import CoreMetadata, Limits
from pypicloud_lite.artifacts.paths import folded
from pypicloud_lite.artifacts.source import BinaryReader, Source
from pypicloud_lite.artifacts.tars import read_tar
from pypicloud_lite.artifacts.wheels import read_wheel, read_wheel_metadata
from pypicloud_lite.artifacts.zips import ZipArchive
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.kernel.versions import parse_version

__all__ = ["BinaryReader", "read_artifact", "read_metadata_alone", "read_metadata_partly"]

_BARE = "PKG-INFO"
_REBUILD = "build it again, for example with 'python -m build'"
_INSTALLED = re.compile(r"(?:.*/)?(?P<name>[^/-]+)(?:-[^/]*)?\.(?:egg-info(?:/PKG-INFO)?|dist-info/METADATA)")
# The first version of which License-File is a part (PEP 639); older tools wrote it with other meanings.
_LICENSE_FILES_SINCE = (2, 4)


class _Found(NamedTuple):
    """The metadata file and all other files; ``licenses`` is the directory of what License-File names, if any."""

    member: str
    raw: bytes
    files: Container[str] = ()
    licenses: str | None = None


def read_artifact(
    file: BinaryReader, filename: Filename, *, limits: Limits | None = None, bare: bool = False
) -> CoreMetadata:
    """Check that a file is sound and is the distribution that its name says, and return its core metadata.

    ``file`` is read from its beginning, wherever it stands, and left anywhere. Nothing is unpacked; memory
    holds the member names and one metadata file. A ZIP file costs the reading of its headers (one seek a member:
    give a local file) and the inflation of what :class:`Limits` lets be verified, a tar its decompression. For
    any bytes whatsoever the outcome is metadata, :class:`InvalidArtifact` or :class:`InvalidName`; only the
    file's own ``OSError`` passes through. With ``bare`` an sdist may have its PKG-INFO beside its top-level directory
    or without any, as some old ones have.
    """
    source = Source(file, filename.value, limits or Limits())
    found = _metadata_file(source, filename, bare=bare)
    metadata = _described(source, found.member, found.raw, filename)
    return replace(metadata, absent_license_files=_absent_licenses(found, metadata))


def read_metadata_partly(file: BinaryReader, filename: Filename, *, limits: Limits | None = None) -> CoreMetadata:
    """Core metadata of a wheel of which each part costs a request, such as one that another server has.

    Reads the end of the file, the ZIP directory and METADATA: three seeks, and nothing in proportion to the file. That
    they are this wheel's is checked as in :func:`read_artifact`; the rest of the file may be anything, so this is no
    check of a file. ``InvalidArtifact`` or what ``file`` raises else.
    """
    source = Source(file, filename.value, limits or Limits())
    member, raw = read_wheel_metadata(source, ZipArchive(source, partly=True), filename)
    return _described(source, member, raw, filename)


def read_metadata_alone(raw: bytes, filename: Filename, *, limits: Limits | None = None) -> CoreMetadata:
    """What METADATA says that came without its wheel; it must be of the release that the filename says.

    ``InvalidArtifact`` or ``InvalidName`` else.
    """
    source = Source(BytesIO(raw), filename.value, limits or Limits())
    return _described(source, f"{filename}.metadata", raw, filename)


def _described(source: Source, member: str, raw: bytes, filename: Filename) -> CoreMetadata:
    """What the metadata say, which must be the release that the filename says."""
    metadata = read_core_metadata(source, member, raw, version_required=filename.is_wheel)
    if metadata.name != filename.project:
        raise source.refusal(
            f"Name is {metadata.name} and the filename says {filename.project}",
            "do not rename built files",
            member,
        )
    if parse_version(metadata.version) != parse_version(filename.version):
        raise source.refusal(
            f"Version is {metadata.version} and the filename says {filename.version}",
            "do not rename built files",
            member,
        )
    return metadata


def _absent_licenses(found: _Found, metadata: CoreMetadata) -> tuple[str, ...]:
    major, _, minor = str(metadata.values.get("metadata_version", "1.0")).partition(".")
    if found.licenses is None or (int(major), int(minor)) < _LICENSE_FILES_SINCE:
        return ()
    named = metadata.values.get("license_file", ())
    return tuple(path for path in named if f"{found.licenses}/{path}" not in found.files)


def _metadata_file(source: Source, filename: Filename, *, bare: bool) -> _Found:
    match filename.packagetype:
        case "bdist_wheel":
            return _wheel(source, filename)
        case "bdist_egg":
            return _egg(source)
        case "sdist":
            return _zipped_sdist(source, bare=bare) if _is_zip(filename) else _sdist(source, bare=bare)
        case "bdist_dumb":
            return _zipped_dumb(source, filename) if _is_zip(filename) else _dumb(source, filename)


def _is_zip(filename: Filename) -> bool:
    return filename.value.endswith(".zip")


def _wheel(source: Source, filename: Filename) -> _Found:
    archive = ZipArchive(source)
    member, raw = read_wheel(source, archive, filename)
    return _Found(member, raw, archive.members, member.removesuffix("METADATA") + "licenses")


def _verified_zip(source: Source) -> ZipArchive:
    archive = ZipArchive(source)
    archive.verify()
    return archive


def _egg(source: Source) -> _Found:
    archive = _verified_zip(source)
    if "EGG-INFO/PKG-INFO" not in archive.members:
        raise source.refusal("an egg must have the file EGG-INFO/PKG-INFO", "build a wheel instead")
    return _Found("EGG-INFO/PKG-INFO", archive.read("EGG-INFO/PKG-INFO", source.limits.metadata_bytes))


def _sdist(source: Source, *, bare: bool) -> _Found:
    contents = read_tar(source, lambda path: path == _BARE or (path.endswith("/PKG-INFO") and path.count("/") == 1))
    members = contents.files | contents.links.keys()
    path = _BARE if bare and _BARE in contents.files else _pkg_info(source, contents.tops, members)
    if path not in contents.files:
        raise source.refusal("it is a link and must be a file", _REBUILD, path)
    return _Found(path, contents.kept[path], members, path.removesuffix("/PKG-INFO"))


def _zipped_sdist(source: Source, *, bare: bool) -> _Found:
    archive = _verified_zip(source)
    tops = {name.partition("/")[0] for name in archive.members}
    path = _BARE if bare and _BARE in archive.members else _pkg_info(source, tops, archive.members)
    raw = archive.read(path, source.limits.metadata_bytes)
    return _Found(path, raw, archive.members, path.removesuffix("/PKG-INFO"))


def _pkg_info(source: Source, tops: set[str], files: Collection[str]) -> str:
    if len(tops) != 1:
        raise source.refusal(f"an sdist must have exactly one top-level directory, not {len(tops)}", _REBUILD)
    path = f"{tops.copy().pop()}/PKG-INFO"
    if path not in files:
        raise source.refusal("an sdist must have the file PKG-INFO in its top-level directory", _REBUILD)
    wanted = folded(path)
    for other in files:
        if other.count("/") == 1 and other != path and folded(other) == wanted:
            raise source.refusal("on some file systems it is the same file as PKG-INFO", "rename it", other)
    return path


def _dumb(source: Source, filename: Filename) -> _Found:
    contents = read_tar(source, lambda path: _describes(path, filename.project))
    for path, raw in contents.kept.items():
        return _Found(path, raw)
    return _from_filename(filename)


def _zipped_dumb(source: Source, filename: Filename) -> _Found:
    archive = _verified_zip(source)
    for path in archive.members:
        if _describes(path, filename.project):
            return _Found(path, archive.read(path, source.limits.metadata_bytes))
    return _from_filename(filename)


def _describes(path: str, project: ProjectName) -> bool:
    """Whether this is the project's own metadata among the files of an installation."""
    match = _INSTALLED.fullmatch(path)
    return match is not None and canonicalize_name(match["name"]) == project.value


def _from_filename(filename: Filename) -> _Found:
    text = f"Metadata-Version: 1.0\nName: {filename.project}\nVersion: {filename.version}\n"
    return _Found(filename.value, text.encode())
