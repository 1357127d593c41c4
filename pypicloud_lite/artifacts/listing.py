"""What lies inside one distribution: its members with their sizes, and its metadata file as it is.

A ZIP file is listed by its central directory, which costs a few reads at its end and one of the metadata file; a tar
has no directory and is walked whole, as a stream. Nothing is unpacked.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.source import BinaryReader, Source
from pypicloud_lite.artifacts.tars import TarContents, read_tar
from pypicloud_lite.artifacts.zips import ZipArchive
from pypicloud_lite.kernel.filenames import Filename

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Entry(NamedTuple):
    """One member: ``path`` is printable Unicode, with a slash at its end for a folder; ``target`` is a link's."""

    path: str
    size: int
    target: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder that the archive itself names."""
        return self.path.endswith("/")

    @property
    def place(self) -> tuple[str, str]:
        """The folder that it lies in, empty at the top, and its name there."""
        folder, _, name = self.path.rstrip("/").rpartition("/")
        return folder, name + ("/" if self.is_folder else "")

    @property
    def order(self) -> tuple[str, str]:
        """A key that sorts folder by folder, what lies in a folder right behind it."""
        folder, name = self.place
        return folder.replace("/", "\0"), name


@dataclass(frozen=True, slots=True)
class Listing:
    """The first ``entries``, folder by folder, of ``members`` that have ``size`` bytes unpacked in all.

    ``metadata`` is the text of METADATA or PKG-INFO, found as the member ``metadata_path``; None where there is none.
    """

    entries: Sequence[Entry]
    members: int
    size: int
    metadata_path: str | None
    metadata: str | None


def read_listing(
    file: BinaryReader, filename: Filename, limits: Limits, *, most: int, metadata: bytes | None = None
) -> Listing:
    """List the members of an artifact, at most ``most`` of them; all are counted.

    ``metadata`` are the bytes of its metadata file where they are known already: then it is not read again.
    Of any bytes whatsoever comes a listing or :class:`InvalidArtifact`; errors of the file itself pass through.
    """
    source = Source(file, filename.value, limits)
    listed = _zip if filename.value.endswith((".whl", ".egg", ".zip")) else _tar
    entries, path, found = listed(source, _describes(filename), read=metadata is None)
    raw = found if metadata is None else metadata
    return Listing(
        entries=heapq.nsmallest(most, entries, key=lambda entry: entry.order),
        members=len(entries),
        size=sum(entry.size for entry in entries),
        metadata_path=None if path is None else _shown(path),
        metadata=None if raw is None else readable_text(raw),
    )


def readable_text(raw: bytes) -> str:
    r"""UTF-8 as a page can show it: what is no text is replaced, line ends are ``\\n``."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("\ufffd", text)


_Found = tuple[Sequence[Entry], str | None, bytes | None]
_Wanted = Callable[[str], bool]


def _zip(source: Source, wanted: _Wanted, *, read: bool) -> _Found:
    archive = ZipArchive(source, partly=True)
    path = _first(filter(wanted, archive.members))
    raw = archive.read(path, source.limits.metadata_bytes) if read and path is not None else None
    return [Entry(name, member.size) for name, member in archive.members.items()], path, raw


def _tar(source: Source, wanted: _Wanted, *, read: bool) -> _Found:
    contents = read_tar(source, lambda path: read and wanted(path))
    path = _first(filter(wanted, contents.files))
    return list(_tar_entries(contents)), path, contents.kept.get(path) if path is not None else None


def _tar_entries(contents: TarContents) -> Iterator[Entry]:
    # Names in a tar may be of any bytes, which no page can be written with.
    for path, size in contents.sizes.items():
        yield Entry(_shown(path), size)
    for path, target in contents.links.items():
        yield Entry(_shown(path), 0, _shown(target))
    for path in contents.directories:
        yield Entry(f"{_shown(path)}/", 0)


def _shown(path: str) -> str:
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _first(paths: Iterable[str]) -> str | None:
    return min(paths, default=None)


def _describes(filename: Filename) -> _Wanted:
    """Whether a path is that of the metadata file; an archive that was taken over as it was may have none, or more."""
    match filename.packagetype:
        case "bdist_wheel":
            return lambda path: path.endswith(".dist-info/METADATA") and path.count("/") == 1
        case "bdist_egg":
            return lambda path: path == "EGG-INFO/PKG-INFO"
        case "sdist":
            return lambda path: path.endswith("/PKG-INFO") and path.count("/") == 1
        case "bdist_dumb":
            return lambda path: path.endswith((".dist-info/METADATA", ".egg-info/PKG-INFO", ".egg-info"))
