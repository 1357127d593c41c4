"""The journal in SQL: one way in, and the questions of administrators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from pypicloud_lite.db.types import storable
from pypicloud_lite.journal.model import AuditEntry, Author, Outcome
from pypicloud_lite.journal.tables import journal

_INSERT = insert(journal)
_SELECT = select(
    journal.c.id,
    journal.c.at,
    journal.c.author,
    journal.c.address,
    journal.c.credential,
    journal.c.action,
    journal.c.outcome,
    journal.c.index_name,
    journal.c.project,
    journal.c.subject,
    journal.c.detail,
).order_by(journal.c.id.desc())


def append(
    connection: Connection,
    at: datetime,
    author: Author,
    action: str,
    *,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
    outcome: Outcome = Outcome.DONE,
    serial: int = 0,
    index: str = "",
    project: str = "",
) -> None:
    """Append one entry, in the caller's transaction."""
    connection.execute(
        _INSERT,
        {
            "serial": serial,
            "at": at,
            "author": cut(author.name, 255),
            "address": cut(author.address, 255),
            "credential": cut(author.credential, 40),
            "action": action,
            "outcome": outcome.value,
            "index_name": index,
            "project": project,
            "subject": cut(subject, 255),
            "detail": json.dumps(detail or {}, separators=(",", ":"), sort_keys=True),
        },
    )


@dataclass(frozen=True, slots=True)
class AuditQuestion:
    """Which entries: of an author, of a project, of actions with this beginning, older than an entry."""

    author: str | None = None
    project: str | None = None
    action: str | None = None
    outcome: Outcome | None = None
    before: int | None = None
    limit: int = 100


def entries(connection: Connection, question: AuditQuestion) -> Sequence[AuditEntry]:
    """The newest entries first; ``before`` an ``id`` gives the next page."""
    if not all(text is None or (text.isascii() and "\0" not in text) for text in (question.project, question.action)):
        return []  # there is none, and not every database compares with it
    statement = _SELECT.limit(question.limit)
    if question.author is not None:
        statement = statement.where(journal.c.author == storable(question.author))
    if question.project is not None:
        statement = statement.where(journal.c.project == question.project)
    if question.action is not None:
        statement = statement.where(journal.c.action.startswith(question.action, autoescape=True))
    if question.outcome is not None:
        statement = statement.where(journal.c.outcome == question.outcome.value)
    if question.before is not None:
        statement = statement.where(journal.c.id < question.before)
    return [
        AuditEntry(
            number,
            at,
            Author(author, address, credential),
            action,
            Outcome(outcome),
            index,
            project,
            subject,
            json.loads(detail),
        )
        for (
            number,
            at,
            author,
            address,
            credential,
            action,
            outcome,
            index,
            project,
            subject,
            detail,
        ) in connection.execute(statement)
    ]


def cut(text: str | None, limit: int) -> str | None:
    """Text as every database takes it, at most ``limit`` characters."""
    return None if text is None else storable(text[:limit])
