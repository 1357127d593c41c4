"""A file that came without a hash has one from then on: that of the bytes that came first."""

from __future__ import annotations

from dataclasses import replace

from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.mirror.codec import KnownPage, decode
from pypicloud_lite.mirror.page_store import PageStore

_ROUNDS = 3


class Pinning:
    """Writes digests into pages that are known. What it cannot write, the next answer of the upstream brings."""

    def __init__(self, store: PageStore) -> None:
        self._store = store

    def pin(self, filename: Filename, sha256: str) -> None:
        """The file has this digest, whatever its upstream sends later."""
        for _ in range(_ROUNDS):
            row = self._store.look(filename.project)
            packed = None if row is None else self._store.content(row)
            if row is None or packed is None:
                return
            page = _pinned(decode(filename.project, packed[0]), filename.value, sha256)
            if self._store.rewrite(row.id, packed[1], page):
                return


def _pinned(page: KnownPage, name: str, sha256: str) -> KnownPage:
    files = tuple(
        replace(file, link=replace(file.link, hashes={"sha256": sha256, **file.link.hashes}))
        if file.link.filename.value == name
        else file
        for file in page.files
    )
    return replace(page, files=files)
