"""What the rendering process takes from itself before it looks at a README."""

from __future__ import annotations

import math
import os
import resource
import sys
from collections.abc import Iterable
from typing import Any

CPU_SECONDS = 2
MEMORY = 256 * 1024 * 1024
"""Bytes of address space: a new child has 40 MiB, one that rendered 270 KB of Markdown with tables and code has 100."""

_FEW_FILES = 32
_START_CPU = 10

# Audit events, by what they begin with. Opening files is judged by the path.
_REFUSED = (
    "ctypes.", "ftplib.", "http.client.", "imaplib.", "mmap.", "nntplib.", "os.chdir", "os.chmod", "os.chown",
    "os.exec", "os.fork", "os.kill", "os.link", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename",
    "os.rmdir", "os.spawn", "os.startfile", "os.symlink", "os.system", "os.truncate", "os.utime", "poplib.", "pty.",
    "resource.prlimit", "shutil.", "smtplib.", "socket.", "sqlite3.", "subprocess.", "telnetlib.", "tempfile.",
    "urllib.", "webbrowser.",
)  # fmt: skip


def limit_resources() -> None:
    """Before anything large is imported: memory, no file grows, no core, no further process.

    For the processor :func:`allow_cpu` sets the limit of each README; until then it is that of starting.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, _FEW_FILES)
    # macOS has no such limit to set.
    if sys.platform != "darwin":
        _lower(resource.RLIMIT_AS, MEMORY)
    _lower(resource.RLIMIT_NPROC, 0)
    allow_cpu(_START_CPU)


def allow_cpu(seconds: int) -> None:
    """So much more processor time from now on, rounded up to a whole second of the total; then SIGXCPU ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime) + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def refuse_the_outside(libraries: Iterable[str]) -> None:
    """From now on Python code here opens files below these folders for reading, no others, and connects to nothing.

    A second line: readme_renderer switches off what reads files or addresses in reStructuredText. It holds for
    Python, not for machine code. The error is one that docutils answers with a message of its own.
    """
    folders = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in libraries)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not _is_below(path, folders) or _writes(mode, flags):
                raise PermissionError(f"a README opens no file: {path!a}")
        elif event.startswith(_REFUSED):
            raise PermissionError(f"a README does not cause {event}")

    sys.addaudithook(hook)


def _is_below(path: Any, folders: tuple[str, ...]) -> bool:
    # a file that is open already is given by its number
    return not isinstance(path, int) and os.path.realpath(os.fsdecode(path)).startswith(folders)


def _writes(mode: Any, flags: Any) -> bool:
    # open() tells its mode and the flags that it became, os.open() the flags alone
    flagged = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    return bool(flagged) or (isinstance(mode, str) and not set(mode) <= set("rbtU"))


def _lower(kind: int, most: int) -> None:
    """A limit that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))
