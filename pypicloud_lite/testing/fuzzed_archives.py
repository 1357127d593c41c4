"""Strategies for archives that are nearly right: good ones with damage, and ones built field by field."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from pypicloud_lite.testing.artifacts import (
    RawMember,
    build_dumb,
    build_egg,
    build_sdist,
    build_wheel,
    core_metadata,
    pax_records,
    raw_tar,
    raw_zip,
    record,
    tar_file,
    wheel_files,
    zip_bytes,
)
from pypicloud_lite.testing.bad_tars import symlink

Archive = tuple[str, bytes]
"""A filename and the file's bytes; the project is always acme-widget."""

_MIB = 1024 * 1024
_NAME, _VERSION = "acme-widget", "1.0"
_WHEEL = "acme_widget-1.0-py3-none-any.whl"
_SDIST = "acme_widget-1.0.tar.gz"
_TOP = "acme_widget-1.0"
_INFO = f"{_TOP}.dist-info"
_HEADERS = [
    ("Classifier", "Framework :: Pyramid"),
    ("License-File", "LICENSE"),
    ("Provides-Extra", "x"),
    ("Project-URL", "Docs, https://docs.example.com/"),
]
_METADATA = core_metadata(
    _NAME,
    _VERSION,
    metadata_version="2.4",
    summary="Demo",
    requires_python=">=3.8",
    requires_dist=["b>=1; extra == 'x'"],
    headers=_HEADERS,
    description="# Demo\n",
)
_EXTRA_FILES = [
    (f"{_INFO}/entry_points.txt", b"[console_scripts]\nacme = acme_widget:main [x]\n\n[acme.plugins]\na.b = acme\n"),
    (f"{_INFO}/licenses/LICENSE", b"MIT\n"),
    (f"{_TOP}.data/scripts/acme", b"#!python\n"),
]
_FILES = wheel_files(_NAME, _VERSION, _METADATA, extra_files=_EXTRA_FILES)
_MEMBERS = [RawMember(path.encode(), data) for path, data in _FILES.items()]
_SEEDS: list[Archive] = [
    (_WHEEL, zip_bytes(_FILES)),
    *(
        (built.filename, built.data)
        for built in (
            build_sdist(_NAME, _VERSION, metadata=_METADATA),
            build_sdist(_NAME, _VERSION, suffix=".tar.bz2"),
            build_sdist(_NAME, _VERSION, suffix=".zip"),
            build_egg(_NAME, _VERSION),
            build_dumb(_NAME, _VERSION),
        )
    ),
]

_SMALL = st.binary(max_size=12)
_NUMBERS = st.sampled_from([0, 1, 2, 7, 8, 12, 20, 30, 44, 0x7F, 0xFF, 0x800, 0x2000, 0x7FFF, 0xFFFE, 0xFFFF])
_LARGE = _NUMBERS | st.sampled_from([0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0o120777 << 16])
_HUGE = _LARGE | st.sampled_from([2**32, 2**40, 2**62, 2**63, 2**64 - 1])
_TOKENS = st.sampled_from([
    *(b"\0" * 4, b"\xff" * 4, b"\xff" * 8, b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08"),
    *(b"../", b"/", b"\\", b"\n", b"\r\n", b",", b"=", b'"', b"sha256=", b"[console_scripts]\n", b"\xc3\xa9", b"\xff"),
])  # fmt: skip
_EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["set", "insert", "delete", "copy", "cut"]), _TOKENS | st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=6,
)  # fmt: skip
_ZIP_NAMES = st.sampled_from([
    *(b"a", b"a/", b"a/b", b"A", b"x.py", b"../x", b"/x", b"a//b", b"a\\b", b"c:x", b"", b".", b"caf\xc3\xa9", b"caf\xe9"),
    *(f"{_INFO}/{name}".encode() for name in ("METADATA", "metadata", "RECORD", "WHEEL", "entry_points.txt", "METADATA.")),
    *(b"other-1.dist-info/METADATA", f"{_TOP}.data/x".encode(), b"EGG-INFO/PKG-INFO", b"n" * 5000),
]) | _SMALL  # fmt: skip
_TAR_NAMES = st.sampled_from([
    *(f"{_TOP}/{name}" for name in ("PKG-INFO", "pkg-info", "setup.py", "a", "a/", "a/b", "a/../x", "./a", "caf\u00e9", "LICENSE")),
    *("PKG-INFO", "other/x", "/etc/passwd", "..", ".", "", "C:x", "a\\b", "a\x1bb", "n" * 99, f"{_TOP}/{'d/' * 40}x"),
])  # fmt: skip


