"""The name by which this server, with all its processes and hosts, knows its own requests."""

from __future__ import annotations

import secrets

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from pypicloud_lite.db.engine import Database
from pypicloud_lite.mirror.tables import mirror_identity
from pypicloud_lite.upstream.hops import hop_name


class ServerName:
    """Drawn once for each database; a query at its first use in a process, then none."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name: str | None = None

    def __call__(self) -> str:
        if self._name is None:
            self._name = hop_name(self._read() or self._draw())
        return self._name

    def _read(self) -> str | None:
        with self._database.read(snapshot=False) as connection:
            return connection.execute(select(mirror_identity.c.value)).scalar()

    def _draw(self) -> str:
        try:
            with self._database.write() as connection:
                connection.execute(insert(mirror_identity), {"id": 1, "value": secrets.token_hex(16)})
        except IntegrityError:
            # Another process drew one at the same moment.
            pass
        drawn = self._read()
        if drawn is None:
            raise AssertionError("a row that was inserted is there")
        return drawn
