"""The journal for administrators."""

from __future__ import annotations

from collections.abc import Sequence

from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import AuditEntry
from pypicloud_lite.journal.sql import AuditQuestion, entries


class Audit:
    """Reads the journal; refusals come into it within a minute."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, question: AuditQuestion) -> Sequence[AuditEntry]:
        """The newest first."""
        with self._database.read(snapshot=False) as connection:
            return entries(connection, question)
