"""Which process brings which file here now, and where others of its host find the bytes that came so far."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, delete, or_, select, update

from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.turns import take_turn
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.tables import mirror_fetches
from pypicloud_lite.storage.port import Tail
from pypicloud_lite.storage.spool import FileTail

_f = mirror_fetches.c


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another process brings it, or said so: its turn ends at ``until`` where it does not say more."""

    holder: str
    host: str
    place: str | None
    until: datetime

    def tail(self) -> Tail | None:
        """The bytes that came so far, where this process may read them; nothing is written to them."""
        if self.place is None or self.host != _host():
            return None
        process, descriptor, device, inode = self.place.split(":")
        try:
            opened = os.open(f"/proc/{int(process)}/fd/{int(descriptor)}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        found = os.fstat(opened)
        if (found.st_dev, found.st_ino) != (int(device), int(inode)):
            # The descriptor is another file's by now, or the process one of another container.
            os.close(opened)
            return None
        return FileTail(opened)

    @property
    def is_over(self) -> bool:
        """Whether that process is known not to be there any more: it was on this host."""
        if self.place is None or self.host != _host():
            return False
        return not Path(f"/proc/{int(self.place.partition(':')[0])}").exists()


class FetchStore:
    """Turns to bring files, in the database."""

    def __init__(self, database: Database, index: IndexName) -> None:
        self._database = database
        self._index = index

    def claim(self, filename: str, now: datetime, seconds: float) -> str | None:
        """Take the turn for a file; the token that stands for it, or None where another process has it."""
        token, free = secrets.token_hex(16), _f.until < now
        there = self.look(filename)
        if there is not None and there.is_over:
            free = or_(free, _f.holder == there.holder)
        key = {"index_name": str(self._index), "filename": filename}
        turn = {"holder": token, "host": _host(), "place": None, "until": now + timedelta(seconds=seconds)}
        return token if take_turn(self._database, mirror_fetches, key, free, turn) else None

    def tell(self, filename: str, token: str, until: datetime, tail: Tail | None = None) -> None:
        """Keep the turn for longer, and with ``tail`` say where the bytes are found."""
        values: dict[str, object] = {"until": until}
        if tail is not None:
            status = os.fstat(tail.fileno())
            values["place"] = f"{os.getpid()}:{tail.fileno()}:{status.st_dev}:{status.st_ino}"
        with self._database.write() as connection:
            connection.execute(
                update(mirror_fetches).where(*self._where(filename), _f.holder == token).values(**values)
            )

    def release(self, filename: str, token: str) -> None:
        """Give the turn back."""
        with self._database.write() as connection:
            connection.execute(delete(mirror_fetches).where(*self._where(filename), _f.holder == token))

    def look(self, filename: str) -> Elsewhere | None:
        """Whose turn it is, or was; None where it is nobody's."""
        statement = select(_f.holder, _f.host, _f.place, _f.until).where(*self._where(filename))
        with self._database.read(snapshot=False) as connection:
            row = connection.execute(statement).mappings().first()
        return None if row is None else Elsewhere(**row)

    def prune(self, before: datetime) -> int:
        """Forget turns that ended by themselves before then; how many there were."""
        statement = delete(mirror_fetches).where(_f.index_name == str(self._index), _f.until < before)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount

    def _where(self, filename: str) -> tuple[ColumnElement[bool], ...]:
        return _f.index_name == str(self._index), _f.filename == filename


def _host() -> str:
    return socket.gethostname()[:100]