def fuzzed_seeds() -> list[Archive]:
    """The good archives that others are made from."""
    return list(_SEEDS)


def archives() -> st.SearchStrategy[Archive]:
    """All kinds, most of them refused and some good."""
    cheap = [_mutants(), _zips(), _zips(), _tars(), _tars(), _texts(), _records(), _noise()]
    return st.integers(0, 399).flatmap(lambda choice: _bombs() if choice == 0 else st.one_of(*cheap))


def mutated(data: bytes, edits: list[tuple[float, str, bytes]]) -> bytes:
    """``data`` after each edit (where, what, bytes) in turn."""
    out = bytearray(data)
    for where, kind, value in edits:
        at = int(where * len(out))
        if kind == "set":
            out[at : at + len(value)] = value
        elif kind == "insert":
            out[at:at] = value
        elif kind == "delete":
            del out[at : at + len(value)]
        elif kind == "copy":
            out[at:at] = out[at : at + 64 * len(value)]
        else:
            del out[at:]
    return bytes(out)


def edits() -> st.SearchStrategy[list[tuple[float, str, bytes]]]:
    """For :func:`mutated`."""
    return _EDITS


def _mutants() -> st.SearchStrategy[Archive]:
    return st.builds(lambda seed, changes: (seed[0], mutated(seed[1], changes)), st.sampled_from(_SEEDS), _EDITS)


def _noise() -> st.SearchStrategy[Archive]:
    names = st.sampled_from([name for name, _ in _SEEDS])
    return st.tuples(names, st.binary(min_size=1, max_size=300))


def _extras() -> st.SearchStrategy[bytes]:
    zip64 = st.lists(_HUGE, max_size=4).map(
        lambda values: struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)
    )
    other = st.builds(lambda kind, data: struct.pack("<2H", kind, len(data)) + data, st.sampled_from([1, 0x7075, 0x5455, 0x9999]), _SMALL)  # fmt: skip
    return st.lists(zip64 | other | _SMALL, min_size=1, max_size=2).map(b"".join)


def _overrides() -> st.SearchStrategy[dict[str, Any]]:
    fields: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(("flags", "method", "disk"), _NUMBERS)
    fields |= dict.fromkeys(("crc", "packed", "size", "external", "offset"), _LARGE)
    fields |= {
        "name": _ZIP_NAMES,
        "extra": _extras(),
        "comment": _SMALL,
        "signature": st.sampled_from([b"PK\3\4", b"PK\1\2"]),
    }
    return st.lists(st.sampled_from(sorted(fields)), max_size=2, unique=True).flatmap(
        lambda keys: st.fixed_dictionaries({key: fields[key] for key in keys})
    )


