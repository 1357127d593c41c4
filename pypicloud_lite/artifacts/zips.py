"""The structure of a ZIP file, walked strictly: one reading of it is possible, or it is refused.

Installers disagree about ZIP files that say two things at once: some read the central directory, some the
local headers, some the last of two equal names. So the whole file must be tiled exactly by local entries, the
central directory and the end records, in this order, and both descriptions of a member must be the same. This
is what the standard library writes. The layout is that of PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.
"""

from __future__ import annotations

import stat
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pypicloud_lite.artifacts.paths import below_a_file
from pypicloud_lite.artifacts.source import Source

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_STORED, _DEFLATED = 0, 8
# Bits 1 and 2 tell the deflate level, bit 11 that the name is UTF-8; all others change how bytes are read.
_HARMLESS_FLAGS = 0b1000_0000_0110
_DESCRIPTOR, _ENCRYPTED, _UTF8 = 0x0008, 0x2041, 0x0800
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
_ONE_SIZE = 8
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_EXTRA = struct.Struct("<2H")
_DIRECTORY_BYTES_PER_ENTRY = 512
_PACKED_STEP = 256 * 1024
_INFLATE_STEP = 1024 * 1024
_REBUILD = "build it again with a current build tool"
_ELSEWHERE = "its deflate stream does not end where its headers say"


