"""Compressed tar archives, walked once as a stream: headers are checked, a member is kept, none is unpacked.

The walk is our own and not ``tarfile``'s, which reads extended headers of any length into memory, and which
accepts what other readers understand differently. Single headers are decoded by :class:`tarfile.TarInfo`.
Member bodies are only counted, so that the walk runs at the speed of zlib.
"""

from __future__ import annotations

import bz2
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, KeysView
from dataclasses import dataclass, field
from typing import Protocol

from pypicloud_lite.artifacts.links import led_through, symlink_target
from pypicloud_lite.artifacts.paths import below_a_file
from pypicloud_lite.artifacts.source import Source

_BLOCK = tarfile.BLOCKSIZE
_INFLATE_STEP = 1024 * 1024
_MAX_EXTENDED_HEADER = 1024 * 1024
_FILES = {tarfile.REGTYPE, tarfile.AREGTYPE}
_KINDS = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.CONTTYPE: "a contiguous file",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_LINKS = {tarfile.LNKTYPE, tarfile.SYMTYPE}
_LONG = {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EACH = frozenset({b"path", b"linkpath", b"size"})
_REBUILD = "build it again with a current build tool"
_REPLACE = "put the file itself into the archive"


@dataclass(slots=True)
class TarContents:
    """The paths of all members, without ``./`` and trailing slash, and the files that were kept.

    ``sizes`` are those of the files in bytes. ``links`` tells where each link leads, as a path of the archive; there
    may be nothing.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    kept: dict[str, bytes] = field(default_factory=dict)

    @property
    def files(self) -> KeysView[str]:
        """The paths of the files."""
        return self.sizes.keys()

    @property
    def tops(self) -> set[str]:
        """The first segments of all paths."""
        return {path.partition("/")[0] for path in self.files | self.directories | self.links.keys()}


def read_tar(source: Source, keep: Callable[[str], bool]) -> TarContents:
    """Walk the whole archive, gzip or bzip2 by the filename's suffix, and keep the files that ``keep`` wants.

    The kept files may have ``limits.metadata_bytes`` in all. Cost: one decompression, memory for names.
    """
    _refuse_zip(source)
    return _Walk(source, _Stream(source, _inflate(source)), keep).run()


class _Walk:
    """One pass over the headers; an extended header waits in ``_renamed`` for the member it describes."""

    def __init__(self, source: Source, stream: _Stream, keep: Callable[[str], bool]) -> None:
        self._source = source
        self._stream = stream
        self._keep = keep
        self._contents = TarContents()
        self._renamed: str | None = None
        self._linked: str | None = None
        self._resized: bytes | None = None
        self._extended: set[bytes] = set()
        self._name_bytes = 0

    def run(self) -> TarContents:
        count = 0
        while header := self._stream.read(_BLOCK):
            if not any(header):
                break
            count += 1
            self._source.check_entries(count)
            self._member(self._decoded(header))
        if self._extended:
            raise self._source.refusal("it ends with an extended header that describes no member", _REBUILD)
        if not count:
            raise self._source.refusal("it is an empty tar archive", "upload the file again")
        if not self._stream.only_zeros_left():
            raise self._source.refusal("there are other bytes after the end of the tar archive", _REBUILD)
        self._check_places()
        return self._contents

    def _check_places(self) -> None:
        """Nothing lies below a file or a link, and no link leads through another one."""
        contents = self._contents
        inside = below_a_file(contents.files | contents.links.keys(), contents.directories)
        if inside is not None:
            raise self._source.refusal("it lies below another member, which is a file or a link", _REBUILD, inside)
        through = led_through(contents.links)
        if through is not None:
            raise self._source.refusal("a link leads to it through another link", _REPLACE, through)

    def _decoded(self, header: bytes) -> tarfile.TarInfo:
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            raise self._source.refusal(
                "a tar header is malformed or cut short", "upload the file again, or build it again"
            ) from None
        if info.size < 0:
            raise self._source.refusal("it has a negative size", _REBUILD, info.name)
        return info

    def _member(self, info: tarfile.TarInfo) -> None:
        if info.type in {tarfile.XHDTYPE, tarfile.XGLTYPE} | _LONG:
            self._extension(info)
            return
        name = info.name if self._renamed is None else self._renamed
        # No archive within the limits needs a size beyond its octal field; another size is another reading.
        if self._resized is not None and self._resized != str(info.size).encode():
            raise self._source.refusal("its PAX header has another size than its header", _REBUILD, name)
        target = info.linkname if self._linked is None else self._linked
        if info.type not in _FILES | _LINKS | {tarfile.DIRTYPE}:
            raise self._source.refusal(
                f"it is neither a file nor a directory but {_KINDS.get(info.type, 'of an unknown type')}",
                _REPLACE,
                name,
            )
        if self._linked is not None and info.type not in _LINKS:
            raise self._source.refusal("its extended header makes it a link", _REBUILD, name)
        self._renamed = self._resized = self._linked = None
        self._extended.clear()
        path = self._path(name)
        self._name_bytes += len(name) + len(target)
        self._source.check_names(self._name_bytes)
        if info.type == tarfile.DIRTYPE:
            self._directory(info, path)
        elif info.type in _LINKS:
            self._link(info, path, name, target)
        else:
            self._file(info, path, name)

    def _directory(self, info: tarfile.TarInfo, path: str) -> None:
        if info.size or path in self._contents.files or path in self._contents.links:
            raise self._source.refusal("it is a directory and a file at once", _REBUILD, path)
        if path:
            self._contents.directories.add(path)

    def _link(self, info: tarfile.TarInfo, path: str, name: str, target: str) -> None:
        self._claim(path, name)
        if info.size:
            raise self._source.refusal("it is a link and has bytes of its own", _REBUILD, name)
        if info.type == tarfile.SYMTYPE:
            leads_to = symlink_target(path, target)
            if leads_to is None:
                raise self._source.refusal(
                    "it is a symbolic link that may lead out of the top-level directory", _REPLACE, name
                )
        else:
            leads_to = self._path(target)
            if leads_to not in self._contents.files:
                raise self._source.refusal("it is a hard link to no file before it", _REPLACE, name)
        self._contents.links[path] = leads_to

    def _claim(self, path: str, name: str) -> None:
        contents = self._contents
        if not path or name.endswith("/") or path in contents.directories:
            raise self._source.refusal("it is a directory and a file at once", _REBUILD, name)
        if path in contents.files or path in contents.links:
            raise self._source.refusal("there are two members of this name", _REBUILD, name)

    def _file(self, info: tarfile.TarInfo, path: str, name: str) -> None:
        contents = self._contents
        self._claim(path, name)
        contents.sizes[path] = info.size
        if self._keep(path):
            room = self._source.limits.metadata_bytes - sum(map(len, contents.kept.values()))
            contents.kept[path] = self._body(info, room)
        else:
            self._stream.skip(_padded(info.size))

    def _extension(self, info: tarfile.TarInfo) -> None:
        """A PAX header (POSIX ``pax``, type x or g) or a GNU long name or link, of at most 1 MiB."""
        if info.type in self._extended:
            raise self._source.refusal("it has two extended headers in a row", _REBUILD, info.name)
        self._extended.add(info.type)
        body = self._body(info, _MAX_EXTENDED_HEADER)
        if info.type in _LONG:
            key = b"path" if info.type == tarfile.GNUTYPE_LONGNAME else b"linkpath"
            records = {key: body.rstrip(b"\0")}
        else:
            records = self._records(body, info)
        if info.type == tarfile.XGLTYPE and not _EACH.isdisjoint(records):
            raise self._source.refusal("its PAX header renames, links or resizes all members", _REBUILD, info.name)
        self._resized = records.get(b"size", self._resized)
        self._renamed = self._only(self._renamed, records.get(b"path"), info)
        self._linked = self._only(self._linked, records.get(b"linkpath"), info)

    def _only(self, before: str | None, raw: bytes | None, info: tarfile.TarInfo) -> str | None:
        """The name that an extended header gives; there may be only one."""
        if raw is None:
            return before
        if before is not None:
            raise self._source.refusal("it has two names", _REBUILD, info.name)
        return raw.decode("utf-8", "surrogateescape")

    def _records(self, body: bytes, info: tarfile.TarInfo) -> dict[bytes, bytes]:
        """Read ``length key=value`` lines."""
        records: dict[bytes, bytes] = {}
        at = 0
        while at < len(body):
            digits = body[at : at + 8].partition(b" ")[0]
            end = at + (int(digits) if digits.isdigit() else 0)
            key, equals, value = body[at + len(digits) + 1 : end - 1].partition(b"=")
            if key.startswith(b"GNU.sparse."):
                raise self._source.refusal("it is a sparse file", _REPLACE, info.name)
            if not equals or body[end - 1 : end] != b"\n" or key in records:
                raise self._source.refusal("its PAX header is malformed", _REBUILD, info.name)
            records[key] = value
            at = end
        return records

    def _body(self, info: tarfile.TarInfo, limit: int) -> bytes:
        if info.size > limit:
            raise self._source.refusal(f"it is larger than {limit} bytes", "shorten it", info.name)
        body = self._stream.read(_padded(info.size))[: info.size]
        if len(body) < info.size:
            raise self._source.refusal("it is cut short", "upload the file again", info.name)
        return body

    def _path(self, name: str) -> str:
        """The normalised path; empty for ``./`` itself."""
        segments = name.split("/")
        # Unlike in a ZIP, any bytes above ASCII may stand in a name: old sdists have Latin-1 names.
        if _CONTROL.search(name) or "\\" in name or name[1:2] == ":":
            raise self._source.refusal("its name holds control characters, a backslash or a drive", "rename it", name)
        if not segments[0] or ".." in segments:
            raise self._source.refusal("its name is empty, absolute or holds '..'", "rename it", name)
        return "/".join(segment for segment in segments if segment not in {"", "."})


class _Stream:
    """The inflated bytes, pulled as they are needed."""

    def __init__(self, source: Source, pieces: Iterator[bytes]) -> None:
        self._source = source
        self._pieces = pieces
        self._piece = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """``size`` bytes, fewer only at the end."""
        piece = self._piece[self._at : self._at + size]
        self._at += len(piece)
        if len(piece) == size:
            return piece
        parts = [piece]
        missing = size - len(piece)
        while missing and self._next():
            piece = self._piece[:missing]
            self._at = len(piece)
            missing -= len(piece)
            parts.append(piece)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes, all of which must be there."""
        while size > len(self._piece) - self._at:
            size -= len(self._piece) - self._at
            if not self._next():
                raise self._source.refusal("its last member is cut short", "upload the file again")
        self._at += size

    def only_zeros_left(self) -> bool:
        """Read to the end; whether nothing but zero bytes was left."""
        zeros = not any(self._piece[self._at :])
        while zeros and self._next():
            zeros = self._piece.count(0) == len(self._piece)
        return zeros

    def _next(self) -> bool:
        self._piece = next(self._pieces, b"")
        self._at = 0
        return bool(self._piece)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


class _Inflater(Protocol):
    """The interface that zlib and bz2 nearly share: at most one step of output per call."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def step(self, data: bytes) -> tuple[bytes, bool]:
        """Some output, and whether the next call needs more input."""


class _Gzip:
    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def step(self, data: bytes) -> tuple[bytes, bool]:
        output = self._inflater.decompress(self._inflater.unconsumed_tail + data, _INFLATE_STEP)
        return output, not self._inflater.unconsumed_tail and len(output) < _INFLATE_STEP


class _Bzip2:
    def __init__(self) -> None:
        self._inflater = bz2.BZ2Decompressor()

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def step(self, data: bytes) -> tuple[bytes, bool]:
        return self._inflater.decompress(data, _INFLATE_STEP), self._inflater.needs_input


def _inflate(source: Source) -> Iterator[bytes]:
    """Every inflated byte of the one compressed stream that the file must be, within all limits."""
    kind = "bzip2" if source.name.endswith(".bz2") else "gzip"
    inflater: _Inflater = _Bzip2() if kind == "bzip2" else _Gzip()
    total = 0
    for chunk in source.chunks():
        if inflater.eof:
            _check_padding(source, chunk)
            continue
        data, hungry = chunk, False
        while not hungry and not inflater.eof:
            source.check_time()
            try:
                piece, hungry = inflater.step(data)
            except (zlib.error, OSError, ValueError):
                raise source.refusal(f"it is not {kind}, or it is damaged", "upload the file again") from None
            data = b""
            total += len(piece)
            source.check_inflated(total, source.limits.tar_ratio)
            if piece:
                yield piece
        _check_padding(source, inflater.unused_data)
    if not inflater.eof:
        raise source.refusal(f"its {kind} stream is cut short", "upload the file again")


def _check_padding(source: Source, data: bytes) -> None:
    if data.count(0) != len(data):
        raise source.refusal("there are other bytes after the end of the compressed stream", _REBUILD)


def _refuse_zip(source: Source) -> None:
    """Installers look for a ZIP's end record first, whatever the suffix says."""
    try:
        found = zipfile.is_zipfile(source.file())
    except zipfile.BadZipFile:
        found = True
    if found:
        raise source.refusal("it can be read as a ZIP file too", _REBUILD)
