"""T16, T18 and checklist 77: tar archives are walked once, as a stream, and only harmless members may be there."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest

from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import (
    build_sdist,
    build_wheel,
    core_metadata,
    pax_records,
    raw_tar,
    tar_file,
)

MIB = 1024 * 1024
NAME = "acme_widget-1.0.tar.gz"
TOP = "acme_widget-1.0"
PKG_INFO = core_metadata("acme-widget", "1.0")
INFO = (tar_file(f"{TOP}/PKG-INFO", PKG_INFO), PKG_INFO)
GOOD = [INFO, (tar_file(f"{TOP}/setup.py", b"#"), b"#")]


def read(data, limits=None, name=NAME):
    return read_artifact(io.BytesIO(data), Filename.parse(name), limits=limits)


def packed(*members, end=bytes(1024)):
    return gzip.compress(raw_tar([*GOOD, *members], end), mtime=0)


def linked(kind, target="/etc/passwd", path=f"{TOP}/PKG-INFO"):
    info = tar_file(path, kind=kind)
    info.linkname = target
    return (info, b"")


def pax(records, kind=tarfile.XHDTYPE):
    body = records if isinstance(records, bytes) else pax_records(records)
    return (tar_file("PaxHeader", body, kind), body)


def long_name(name):
    return (tar_file("././@LongLink", name, tarfile.GNUTYPE_LONGNAME), name)


def file(path, data=b"x"):
    return (tar_file(path, data), data)


def directory(path):
    return (tar_file(path, kind=tarfile.DIRTYPE), b"")


def sized(path, size):
    info = tar_file(path)
    info.size = size
    return (info, b"")


def bad_checksum():
    tar = bytearray(raw_tar(GOOD))
    tar[0] ^= 1
    return gzip.compress(bytes(tar), mtime=0)


def also_a_zip():
    """The end record stands as a file's bytes in a stored block near the end of the gzip file."""
    end = b"PK\5\6" + bytes(16) + b"\x08\0"
    tar = raw_tar([*GOOD, file(f"{TOP}/x", end)], b"")
    packer = zlib.compressobj(0, zlib.DEFLATED, 31)
    return packer.compress(tar) + packer.flush()


def many_disks():
    """Bytes after the gzip stream at which the standard library's own test for ZIP files raises."""
    locator = b"PK\6\7" + struct.pack("<LQL", 1, 0, 2)
    return packed() + locator + b"PK\5\6" + bytes(18)


