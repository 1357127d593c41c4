"""Sdists whose tar archive may not be unpacked, or is read differently: each with the words of its refusal."""

from __future__ import annotations

import bz2
import gzip
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping

from pypicloud_lite.testing.artifacts import build_wheel, core_metadata, pax_records, raw_tar, tar_file
from pypicloud_lite.testing.bad_zips import Shape

Entry = tuple[tarfile.TarInfo, bytes]

TAR_NAME = "acme_widget-1.0.tar.gz"
TOP = "acme_widget-1.0"
PKG_INFO = core_metadata("acme-widget", "1.0")
INFO: Entry = (tar_file(f"{TOP}/PKG-INFO", PKG_INFO), PKG_INFO)
TAR_ENTRIES: list[Entry] = [INFO, (tar_file(f"{TOP}/setup.py", b"#"), b"#")]
_MIB = 1024 * 1024


def bad_tars() -> Iterator[Shape]:
    """Every shape; some are made only now, as they are large."""
    for shapes in (_streams(), _kinds(), _extensions(), _names(), _contents()):
        for key, (words, data) in shapes.items():
            yield key, words, data


def _streams() -> dict[str, tuple[str, bytes]]:
    """The compressed stream, and the archive as a whole."""
    return {
        "empty": ("stream is cut short", b""),
        "not_gzip": ("is not gzip", b"this is no archive" * 100),
        "plain_tar": ("is not gzip", raw_tar(TAR_ENTRIES)),
        "bzip2": ("is not gzip", bz2.compress(raw_tar(TAR_ENTRIES))),
        "wheel": ("ZIP file too", build_wheel("acme-widget", "1.0").data),
        "gzip_of_no_tar": ("header is malformed", gzip.compress(b"text" * 1000)),
        "gzip_of_nothing": ("empty tar", gzip.compress(b"")),
        "gzip_of_zeros": ("empty tar", gzip.compress(bytes(10240))),
        "truncated": ("cut short", packed_tar()[:-20]),
        "truncated_trailer": ("cut short", packed_tar()[:-4]),
        "wrong_crc": ("damaged", packed_tar()[:-8] + b"abcd" + packed_tar()[-4:]),
        "damaged": ("damaged", packed_tar()[:40] + b"\xff\xff\xff\xff" + packed_tar()[44:]),
        "tar_cut_short_in_header": ("malformed or cut short", gzip.compress(raw_tar(TAR_ENTRIES, b"x" * 100))),
        "tar_cut_short_in_body": ("cut short", packed_tar(sized(f"{TOP}/big", 10**6), end=b"")),
        "metadata_cut_short": ("cut short", gzip.compress(raw_tar([sized(f"{TOP}/PKG-INFO", 5000)], b""))),
        "checksum": ("header is malformed", _bad_checksum()),
        "bytes_after_the_end": ("after the end of the tar", packed_tar(end=bytes(1024) + b"x" * 512)),
        "tar_after_the_end": ("after the end of the tar", packed_tar(end=bytes(512) + raw_tar(TAR_ENTRIES))),
        "second_gzip_stream": ("after the end of the compressed", packed_tar() + packed_tar()),
        "bytes_long_after_gzip": ("after the end of the compressed", packed_tar() + bytes(100_000) + b"hidden"),
        "zip64_over_many_disks": ("ZIP file too", _many_disks()),
        "bytes_after_gzip": ("after the end of the compressed", packed_tar() + b"hidden"),
        "also_a_zip": ("ZIP file too", _also_a_zip()),
    }  # fmt: skip


