"""T16, T18 and checklist 77: tar archives are walked once, as a stream, and only harmless members may be there."""

from __future__ import annotations

import bz2
import gzip
import io
import random
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
    raw_tar,
    tar_file,
)
from pypicloud_lite.testing.bad_tars import (
    INFO,
    PKG_INFO,
    TAR_ENTRIES,
    TAR_NAME,
    TOP,
    directory,
    file,
    long_name,
    packed_tar,
    pax,
    sized,
    symlink,
)

MIB = 1024 * 1024


def read(data, limits=None, name=TAR_NAME):
    return read_artifact(io.BytesIO(data), Filename.parse(name), limits=limits)


def hardlink(path, target):
    info = tar_file(f"{TOP}/{path}", kind=tarfile.LNKTYPE)
    info.linkname = f"{TOP}/{target}"
    return (info, b"")


GOOD_SHAPES = {
    "plain": packed_tar(),
    "zero_padding": packed_tar(end=bytes(20 * 512)),
    "no_end_blocks": packed_tar(end=b""),
    "zeros_after_gzip": packed_tar() + bytes(1000),
    "many_zeros_after_gzip": packed_tar() + bytes(200_000),
    "directories": packed_tar(directory(TOP), directory(f"{TOP}/a"), file(f"{TOP}/a/b"), directory(f"{TOP}/a/")),
    "dot_prefix": gzip.compress(raw_tar([directory("./"), *(file(f"./{i.name}", d) for i, d in TAR_ENTRIES)])),
    "old_file_type": gzip.compress(raw_tar([(tar_file(INFO[0].name, PKG_INFO, tarfile.AREGTYPE), PKG_INFO)])),
    "pax_path": packed_tar(pax({"path": f"{TOP}/{'long' * 60}/名前.py", "mtime": "1.5"}), file(f"{TOP}/short")),
    "pax_without_path": packed_tar(pax({"mtime": "1700000000.25", "SCHILY.xattr.user": "a=b"}), file(f"{TOP}/x")),
    "pax_same_size": packed_tar(pax({"size": "1"}), file(f"{TOP}/x")),
    "pax_binary_names": packed_tar(pax({"hdrcharset": "BINARY", "path": f"{TOP}/x"}), file(f"{TOP}/short")),
    "pax_global_comment": packed_tar(pax({"comment": "0" * 40}, tarfile.XGLTYPE), file(f"{TOP}/x")),
    "gnu_long_name": packed_tar(long_name(f"{TOP}/{'long' * 60}\0".encode()), file("x")),
    "symlink": packed_tar(symlink("link", "setup.py")),
    "symlink_up_and_down": packed_tar(symlink("a/b/link", "../.././setup.py")),
    "symlink_to_directory": packed_tar(symlink("link", "a"), file(f"{TOP}/a/x")),
    "symlink_to_symlink": packed_tar(symlink("a", "b"), symlink("b", "setup.py")),
    "dangling_symlink": packed_tar(symlink("link", "nowhere/x")),
    "symlink_by_pax": packed_tar(pax({"linkpath": f"{'long' * 60}/名前.py"}), symlink("link", "short")),
    "symlink_by_gnu": packed_tar((tar_file("K", b"setup.py\0", tarfile.GNUTYPE_LONGLINK), b"setup.py\0"), symlink("link", "s")),
    "hardlink": packed_tar(hardlink("link", "setup.py")),
    "latin1_name": packed_tar(file(f"{TOP}/caf\udce9.py")),
    "many_bytes": packed_tar(file(f"{TOP}/data", random.Random(0).randbytes(5 * MIB))),
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
    parts = [packer.compress(raw_tar([*TAR_ENTRIES, sized(f"{TOP}/zeros", size)], b""))]
    parts += [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    parts += [packer.compress(bytes(1024)), packer.flush()]
    return b"".join(parts)


@pytest.mark.parametrize("kind", ["gzip", "bzip2"])
def test_t18_a_bomb_is_refused_in_little_memory(kind):
    if kind == "gzip":
        data, name = zeros_in_gzip(160 * MIB), TAR_NAME
    else:
        tar = raw_tar([*TAR_ENTRIES, (tar_file(f"{TOP}/zeros", bytes(70 * MIB)), bytes(70 * MIB))])
        data, name = bz2.compress(tar), TAR_NAME.replace(".gz", ".bz2")
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
    data = packed_tar(end=bytes(100_000))
    with pytest.raises(InvalidArtifact, match="larger than 50000 bytes in all"):
        read(data, Limits(inflated_bytes=50_000))


def test_t18_more_members_than_the_limit_is_refused():
    data = packed_tar(*(file(f"{TOP}/{at}") for at in range(10)))
    with pytest.raises(InvalidArtifact, match="more than 11 members"):
        read(data, Limits(entries=11))
    assert read(data, Limits(entries=12)).version == "1.0"


def test_t18_reading_stops_when_the_time_is_used_up():
    with pytest.raises(InvalidArtifact, match="longer than 0 seconds"):
        read(packed_tar(), Limits(seconds=0))


def test_t18_metadata_over_its_limit_is_refused():
    with pytest.raises(InvalidArtifact, match="larger than 20 bytes"):
        read(packed_tar(), Limits(metadata_bytes=20))


def test_t18_many_metadata_files_share_one_limit():
    wanted = [file(f"top{at}/PKG-INFO", PKG_INFO) for at in range(10)]
    with pytest.raises(InvalidArtifact, match=r"top8/PKG-INFO.*larger than \d+ bytes"):
        read(gzip.compress(raw_tar(wanted)), Limits(metadata_bytes=len(PKG_INFO) * 8 + 4))
