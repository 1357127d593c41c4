"""A backend and the rules beside it that come from a file, and are read again when the file changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from pypicloud_lite.access.model import Account, Grants
from pypicloud_lite.access.policy import Rules
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import ProjectName

_log = structlog.get_logger("pypicloud_lite.access")

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class AccessFacts:
    """What one reading of the file says."""

    backend: AccessBackend
    rules: Rules


class FollowingAccess:
    """An :class:`~pypicloud_lite.access.port.AccessBackend` that asks for the file's stamp (one ``stat``) each time.

    A file that cannot be read or understood changes nothing: what held before goes on to hold, and the log says why.
    """

    def __init__(self, path: Path, in_force: AccessFacts, read: Callable[[], AccessFacts]) -> None:
        self._path = path
        self._read = read
        self._lock = threading.Lock()
        self._stamp = self._read_stamp()
        self._in_force = in_force

    def rules(self) -> Rules:
        """The rules in force."""
        return self._current().rules

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the backend in force."""
        return tuple(getattr(self._current().backend, "warnings", ()))

    def authenticate(self, username: str, password: str) -> Account | None:
        """As the port says."""
        return self._current().backend.authenticate(username, password)

    def lookup(self, username: str) -> Account | None:
        """As the port says."""
        return self._current().backend.lookup(username)

    def grants(self, project: ProjectName) -> Grants:
        """As the port says."""
        return self._current().backend.grants(project)

    def all_grants(self) -> Mapping[ProjectName, Grants]:
        """As the port says."""
        return self._current().backend.all_grants()

    def serial(self) -> str:
        """As the port says."""
        return self._current().backend.serial()

    def probe(self) -> None:
        """As the port says."""
        self._current().backend.probe()

    def _current(self) -> AccessFacts:
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
