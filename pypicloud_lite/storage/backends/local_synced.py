"""Which folders are known to survive a power cut under their names, so that no file syncs the whole way down anew."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

_MOST_HELD = 128


class SyncedFolders:
    """Folders whose names were synced, each kept open. Thread-safe; bounded: what is forgotten is synced once more.

    While a folder is open its inode is no other one's. So one that is found again below the same folder is the one
    whose name was synced then; and it has not been empty since, or it would be gone: so neither has any above it.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, int, int], int] = OrderedDict()
        self._lock = threading.Lock()

    def __del__(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)

    def sync(self, opened: Sequence[int]) -> None:
        """Sync the deepest of these folders, each the one above the next, and those above it that have to be."""
        names = [_identify(above, below) for above, below in pairwise(opened)]
        depth = len(names)
        os.fsync(opened[depth])
        while depth and not self._knows(names[depth - 1]):
            depth -= 1
            os.fsync(opened[depth])
        for name, descriptor in zip(names[depth:], opened[depth + 1 :], strict=True):
            self._hold(name, descriptor)

    def _knows(self, name: tuple[int, int, int]) -> bool:
        with self._lock:
            known = name in self._held
            if known:
                self._held.move_to_end(name)
            return known

    def _hold(self, name: tuple[int, int, int], descriptor: int) -> None:
        try:
            mine = os.dup(descriptor)
        except OSError:
            # No descriptors are left: it is synced again next time.
            return
        with self._lock:
            given_up = [self._held.pop(name)] if name in self._held else []
            self._held[name] = mine
            while len(self._held) > _MOST_HELD:
                given_up.append(self._held.popitem(last=False)[1])
        for old in given_up:
            os.close(old)


def _identify(above: int, below: int) -> tuple[int, int, int]:
    folder = os.fstat(below)
    return os.fstat(above).st_ino, folder.st_dev, folder.st_ino
