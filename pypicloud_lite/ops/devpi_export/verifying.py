"""Files of an export, read once and held against every hash that it has of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pypicloud_lite.kernel.digests import Digests, Hasher
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.storage.port import CHUNK, ReadSeek


class Sink(Protocol):
    """What takes the bytes of a file, and gives them to whoever reads archives."""

    @property
    def digests(self) -> Digests: ...
    def write(self, chunk: bytes) -> None: ...
    def reader(self) -> ReadSeek: ...


class Measured:
    """A file where it lies, hashed as it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hasher = Hasher()

    @property
    def digests(self) -> Digests:
        """Of what was written."""
        return self._hasher.digests()

    def write(self, chunk: bytes) -> None:
        """Hash it."""
        self._hasher.update(chunk)

    def reader(self) -> ReadSeek:
        """The file."""
        return self._path.open("rb")


def pour(path: Path, sink: Sink, hashes: Mapping[str, str]) -> None:
    """Read a file once, a piece at a time; InvalidRequest where it has not every one of these hashes."""
    others = {algorithm: _hasher(algorithm) for algorithm in hashes if algorithm not in {"sha256", "md5"}}
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            sink.write(chunk)
            for other in others.values():
                other.update(chunk)
    digests = sink.digests
    found = {"sha256": digests.sha256, "md5": digests.md5, **{name: one.hexdigest() for name, one in others.items()}}
    for algorithm, value in hashes.items():
        if found[algorithm] != value:
            raise InvalidRequest(
                f"its {algorithm} is {found[algorithm][:16]}... and should be {value[:16]}...: it is damaged"
            )


def _hasher(algorithm: str) -> Any:
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        raise InvalidRequest(f"its hash is of the kind {shown(algorithm)}, which cannot be checked here")
    return hashlib.new(algorithm, usedforsecurity=False)