@st.composite
def _zips(draw: Callable[..., Any]) -> Archive:
    members = list(_MEMBERS)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(members) - 1))
        local = draw(_overrides())
        # Both headers alike get further than one of them.
        central = draw(st.sampled_from([local, {}]) | _overrides())
        members[at] = replace(members[at], method=draw(st.sampled_from([8, 8, 0])), local=local, central=central)
    for _ in range(draw(st.integers(0, 2))):
        members.insert(
            draw(st.integers(0, len(members))), RawMember(draw(_ZIP_NAMES), draw(_SMALL), draw(st.sampled_from([0, 8])))
        )
    around = {
        key: draw(_SMALL) for key in draw(st.lists(st.sampled_from(["prefix", "gap", "suffix", "comment"]), max_size=1))
    }
    data = raw_zip(members, **around)
    if draw(st.integers(0, 3)) == 0:
        data = data[:-22] + draw(_end_records(data[-22:]))
    return draw(st.sampled_from([_WHEEL, _WHEEL, "acme_widget-1.0.zip", "acme_widget-1.0-py3.11.egg"])), data


@st.composite
def _end_records(draw: Callable[..., Any], end: bytes) -> bytes:
    _, disk, first, here, count, size, start, _ = struct.unpack("<4s4H2LH", end)
    where = start + size

    def maybe(value: int, other: st.SearchStrategy[int]) -> int:
        return int(draw(other)) if draw(st.integers(0, 4)) == 0 else value

    numbers = (maybe(disk, _NUMBERS), maybe(first, _NUMBERS), maybe(here, _NUMBERS), maybe(count, _NUMBERS))
    short = struct.pack("<4s4H2LH", b"PK\5\6", *numbers, maybe(size, _LARGE), maybe(start, _LARGE), 0)
    if draw(st.booleans()):
        return short
    wide = (maybe(44, _HUGE), 45, 45, maybe(0, _LARGE), maybe(0, _LARGE))
    counts = (maybe(count, _HUGE), maybe(count, _HUGE), maybe(size, _HUGE), maybe(start, _HUGE))
    locator = struct.pack("<4sLQL", b"PK\6\7", maybe(0, _LARGE), maybe(where, _HUGE), maybe(1, _LARGE))
    return struct.pack("<4sQ2H2L4Q", b"PK\6\6", *wide, *counts) + locator + short


@st.composite
def _tars(draw: Callable[..., Any]) -> Archive:
    entries = [(tar_file(f"{_TOP}/PKG-INFO", _METADATA), _METADATA), (tar_file(f"{_TOP}/setup.py", b"#"), b"#")]
    for _ in range(draw(st.integers(0, 4))):
        entries.insert(draw(st.integers(0, len(entries))), draw(_entries()))
    data = raw_tar(entries, draw(st.sampled_from([bytes(1024), bytes(1024), b"", bytes(512), bytes(1024) + b"x"])))
    if draw(st.integers(0, 3)) == 0:
        data = mutated(data, draw(_EDITS))
    name, pack = draw(st.sampled_from(_PACKERS))
    return name, pack(data) + draw(st.sampled_from([b"", b"", b"", bytes(20), b"x", gzip.compress(b"")]))


def _zipped(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


_PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    (_SDIST, _zipped),
    (_SDIST, _zipped),
    ("acme_widget-1.0.tar.bz2", bz2.compress),
    ("acme_widget-1.0.linux-x86_64.tar.gz", _zipped),
]
_KINDS = [bytes([kind]) for kind in b"0000\05512xgLKS34671VMDX"]


@st.composite
def _entries(draw: Callable[..., Any]) -> tuple[tarfile.TarInfo, bytes]:
    kind = draw(st.sampled_from(_KINDS))
    if kind == tarfile.SYMTYPE:
        return symlink(draw(st.sampled_from(["link", "a", "a/b", "PKG-INFO"])), draw(_TAR_NAMES))
    body = draw(_SMALL)
    if kind in {tarfile.XHDTYPE, tarfile.XGLTYPE}:
        keys = st.sampled_from(["path", "linkpath", "size", "mtime", "comment", "GNU.sparse.major", "hdrcharset"])
        records = draw(st.dictionaries(keys, _TAR_NAMES | st.sampled_from(["0", "1", "12", "01"]), max_size=2))
        body = pax_records(records) if draw(st.integers(0, 4)) else body
    elif kind in {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}:
        body = draw(_TAR_NAMES).encode("utf-8", "surrogateescape") + b"\0"
    info = tar_file(draw(_TAR_NAMES), body, kind)
    info.linkname = draw(_TAR_NAMES)
    if draw(st.integers(0, 9)) == 0:
        info.size = draw(st.sampled_from([0, 1, 511, 512, 513, 2**20, 2**33, 2**60, -1, -512]))
    return info, body


