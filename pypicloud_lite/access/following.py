"""What the configuration says of access, read again when its file changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from pypicloud_lite.access.directory import InForce
from pypicloud_lite.kernel.errors import ConfigError

_log = structlog.get_logger("pypicloud_lite.access")

_Stamp = tuple[int, int, int]


class FollowedFile:
    """What is :class:`~pypicloud_lite.access.directory.InForce`, by the file's stamp (one ``stat`` each time).

    A file that cannot be read or understood changes nothing: what held before goes on to hold, and the log says why.
    """

    def __init__(self, path: Path, in_force: InForce, read: Callable[[], InForce]) -> None:
        self._path = path
        self._read = read
        self._lock = threading.Lock()
        self._stamp = self._read_stamp()
        self._in_force = in_force

    def __call__(self) -> InForce:
        stamp = self._read_stamp()
        if stamp is not None and stamp != self._stamp:
            with self._lock:
                if stamp != self._stamp:
                    self._stamp = stamp
                    self._read_again()
        return self._in_force

    def _read_again(self) -> None:
        try:
            self._in_force = self._read()
        except ConfigError as error:
            _log.error("the changed configuration is wrong, the old one stays", path=str(self._path), why=error.message)
        else:
            _log.info("users, groups, grants and default rights were read again", path=str(self._path))

    def _read_stamp(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