def _kinds() -> dict[str, tuple[str, bytes]]:
    """Members that are no files."""
    return {
        "pkg_info_is_symlink": ("it is a link and must be a file", _without_pkg_info(_linked(tarfile.SYMTYPE, "setup.py"))),
        "pkg_info_is_hardlink": ("it is a link and must be a file", _without_pkg_info(_linked(tarfile.LNKTYPE, f"{TOP}/setup.py"))),
        "symlink_absolute": ("may lead out of the top-level directory", packed_tar(symlink("link", "/etc/passwd"))),
        "symlink_out": ("may lead out of the top-level directory", packed_tar(symlink("a/link", "../../other"))),
        "symlink_to_parent": ("may lead out of the top-level directory", packed_tar(symlink("link", "../../etc/passwd"))),
        "symlink_down_and_up": ("may lead out of the top-level directory", packed_tar(symlink("link", "a/../setup.py"))),
        "symlink_to_drive": ("may lead out of the top-level directory", packed_tar(symlink("link", "C:x"))),
        "symlink_backslash": ("may lead out of the top-level directory", packed_tar(symlink("link", "..\\..\\x"))),
        "symlink_to_nothing": ("may lead out of the top-level directory", packed_tar(symlink("link", ""))),
        "symlink_through_symlink": ("a link leads to it through another link", packed_tar(symlink("a", "b"), symlink("c", "a/x"))),
        "symlink_with_bytes": ("a link and has bytes of its own", packed_tar((_sized_link(), b""))),
        "symlink_twice": ("two members of this name", packed_tar(symlink("link", "setup.py"), symlink("link", "PKG-INFO"))),
        "symlink_over_file": ("two members of this name", packed_tar(symlink("setup.py", "PKG-INFO"))),
        "file_over_symlink": ("two members of this name", packed_tar(symlink("link", "a"), file(f"{TOP}/link"))),
        "directory_over_symlink": ("a directory and a file", packed_tar(symlink("link", "a"), directory(f"{TOP}/link"))),
        "symlink_over_directory": ("a directory and a file", packed_tar(directory(f"{TOP}/link"), symlink("link", "a"))),
        "file_below_symlink": ("lies below another member, which is a file or a link", packed_tar(symlink("link", "a"), file(f"{TOP}/link/x"))),
        "long_link_of_a_file": ("extended header makes it a link", packed_tar((tar_file("K", b"x", tarfile.GNUTYPE_LONGLINK), b"x"), file(f"{TOP}/x"))),
        "two_long_links": ("two names", packed_tar((tar_file("K", b"x", tarfile.GNUTYPE_LONGLINK), b"x"), pax({"linkpath": "y"}), symlink("link", "a"))),
        "hardlink_absolute": ("absolute", packed_tar(_linked(tarfile.LNKTYPE, "/etc/passwd", f"{TOP}/link"))),
        "hardlink_to_nothing": ("hard link to no file before it", packed_tar(_linked(tarfile.LNKTYPE, f"{TOP}/none", f"{TOP}/link"))),
        "hardlink_to_symlink": ("hard link to no file before it", packed_tar(symlink("a", "b"), _linked(tarfile.LNKTYPE, f"{TOP}/a", f"{TOP}/link"))),
        "fifo": ("neither a file nor a directory but a named pipe", packed_tar(_linked(tarfile.FIFOTYPE, "", f"{TOP}/fifo"))),
        "character_device": ("neither a file nor a directory but a character device", packed_tar(_linked(tarfile.CHRTYPE, "", f"{TOP}/null"))),
        "block_device": ("neither a file nor a directory but a block device", packed_tar(_linked(tarfile.BLKTYPE, "", f"{TOP}/sda"))),
        "contiguous": ("neither a file nor a directory but a contiguous file", packed_tar(_linked(tarfile.CONTTYPE, "", f"{TOP}/x"))),
        "gnu_sparse": ("sparse", packed_tar(_linked(tarfile.GNUTYPE_SPARSE, "", f"{TOP}/x"))),
        "unknown_type": ("neither a file nor a directory but of an unknown type", packed_tar(_linked(b"Z", "", f"{TOP}/x"))),
        "volume_header": ("of an unknown type", packed_tar(_linked(b"V", "", f"{TOP}/x"))),
        "continued_on_another_volume": ("of an unknown type", packed_tar(_linked(b"M", "", f"{TOP}/x"))),
        "solaris_extended_header": ("of an unknown type", packed_tar(_linked(b"X", "", f"{TOP}/x"))),
    }  # fmt: skip


