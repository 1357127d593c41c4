"""Rendered pages, kept per process while they are true, bounded by bytes."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

_LEVEL = 5
_WORTH_COMPRESSING = 500


@dataclass(frozen=True, slots=True)
class Rendered:
    """Bytes ready to send. ``etag`` is strong: the hash of exactly these bytes, quotes included."""

    body: bytes
    etag: str
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page in both of its encodings; ``gzipped`` is ``plain`` where compression gains nothing.

    ``serial`` is that of what the page shows.
    """

    plain: Rendered
    gzipped: Rendered
    serial: int

    @classmethod
    def of(cls, body: bytes, serial: int) -> Page:
        """Compress and hash once."""
        plain = Rendered(body, _etag(body))
        if len(body) < _WORTH_COMPRESSING:
            return cls(plain, plain, serial)
        # mtime 0: the same page has the same ETag on every worker and host.
        packed = gzip.compress(body, _LEVEL, mtime=0)
        return cls(plain, Rendered(packed, _etag(packed), "gzip"), serial)

    def encoded(self, *, gzip_accepted: bool) -> Rendered:
        """The encoding that the caller understands."""
        return self.gzipped if gzip_accepted else self.plain

    @property
    def cost(self) -> int:
        """Bytes that keeping this page takes."""
        return len(self.plain.body) + len(self.gzipped.body)


class PageCache:
    """Least recently used pages go first; one page never takes more than a quarter of the room."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pages: OrderedDict[Hashable, tuple[Hashable, Page]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, revision: Hashable, draw: Callable[[], Page]) -> Page:
        """The page kept under ``key`` if it is of this revision, else a new one."""
        with self._lock:
            kept = self._pages.get(key)
            if kept is not None and kept[0] == revision:
                self._pages.move_to_end(key)
                return kept[1]
        page = draw()
        self._keep(key, revision, page)
        return page

    def _keep(self, key: Hashable, revision: Hashable, page: Page) -> None:
        if page.cost * 4 > self._max_bytes:
            return
        with self._lock:
            old = self._pages.pop(key, None)
            if old is not None:
                self._bytes -= old[1].cost
            self._pages[key] = (revision, page)
            self._bytes += page.cost
            while self._bytes > self._max_bytes:
                _, (_, dropped) = self._pages.popitem(last=False)
                self._bytes -= dropped.cost


def _etag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