@st.composite
def _texts(draw: Callable[..., Any]) -> Archive:
    """A good archive around a damaged text."""
    text = mutated(_METADATA, draw(_EDITS)) if draw(st.booleans()) else _METADATA + draw(st.binary(max_size=200))
    if draw(st.booleans()):
        built = build_sdist(_NAME, _VERSION, metadata=text)
        return built.filename, built.data
    entry_points, data = _EXTRA_FILES[0]
    files = {**dict(_EXTRA_FILES), entry_points: mutated(data, draw(_EDITS))}
    built = build_wheel(_NAME, _VERSION, metadata=text if draw(st.booleans()) else _METADATA, extra_files=files.items())
    return built.filename, built.data


@st.composite
def _records(draw: Callable[..., Any]) -> Archive:
    """A wheel with a damaged RECORD or WHEEL."""
    path = draw(st.sampled_from([f"{_INFO}/RECORD", f"{_INFO}/RECORD", f"{_INFO}/WHEEL"]))
    return _WHEEL, zip_bytes({**_FILES, path: mutated(_FILES[path], draw(_EDITS))})


def _bombs() -> st.SearchStrategy[Archive]:
    return st.builds(
        lambda number, changes: (_bomb(number)[0], mutated(_bomb(number)[1], changes)),
        st.integers(0, 7),
        _EDITS | st.just([]),
    )


@lru_cache(maxsize=8)
def _bomb(number: int) -> Archive:
    """Something small that costs much, each in another way."""
    zeros = bytes(63 * _MIB)
    top = tar_file(f"{_TOP}/PKG-INFO", _METADATA), _METADATA
    if number == 0:
        return _WHEEL, build_wheel(_NAME, _VERSION, body=zeros).data
    if number == 1:
        return _SDIST, gzip.compress(raw_tar([top, (tar_file(f"{_TOP}/zeros", zeros), zeros)]), mtime=0)
    if number == 2:
        return "acme_widget-1.0.tar.bz2", bz2.compress(raw_tar([top, (tar_file(f"{_TOP}/zeros", zeros), zeros)]))
    if number == 3:
        return _WHEEL, build_wheel(_NAME, _VERSION, extra_files=[(f"a/{at}.py", b"") for at in range(30_000)]).data
    if number == 4:
        names = [f"{_TOP}/{at}{'/d' * 150}" for at in range(20_000)]
        members = [
            entry
            for name in names
            for entry in ((tar_file("L", name.encode(), b"L"), name.encode()), (tar_file("x"), b""))
        ]
        return _SDIST, gzip.compress(raw_tar([top, *members]), 1, mtime=0)
    if number == 5:
        kernel = RawMember(b"kernel", zeros)
        lies = {"size": len(zeros), "packed": len(zeros) // 1000, "offset": 0}
        return _WHEEL, raw_zip([kernel, *(RawMember(b"copy%d" % at, central=lies) for at in range(1000))])
    if number == 6:
        lines = b"".join(b"Requires-Dist: %s\n" % (b"a; " + b"(" * 4000) for _ in range(200))
        return _WHEEL, build_wheel(_NAME, _VERSION, metadata=_METADATA.replace(b"\n\n", b"\n" + lines + b"\n", 1)).data
    files = {**_FILES, **{f"f{at}": b"" for at in range(5000)}}
    rows = record(dict.fromkeys(files, b""), f"{_INFO}/RECORD") * 100
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in {**files, f"{_INFO}/RECORD": rows}.items():
            archive.writestr(path, data)
    return _WHEEL, buffer.getvalue()
