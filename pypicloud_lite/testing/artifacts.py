"""Distributions made in memory: good ones that pip can install, and tools to make bad ones byte by byte.

The same arguments give the same bytes.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from packaging.utils import canonicalize_name
from packaging.version import Version

SdistSuffix = Literal[".tar.gz", ".tgz", ".tar.bz2", ".zip"]

_DAWN = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class BuiltArtifact:
    """One distribution; ``metadata`` are the bytes of its METADATA or PKG-INFO."""

    filename: str
    data: bytes
    metadata: bytes

    @property
    def sha256(self) -> str:
        """The digest of ``data`` in hex."""
        return hashlib.sha256(self.data).hexdigest()


def core_metadata(
    name: str,
    version: str,
    *,
    metadata_version: str = "2.1",
    summary: str | None = None,
    requires_python: str | None = None,
    requires_dist: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
    description: str = "",
) -> bytes:
    """Write a METADATA or PKG-INFO file; ``headers`` are further fields, written as they are."""
    fields = [("Metadata-Version", metadata_version), ("Name", name), ("Version", version)]
    if summary is not None:
        fields.append(("Summary", summary))
    if requires_python is not None:
        fields.append(("Requires-Python", requires_python))
    fields += [("Requires-Dist", requirement) for requirement in requires_dist]
    lines = [f"{key}: {value}\n" for key, value in [*fields, *headers]]
    return "".join([*lines, "\n", description]).encode()


def build_wheel(
    name: str,
    version: str,
    *,
    requires_dist: Sequence[str] = (),
    requires_python: str | None = None,
    summary: str | None = None,
    description: str = "",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    extra_files: Iterable[tuple[str, bytes]] = (),
    metadata_version: str = "2.1",
    metadata: bytes | None = None,
    python_tag: str = "py3",
    platform_tag: str = "any",
    build: str = "",
) -> BuiltArtifact:
    """Build a wheel with one module, which has ``__version__``.

    ``body`` is the content of one more data file: it makes files large, or different. ``metadata`` replaces the
    METADATA that the other arguments describe.
    """
    if metadata is None:
        metadata = core_metadata(
            name,
            version,
            metadata_version=metadata_version,
            summary=summary,
            requires_python=requires_python,
            requires_dist=requires_dist,
            headers=headers,
            description=description,
        )
    tags = f"{python_tag}-none-{platform_tag}"
    files = wheel_files(name, version, metadata, tags=tags, extra_files=(*_data(name, body), *extra_files))
    parts = [escaped(name), str(Version(version)), *([build] if build else []), tags]
    return BuiltArtifact("-".join(parts) + ".whl", zip_bytes(files), metadata)


def wheel_files(
    name: str,
    version: str,
    metadata: bytes,
    *,
    tags: str = "py3-none-any",
    extra_files: Iterable[tuple[str, bytes]] = (),
) -> dict[str, bytes]:
    """Return the members of a wheel by path, RECORD last, for tests that take some away or add to them."""
    info = f"{escaped(name)}-{Version(version)}.dist-info"
    wheel = f"Wheel-Version: 1.0\nGenerator: pypicloud-lite\nRoot-Is-Purelib: true\nTag: {tags}\n"
    files = {
        **_module(name, version),
        **dict(extra_files),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": wheel.encode(),
    }
    return {**files, f"{info}/RECORD": record(files, f"{info}/RECORD")}


def record(files: Mapping[str, bytes], path: str) -> bytes:
    """Write the RECORD of these files, which will lie at ``path``."""
    lines = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
    return "".join([*lines, f"{path},,\n"]).encode()


def build_sdist(
    name: str,
    version: str,
    *,
    suffix: SdistSuffix = ".tar.gz",
    requires_dist: Sequence[str] = (),
    requires_python: str | None = None,
    summary: str | None = None,
    description: str = "",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    extra_files: Iterable[tuple[str, bytes]] = (),
    metadata_version: str = "2.1",
    metadata: bytes | None = None,
    stem: str | None = None,
) -> BuiltArtifact:
    """Build an sdist with one module, a ``setup.py`` and a ``pyproject.toml`` for setuptools.

    ``stem`` replaces the ``name-version`` of filename and directory, to make names that are not normalised.
    """
    if metadata is None:
        metadata = core_metadata(
            name,
            version,
            metadata_version=metadata_version,
            summary=summary,
            requires_python=requires_python,
            requires_dist=requires_dist,
            headers=headers,
            description=description,
        )
    stem = stem or f"{escaped(name)}-{Version(version)}"
    files = {
        "PKG-INFO": metadata,
        "pyproject.toml": b'[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
        "setup.py": _setup_py(name, version, requires_dist, requires_python),
        **_module(name, version),
        **dict(_data(name, body)),
        **dict(extra_files),
    }
    members = {f"{stem}/{path}": data for path, data in files.items()}
    return BuiltArtifact(stem + suffix, packed(members, suffix), metadata)


def build_egg(name: str, version: str, *, python: str = "3.11", metadata: bytes | None = None) -> BuiltArtifact:
    """Build a zipped egg as ``bdist_egg`` did."""
    metadata = metadata or core_metadata(name, version, metadata_version="1.1")
    files = {**_module(name, version), "EGG-INFO/PKG-INFO": metadata, "EGG-INFO/zip-safe": b"\n"}
    filename = f"{name.replace('-', '_')}-{version.replace('-', '_')}-py{python}.egg"
    return BuiltArtifact(filename, zip_bytes(files), metadata)


def build_dumb(
    name: str, version: str, *, suffix: SdistSuffix = ".tar.gz", metadata: bytes | None = None
) -> BuiltArtifact:
    """Build a ``bdist_dumb`` archive: an installation below ``./usr``, with an ``.egg-info`` file."""
    metadata = metadata or core_metadata(name, version, metadata_version="1.1")
    site = "./usr/lib/python3/site-packages"
    if suffix == ".zip":
        site = site.removeprefix("./")
    files = {f"{site}/{path}": data for path, data in _module(name, version).items()}
    files[f"{site}/{escaped(name)}-{version}-py3.11.egg-info"] = metadata
    return BuiltArtifact(f"{name}-{version}.linux-x86_64{suffix}", packed(files, suffix), metadata)


def escaped(name: str) -> str:
    """Return the name as it stands in filenames: normalised, with ``_`` for ``-``."""
    return canonicalize_name(name).replace("-", "_")


def packed(files: Mapping[str, bytes], suffix: SdistSuffix) -> bytes:
    """Archive files as the suffix says."""
    if suffix == ".zip":
        return zip_bytes(files)
    tar = raw_tar([(tar_file(path, data), data) for path, data in files.items()])
    return bz2.compress(tar) if suffix == ".tar.bz2" else gzip.compress(tar, mtime=0)


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Write a ZIP file with the standard library."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            info = zipfile.ZipInfo(path, _DAWN)
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class RawMember:
    """One ZIP member; ``local`` and ``central`` override single values of its two headers.

    Their keys: signature, flags, method, crc, packed, size, name, extra, and in ``central`` also comment, disk,
    external, offset.
    """

    name: bytes
    data: bytes = b""
    method: int = 8
    local: Mapping[str, int | bytes] = field(default_factory=dict)
    central: Mapping[str, int | bytes] = field(default_factory=dict)


def raw_zip(
    members: Sequence[RawMember],
    *,
    prefix: bytes = b"",
    gap: bytes = b"",
    end_records: bytes | None = None,
    comment: bytes = b"",
    suffix: bytes = b"",
) -> bytes:
    """Write a ZIP file exactly as told: offsets count from its first byte, ``prefix`` included.

    ``gap`` goes before the central directory; ``end_records`` replaces the end record.
    """
    out = bytearray(prefix)
    central = bytearray()
    for member in members:
        values = _header_values(member, len(out))
        out += _local_header({**values, **member.local})
        out += _deflated(member)
        central += _central_header({**values, **member.central})
    out += gap
    start = len(out)
    out += central
    if end_records is None:
        count = len(members)
        end_records = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(central), start, len(comment))
    return bytes(out + end_records + comment + suffix)


def raw_tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], end: bytes = bytes(1024)) -> bytes:
    """Write a tar archive exactly as told: each header as it is, its data padded, then ``end``."""
    out = bytearray()
    for info, data in members:
        out += info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        out += data + bytes(-len(data) % tarfile.BLOCKSIZE)
    return bytes(out + end)


def tar_file(path: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """Describe one tar member as a header that fits these data."""
    info = tarfile.TarInfo(path)
    info.size = len(data)
    info.type = kind
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info


def pax_records(records: Mapping[str, str]) -> bytes:
    """Write the body of a PAX extended header."""
    out = b""
    for key, value in records.items():
        line = f" {key}={value}\n".encode()
        length = len(line) + len(str(len(line)))
        length += len(str(length)) - len(str(len(line)))
        out += str(length).encode() + line
    return out


def _header_values(member: RawMember, offset: int) -> dict[str, int | bytes]:
    return {
        "flags": 0,
        "method": member.method,
        "crc": zlib.crc32(member.data),
        "packed": len(_deflated(member)),
        "size": len(member.data),
        "name": member.name,
        "extra": b"",
        "comment": b"",
        "disk": 0,
        "external": 0o100644 << 16,
        "offset": offset,
    }


def _local_header(values: Mapping[str, int | bytes]) -> bytes:
    name, extra = bytes(values["name"]), bytes(values["extra"])
    numbers = [values[key] for key in ("crc", "packed", "size")]
    signature = values.get("signature", b"PK\3\4")
    fixed = (signature, 20, values["flags"], values["method"], 0, 33, *numbers, len(name), len(extra))
    return struct.pack("<4s5H3L2H", *fixed) + name + extra


def _central_header(values: Mapping[str, int | bytes]) -> bytes:
    texts = [bytes(values[key]) for key in ("name", "extra", "comment")]
    numbers = [values[key] for key in ("crc", "packed", "size")]
    signature = values.get("signature", b"PK\1\2")
    fixed = (signature, 0x0314, 20, values["flags"], values["method"], 0, 33, *numbers, *map(len, texts))
    last = (values["disk"], 0, values["external"], values["offset"])
    return struct.pack("<4s6H3L5H2L", *fixed, *last) + b"".join(texts)


def _deflated(member: RawMember) -> bytes:
    if member.method != zipfile.ZIP_DEFLATED:
        return member.data
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(member.data) + packer.flush()


def _module(name: str, version: str) -> dict[str, bytes]:
    return {f"{escaped(name)}.py": f'__version__ = "{Version(version)}"\n'.encode()}


def _data(name: str, body: bytes) -> tuple[tuple[str, bytes], ...]:
    return ((f"{escaped(name)}.dat", body),) if body else ()


def _setup_py(name: str, version: str, requires_dist: Sequence[str], requires_python: str | None) -> bytes:
    arguments = {
        "name": name,
        "version": version,
        "py_modules": [escaped(name)],
        "install_requires": list(requires_dist),
        "python_requires": requires_python,
    }
    lines = [f"    {key}={value!r},\n" for key, value in arguments.items() if value]
    return "".join(["from setuptools import setup\n\nsetup(\n", *lines, ")\n"]).encode()


def _digest(data: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
