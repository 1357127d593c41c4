"""What the journal says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How what was asked for ended."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a change: a user name (or the name of a command), the caller's address, and by which credential.

    ``credential`` is ``password``, ``session`` or ``token N``; never a secret.
    """

    name: str | None
    address: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the journal as administrators read it; ``index`` and ``project`` are empty where it is of neither."""

    id: int
    at: datetime
    author: Author
    action: str
    outcome: Outcome
    index: str
    project: str
    subject: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)
