"""The three digests of a file, computed in one pass."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from pypicloud_lite.kernel.errors import InvalidRequest

_LENGTHS = {"sha256": 64, "blake2b_256": 64, "md5": 32}


@dataclass(frozen=True, slots=True)
class Digests:
    """Lower-case hex; ``blake2b_256`` is BLAKE2b with 32 bytes of output."""

    sha256: str
    blake2b_256: str
    md5: str

    def __post_init__(self) -> None:
        for name, length in _LENGTHS.items():
            if not re.fullmatch(rf"[0-9a-f]{{{length}}}", getattr(self, name)):
                raise InvalidRequest(f"A {name} digest is {length} lower-case hex digits")

    @classmethod
    def trusted(cls, sha256: str, blake2b_256: str, md5: str) -> Self:
        """Rebuild what was checked when it was stored, without checking it again."""
        self = object.__new__(cls)
        object.__setattr__(self, "sha256", sha256)
        object.__setattr__(self, "blake2b_256", blake2b_256)
        object.__setattr__(self, "md5", md5)
        return self


class Hasher:
    """Feed bytes, read :class:`Digests` and the count of bytes."""

    __slots__ = ("_blake2b", "_md5", "_sha256", "size")

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._blake2b = hashlib.blake2b(digest_size=32)
        # Old clients send nothing but md5; it proves transport here, never identity.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Add the next bytes."""
        self._sha256.update(chunk)
        self._blake2b.update(chunk)
        self._md5.update(chunk)
        self.size += len(chunk)

    def digests(self) -> Digests:
        """The digests of everything fed so far."""
        return Digests(
            sha256=self._sha256.hexdigest(),
            blake2b_256=self._blake2b.hexdigest(),
            md5=self._md5.hexdigest(),
        )


def digests_of(data: bytes) -> Digests:
    """The digests of bytes at hand."""
    hasher = Hasher()
    hasher.update(data)
    return hasher.digests()
