"""T17, T18 and checklist 75: ZIP files that say two things, or lie, are refused; what tools write is not."""

from __future__ import annotations

import io
import struct
import tarfile
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
from pypicloud_lite.testing.artifacts import RawMember, build_wheel, core_metadata, raw_zip, wheel_files

MIB = 1024 * 1024
NAME = "acme_widget-1.0-py3-none-any.whl"
RECORD = "acme_widget-1.0.dist-info/RECORD"
METADATA = "acme_widget-1.0.dist-info/METADATA"
FILES = wheel_files("acme-widget", "1.0", core_metadata("acme-widget", "1.0"))
MEMBERS = [RawMember(path.encode(), data) for path, data in FILES.items()]
FIRST, SECOND = MEMBERS[:2]
SHORT = {"packed": 3, "size": 3}
MAX32 = 0xFFFFFFFF


def read(data, limits=None, name=NAME):
    return read_artifact(io.BytesIO(data), Filename.parse(name), limits=limits)


def members(data, limits=None):
    return ZipArchive(Source(io.BytesIO(data), NAME, limits or Limits())).members


def wheel_with(path, data=b""):
    """A wheel that has and records one more file."""
    return build_wheel("acme-widget", "1.0", extra_files=[(path, data)]).data


def first(**changes):
    return [replace(FIRST, **changes), *MEMBERS[1:]]


def zip64(*values):
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


def unicode_path(name):
    return struct.pack("<2HBL", 0x7075, 5 + len(name), 1, zlib.crc32(FIRST.name)) + name


def inserted(at, extra):
    """The good file with bytes put in, all offsets left as they were."""
    good = raw_zip(MEMBERS)
    return good[:at] + extra + good[at:]


def end64(**changes):
    """A file with ZIP64 end records, each value of which can be wrong."""
    plain = raw_zip(MEMBERS)
    _, _, _, _, count, size, start, _ = struct.unpack("<4s4H2LH", plain[-22:])
    values = {
        "signature": b"PK\6\6",
        "length": 44,
        "count": count,
        "size": size,
        "start": start,
        "locator": b"PK\6\7",
        "at": start + size,
        "disks": 1,
        "short_count": 0xFFFF,
    } | changes
    record = struct.pack(
        "<4sQ2H2L4Q",
        *(values["signature"], values["length"], 45, 45, 0, 0),
        *(values["count"], values["count"], values["size"], values["start"]),
    )
    locator = struct.pack("<4sLQL", values["locator"], 0, values["at"], values["disks"])
    short = values["short_count"]
    return plain[:-22] + record + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, short, short, MAX32, MAX32, 0)


def polyglot():
    """A ZIP whose first 512 bytes are a tar header too; nobody checks the CRC of a member that is not read."""
    name, no_crc = b"readme.txt", {"crc": 0}
    data = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT)[30 + len(name) :])
    start = raw_zip([RawMember(name, bytes(data), method=0, local=no_crc)])[: 30 + len(name)]
    checksum = 148 - len(start)
    data[checksum : checksum + 8] = b" " * 8
    data[checksum : checksum + 8] = b"%06o\0 " % sum(start + data)
    return raw_zip([RawMember(name, bytes(data), method=0, local=no_crc, central=no_crc), *MEMBERS])


