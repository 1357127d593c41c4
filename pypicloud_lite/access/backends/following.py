"""A backend that is built from a file, and built anew when the file changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from pypicloud_lite.access.model import Account, Grants
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import ProjectName

_log = structlog.get_logger("pypicloud_lite.access")

_Stamp = tuple[int, int, int]


class FollowingAccess:
    """An :class:`~pypicloud_lite.access.port.AccessBackend` that asks for the file's stamp (one ``stat``) each time.

    A file that cannot be read or understood changes nothing: what held before goes on to hold, and the log says why.
    """

    def __init__(self, path: Path, build: Callable[[], AccessBackend]) -> None:
        self._path = path
        self._build = build
        self._lock = threading.Lock()
        # Before building: a change in between is then seen at the next call.
        self._stamp = self._read_stamp()
        self._backend = build()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the backend in force."""
        return tuple(getattr(self._current(), "warnings", ()))

    def authenticate(self, username: str, password: str) -> Account | None:
        """As the port says."""
        return self._current().authenticate(username, password)

    def lookup(self, username: str) -> Account | None:
        """As the port says."""
        return self._current().lookup(username)

    def grants(self, project: ProjectName) -> Grants:
        """As the port says."""
        return self._current().grants(project)

    def all_grants(self) -> Mapping[ProjectName, Grants]:
        """As the port says."""
        return self._current().all_grants()

    def serial(self) -> str:
        """As the port says."""
        return self._current().serial()

    def probe(self) -> None:
        """As the port says."""
        self._current().probe()

    def _current(self) -> AccessBackend:
        stamp = self._read_stamp()
        if stamp is not None and stamp != self._stamp:
            with self._lock:
                if stamp != self._stamp:
                    self._stamp = stamp
                    self._rebuild()
        return self._backend

    def _rebuild(self) -> None:
        try:
            self._backend = self._build()
        except ConfigError as error:
            _log.error("the changed configuration is wrong, the old one stays", path=str(self._path), why=error.message)
        else:
            _log.info("users, groups and grants were read again", path=str(self._path))

    def _read_stamp(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