@dataclass(frozen=True, slots=True)
class Member:
    """One member as its central and its local header agree; ``data`` is where its bytes begin."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


class _Directory(NamedTuple):
    """Where the central directory lies and how many entries it has."""

    offset: int
    size: int
    entries: int


class ZipArchive:
    """The members of a ZIP file whose structure was found sound.

    Making it inflates nothing. Inflating all of a 1 GiB wheel would take longer than the ten seconds after which
    upload clients hang up, so the largest members may stay unread: they are bounded by their declared sizes, and
    one that lies about its size does no harm here because nothing reads it.

    ``partly``: only the end of the file and what :meth:`read` asks for is looked at, in two or three reads instead of
    one a member: for files of which each part costs a request. The directory is judged as strictly; that all of the
    file is as it says is not. ``members`` are those of an earlier reading of the same bytes: nothing is read then.
    """

    __slots__ = ("_partly", "_source", "members")

    members: Mapping[str, Member]

    def __init__(self, source: Source, *, partly: bool = False, members: Mapping[str, Member] | None = None) -> None:
        self._source = source
        self._partly = partly
        if members is not None:
            self.members = members
            return
        if not partly:
            _refuse_tar(source)
        directory = _find_directory(source)
        self.members = _members(source, directory)
        if not partly:
            _check_tiling(source, self.members, directory.offset)

    def read(self, name: str, limit: int) -> bytes:
        """Inflate one member of at most ``limit`` bytes; size and CRC-32 are verified.

        KeyError when there is no such member.
        """
        member = self.members[name]
        if member.size > limit:
            raise self._source.refusal(f"it is larger than {limit} bytes", "shorten it", name)
        if self._partly:
            _local_end(self._source, member)
        return b"".join(self.pieces(member))

    def stream(self, name: str) -> Iterator[bytes]:
        """Inflate one member piece by piece, in constant memory; as :meth:`pieces`, KeyError when there is none."""
        member = self.members[name]
        if self._partly:
            _local_end(self._source, member)
        return self.pieces(member)

    def affordable(self) -> Iterator[Member]:
        """The members, smallest first, that have at most ``limits.verified_bytes`` in all."""
        left = self._source.limits.verified_bytes
        for member in sorted(self.members.values(), key=lambda member: member.size):
            left -= member.size
            if left < 0:
                return
            yield member

    def verify(self) -> None:
        """Inflate what is affordable: each must be what its headers say."""
        for member in self.affordable():
            for _ in self.pieces(member):
                pass

    def pieces(self, member: Member) -> Iterator[bytes]:
        """Inflate one member piece by piece; the refusal, if size or CRC-32 are wrong, comes after the last."""
        size = crc = 0
        for piece in self._inflated(member):
            size += len(piece)
            crc = zlib.crc32(piece, crc)
            yield piece
        if size != member.size or crc != member.crc:
            raise self._source.refusal("its bytes do not match the declared size and CRC-32", _REBUILD, member.name)

    def _inflated(self, member: Member) -> Iterator[bytes]:
        packed = self._packed(member)
        if member.method == _STORED:
            yield from packed
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        data, left = b"", member.size + 1
        for chunk in packed:
            data, pending = chunk, not inflater.eof
            while pending and not inflater.eof:
                step = min(left, _INFLATE_STEP)
                try:
                    piece = inflater.decompress(data, step)
                except zlib.error:
                    raise self._source.refusal("its deflate stream is damaged", _REBUILD, member.name) from None
                data = inflater.unconsumed_tail
                left -= len(piece)
                if not left:
                    raise self._source.refusal(_ELSEWHERE, _REBUILD, member.name)
                yield piece
                pending = bool(data) or len(piece) == step
            if inflater.unused_data or data:
                break
        if not inflater.eof or inflater.unused_data or data:
            raise self._source.refusal(_ELSEWHERE, _REBUILD, member.name)

    def _packed(self, member: Member) -> Iterator[bytes]:
        source = self._source
        at = member.offset + _LOCAL.size + len(member.raw_name)
        at += _LOCAL.unpack(source.read_at(member.offset, _LOCAL.size, "a local header"))[-1]
        end = at + member.packed
        while at < end:
            source.check_time()
            chunk = source.read_at(at, min(end - at, _PACKED_STEP), "a member")
            at += len(chunk)
            yield chunk


def _refuse_tar(source: Source) -> None:
    if source.size < tarfile.BLOCKSIZE:
        return
    try:
        tarfile.TarInfo.frombuf(source.read_at(0, tarfile.BLOCKSIZE, "a header"), "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return
    raise source.refusal("it can be read as a tar archive too", _REBUILD)


def _find_directory(source: Source) -> _Directory:
    if source.size < _END.size:
        raise source.refusal("it is too short to be a ZIP file", "upload the file again")
    end = source.size - _END.size
    fields = _END.unpack(source.read_at(end, _END.size, "the end record"))
    signature, disk, first_disk, here, entries, size, offset, comment = fields
    if signature != b"PK\5\6" or comment:
        raise source.refusal(
            "it does not end with a ZIP end record: it is no ZIP file, is cut short, or has a comment or "
            "other bytes after the end",
            _REBUILD,
        )
    if disk or first_disk or here != entries:
        raise source.refusal("its end record speaks of several disks", _REBUILD)
    directory, end = _widen(source, end, _Directory(offset, size, entries))
    source.check_entries(directory.entries)
    if directory.size > source.limits.entries * _DIRECTORY_BYTES_PER_ENTRY:
        raise source.refusal("its central directory is too large", "use fewer members and shorter names")
    if directory.offset + directory.size != end:
        raise source.refusal(
            "its end record does not point at a central directory right before it, as if bytes were added or "
            "taken away",
            _REBUILD,
        )
    return directory


def _widen(source: Source, end: int, narrow: _Directory) -> tuple[_Directory, int]:
    """The values of the ZIP64 end record, if there is one, and where the end records begin."""
    at = end - _LOCATOR.size
    locator = source.read_at(at, _LOCATOR.size, "the ZIP64 locator") if at >= 0 else b""
    if not locator.startswith(b"PK\6\7"):
        return narrow, end
    _, disk, offset, disks = _LOCATOR.unpack(locator)
    if disk or disks != 1 or offset != at - _END64.size:
        raise source.refusal("its ZIP64 locator does not point at a ZIP64 end record before it", _REBUILD)
    fields = _END64.unpack(source.read_at(offset, _END64.size, "the ZIP64 end record"))
    signature, length, _made, _need, disk, first_disk, here, entries, size, start = fields
    if signature != b"PK\6\6" or length != _END64.size - 12 or disk or first_disk or here != entries:
        raise source.refusal("its ZIP64 end record is malformed", _REBUILD)
    wide = _Directory(start, size, entries)
    for short, ceiling, long in zip(narrow, (_MAX32, _MAX32, _MAX16), wide, strict=True):
        if short not in {ceiling, long}:
            raise source.refusal("its two end records disagree", _REBUILD)
    return wide, offset


def _members(source: Source, directory: _Directory) -> dict[str, Member]:
    data = source.read_at(directory.offset, directory.size, "the central directory")
    members: dict[str, Member] = {}
    taken: set[str] = set()
    at = total = names = 0
    while at < len(data):
        member, at = _central(source, data, at)
        names += len(member.raw_name)
        path = member.name.rstrip("/")
        if path in taken:
            raise source.refusal("there are two members of this name", _REBUILD, member.name)
        taken.add(path)
        members[member.name] = member
        total += member.size
        source.check_inflated(total, source.limits.zip_ratio)
        source.check_entries(len(members))
        source.check_names(names)
    if len(members) != directory.entries:
        raise source.refusal("its central directory does not have as many entries as it says", _REBUILD)
    inside = below_a_file({name for name in members if not name.endswith("/")}, taken)
    if inside is not None:
        raise source.refusal("it lies below another member, which is a file", _REBUILD, inside)
    return members


def _central(source: Source, data: bytes, at: int) -> tuple[Member, int]:
    """Read one entry of the central directory, and where the next one begins."""
    if len(data) - at < _CENTRAL.size:
        raise source.refusal("its central directory is cut short", _REBUILD)
    fields = _CENTRAL.unpack_from(data, at)
    signature, _made, _need, flags, method, _time, _date, crc, packed, size = fields[:10]
    name_length, extra_length, comment_length, disk, _internal, external, offset = fields[10:]
    name_end = at + _CENTRAL.size + name_length
    end = name_end + extra_length + comment_length
    if signature != b"PK\1\2" or end > len(data):
        raise source.refusal("its central directory is malformed", _REBUILD)
    raw_name = data[at + _CENTRAL.size : name_end]
    name = _name(source, raw_name, flags)
    if comment_length or disk:
        raise source.refusal("it has a comment or lies on another disk", _REBUILD, name)
    _check_kind(source, name, flags, method, external >> 16)
    extras = _extras(source, name, raw_name, data[name_end:end])
    size, packed, offset = _sizes(source, name, extras.get(_ZIP64), (size, packed, offset))
    if (method == _STORED and size != packed) or (name.endswith("/") and size):
        raise source.refusal("its sizes are impossible", _REBUILD, name)
    # Deflate grows data by five bytes per 16 KiB at the very worst: more than this is padding.
    if packed > size + size // 1024 + 1024:
        raise source.refusal("its compressed form is larger than itself", _REBUILD, name)
    return Member(name, raw_name, flags, method, crc, packed, size, offset), end


def _name(source: Source, raw: bytes, flags: int) -> str:
    """The member's name; every byte string that two readers could decode or follow differently is refused."""
    shown = raw.decode("utf-8", "replace")
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise source.refusal("its name is not UTF-8", "rename it", shown) from None
    # Without the flag Python reads such a name in the code page of the first IBM PC, and others in their own.
    if not raw.isascii() and not flags & _UTF8:
        raise source.refusal("its name is not ASCII and not marked as UTF-8", "rename it", name)
    path = name.removesuffix("/")
    if not name.isprintable() or "\\" in name or name[1:2] == ":" or not path:
        raise source.refusal("its name is empty or holds control characters, a backslash or a drive", "rename it", name)
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise source.refusal("its name is absolute or holds '..', '.' or '//'", "rename it", name)
    return name