BAD_SHAPES = {
    "nothing": ("too short", b""),
    "text": ("no ZIP file", b"this is no archive" * 10),
    "half": ("no ZIP file", raw_zip(MEMBERS)[: len(raw_zip(MEMBERS)) // 2]),
    "end_record_only": ("exactly one .dist-info directory", raw_zip([])),
    "duplicate_member": ("two members of this name", raw_zip([*MEMBERS, SECOND])),
    "duplicate_member_other_bytes": ("two members of this name", raw_zip([*MEMBERS, replace(SECOND, data=b"other")])),
    "file_and_directory": ("two members of this name", raw_zip([*MEMBERS, RawMember(SECOND.name + b"/", method=0)])),
    "hidden_local_entry": ("foreign bytes between", raw_zip(MEMBERS, gap=raw_zip([FIRST])[:60])),
    "prefix": ("foreign bytes before", raw_zip(MEMBERS, prefix=b"#!/bin/sh\n")),
    "prefix_unadjusted": ("does not point at a central directory", inserted(0, b"#!/bin/sh\n")),
    "gap_before_directory": ("foreign bytes between", raw_zip(MEMBERS, gap=b"gap")),
    "bytes_before_end_record": ("does not point at a central directory", inserted(len(raw_zip(MEMBERS)) - 22, b"gap")),
    "bytes_between_members": ("foreign bytes before", raw_zip(first(method=0, data=b"abcdef", local=SHORT, central=SHORT))),
    "trailing_bytes": ("does not end with a ZIP end record", raw_zip(MEMBERS, suffix=b"x")),
    "trailing_zip": ("does not point at a central directory", raw_zip(MEMBERS, suffix=raw_zip([FIRST]))),
    "archive_comment": ("comment", raw_zip(MEMBERS, comment=b"hello")),
    "comment_is_end_record": ("does not point at a central directory", raw_zip(MEMBERS, comment=raw_zip([]))),
    "member_comment": ("comment", raw_zip(first(central={"comment": b"hello"}))),
    "overlap": ("overlaps another member", raw_zip([*MEMBERS, replace(FIRST, central={"offset": 0, "name": b"other"})])),
    "offset_past_end": ("foreign bytes before", raw_zip(first(central={"offset": 10**6}))),
    "other_disk": ("another disk", raw_zip(first(central={"disk": 1}))),
    "local_name_differs": ("local header differs", raw_zip(first(local={"name": FIRST.name[::-1]}))),
    "local_name_shorter": ("local header differs", raw_zip(first(local={"name": FIRST.name[:-1]}))),
    "local_crc_differs": ("local header differs", raw_zip(first(local={"crc": 1}))),
    "local_size_differs": ("local header differs", raw_zip(first(local={"size": 1}))),
    "local_packed_size_differs": ("local header differs", raw_zip(first(local={"packed": 1}))),
    "local_method_differs": ("local header differs", raw_zip(first(local={"method": 0}))),
    "local_flags_differ": ("local header differs", raw_zip(first(local={"flags": 0x800}))),
    "local_signature": ("local header differs", raw_zip(first(local={"signature": b"PK\3\5"}))),
    "central_signature": ("central directory is malformed", raw_zip(first(central={"signature": b"PK\1\3"}))),
    "forged_packed_size": ("overlaps another member", raw_zip(first(local={"packed": 900}, central={"packed": 900}))),
    "padded_packed_size": ("compressed form is larger", raw_zip(first(local={"packed": 10**6}, central={"packed": 10**6}))),
    "data_descriptor": ("data descriptor", raw_zip(first(local={"flags": 8}, central={"flags": 8}))),
    "data_descriptor_zero_sizes": ("data descriptor", raw_zip(first(local={"flags": 8, "crc": 0, "packed": 0, "size": 0}, central={"flags": 8}))),
    "encrypted": ("it is encrypted", raw_zip(first(local={"flags": 1}, central={"flags": 1}))),
    "strongly_encrypted": ("it is encrypted", raw_zip(first(local={"flags": 0x40}, central={"flags": 0x40}))),
    "masked_headers": ("it is encrypted", raw_zip(first(local={"flags": 0x2000}, central={"flags": 0x2000}))),
    "patched_data": ("features that Python installers do not know", raw_zip(first(local={"flags": 0x20}, central={"flags": 0x20}))),
    "bzip2_method": ("neither stored nor deflated", raw_zip(first(method=12))),
    "lzma_method": ("neither stored nor deflated", raw_zip(first(method=14))),
    "stored_with_two_sizes": ("sizes are impossible", raw_zip(first(method=0, local={"size": 1}, central={"size": 1}))),
    "symlink": ("link or a device", raw_zip(first(central={"external": 0o120777 << 16}))),
    "fifo": ("link or a device", raw_zip(first(central={"external": 0o010644 << 16}))),
    "device": ("link or a device", raw_zip(first(central={"external": 0o060644 << 16}))),
    "extra_cut_short": ("extra fields are malformed", raw_zip(first(central={"extra": b"\1\0\x10"}))),
    "extra_past_end": ("extra fields are malformed", raw_zip(first(central={"extra": b"\1\0\x10\0abc"}))),
    "extra_cut_short_local": ("extra fields are malformed", raw_zip(first(local={"extra": b"\x99"}))),
    "second_unicode_name": ("second name", raw_zip(first(local={"extra": unicode_path(b"evil.py")}, central={"extra": unicode_path(b"evil.py")}))),
    "doubled_unicode_name": ("doubled", raw_zip(first(central={"extra": unicode_path(FIRST.name) * 2}))),
    "zip64_missing": ("what its header leaves out", raw_zip(first(central={"size": MAX32}))),
    "zip64_odd_length": ("ZIP64 field is malformed", raw_zip(first(central={"extra": struct.pack("<2H3s", 1, 3, b"abc")}))),
    "zip64_doubled": ("doubled", raw_zip(first(central={"extra": zip64(len(FIRST.data)) * 2, "size": MAX32}))),
    "zip64_other_size": ("local header differs", raw_zip(first(central={"extra": zip64(7), "size": MAX32}))),
    "zip64_contradicts": ("contradicts its header", raw_zip(first(central={"extra": zip64(1, 2)}))),
    "zip64_too_many": ("contradicts its header", raw_zip(first(central={"extra": zip64(1, 2, 3, 4)}))),
    "zip64_exabytes": ("bytes in all", raw_zip(first(central={"extra": zip64(2**63, 2**63), "size": MAX32, "packed": MAX32}))),
    "end64_signature": ("ZIP64 end record is malformed", end64(signature=b"PK\6\5")),
    "end64_extensible_data": ("ZIP64 end record is malformed", end64(length=60)),
    "end64_count": ("as many entries as it says", end64(count=2)),
    "end64_size": ("does not point at a central directory", end64(size=10)),
    "end64_start": ("does not point at a central directory", end64(start=2**62)),
    "end64_locator_missing": ("central directory is too large", end64(locator=b"PK\6\5")),
    "end64_locator_elsewhere": ("ZIP64 locator does not point", end64(at=0)),
    "end64_many_disks": ("ZIP64 locator does not point", end64(disks=2)),
    "end64_short_count_differs": ("two end records disagree", end64(short_count=1)),
    "end_count_too_small": ("as many entries as it says", raw_zip(MEMBERS)[:-14] + struct.pack("<2H", 1, 1) + raw_zip(MEMBERS)[-10:]),
    "end_count_too_large": ("as many entries as it says", raw_zip(MEMBERS)[:-14] + struct.pack("<2H", 99, 99) + raw_zip(MEMBERS)[-10:]),
    "several_disks": ("several disks", raw_zip(MEMBERS)[:-18] + struct.pack("<2H", 1, 1) + raw_zip(MEMBERS)[-14:]),
    "directory_cut_short": ("central directory is cut short", raw_zip(MEMBERS, end_records=struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 20, len(raw_zip(MEMBERS)) - 42, 0))),
    "also_a_tar": ("tar archive too", polyglot()),
}  # fmt: skip


@pytest.mark.parametrize("shape", BAD_SHAPES)
def test_t17_75_bad_shape_is_refused(shape):
    rule, data = BAD_SHAPES[shape]
    with pytest.raises(InvalidArtifact, match=rule) as refusal:
        read(data)
    assert str(refusal.value).startswith(NAME)
    assert "; " in str(refusal.value), "it must say what to do next"


def test_the_file_that_bad_shapes_are_made_from_is_accepted():
    assert read(raw_zip(MEMBERS)).version == "1.0"


BAD_NAMES = {
    "parent": b"../evil.py",
    "inner_parent": b"a/../../evil.py",
    "dot": b"./evil.py",
    "absolute": b"/etc/passwd",
    "double_slash": b"a//b",
    "backslash": b"..\\evil.py",
    "drive": b"C:evil.py",
    "nul": b"evil.py\0.txt",
    "control": b"evil\x1b[2J.py",
    "delete": b"evil\x7f.py",
    "newline": b"evil\n.py",
    "line_separator": "evil\u2028.py".encode(),
    "right_to_left": "evil\u202eyp.py".encode(),
    "latin1": b"caf\xe9.py",
    "surrogate": b"\xed\xa0\x80.py",
    "overlong": b"..\xc0\xafevil.py",
    "empty": b"",
    "slash": b"/",
}


@pytest.mark.parametrize("kind", BAD_NAMES)
@pytest.mark.parametrize("flags", [0, 0x800], ids=["no_flag", "utf8_flag"])
def test_t15_t17_75_bad_member_name_is_refused(kind, flags):
    evil = RawMember(BAD_NAMES[kind], b"x", local={"flags": flags}, central={"flags": flags})
    with pytest.raises(InvalidArtifact, match="rename it"):
        read(raw_zip([evil, *MEMBERS]))


GOOD_SHAPES = {
    "stored": raw_zip([replace(member, method=0) for member in MEMBERS]),
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
    "directory_entry": raw_zip([*MEMBERS, RawMember(b"folder/", method=0)]),
    "directory_entry_deflated": raw_zip([*MEMBERS, RawMember(b"folder/")]),
    "members_in_any_order": raw_zip(MEMBERS[::-1]),
    "space_in_name": wheel_with("a b/c d.py"),
    "non_ascii_name": wheel_with("naïve/文.py"),
    "empty_member": wheel_with("empty.py"),
}


@pytest.mark.parametrize("shape", GOOD_SHAPES)
def test_75_good_shape_is_accepted(shape):
    assert read(GOOD_SHAPES[shape]).display_name == "acme-widget"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_75_what_the_standard_library_writes_is_accepted(compression, tmp_path):
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    with path.open("rb") as file:
        assert read_artifact(file, Filename.parse(NAME)).version == "1.0"


def test_75_a_wheel_streamed_with_data_descriptors_is_refused():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    with pytest.raises(InvalidArtifact, match="data descriptor"):
        read(pipe.getvalue())


def lying(path, real, declared):
    """A wheel in which one member inflates to ``real`` bytes and says ``declared``."""
    bomb = RawMember(path.encode(), bytes(real), local={"size": declared}, central={"size": declared})
    return raw_zip([bomb if member.name == bomb.name else member for member in MEMBERS])


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
    bad = [replace(m, local={"crc": 1}, central={"crc": 1}) if m.name == METADATA.encode() else m for m in MEMBERS]
    with pytest.raises(InvalidArtifact, match="CRC-32"):
        read(raw_zip(bad))


def test_t18_damaged_deflate_stream_is_refused():
    data = bytearray(raw_zip(MEMBERS))
    at = data.index(METADATA.encode()) + len(METADATA)
    data[at] = 0xFF
    with pytest.raises(InvalidArtifact, match="deflate stream is damaged"):
        read(bytes(data))


def test_t18_bytes_after_the_deflate_stream_are_refused():
    longer = zlib.compressobj(6, zlib.DEFLATED, -15)
    content = FILES[METADATA]
    packed = longer.compress(content) + longer.flush() + b"hidden"
    sizes = {"method": 8, "size": len(content), "packed": len(packed), "crc": zlib.crc32(content)}
    odd = RawMember(METADATA.encode(), packed, method=0, local=sizes, central=sizes)
    with pytest.raises(InvalidArtifact, match="does not end where"):
        read(raw_zip([odd if member.name == odd.name else member for member in MEMBERS]))


def test_t18_metadata_padded_with_empty_deflate_blocks_is_refused():
    content = FILES[METADATA]
    packed = b"\0\0\0\xff\xff" * 1000 + zlib.compress(content, wbits=-15)
    sizes = {"method": 8, "size": len(content), "packed": len(packed), "crc": zlib.crc32(content)}
    odd = RawMember(METADATA.encode(), packed, method=0, local=sizes, central=sizes)
    with pytest.raises(InvalidArtifact, match="compressed form"):
        read(raw_zip([odd if member.name == odd.name else member for member in MEMBERS]))


def test_t18_75_declared_expansion_bomb_is_refused():
    with pytest.raises(InvalidArtifact, match="times its size"):
        read(wheel_with("bomb.bin", bytes(80 * MIB)))


def test_t18_overlapping_bomb_is_refused():
    kernel = RawMember(b"kernel", bytes(10 * MIB))
    overlapping = [replace(kernel, central={"name": b"copy%d" % at, "offset": 0}) for at in range(50)]
    with pytest.raises(InvalidArtifact, match="times its size"):
        members(raw_zip([kernel, *overlapping]))


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
        read(raw_zip(MEMBERS), Limits(metadata_bytes=20))


def test_t18_reading_stops_when_the_time_is_used_up():
    with pytest.raises(InvalidArtifact, match="longer than 0 seconds"):
        read(raw_zip(MEMBERS), Limits(seconds=0))


def test_members_are_read_exactly_from_a_file_that_gives_little_at_a_time():
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 7) if size > 0 else size)

    assert read_artifact(Slow(raw_zip(MEMBERS)), Filename.parse(NAME)).version == "1.0"


def test_a_failing_disk_is_not_the_artifacts_fault():
    class Broken(io.BytesIO):
        def read(self, _size=-1):
            raise OSError("input/output error")

    with pytest.raises(OSError, match="input/output"):
        read_artifact(Broken(raw_zip(MEMBERS)), Filename.parse(NAME))
