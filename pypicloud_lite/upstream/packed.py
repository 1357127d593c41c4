"""Names by the hundred thousand: in order, each once, packed in blocks of which few are unpacked at a time."""

from __future__ import annotations

import hashlib
import heapq
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

_BLOCK = 4096
_RUN = 50_000
_LENGTH = 4
"""Bytes that say how long a block is."""
_PASSING, _LASTING = 1, 6
"""Levels of zlib: for what is read once more and forgotten, and for what is kept."""


@dataclass(frozen=True, slots=True)
class PackedNames:
    """Distinct names in order, ``count`` of them; ``digest`` is the sha256 of them all, a line each."""

    blocks: tuple[bytes, ...] = field(repr=False)
    count: int
    digest: str

    def __iter__(self) -> Iterator[str]:
        return _unpacked(self.blocks)

    def to_bytes(self) -> bytes:
        """The names alone, as they are kept; see :func:`names_in`."""
        return b"".join(len(block).to_bytes(_LENGTH) + block for block in self.blocks)


def names_in(content: bytes) -> Iterator[str]:
    """The names that :meth:`PackedNames.to_bytes` wrote; some thousands are unpacked at a time."""
    view, at = memoryview(content), 0
    while at < len(view):
        start = at + _LENGTH
        at = start + int.from_bytes(view[at:start])
        yield from unpack(view[start:at])


def merged(lists: Iterable[Iterable[str]]) -> Iterator[str]:
    """All names of lists that are in order, in order, each once."""
    before = ""
    for name in heapq.merge(*lists):
        if name != before:
            yield name
        before = name


class Packer:
    """Takes names in any order and any number of times, and gives them packed.

    Memory grows by what they take packed, beside some 10 MB: by 6 MB for a million of the usual length.
    """

    def __init__(self) -> None:
        self._run: set[str] = set()
        self._runs: list[list[bytes]] = []
        self._size = 0

    def add(self, name: str) -> None:
        """Take an ASCII name without a line break."""
        self._run.add(name)
        if len(self._run) >= _RUN:
            self._end_run()

    @property
    def size(self) -> int:
        """Characters of the names so far, about: those of the last 50,000 are not in it yet."""
        return self._size

    def finish(self) -> PackedNames:
        """Everything that was taken; nothing may be added after it."""
        self._end_run()
        digest, count, blocks = hashlib.sha256(), 0, []
        names = merged(_unpacked(run) for run in self._runs)
        for lines in _joined(names):
            digest.update(lines + b"\n")
            count += lines.count(b"\n") + 1
            blocks.append(zlib.compress(lines, _LASTING))
        return PackedNames(tuple(blocks), count, digest.hexdigest())

    def _end_run(self) -> None:
        if self._run:
            ordered = sorted(self._run)
            self._run = set()
            self._size += sum(map(len, ordered))
            self._runs.append([zlib.compress(lines, _PASSING) for lines in _joined(ordered)])


def _unpacked(blocks: Iterable[bytes]) -> Iterator[str]:
    for block in blocks:
        yield from unpack(block)


def unpack(block: bytes | memoryview) -> list[str]:
    """The names of a block: some thousands."""
    return zlib.decompress(block).decode("ascii").split("\n")


def _joined(names: Iterable[str]) -> Iterator[bytes]:
    left = iter(names)
    while batch := list(islice(left, _BLOCK)):
        yield "\n".join(batch).encode("ascii")