def _check_kind(source: Source, name: str, flags: int, method: int, mode: int) -> None:
    if flags & _ENCRYPTED:
        raise source.refusal("it is encrypted", _REBUILD, name)
    if flags & _DESCRIPTOR:
        raise source.refusal(
            "its sizes follow it in a data descriptor", "write the archive to a file, not to a stream", name
        )
    if flags & ~_HARMLESS_FLAGS:
        raise source.refusal("it uses features that Python installers do not know", _REBUILD, name)
    if method not in {_STORED, _DEFLATED}:
        raise source.refusal("it is neither stored nor deflated", "compress it with deflate", name)
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise source.refusal("it is a link or a device", "put the file itself into the archive", name)


def _extras(source: Source, name: str, raw_name: bytes, data: bytes) -> dict[int, bytes]:
    """The extra fields that could change the name or the sizes."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if len(data) - at < _EXTRA.size:
            raise source.refusal("its extra fields are malformed", _REBUILD, name)
        kind, length = _EXTRA.unpack_from(data, at)
        at += _EXTRA.size + length
        if at > len(data) or (kind in {_ZIP64, _UNICODE_PATH} and kind in found):
            raise source.refusal("its extra fields are malformed or doubled", _REBUILD, name)
        found[kind] = data[at - length : at]
    if _UNICODE_PATH in found and found[_UNICODE_PATH][5:] != raw_name:
        raise source.refusal("it has a second name", _REBUILD, name)
    return found


def _sizes(source: Source, name: str, zip64: bytes | None, narrow: tuple[int, ...]) -> tuple[int, ...]:
    """Take the values that did not fit in 32 bits from the ZIP64 field.

    It holds exactly those, or (Bazel writes it so) repeats the others too, equal to the header's.
    """
    if zip64 is None and _MAX32 not in narrow:
        return narrow
    maxed = [at for at, value in enumerate(narrow) if value == _MAX32]
    data = zip64 or b""
    if len(data) % 8:
        raise source.refusal("its ZIP64 field is malformed", _REBUILD, name)
    wide = [value for (value,) in struct.iter_unpack("<Q", data)]
    places = maxed if len(data) == 8 * len(maxed) else list(range(len(wide)))
    values = list(narrow)
    for at, value in zip(places, wide, strict=True):
        if at >= len(narrow) or narrow[at] not in {_MAX32, value}:
            raise source.refusal("its ZIP64 field contradicts its header", _REBUILD, name)
        values[at] = value
    if not set(maxed) <= set(places):
        raise source.refusal("its ZIP64 field does not hold what its header leaves out", _REBUILD, name)
    return tuple(values)


def _check_tiling(source: Source, members: Mapping[str, Member], end: int) -> None:
    """Every local header says what its central one says, and they lie side by side from byte 0 to ``end``."""
    at = 0
    for count, member in enumerate(sorted(members.values(), key=lambda member: member.offset)):
        if count % 256 == 0:
            source.check_time()
        if member.offset != at:
            raise source.refusal(
                "there are foreign bytes before it, or it overlaps another member", _REBUILD, member.name
            )
        at = _local_end(source, member)
    if at != end:
        raise source.refusal("there are foreign bytes between the last member and the central directory", _REBUILD)


def _local_end(source: Source, member: Member) -> int:
    header = source.read_at(member.offset, _LOCAL.size + len(member.raw_name), "a local header")
    fields: tuple[Any, ...] = _LOCAL.unpack_from(header)
    signature, _need, flags, method, _time, _date, crc, packed, size, name_length, extra_length = fields
    start = member.offset + len(header)
    extras: dict[int, bytes] = {}
    if extra_length:
        data = source.read_at(start, extra_length, "a local header")
        extras = _extras(source, member.name, member.raw_name, data)
    # Here the field has both sizes or neither (APPNOTE 4.5.3); whoever reads the one as the other is lost.
    if len(extras.get(_ZIP64, b"")) == _ONE_SIZE and member.method != _STORED:
        raise source.refusal("its local ZIP64 field has only one of the two sizes", _REBUILD, member.name)
    size, packed = _sizes(source, member.name, extras.get(_ZIP64), (size, packed))
    local = (signature, flags, method, crc, packed, size, name_length, header[_LOCAL.size :])
    central = (
        *(b"PK\3\4", member.flags, member.method, member.crc, member.packed, member.size),
        *(len(member.raw_name), member.raw_name),
    )
    if local != central:
        raise source.refusal("its local header differs from the central directory", _REBUILD, member.name)
    return start + int(extra_length) + member.packed
