"""The bytes of one artifact under its limits, and the one shape of a refusal."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Protocol

from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.names import shown

_CHUNK = 64 * 1024
_FREE_INFLATION = 64 * 1024 * 1024


class BinaryReader(Protocol):
    """An open binary file, or anything that reads like one."""

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes; none at the end."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to ``offset``."""

    def tell(self) -> int:
        """Return the position."""


class Source:
    """One artifact's bytes, read piece by piece, with the time and the inflation that its limits leave.

    The clock starts when the source is made. Errors of the file itself (``OSError``) are not the artifact's
    fault and pass through.
    """

    __slots__ = ("_deadline", "_file", "limits", "name", "size")

    def __init__(self, file: BinaryReader, name: str, limits: Limits) -> None:
        self._file = file
        self._deadline = time.monotonic() + limits.seconds
        self.name = name
        self.limits = limits
        file.seek(0, os.SEEK_END)
        self.size = file.tell()

    def read_at(self, offset: int, size: int, what: str) -> bytes:
        """Read exactly ``size`` bytes from ``offset``; a refusal names ``what`` if the file ends sooner."""
        if offset + size > self.size:
            raise self.refusal(f"{what} reaches past the end of the file", "build the file again and upload it whole")
        self._file.seek(offset)
        data = self._file.read(size)
        while len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                raise self.refusal(f"{what} is cut short", "upload the file again")
            data += more
        return data

    def chunks(self) -> Iterator[bytes]:
        """Every byte from the beginning, 64 KiB at a time."""
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk

    def file(self) -> BinaryReader:
        """The file itself, for a library that wants one; its position is anywhere."""
        return self._file

    def check_time(self) -> None:
        """Refuse once the time is used up; called in every loop whose length the artifact decides."""
        if time.monotonic() > self._deadline:
            raise self.refusal(
                f"reading it took longer than {self.limits.seconds:g} seconds",
                "build it with fewer or smaller members",
            )

    def check_inflated(self, total: int, ratio: int) -> None:
        """Refuse a total of inflated (or declared) bytes that no honest archive of this size has."""
        if total > self.limits.inflated_bytes:
            raise self.refusal(
                f"its members are larger than {self.limits.inflated_bytes} bytes in all",
                "split the distribution or ask the administrator for a higher limit",
            )
        if total > _FREE_INFLATION and total > self.size * ratio:
            raise self.refusal(
                f"it expands to more than {ratio} times its size, as bombs do",
                "leave the largest members out",
            )

    def check_entries(self, count: int) -> None:
        """Refuse more members than one artifact may have."""
        if count > self.limits.entries:
            raise self.refusal(
                f"it has more than {self.limits.entries} members", "leave out what needs no distribution"
            )

    def check_names(self, total: int) -> None:
        """Refuse names that take more memory, all together, than the names of honest members do."""
        if total > self.limits.name_bytes:
            raise self.refusal(
                f"the names of its members have more than {self.limits.name_bytes} bytes in all", "shorten them"
            )

    def refusal(self, rule: str, next_step: str, member: str | None = None) -> InvalidArtifact:
        """The error to raise: file, member, rule, next step."""
        where = self.name if member is None else f"{self.name}, member {shown(member)}"
        return InvalidArtifact(f"{where}: {rule}; {next_step}")
