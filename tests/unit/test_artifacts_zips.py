"""T17, T18 and checklist 75: ZIP files that say two things, or lie, are refused; what tools write is not."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from dataclasses import replace

import pytest

from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.artifacts.zips import ZipArchive
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import RawMember, build_wheel, raw_zip
from pypicloud_lite.testing.bad_zips import (
    FIRST,
    MAX32,
    METADATA,
    ZIP_FILES,
    ZIP_MEMBERS,
    ZIP_NAME,
    end64,
    first,
    unicode_path,
    zip64,
)

MIB = 1024 * 1024
RECORD = "acme_widget-1.0.dist-info/RECORD"


def read(data, limits=None, name=ZIP_NAME):
    return read_artifact(io.BytesIO(data), Filename.parse(name), limits=limits)


def members(data, limits=None):
    return ZipArchive(Source(io.BytesIO(data), ZIP_NAME, limits or Limits())).members


def wheel_with(path, data=b""):
    """A wheel that has and records one more file."""
    return build_wheel("acme-widget", "1.0", extra_files=[(path, data)]).data


def test_the_file_that_bad_shapes_are_made_from_is_accepted():
    assert read(raw_zip(ZIP_MEMBERS)).version == "1.0"


GOOD_SHAPES = {
    "stored": raw_zip([replace(member, method=0) for member in ZIP_MEMBERS]),
    "utf8_flag": raw_zip(first(local={"flags": 0x800}, central={"flags": 0x800})),
    "deflate_level_bits": raw_zip(first(local={"flags": 6}, central={"flags": 6})),
    "timestamps": raw_zip(first(local={"extra": struct.pack("<2H5s", 0x5455, 5, b"\1abcd")})),
    "same_unicode_name": raw_zip(first(local={"extra": unicode_path(FIRST.name)})),
    "zip64_repeats_sizes": raw_zip(
        first(local={"extra": zip64(len(FIRST.data), struct.unpack("<L", raw_zip([FIRST])[18:22])[0])})
    ),
    "zip64_size_in_local_header": raw_zip(
        first(
            local={
                "size": MAX32,
                "packed": MAX32,
                "extra": zip64(len(FIRST.data), struct.unpack("<L", raw_zip([FIRST])[18:22])[0]),
            }
        )
    ),
    "zip64_offset": raw_zip(first(central={"extra": zip64(0), "offset": MAX32})),
    "zip64_end_records": end64(),
    "directory_entry": raw_zip([*ZIP_MEMBERS, RawMember(b"folder/", method=0)]),
    "directory_entry_deflated": raw_zip([*ZIP_MEMBERS, RawMember(b"folder/")]),
    "members_in_any_order": raw_zip(ZIP_MEMBERS[::-1]),
    "space_in_name": wheel_with("a b/c d.py"),
    "non_ascii_name": wheel_with("naïve/文.py"),
    "empty_member": wheel_with("empty.py"),
}


@pytest.mark.parametrize("shape", GOOD_SHAPES)
def test_75_good_shape_is_accepted(shape):
    assert read(GOOD_SHAPES[shape]).display_name == "acme-widget"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_75_what_the_standard_library_writes_is_accepted(compression, tmp_path):
    path = tmp_path / ZIP_NAME
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in ZIP_FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    with path.open("rb") as file:
        assert read_artifact(file, Filename.parse(ZIP_NAME)).version == "1.0"


def test_75_a_wheel_streamed_with_data_descriptors_is_refused():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for name, data in ZIP_FILES.items():
            archive.writestr(name, data)
    with pytest.raises(InvalidArtifact, match="data descriptor"):
        read(pipe.getvalue())


def lying(path, real, declared):
    """A wheel in which one member inflates to ``real`` bytes and says ``declared``."""
    bomb = RawMember(path.encode(), bytes(real), local={"size": declared}, central={"size": declared})
    return raw_zip([bomb if member.name == bomb.name else member for member in ZIP_MEMBERS])


@pytest.mark.parametrize("path", [METADATA, RECORD])
@pytest.mark.parametrize(("declared", "rule"), [(10, "compressed form"), (70_000, "does not end where")])
def test_t18_lying_size_costs_no_memory_and_is_refused(path, declared, rule):
    data = lying(path, 64 * MIB, declared)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidArtifact, match=rule):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("declared", [10_000, MIB])
def test_t18_a_member_smaller_than_it_says_is_refused(declared):
    with pytest.raises(InvalidArtifact, match="declared size"):
        read(lying(METADATA, 100, declared))


def test_t18_a_wrong_crc_of_a_member_that_is_read_is_refused():
    bad = [replace(m, local={"crc": 1}, central={"crc": 1}) if m.name == METADATA.encode() else m for m in ZIP_MEMBERS]
    with pytest.raises(InvalidArtifact, match="CRC-32"):
        read(raw_zip(bad))


def test_t18_bytes_after_the_deflate_stream_are_refused():
    longer = zlib.compressobj(6, zlib.DEFLATED, -15)
    content = ZIP_FILES[METADATA]
    packed = longer.compress(content) + longer.flush() + b"hidden"
    sizes = {"method": 8, "size": len(content), "packed": len(packed), "crc": zlib.crc32(content)}
    odd = RawMember(METADATA.encode(), packed, method=0, local=sizes, central=sizes)
    with pytest.raises(InvalidArtifact, match="does not end where"):
        read(raw_zip([odd if member.name == odd.name else member for member in ZIP_MEMBERS]))


def test_t18_metadata_padded_with_empty_deflate_blocks_is_refused():
    content = ZIP_FILES[METADATA]
    packed = b"\0\0\0\xff\xff" * 1000 + zlib.compress(content, wbits=-15)
    sizes = {"method": 8, "size": len(content), "packed": len(packed), "crc": zlib.crc32(content)}
    odd = RawMember(METADATA.encode(), packed, method=0, local=sizes, central=sizes)
    with pytest.raises(InvalidArtifact, match="compressed form"):
        read(raw_zip([odd if member.name == odd.name else member for member in ZIP_MEMBERS]))


def test_t18_nested_archives_are_never_opened():
    inner = build_wheel("inner", "1.0", body=bytes(MIB)).data
    assert read(wheel_with("inner.whl", inner)).version == "1.0"


def test_t18_more_members_than_the_limit_is_refused():
    data = raw_zip([RawMember(b"%d" % at, method=0) for at in range(51)])
    with pytest.raises(InvalidArtifact, match="more than 50 members"):
        members(data, Limits(entries=50))
    assert len(members(data, Limits(entries=51))) == 51


def test_t18_a_huge_central_directory_is_refused_before_it_is_read():
    data = raw_zip([replace(FIRST, central={"extra": struct.pack("<2H", 0x9999, 60_000) + bytes(60_000)})])
    with pytest.raises(InvalidArtifact, match="central directory is too large"):
        members(data, Limits(entries=100))


def test_t18_members_over_the_limit_in_all_are_refused():
    data = raw_zip([RawMember(b"a", b"x" * 600, method=0), RawMember(b"b", b"y" * 600, method=0)])
    with pytest.raises(InvalidArtifact, match="larger than 1000 bytes in all"):
        members(data, Limits(inflated_bytes=1000))


def test_t18_metadata_over_its_limit_is_refused():
    with pytest.raises(InvalidArtifact, match="larger than 20 bytes"):
        read(raw_zip(ZIP_MEMBERS), Limits(metadata_bytes=20))


def test_t18_reading_stops_when_the_time_is_used_up():
    with pytest.raises(InvalidArtifact, match="longer than 0 seconds"):
        read(raw_zip(ZIP_MEMBERS), Limits(seconds=0))


def test_members_are_read_exactly_from_a_file_that_gives_little_at_a_time():
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 7) if size > 0 else size)

    assert read_artifact(Slow(raw_zip(ZIP_MEMBERS)), Filename.parse(ZIP_NAME)).version == "1.0"


def test_a_failing_disk_is_not_the_artifacts_fault():
    class Broken(io.BytesIO):
        def read(self, _size=-1):
            raise OSError("input/output error")

    with pytest.raises(OSError, match="input/output"):
        read_artifact(Broken(raw_zip(ZIP_MEMBERS)), Filename.parse(ZIP_NAME))
