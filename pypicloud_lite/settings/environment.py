"""``PPC_*`` variables: each fixed key can come from the environment, each secret from a file.

The variables of the keys in force are computed, never guessed backwards from a variable, so ``.`` and ``_``
in keys cannot be confused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from pypicloud_lite.settings.nearest import nearest

PREFIX = "PPC_"
_FILE = "_FILE"
_MAX_SECRET = 64 * 1024
_ADMIN_USER = "PPC_ADMIN_USER"
_ADMIN_PASSWORD = "PPC_ADMIN_PASSWORD"  # noqa: S105  # the name of a variable
_ADMIN = frozenset({_ADMIN_USER, _ADMIN_PASSWORD, _ADMIN_PASSWORD + _FILE})


@dataclass(frozen=True, slots=True)
class EnvironmentAdmin:
    """The admin that ``PPC_ADMIN_USER`` and ``PPC_ADMIN_PASSWORD[_FILE]`` define."""

    username: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class Override:
    """One variable's text for a key."""

    key: str
    variable: str
    text: str = field(repr=False)


@dataclass(slots=True)
class Environment:
    """What the environment says; ``problems`` and ``warnings`` are lines."""

    overrides: list[Override] = field(default_factory=list)
    admin: EnvironmentAdmin | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def variable(key: str) -> str:
    """Name the variable of a key: ``pypi.default_read`` is ``PPC_PYPI_DEFAULT_READ``."""
    return PREFIX + key.upper().replace(".", "_").replace("-", "_")


def read_environment(
    environ: Mapping[str, str],
    *,
    keys: Collection[str],
    secrets: Collection[str],
    families: Collection[str] = (),
    foreign: Collection[str] = (),
) -> Environment:
    """Read every ``PPC_*`` variable.

    ``secrets`` are those of ``keys`` whose value may lie in a file; ``families`` are beginnings such as
    ``user.``; ``foreign`` are variables that something else reads.
    """
    found = Environment()
    plain = {variable(key): key for key in sorted(keys)}
    files = {variable(key) + _FILE: key for key in sorted(secrets)}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in _ADMIN or name in foreign:
            continue
        text = environ[name]
        # A key that itself ends in .file is that key.
        if name in plain:
            found.overrides.append(Override(plain[name], name, text))
        elif name in files:
            if text.strip() and not _given_twice(environ, name, found):
                secret = _read_secret(name, text.strip(), found)
                if secret is not None:
                    found.overrides.append(Override(files[name], name, secret))
        else:
            found.problems.append(_unknown(name, plain, files, families))
    found.overrides = _without_empty_twins(found.overrides)
    _read_admin(environ, found)
    return found


def _without_empty_twins(overrides: list[Override]) -> list[Override]:
    """Drop an empty ``PPC_X`` beside a ``PPC_X_FILE``: compose hands over unset variables as empty ones."""
    from_file = {override.key for override in overrides if override.variable != variable(override.key)}
    return [
        override
        for override in overrides
        if override.key not in from_file or override.variable != variable(override.key)
    ]


def _given_twice(environ: Mapping[str, str], file_variable: str, found: Environment) -> bool:
    plain = file_variable.removesuffix(_FILE)
    if not environ.get(plain, "").strip():
        return False
    found.problems.append(f"{plain} and {file_variable} are both set: keep one of them")
    return True


def _read_secret(name: str, path: str, found: Environment) -> str | None:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_SECRET + 1)
            mode = os.fstat(file.fileno()).st_mode
        if len(data) > _MAX_SECRET:
            found.problems.append(f"{name}: the file is longer than {_MAX_SECRET} bytes: it must hold one secret")
            return None
        text = data.decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        found.problems.append(f"{name}: the file that it names cannot be read ({reason})")
        return None
    if mode & stat.S_IROTH:
        found.warnings.append(f"{name}: every user of this host may read the file that it names: chmod o-r it")
    return text.removesuffix("\n").removesuffix("\r")


def _read_admin(environ: Mapping[str, str], found: Environment) -> None:
    username = environ.get(_ADMIN_USER, "").strip()
    password: str | None = environ.get(_ADMIN_PASSWORD) or None
    file_variable = _ADMIN_PASSWORD + _FILE
    path = environ.get(file_variable, "").strip()
    if path:
        if _given_twice(environ, file_variable, found):
            return
        password = _read_secret(file_variable, path, found)
        if password is None:
            return
        if not password:
            found.problems.append(f"{file_variable}: the file that it names is empty: write the password into it")
            return
    if username and password:
        if ":" in username or any(character.isspace() for character in username):
            found.problems.append(f"{_ADMIN_USER}: a user name has no ':' and no white space: choose another")
        else:
            found.admin = EnvironmentAdmin(username, SecretStr(password))
    elif username:
        found.problems.append(f"{_ADMIN_USER} is set without a password: set {_ADMIN_PASSWORD} or {file_variable}")
    elif password:
        found.problems.append(f"{_ADMIN_PASSWORD} is set without a user: set {_ADMIN_USER}")


def _unknown(name: str, plain: Mapping[str, str], files: Mapping[str, str], families: Iterable[str]) -> str:
    for family in families:
        if name.startswith(variable(family)):
            return f"{name}: the keys {family}* come from the INI file alone: write them there"
    base = name.removesuffix(_FILE)
    if base != name and base in plain:
        return f"{name}: {plain[base]} is no secret and is not read from a file: set {base}"
    guess = nearest(name, (*plain, *files))
    hint = f": did you mean {guess}?" if guess else ": remove it; config.ini.sample lists every setting"
    return f"{name}: there is no such setting{hint}"
