"""Users from Apache's password files, as pypiserver has them: who may read in one, who may upload in the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import structlog
from pydantic import Field, field_validator

from pypicloud_lite.access.backends.htpasswd_lines import PasswordLines, read_lines
from pypicloud_lite.access.facts import Facts, FactsAccess, KnownUser
from pypicloud_lite.access.passwords import PasswordHasher
from pypicloud_lite.access.port import AccessContext
from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.settings.declare import Plugin, Settings

UPLOADERS = "uploaders"
"""The group of everybody who may upload: the members are the names of the upload file."""

_log = structlog.get_logger("pypicloud_lite.access")

_MOST = 64 * 1024 * 1024
# htpasswd copies its result over the file, which for a moment is empty. Longer than a tick of the file system's clock
# too, so that no later change can have the same stamp.
_SETTLE_NS = 20_000_000

_Stamp = tuple[int, int, int, int]


class HtpasswdSettings(Settings):
    """The files."""

    file: Path = Field(
        alias="auth.htpasswd.file",
        description="Apache's password file of those who may log in and read; followed while the server runs",
        json_schema_extra={"example": "%(here)s/.htpasswd"},
    )
    upload_file: Path | None = Field(
        default=None,
        alias="auth.htpasswd.upload_file",
        description=(
            "The password file of those who may upload, who are the group uploaders; pypi.default_write is that group "
            "where it is not set. Empty: all of auth.htpasswd.file"
        ),
        json_schema_extra={"example": "%(here)s/.htpasswd-upload"},
    )

    @field_validator("file", "upload_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        name = shown(str(path))
        if not path.exists():
            raise ValueError(f"{name}: there is no such file: make it with htpasswd -B -c {path} NAME")
        if not path.is_file():
            raise ValueError(f"{name} is not a file: name the password file itself")
        try:
            with path.open("rb"):
                return path
        except OSError as error:
            raise ValueError(f"{name} cannot be read ({error.strerror}): make it readable for this user") from None


class PasswordFiles:
    """The files as :class:`~pypicloud_lite.access.facts.Facts`, read again when one changes (a ``stat`` for each call).

    Nothing is read before the first call. A file that cannot be read later changes nothing: what it said before holds
    on, and the log says so once. ``AccessUnavailable`` when it never could be.
    """

    def __init__(self, readers: Path, uploaders: Path | None = None) -> None:
        self._readers = readers
        self._uploaders = uploaders or readers
        self._paths = tuple(dict.fromkeys((self._readers, self._uploaders)))
        self._lock = threading.Lock()
        self._stamps: Mapping[Path, _Stamp | None] = {}
        self._lines: dict[Path, PasswordLines] = {}
        self._facts: Facts | None = None

    def __call__(self) -> Facts:
        stamps = {path: _stamp(path) for path in self._paths}
        facts = self._facts
        if facts is not None and stamps == self._stamps:
            return facts
        with self._lock:
            if self._facts is None or stamps != self._stamps:
                self._stamps = {path: self._read(path) for path in self._paths}
                self._facts = self._joined()
            return self._facts

    @property
    def warnings(self) -> tuple[str, ...]:
        """The lines that cannot be used, or should not; none where no file can be read."""
        try:
            self()
        except AccessUnavailable:
            return ()
        return tuple(line for path in self._paths for line in self._lines[path].warnings)

    def _read(self, path: Path) -> _Stamp | None:
        """Read one file unless it is as it was; the stamp of what was read."""
        stamp = _stamp(path)
        if path in self._lines and stamp == self._stamps.get(path):
            return stamp
        try:
            stamp, data = _settled(path)
        except OSError as error:
            self._keep(path, error.strerror or "it is too large")
        else:
            self._take(path, read_lines(data, str(path)))
        return stamp

    def _keep(self, path: Path, why: str) -> None:
        if path not in self._lines:
            raise AccessUnavailable(f"The password file {shown(str(path))} cannot be read ({why}): make it readable")
        _log.error("the password file cannot be read, what it said before holds", path=str(path), why=why)

    def _take(self, path: Path, lines: PasswordLines) -> None:
        before = self._lines.get(path)
        self._lines[path] = lines
        if before is None:
            # Those of the first time are told with the configuration's other warnings.
            return
        _log.info("the password file was read again", path=str(path), users=len(lines.hashes))
        for warning in lines.warnings:
            if warning not in before.warnings:
                _log.warning("password file", warning=warning)

    def _joined(self) -> Facts:
        uploaders = self._lines[self._uploaders].hashes
        users = {**self._lines[self._readers].hashes, **uploaders}
        return Facts(
            users=MappingProxyType({name: KnownUser(stored) for name, stored in users.items()}),
            groups=MappingProxyType({UPLOADERS: frozenset(uploaders)}),
        )


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _settled(path: Path) -> tuple[_Stamp | None, bytes]:
    age = time.time_ns() - path.stat().st_mtime_ns
    if 0 <= age < _SETTLE_NS:
        time.sleep((_SETTLE_NS - age) / 1e9)
    stamp = _stamp(path)
    with path.open("rb") as file:
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise OSError
    return stamp, data


class HtpasswdAccess(FactsAccess):
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over password files; one hash a line is all it knows.

    ``warnings`` names the lines that cannot be used, or should not. Groups but ``uploaders``, and rules, are another
    backend's.
    """

    def __init__(self, files: PasswordFiles, hasher: PasswordHasher) -> None:
        super().__init__(files, hasher)
        self._files = files

    @property
    def warnings(self) -> tuple[str, ...]:
        """As the files are now."""
        return self._files.warnings


def _build(settings: HtpasswdSettings, context: AccessContext) -> HtpasswdAccess:
    return HtpasswdAccess(PasswordFiles(settings.file, settings.upload_file), context.hasher)


backend = Plugin(HtpasswdSettings, _build)
