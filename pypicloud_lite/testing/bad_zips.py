"""ZIP files that Python's installers read differently, or that lie: each with the words of its refusal.

All are wheels of one release but for the one thing that is wrong.
"""

from __future__ import annotations

import hashlib
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pypicloud_lite.testing.artifacts import RawMember, build_wheel, core_metadata, raw_zip, wheel_files

Shape = tuple[str, str, bytes]
"""An id, the words of the refusal, the file."""

ZIP_NAME = "acme_widget-1.0-py3-none-any.whl"
ZIP_FILES = wheel_files("acme-widget", "1.0", core_metadata("acme-widget", "1.0"))
ZIP_MEMBERS = [RawMember(path.encode(), data) for path, data in ZIP_FILES.items()]
FIRST, SECOND = ZIP_MEMBERS[:2]
METADATA = "acme_widget-1.0.dist-info/METADATA"
MAX32 = 0xFFFFFFFF
_MIB = 1024 * 1024
_GOOD = raw_zip(ZIP_MEMBERS)
_LOCAL_ENTRY = raw_zip([FIRST]).partition(b"PK\1\2")[0]
_SHORT = {"packed": 3, "size": 3}

BAD_NAMES = {
    "parent": b"../evil.py",
    "inner_parent": b"a/../../evil.py",
    "dot": b"./evil.py",
    "absolute": b"/etc/passwd",
    "absolute_data": b"acme_widget-1.0.data/data//etc/passwd",
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


def bad_zips() -> Iterator[Shape]:
    """Every shape; some are made only now, as they are large."""
    for shapes in (_whole(), _headers(), _extra_fields(), _end_records()):
        for key, (words, data) in shapes.items():
            yield key, words, data
    for kind, name in BAD_NAMES.items():
        for flags in (0, 0x800):
            evil = RawMember(name, b"x", local={"flags": flags}, central={"flags": flags})
            yield f"name_{kind}_{flags:#x}", "rename it", raw_zip([evil, *ZIP_MEMBERS])


def _whole() -> dict[str, tuple[str, bytes]]:
    """The file as a whole, and how its entries lie."""
    return {
        "nothing": ("too short", b""),
        "text": ("no ZIP file", b"this is no archive" * 10),
        "half": ("no ZIP file", _GOOD[: len(_GOOD) // 2]),
        "duplicate_member": ("two members of this name", raw_zip([*ZIP_MEMBERS, SECOND])),
        "duplicate_member_other_bytes": ("two members of this name", raw_zip([*ZIP_MEMBERS, replace(SECOND, data=b"other")])),
        "file_and_directory": ("two members of this name", raw_zip([*ZIP_MEMBERS, RawMember(SECOND.name + b"/", method=0)])),
        "hidden_local_entry": ("foreign bytes between", raw_zip(ZIP_MEMBERS, gap=raw_zip([FIRST])[:60])),
        "prefix": ("foreign bytes before", raw_zip(ZIP_MEMBERS, prefix=b"#!/bin/sh\n")),
        "prefix_unadjusted": ("does not point at a central directory", _inserted(0, b"#!/bin/sh\n")),
        "gap_before_directory": ("foreign bytes between", raw_zip(ZIP_MEMBERS, gap=b"gap")),
        "bytes_before_end_record": ("does not point at a central directory", _inserted(len(_GOOD) - 22, b"gap")),
        "bytes_between_members": ("foreign bytes before", raw_zip(first(method=0, data=b"abcdef", local=_SHORT, central=_SHORT))),
        "overlap": ("overlaps another member", raw_zip([*ZIP_MEMBERS, replace(FIRST, central={"offset": 0, "name": b"other"})])),
        "also_a_tar": ("tar archive too", _polyglot()),
        "local_entry_without_central": ("foreign bytes before", raw_zip(ZIP_MEMBERS, prefix=_LOCAL_ENTRY)),
        "central_entry_without_local": ("local header differs", raw_zip([*ZIP_MEMBERS, RawMember(b"x", local={"signature": b"PK\3\5"})])),
        "archive_extra_data_record": ("foreign bytes between", raw_zip(ZIP_MEMBERS, gap=b"PK\6\x08" + bytes(4))),
        "spanning_marker": ("foreign bytes before", raw_zip(ZIP_MEMBERS, prefix=b"PK\7\x08")),
        "file_below_a_file": ("lies below another member, which is a file", raw_zip([*ZIP_MEMBERS, RawMember(b"acme_widget.py/x")])),
        "directory_below_a_file": ("lies below another member, which is a file", raw_zip([*ZIP_MEMBERS, RawMember(b"acme_widget.py/x/", method=0)])),
        "bomb": ("times its size", build_wheel("acme-widget", "1.0", extra_files=[("bomb.bin", bytes(80 * _MIB))]).data),
        "expands_seventy_times": ("expands to more than 50 times its size", raw_zip([RawMember(b"zeros", bytes(70 * _MIB)), RawMember(b"noise", hashlib.shake_128(b"noise").digest(_MIB), 0)])),
        "overlapping_bomb": ("times its size", _overlapping()),
        "names_of_many_megabytes": ("bytes in all", raw_zip([RawMember(b"%d" % at + b"n" * 65_000, method=0) for at in range(300)])),
    }  # fmt: skip


def _headers() -> dict[str, tuple[str, bytes]]:
    """Single entries of the central directory, their local headers and their bytes."""
    return {
        "member_comment": ("comment", raw_zip(first(central={"comment": b"hello"}))),
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
        "wrong_crc": ("declared size and CRC-32", raw_zip(first(local={"crc": 1}, central={"crc": 1}))),
        "longer_than_it_says": ("size is not that which RECORD says", raw_zip(first(local={"size": 1}, central={"size": 1}))),
        "shorter_than_it_says": ("size is not that which RECORD says", raw_zip(first(local={"size": 900}, central={"size": 900}))),
        "damaged_deflate": ("deflate stream is damaged", _GOOD[:44] + b"\xff" + _GOOD[45:]),
        "bytes_after_deflate": ("does not end where", raw_zip(_repacked(zlib.compress(FIRST.data, wbits=-15) + b"hidden"))),
        "empty_deflate_blocks": ("compressed form is larger", raw_zip(_repacked(b"\0\0\0\xff\xff" * 1000 + zlib.compress(FIRST.data, wbits=-15)))),
        "data_in_a_directory": ("does not end where", raw_zip([*ZIP_MEMBERS, RawMember(b"folder/", b"hidden", local={"size": 0, "crc": 0}, central={"size": 0, "crc": 0})])),
        "non_ascii_name_without_flag": ("not marked as UTF-8", raw_zip([*ZIP_MEMBERS, RawMember("caf\u00e9.py".encode())])),
    }  # fmt: skip


def _extra_fields() -> dict[str, tuple[str, bytes]]:
    """Extra fields."""
    return {
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
        "zip64_doubled_local": ("doubled", raw_zip(first(local={"extra": zip64(len(FIRST.data)) * 2, "size": MAX32}))),
        "zip64_one_size_local": ("only one of the two sizes", raw_zip(first(local={"extra": zip64(len(FIRST.data)), "size": MAX32}))),
        "zip64_empty_local": ("what its header leaves out", raw_zip(first(local={"extra": zip64(), "size": MAX32}))),
    }  # fmt: skip


def _end_records() -> dict[str, tuple[str, bytes]]:
    """What stands at the end."""
    return {
        "end_record_only": ("exactly one .dist-info directory", raw_zip([])),
        "trailing_bytes": ("does not end with a ZIP end record", raw_zip(ZIP_MEMBERS, suffix=b"x")),
        "trailing_zip": ("does not point at a central directory", raw_zip(ZIP_MEMBERS, suffix=raw_zip([FIRST]))),
        "archive_comment": ("comment", raw_zip(ZIP_MEMBERS, comment=b"hello")),
        "comment_is_end_record": ("does not point at a central directory", raw_zip(ZIP_MEMBERS, comment=raw_zip([]))),
        "end64_signature": ("ZIP64 end record is malformed", end64(signature=b"PK\6\5")),
        "end64_extensible_data": ("ZIP64 end record is malformed", end64(length=60)),
        "end64_count": ("as many entries as it says", end64(count=2)),
        "end64_size": ("does not point at a central directory", end64(size=10)),
        "end64_start": ("does not point at a central directory", end64(start=2**62)),
        "end64_locator_missing": ("central directory is too large", end64(locator=b"PK\6\5")),
        "end64_locator_elsewhere": ("ZIP64 locator does not point", end64(at=0)),
        "end64_many_disks": ("ZIP64 locator does not point", end64(disks=2)),
        "end64_short_count_differs": ("two end records disagree", end64(short_count=1)),
        "end_count_too_small": ("as many entries as it says", _GOOD[:-14] + struct.pack("<2H", 1, 1) + _GOOD[-10:]),
        "end_count_too_large": ("as many entries as it says", _GOOD[:-14] + struct.pack("<2H", 99, 99) + _GOOD[-10:]),
        "several_disks": ("several disks", _GOOD[:-18] + struct.pack("<2H", 1, 1) + _GOOD[-14:]),
        "directory_cut_short": ("central directory is cut short", raw_zip(ZIP_MEMBERS, end_records=struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 20, len(_GOOD) - 42, 0))),
        "digital_signature_record": ("does not point at a central directory", _inserted(len(_GOOD) - 22, b"PK\5\5\0\0")),
        "end64_missing": ("ZIP64 end record is malformed", _inserted(len(_GOOD) - 22, bytes(56) + struct.pack("<4sLQL", b"PK\6\7", 0, len(_GOOD) - 22, 1))),
    }  # fmt: skip


def first(**changes: Any) -> list[RawMember]:
    """The members of the good wheel, the first one changed."""
    return [replace(FIRST, **changes), *ZIP_MEMBERS[1:]]


def zip64(*values: int) -> bytes:
    """A ZIP64 extra field."""
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


def unicode_path(name: bytes) -> bytes:
    """Info-ZIP's extra field with another name for the first member."""
    return struct.pack("<2HBL", 0x7075, 5 + len(name), 1, zlib.crc32(FIRST.name)) + name


def _inserted(at: int, extra: bytes) -> bytes:
    return _GOOD[:at] + extra + _GOOD[at:]


def end64(**changes: Any) -> bytes:
    """A file with ZIP64 end records, each value of which can be wrong."""
    _, _, _, _, count, size, start, _ = struct.unpack("<4s4H2LH", _GOOD[-22:])
    values: dict[str, Any] = {
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
    return _GOOD[:-22] + record + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, short, short, MAX32, MAX32, 0)


def _polyglot() -> bytes:
    """A ZIP whose first 512 bytes are a tar header too; nobody checks the CRC of a member that is not read."""
    name, no_crc = b"readme.txt", {"crc": 0}
    data = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT)[30 + len(name) :])
    start = raw_zip([RawMember(name, bytes(data), method=0, local=no_crc)])[: 30 + len(name)]
    checksum = 148 - len(start)
    data[checksum : checksum + 8] = b" " * 8
    data[checksum : checksum + 8] = b"%06o\0 " % sum(start + data)
    return raw_zip([RawMember(name, bytes(data), method=0, local=no_crc, central=no_crc), *ZIP_MEMBERS])


def _repacked(packed: bytes) -> list[RawMember]:
    """The first member with this deflate stream."""
    values = {"method": 8, "size": len(FIRST.data), "packed": len(packed), "crc": zlib.crc32(FIRST.data)}
    return [RawMember(FIRST.name, packed, method=0, local=values, central=values), *ZIP_MEMBERS[1:]]


def _overlapping() -> bytes:
    kernel = RawMember(b"kernel", bytes(10 * _MIB))
    return raw_zip([kernel, *(replace(kernel, central={"name": b"copy%d" % at, "offset": 0}) for at in range(50))])
