"""RECORD, the list of a wheel's files with their hashes and sizes, compared with the files themselves."""

from __future__ import annotations

import binascii
import csv
import hashlib
import io
from base64 import urlsafe_b64decode
from dataclasses import dataclass

from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.artifacts.zips import Member, ZipArchive

# The names that a wheel may have, and for each of the members that it may have a hash and a size.
_MAX_RECORD = 24 * 1024 * 1024
_STRONG = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"})
REBUILD = "build the wheel again, or repair it with 'wheel unpack' and 'wheel pack'"


@dataclass(frozen=True, slots=True)
class _Row:
    """A line: the digest as ``algorithm=value`` and the size, both possibly empty."""

    digest: str
    size: str


def check_record(source: Source, archive: ZipArchive, path: str) -> None:
    """RECORD lists every file and no other, with the right sizes, and with the right hashes of those that are read.

    Which are read says :class:`Limits`: all members of most wheels. A line without a hash or size, as old tools
    wrote it, is taken; so are directories and the signatures beside RECORD without a line.
    """
    rows = _rows(source, path, archive.read(path, _MAX_RECORD))
    exempt = {path, f"{path}.jws", f"{path}.p7s"}
    files = {name for name in archive.members if not name.endswith("/")}
    for missing in sorted(files - rows.keys() - exempt)[:1]:
        raise source.refusal("it is not listed in RECORD", REBUILD, missing)
    for missing in sorted(rows.keys() - files - exempt)[:1]:
        raise source.refusal("RECORD lists it and the wheel does not have it", REBUILD, missing)
    for name in sorted(files - exempt):
        if rows[name].size and rows[name].size != str(archive.members[name].size):
            raise source.refusal("its size is not that which RECORD says", REBUILD, name)
    for member in archive.affordable():
        digest = "" if member.name in exempt or member.name.endswith("/") else rows[member.name].digest
        _check_bytes(source, archive, member, digest)


def _rows(source: Source, path: str, data: bytes) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    try:
        # One line at a time: all of them as texts would take ten times the bytes.
        for count, row in enumerate(csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""))):
            if count % 1024 == 0:
                source.check_time()
            if count > source.limits.entries:
                raise source.refusal(f"it has more than {source.limits.entries} lines", REBUILD, path)
            if row:
                name, digest, size = row
                if rows.setdefault(name, _Row(digest, size)) != _Row(digest, size):
                    raise source.refusal("RECORD says two different things of it", REBUILD, name)
    except (ValueError, csv.Error):
        raise source.refusal("it is not a list of path, hash and size", REBUILD, path) from None
    return rows


def _check_bytes(source: Source, archive: ZipArchive, member: Member, digest: str) -> None:
    algorithm, _, value = digest.partition("=")
    if digest and algorithm not in _STRONG:
        raise source.refusal("its hash in RECORD is none of sha256 or better", REBUILD, member.name)
    hashing = hashlib.new(algorithm, usedforsecurity=False) if digest else None
    for piece in archive.pieces(member):
        if hashing is not None:
            hashing.update(piece)
    if hashing is not None and hashing.digest() != _decoded(value):
        raise source.refusal("its hash is not that which RECORD says", REBUILD, member.name)


def _decoded(value: str) -> bytes | None:
    """The bytes of an unpadded (or, from old tools, padded) URL-safe base64 text."""
    text = value.rstrip("=")
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