BAD_SHAPES = {
    "empty": ("not gzip|cut short", b""),
    "not_gzip": ("is not gzip", b"this is no archive" * 100),
    "plain_tar": ("is not gzip", raw_tar(GOOD)),
    "bzip2": ("is not gzip", bz2.compress(raw_tar(GOOD))),
    "wheel": ("ZIP file too", build_wheel("acme-widget", "1.0").data),
    "gzip_of_no_tar": ("header is malformed", gzip.compress(b"text" * 1000)),
    "gzip_of_nothing": ("empty tar", gzip.compress(b"")),
    "gzip_of_zeros": ("empty tar", gzip.compress(bytes(10240))),
    "truncated": ("cut short", packed()[:-20]),
    "truncated_trailer": ("cut short", packed()[:-4]),
    "wrong_crc": ("damaged", packed()[:-8] + b"abcd" + packed()[-4:]),
    "damaged": ("damaged", packed()[:40] + b"\xff\xff\xff\xff" + packed()[44:]),
    "tar_cut_short_in_header": ("malformed or cut short", gzip.compress(raw_tar(GOOD, b"x" * 100))),
    "tar_cut_short_in_body": ("cut short", packed(sized(f"{TOP}/big", 10**6), end=b"")),
    "metadata_cut_short": ("cut short", gzip.compress(raw_tar([sized(f"{TOP}/PKG-INFO", 5000)], b""))),
    "checksum": ("header is malformed", bad_checksum()),
    "bytes_after_the_end": ("after the end of the tar", packed(end=bytes(1024) + b"x" * 512)),
    "tar_after_the_end": ("after the end of the tar", packed(end=bytes(512) + raw_tar(GOOD))),
    "second_gzip_stream": ("after the end of the compressed", packed() + packed()),
    "bytes_long_after_gzip": ("after the end of the compressed", packed() + bytes(100_000) + b"hidden"),
    "zip64_over_many_disks": ("ZIP file too", many_disks()),
    "bytes_after_gzip": ("after the end of the compressed", packed() + b"hidden"),
    "also_a_zip": ("ZIP file too", also_a_zip()),
    "pkg_info_is_symlink": ("neither a file nor a directory", gzip.compress(raw_tar([linked(tarfile.SYMTYPE)]))),
    "pkg_info_is_hardlink": ("neither a file nor a directory", gzip.compress(raw_tar([linked(tarfile.LNKTYPE)]))),
    "symlink": ("neither a file nor a directory", packed(linked(tarfile.SYMTYPE, "setup.py", f"{TOP}/link"))),
    "hardlink": ("neither a file nor a directory", packed(linked(tarfile.LNKTYPE, f"{TOP}/setup.py", f"{TOP}/link"))),
    "fifo": ("neither a file nor a directory", packed(linked(tarfile.FIFOTYPE, "", f"{TOP}/fifo"))),
    "character_device": ("neither a file nor a directory", packed(linked(tarfile.CHRTYPE, "", f"{TOP}/null"))),
    "block_device": ("neither a file nor a directory", packed(linked(tarfile.BLKTYPE, "", f"{TOP}/sda"))),
    "contiguous": ("neither a file nor a directory", packed(linked(tarfile.CONTTYPE, "", f"{TOP}/x"))),
    "gnu_sparse": ("sparse", packed(linked(tarfile.GNUTYPE_SPARSE, "", f"{TOP}/x"))),
    "gnu_long_link": ("neither a file nor a directory", packed(linked(tarfile.GNUTYPE_LONGLINK, "", f"{TOP}/x"))),
    "unknown_type": ("neither a file nor a directory", packed(linked(b"Z", "", f"{TOP}/x"))),
    "pax_sparse": ("sparse", packed(pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}), file(f"{TOP}/x"))),
    "pax_size": ("another size than its header", packed(pax({"size": "1000"}), file(f"{TOP}/x"))),
    "pax_link": ("makes it a link", packed(pax({"linkpath": "/etc/passwd"}), file(f"{TOP}/x"))),
    "pax_global_path": ("renames all members", packed(pax({"path": "evil"}, tarfile.XGLTYPE), file(f"{TOP}/x"))),
    "pax_global_size": ("renames all members", packed(pax({"size": "1"}, tarfile.XGLTYPE), file(f"{TOP}/x"))),
    "pax_size_before_global": ("another size", packed(pax({"size": "9"}), pax({"a": "b"}, tarfile.XGLTYPE), file(f"{TOP}/x"))),
    "pax_size_spelt_differently": ("another size", packed(pax({"size": "01"}), file(f"{TOP}/x"))),
    "pax_path_escapes": ("holds '..'", packed(pax({"path": f"{TOP}/../evil"}), file(f"{TOP}/x"))),
    "pax_path_other_top": ("exactly one top-level", packed(pax({"path": "evil/x"}), file(f"{TOP}/x"))),
    "pax_doubled_key": ("PAX header is malformed", packed(pax(pax_records({"path": "a"}) * 2), file(f"{TOP}/x"))),
    "pax_length_lies": ("PAX header is malformed", packed(pax(b"99 path=x\n"), file(f"{TOP}/x"))),
    "pax_length_zero": ("PAX header is malformed", packed(pax(b"0 path=x\n"), file(f"{TOP}/x"))),
    "pax_no_length": ("PAX header is malformed", packed(pax(b"path=x\n"), file(f"{TOP}/x"))),
    "pax_no_newline": ("PAX header is malformed", packed(pax(b"8 path=xy"), file(f"{TOP}/x"))),
    "pax_twice": ("two extended headers", packed(pax({"a": "b"}), pax({"a": "b"}), file(f"{TOP}/x"))),
    "pax_describes_nothing": ("describes no member", packed(pax({"path": f"{TOP}/x"}))),
    "pax_bomb": ("larger than 1048576 bytes", packed(pax(bytes(2 * MIB)), file(f"{TOP}/x"))),
    "long_name_bomb": ("larger than 1048576 bytes", packed(long_name(b"x" * 2 * MIB), file(f"{TOP}/x"))),
    "long_name_escapes": ("absolute", packed(long_name(b"/etc/passwd\0"), file(f"{TOP}/x"))),
    "two_long_names": ("two names", packed(long_name(b"a\0"), pax({"path": "b"}), file(f"{TOP}/x"))),
    "parent": ("holds '..'", packed(file(f"{TOP}/../evil"))),
    "absolute": ("absolute", packed(file("/etc/passwd"))),
    "backslash": ("backslash", packed(file(f"{TOP}\\..\\evil"))),
    "drive": ("drive", packed(file("C:evil"))),
    "control_character": ("control", packed(file(f"{TOP}/a\x1bb"))),
    "empty_name": ("empty", packed(long_name(b"\0"), file(f"{TOP}/x"))),
    "duplicate_file": ("two members", packed(file(f"{TOP}/setup.py"))),
    "duplicate_metadata": ("two members", packed(file(f"{TOP}/PKG-INFO"))),
    "duplicate_spelt_differently": ("two members", packed(file(f"./{TOP}//./setup.py"))),
    "directory_over_file": ("a directory and a file", packed(directory(f"{TOP}/setup.py"))),
    "file_over_directory": ("a directory and a file", packed(directory(f"{TOP}/a"), file(f"{TOP}/a"))),
    "file_named_like_directory": ("a directory and a file", packed(long_name(f"{TOP}/a/\0".encode()), file("a"))),
    "directory_with_size": ("a directory and a file", packed((tar_file(TOP, b"x", tarfile.DIRTYPE), b"x"))),
    "negative_size": ("negative size", packed(sized(f"{TOP}/x", -512))),
    "negative_metadata_size": ("negative size", gzip.compress(raw_tar([sized(f"{TOP}/PKG-INFO", -1)]))),
    "terabytes": ("cut short", packed(sized(f"{TOP}/x", 2**40))),
    "two_top_directories": ("exactly one top-level directory, not 2", packed(file("other/x"))),
    "file_beside_the_top": ("exactly one top-level directory, not 2", packed(file("x"))),
    "no_pkg_info": ("must have the file PKG-INFO", gzip.compress(raw_tar([file(f"{TOP}/setup.py")]))),
    "pkg_info_too_deep": ("must have the file PKG-INFO", gzip.compress(raw_tar([file(f"{TOP}/a/PKG-INFO")]))),
    "pkg_info_is_directory": ("must have the file PKG-INFO", gzip.compress(raw_tar([directory(f"{TOP}/PKG-INFO")]))),
    "no_top": ("exactly one top-level directory, not 0", gzip.compress(raw_tar([directory("./")]))),
}  # fmt: skip


