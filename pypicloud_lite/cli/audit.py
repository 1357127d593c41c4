"""``ppc-audit``: read the journal."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pypicloud_lite.cli.config_file import config_option
from pypicloud_lite.cli.operator import operating, refuses_clearly
from pypicloud_lite.journal.model import AuditEntry, Outcome
from pypicloud_lite.journal.sql import AuditQuestion
from pypicloud_lite.manage.audit import Audit
from pypicloud_lite.manage.people.rules import shown_entry

_PAGE = 1000


@click.command(name="ppc-audit")
@config_option
@click.option("--author", help="Only what this user did.")
@click.option("--project", help="Only what was done to this project (its normalised name).")
@click.option("--action", help="Only actions that begin with this, such as 'grant' or 'add'.")
@click.option("--refused", is_flag=True, help="Only what was refused.")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many entries.")
@click.option("--json", "as_document", is_flag=True, help="Print a JSON object a line.")
@refuses_clearly
def main(
    config: Path | None,
    author: str | None,
    project: str | None,
    action: str | None,
    limit: int,
    *,
    refused: bool,
    as_document: bool,
) -> None:
    """Print who did what, when and from where: the newest first."""
    outcome = Outcome.REFUSED if refused else None
    with operating(config, "ppc-audit") as operator:
        audit = Audit(operator.services.database)
        left, before = limit, None
        while left:
            question = AuditQuestion(author, project, action, outcome, before, min(left, _PAGE))
            found = audit.entries(question)
            for entry in found:
                # ASCII escapes in both forms: nothing in an entry may steer a terminal or begin a line of its own.
                click.echo(json.dumps(shown_entry(entry)) if as_document else _line(entry))
            if len(found) < question.limit:
                return
            left, before = left - len(found), found[-1].id


def _line(entry: AuditEntry) -> str:
    author = entry.author
    who = _plain(author.name) if author.name else "(nobody)"
    by = f" by {author.credential}" if author.credential else ""
    place = f" from {_plain(author.address)}" if author.address else ""
    what = " ".join(_plain(part) for part in (entry.project, entry.subject) if part)
    refused = " REFUSED" if entry.outcome is Outcome.REFUSED else ""
    detail = f" {json.dumps(dict(entry.detail))}" if entry.detail else ""
    return f"{entry.at:%Y-%m-%d %H:%M:%S}Z {who}{by}{place}:{refused} {entry.action} {what}{detail}"


def _plain(text: str) -> str:
    return json.dumps(text)[1:-1]