def _extensions() -> dict[str, tuple[str, bytes]]:
    """PAX headers and GNU long names."""
    return {
        "pax_sparse": ("sparse", packed_tar(pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}), file(f"{TOP}/x"))),
        "pax_size": ("another size than its header", packed_tar(pax({"size": "1000"}), file(f"{TOP}/x"))),
        "pax_link": ("extended header makes it a link", packed_tar(pax({"linkpath": "/etc/passwd"}), file(f"{TOP}/x"))),
        "pax_global_path": ("renames, links or resizes all members", packed_tar(pax({"path": "evil"}, tarfile.XGLTYPE), file(f"{TOP}/x"))),
        "pax_global_linkpath": ("renames, links or resizes all members", packed_tar(pax({"linkpath": "evil"}, tarfile.XGLTYPE), file(f"{TOP}/x"))),
        "pax_global_size": ("renames, links or resizes all members", packed_tar(pax({"size": "1"}, tarfile.XGLTYPE), file(f"{TOP}/x"))),
        "pax_size_before_global": ("another size", packed_tar(pax({"size": "9"}), pax({"a": "b"}, tarfile.XGLTYPE), file(f"{TOP}/x"))),
        "pax_size_spelt_differently": ("another size", packed_tar(pax({"size": "01"}), file(f"{TOP}/x"))),
        "pax_path_escapes": ("holds '..'", packed_tar(pax({"path": f"{TOP}/../evil"}), file(f"{TOP}/x"))),
        "pax_path_other_top": ("exactly one top-level", packed_tar(pax({"path": "evil/x"}), file(f"{TOP}/x"))),
        "pax_doubled_key": ("PAX header is malformed", packed_tar(pax(pax_records({"path": "a"}) * 2), file(f"{TOP}/x"))),
        "pax_length_lies": ("PAX header is malformed", packed_tar(pax(b"99 path=x\n"), file(f"{TOP}/x"))),
        "pax_length_zero": ("PAX header is malformed", packed_tar(pax(b"0 path=x\n"), file(f"{TOP}/x"))),
        "pax_no_length": ("PAX header is malformed", packed_tar(pax(b"path=x\n"), file(f"{TOP}/x"))),
        "pax_no_newline": ("PAX header is malformed", packed_tar(pax(b"8 path=xy"), file(f"{TOP}/x"))),
        "pax_twice": ("two extended headers", packed_tar(pax({"a": "b"}), pax({"a": "b"}), file(f"{TOP}/x"))),
        "pax_describes_nothing": ("describes no member", packed_tar(pax({"path": f"{TOP}/x"}))),
        "pax_bomb": ("larger than 1048576 bytes", packed_tar(pax(bytes(2 * _MIB)), file(f"{TOP}/x"))),
        "long_name_bomb": ("larger than 1048576 bytes", packed_tar(long_name(b"x" * 2 * _MIB), file(f"{TOP}/x"))),
        "long_name_escapes": ("absolute", packed_tar(long_name(b"/etc/passwd\0"), file(f"{TOP}/x"))),
        "two_long_names": ("two names", packed_tar(long_name(b"a\0"), pax({"path": "b"}), file(f"{TOP}/x"))),
        "pax_sparse_0_0": ("sparse", packed_tar(pax(_sparse_0_0()), file(f"{TOP}/x"))),
        "pax_sparse_0_1": ("sparse", packed_tar(pax({"GNU.sparse.size": "9", "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,1"}), file(f"{TOP}/x"))),
        "pax_sparse_1_0": ("sparse", packed_tar(pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": f"{TOP}/x", "GNU.sparse.realsize": "9"}), file(f"{TOP}/GNUSparseFile.0/x"))),
        "pax_global_sparse": ("sparse", packed_tar(pax({"GNU.sparse.major": "1"}, tarfile.XGLTYPE), file(f"{TOP}/x"))),
    }  # fmt: skip


def _names() -> dict[str, tuple[str, bytes]]:
    """Names."""
    return {
        "parent": ("holds '..'", packed_tar(file(f"{TOP}/../evil"))),
        "absolute": ("absolute", packed_tar(file("/etc/passwd"))),
        "backslash": ("backslash", packed_tar(file(f"{TOP}\\..\\evil"))),
        "drive": ("drive", packed_tar(file("C:evil"))),
        "control_character": ("control", packed_tar(file(f"{TOP}/a\x1bb"))),
        "empty_name": ("empty", packed_tar(long_name(b"\0"), file(f"{TOP}/x"))),
        "duplicate_file": ("two members", packed_tar(file(f"{TOP}/setup.py"))),
        "duplicate_metadata": ("two members", packed_tar(file(f"{TOP}/PKG-INFO"))),
        "duplicate_spelt_differently": ("two members", packed_tar(file(f"./{TOP}//./setup.py"))),
        "names_of_many_megabytes": ("bytes in all", packed_tar(*(entry for at in range(20) for entry in (long_name(f"{TOP}/{at}{'n' * 1_000_000}".encode()), file("x"))))),
    }  # fmt: skip


def _contents() -> dict[str, tuple[str, bytes]]:
    """What an sdist holds."""
    return {
        "directory_over_file": ("a directory and a file", packed_tar(directory(f"{TOP}/setup.py"))),
        "file_over_directory": ("a directory and a file", packed_tar(directory(f"{TOP}/a"), file(f"{TOP}/a"))),
        "file_named_like_directory": ("a directory and a file", packed_tar(long_name(f"{TOP}/a/\0".encode()), file("a"))),
        "directory_with_size": ("a directory and a file", packed_tar((tar_file(TOP, b"x", tarfile.DIRTYPE), b"x"))),
        "negative_size": ("negative size", packed_tar(sized(f"{TOP}/x", -512))),
        "negative_metadata_size": ("negative size", gzip.compress(raw_tar([sized(f"{TOP}/PKG-INFO", -1)]))),
        "terabytes": ("cut short", packed_tar(sized(f"{TOP}/x", 2**40))),
        "two_top_directories": ("exactly one top-level directory, not 2", packed_tar(file("other/x"))),
        "file_beside_the_top": ("exactly one top-level directory, not 2", packed_tar(file("x"))),
        "no_pkg_info": ("must have the file PKG-INFO", gzip.compress(raw_tar([file(f"{TOP}/setup.py")]))),
        "pkg_info_too_deep": ("must have the file PKG-INFO", gzip.compress(raw_tar([file(f"{TOP}/a/PKG-INFO")]))),
        "pkg_info_is_directory": ("must have the file PKG-INFO", gzip.compress(raw_tar([directory(f"{TOP}/PKG-INFO")]))),
        "no_top": ("exactly one top-level directory, not 0", gzip.compress(raw_tar([directory("./")]))),
        "file_below_a_file": ("lies below another member, which is a file or a link", packed_tar(file(f"{TOP}/setup.py/x"))),
        "directory_below_a_file": ("lies below another member, which is a file or a link", packed_tar(directory(f"{TOP}/setup.py/x"))),
        "pkg_info_in_other_case": ("on some file systems it is the same file as PKG-INFO", packed_tar(file(f"{TOP}/pkg-info"))),
        "pkg_info_with_a_dot": ("on some file systems it is the same file as PKG-INFO", packed_tar(file(f"{TOP}/PKG-INFO."))),
        "pkg_info_as_a_stream": ("on some file systems it is the same file as PKG-INFO", packed_tar(file(f"{TOP}/PKG-INFO::$DATA"))),
    }  # fmt: skip


def packed_tar(*members: Entry, end: bytes = bytes(1024)) -> bytes:
    """The good sdist with these members more."""
    return gzip.compress(raw_tar([*TAR_ENTRIES, *members], end), mtime=0)


def _linked(kind: bytes, target: str = "/etc/passwd", path: str = f"{TOP}/PKG-INFO") -> Entry:
    info = tar_file(path, kind=kind)
    info.linkname = target
    return (info, b"")


def _without_pkg_info(link: Entry) -> bytes:
    return gzip.compress(raw_tar([TAR_ENTRIES[1], link]), mtime=0)


def symlink(path: str, target: str) -> Entry:
    """A symbolic link below the top-level directory."""
    return _linked(tarfile.SYMTYPE, target, f"{TOP}/{path}")


def _sized_link() -> tarfile.TarInfo:
    """A symbolic link that claims to have bytes."""
    info = symlink("link", "setup.py")[0]
    info.size = 512
    return info


def pax(records: Mapping[str, str] | bytes, kind: bytes = tarfile.XHDTYPE) -> Entry:
    """A PAX header of these records, or with these bytes."""
    body = records if isinstance(records, bytes) else pax_records(records)
    return (tar_file("PaxHeader", body, kind), body)


def long_name(name: bytes) -> Entry:
    """GNU's header before a member whose name is this."""
    return (tar_file("././@LongLink", name, tarfile.GNUTYPE_LONGNAME), name)


def file(path: str, data: bytes = b"x") -> Entry:
    """A file."""
    return (tar_file(path, data), data)


def directory(path: str) -> Entry:
    """A directory."""
    return (tar_file(path, kind=tarfile.DIRTYPE), b"")


def sized(path: str, size: int) -> Entry:
    """The header of a file of that size, without the file."""
    info = tar_file(path)
    info.size = size
    return (info, b"")


def _bad_checksum() -> bytes:
    tar = bytearray(raw_tar(TAR_ENTRIES))
    tar[0] ^= 1
    return gzip.compress(bytes(tar), mtime=0)


def _also_a_zip() -> bytes:
    """The end record stands as a file's bytes in a stored block near the end of the gzip file."""
    end = b"PK\5\6" + bytes(16) + b"\x08\0"
    tar = raw_tar([*TAR_ENTRIES, file(f"{TOP}/x", end)], b"")
    packer = zlib.compressobj(0, zlib.DEFLATED, 31)
    return packer.compress(tar) + packer.flush()


def _many_disks() -> bytes:
    """Bytes after the gzip stream at which the standard library's own test for ZIP files raises."""
    locator = b"PK\6\7" + struct.pack("<LQL", 1, 0, 2)
    return packed_tar() + locator + b"PK\5\6" + bytes(18)


def _sparse_0_0() -> bytes:
    """The oldest form repeats its keys."""
    block = pax_records({"GNU.sparse.offset": "0"}) + pax_records({"GNU.sparse.numbytes": "1"})
    return pax_records({"GNU.sparse.size": "9", "GNU.sparse.numblocks": "2"}) + block * 2