@pytest.mark.parametrize("shape", BAD_SHAPES)
def test_t16_t18_77_bad_shape_is_refused(shape):
    rule, data = BAD_SHAPES[shape]
    with pytest.raises(InvalidArtifact, match=rule) as refusal:
        read(data)
    assert str(refusal.value).startswith(NAME)
    assert "; " in str(refusal.value), "it must say what to do next"


GOOD_SHAPES = {
    "plain": packed(),
    "zero_padding": packed(end=bytes(20 * 512)),
    "no_end_blocks": packed(end=b""),
    "zeros_after_gzip": packed() + bytes(1000),
    "many_zeros_after_gzip": packed() + bytes(200_000),
    "directories": packed(directory(TOP), directory(f"{TOP}/a"), file(f"{TOP}/a/b"), directory(f"{TOP}/a/")),
    "dot_prefix": gzip.compress(raw_tar([directory("./"), *(file(f"./{i.name}", d) for i, d in GOOD)])),
    "old_file_type": gzip.compress(raw_tar([(tar_file(INFO[0].name, PKG_INFO, tarfile.AREGTYPE), PKG_INFO)])),
    "pax_path": packed(pax({"path": f"{TOP}/{'long' * 60}/名前.py", "mtime": "1.5"}), file(f"{TOP}/short")),
    "pax_without_path": packed(pax({"mtime": "1700000000.25", "SCHILY.xattr.user": "a=b"}), file(f"{TOP}/x")),
    "pax_same_size": packed(pax({"size": "1"}), file(f"{TOP}/x")),
    "pax_binary_names": packed(pax({"hdrcharset": "BINARY", "path": f"{TOP}/x"}), file(f"{TOP}/short")),
    "pax_global_comment": packed(pax({"comment": "0" * 40}, tarfile.XGLTYPE), file(f"{TOP}/x")),
    "gnu_long_name": packed(long_name(f"{TOP}/{'long' * 60}\0".encode()), file("x")),
    "latin1_name": packed(file(f"{TOP}/caf\udce9.py")),
    "many_bytes": packed(file(f"{TOP}/data", random.Random(0).randbytes(5 * MIB))),
}  # fmt: skip


