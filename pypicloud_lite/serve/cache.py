"""Rendered pages, kept per process while they are true, bounded by bytes."""

from __future__ import annotations

import gzip
import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import MappingProxyType

from pypicloud_lite.serve.negotiation import Coding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Measured on pages of 10 and 2,000 files, which are mostly digests: zstd 1 makes them smaller than zstd 3 to 12 and
# by a sixth smaller than gzip 5, in a tenth of its time.
_ZSTD_LEVEL = 1
_GZIP_LEVEL = 5
_WORTH_COMPRESSING = 500
# Nothing of the moment is in them (mtime 0): the same page has the same ETag on every worker and host.
_COMPRESS: MappingProxyType[Coding, Callable[[bytes], bytes]] = MappingProxyType(
    {
        Coding.ZSTD: lambda body: zstd.compress(body, _ZSTD_LEVEL),
        Coding.GZIP: lambda body: gzip.compress(body, _GZIP_LEVEL, mtime=0),
    }
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """Bytes ready to send. ``etag`` is strong: the hash of exactly these bytes, quotes included."""

    body: bytes
    etag: str
    coding: Coding | None = None


class Page:
    """One page, plain and in the codings that were asked for so far; ``serial`` is that of what it shows."""

    def __init__(self, plain: Rendered, serial: int) -> None:
        self.plain = plain
        self.serial = serial
        self._packed: dict[Coding, Rendered] = {}
        self._grew: Callable[[int], None] = _nobody

    @classmethod
    def of(cls, body: bytes, serial: int) -> Page:
        """Hash it; compression waits until somebody wants it."""
        return cls(Rendered(body, _etag(body)), serial)

    def encoded(self, coding: Coding | None) -> Rendered:
        """The page in this coding, or plain where that gains nothing; compresses only the first time."""
        if coding is None or len(self.plain.body) < _WORTH_COMPRESSING:
            return self.plain
        kept = self._packed.get(coding)
        return kept if kept is not None else self._pack(coding)

    @property
    def cost(self) -> int:
        """Bytes that keeping this page takes now."""
        return len(self.plain.body) + sum(len(packed.body) for packed in list(self._packed.values()))

    def when_it_grows(self, tell: Callable[[int], None]) -> None:
        """Call ``tell`` with the bytes that each further coding adds to the cost."""
        self._grew = tell

    def _pack(self, coding: Coding) -> Rendered:
        body = _COMPRESS[coding](self.plain.body)
        made = Rendered(body, _etag(body), coding)
        # Two threads may both have made it: one of them keeps its own, and counts it.
        kept = self._packed.setdefault(coding, made)
        if kept is made:
            self._grew(len(body))
        return kept


@dataclass(slots=True)
class _Kept:
    revision: Hashable
    page: Page
    cost: int


class PageCache:
    """Least recently used pages go first; one page never takes more than a quarter of the room."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, revision: Hashable, draw: Callable[[], Page]) -> Page:
        """The page kept under ``key`` if it is of this revision, else a new one."""
        with self._lock:
            kept = self._pages.get(key)
            if kept is not None and kept.revision == revision:
                self._pages.move_to_end(key)
                return kept.page
        page = draw()
        self._keep(key, revision, page)
        return page

    def _keep(self, key: Hashable, revision: Hashable, page: Page) -> None:
        if page.cost * 4 > self._max_bytes:
            return
        with self._lock:
            self._drop(key)
            self._pages[key] = _Kept(revision, page, page.cost)
            self._bytes += page.cost
            page.when_it_grows(lambda more: self._count(key, page, more))
            self._make_room()

    def _count(self, key: Hashable, page: Page, more: int) -> None:
        with self._lock:
            kept = self._pages.get(key)
            # Or it was dropped while somebody was still sending it.
            if kept is not None and kept.page is page:
                kept.cost += more
                self._bytes += more
                if kept.cost * 4 > self._max_bytes:
                    self._drop(key)
                self._make_room()

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._pages)))

    def _drop(self, key: Hashable) -> None:
        old = self._pages.pop(key, None)
        if old is not None:
            self._bytes -= old.cost


def _nobody(_more: int) -> None:
    """Nobody counts a page that is not kept."""


def _etag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