@pytest.mark.parametrize("shape", GOOD_SHAPES)
def test_77_good_shape_is_accepted(shape):
    assert read(GOOD_SHAPES[shape]).raw == PKG_INFO


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w|gz"])
def test_77_what_the_standard_library_writes_is_accepted(form, mode, tmp_path):
    folder = tmp_path / TOP / "a folder" / ("deep" * 10) / ("deeper" * 10)
    folder.mkdir(parents=True)
    (folder / "naïve.py").write_bytes(b"x" * 5000)
    (tmp_path / TOP / "PKG-INFO").write_bytes(PKG_INFO)
    suffix = ".tar.bz2" if mode.endswith("bz2") else ".tar.gz"
    path = tmp_path / (TOP + suffix)
    with tarfile.open(str(path), mode, format=form) as archive:
        archive.add(tmp_path / TOP, TOP)
    with path.open("rb") as data:
        assert read_artifact(data, Filename.parse(path.name)).raw == PKG_INFO


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2", ".zip"])
def test_77_every_kind_of_sdist_is_read(suffix):
    built = build_sdist("acme-widget", "1.0", suffix=suffix, body=random.Random(0).randbytes(300_000))
    assert read(built.data, name=built.filename).raw == built.metadata


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".zip"])
def test_77_two_top_directories_are_refused_in_every_kind(suffix):
    built = build_sdist("acme-widget", "1.0", suffix=suffix)
    other = build_sdist("acme-widget", "1.0", suffix=suffix, stem="other-1.0", extra_files=[("x", b"")])
    assert read(built.data, name=built.filename)
    with pytest.raises(InvalidArtifact, match="exactly one top-level directory"):
        read(joined(built.data, other.data, suffix), name=built.filename)


def joined(one, other, suffix):
    """One archive of the members of both."""
    buffer = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(buffer, "w") as target:
            for part in (one, other):
                source = zipfile.ZipFile(io.BytesIO(part))
                for info in source.infolist():
                    target.writestr(info, source.read(info))
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w:bz2" if suffix.endswith("bz2") else "w:gz") as target:
        for part in (one, other):
            with tarfile.open(fileobj=io.BytesIO(part)) as source:
                for info in source:
                    target.addfile(info, source.extractfile(info))
    return buffer.getvalue()


def zeros_in_gzip(size):
    """A gzip file of one tar member of ``size`` zeros, made without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(raw_tar([*GOOD, sized(f"{TOP}/zeros", size)], b""))]
    parts += [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    parts += [packer.compress(bytes(1024)), packer.flush()]
    return b"".join(parts)


@pytest.mark.parametrize("kind", ["gzip", "bzip2"])
def test_t18_a_bomb_is_refused_in_little_memory(kind):
    if kind == "gzip":
        data, name = zeros_in_gzip(160 * MIB), NAME
    else:
        tar = raw_tar([*GOOD, (tar_file(f"{TOP}/zeros", bytes(70 * MIB)), bytes(70 * MIB))])
        data, name = bz2.compress(tar), NAME.replace(".gz", ".bz2")
        del tar
    tracemalloc.start()
    try:
        with pytest.raises(InvalidArtifact, match="200 times its size"):
            read(data, name=name)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_t18_a_large_honest_archive_is_read_in_little_memory():
    data = zeros_in_gzip(63 * MIB)
    tracemalloc.start()
    try:
        assert read(data).version == "1.0"
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_t18_bytes_after_the_end_count_as_inflated():
    data = packed(end=bytes(100_000))
    with pytest.raises(InvalidArtifact, match="larger than 50000 bytes in all"):
        read(data, Limits(inflated_bytes=50_000))


def test_t18_more_members_than_the_limit_is_refused():
    data = packed(*(file(f"{TOP}/{at}") for at in range(10)))
    with pytest.raises(InvalidArtifact, match="more than 11 members"):
        read(data, Limits(entries=11))
    assert read(data, Limits(entries=12)).version == "1.0"


def test_t18_reading_stops_when_the_time_is_used_up():
    with pytest.raises(InvalidArtifact, match="longer than 0 seconds"):
        read(packed(), Limits(seconds=0))


def test_t18_metadata_over_its_limit_is_refused():
    with pytest.raises(InvalidArtifact, match="larger than 20 bytes"):
        read(packed(), Limits(metadata_bytes=20))


def test_t18_many_metadata_files_share_one_limit():
    wanted = [file(f"top{at}/PKG-INFO", PKG_INFO) for at in range(10)]
    with pytest.raises(InvalidArtifact, match=r"top8/PKG-INFO.*larger than \d+ bytes"):
        read(gzip.compress(raw_tar(wanted)), Limits(metadata_bytes=len(PKG_INFO) * 8 + 4))
