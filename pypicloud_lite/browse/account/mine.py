"""What is mine: projects and actions. What I may not read any more is not named, whatever I did there once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.grants import Rule, rules_for
from pypicloud_lite.access.model import Identity, Right, is_pattern
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import AuditEntry
from pypicloud_lite.journal.sql import AuditQuestion, entries
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import IndexName, ProjectName

_LOOKED_AT = 1000
"""Files that somebody uploaded last, and rules that name somebody: a robot may have any number of them."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MyProject:
    """A project, and why it is mine: by a rule (``owner``, ``write``), by uploads, or by both."""

    name: ProjectName
    display_name: str
    right: Right | None = None
    files: int = 0
    uploaded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MyProjects:
    """Those uploaded to last first; ``patterns`` are rules of mine for names to come; ``more`` are left out."""

    shown: Sequence[MyProject]
    more: int
    patterns: Sequence[tuple[str, Right]]


@dataclass(frozen=True, slots=True)
class MyActions:
    """A page of the journal; ``before`` begins the next one. An entry is ``hidden`` as far as it names a project."""

    entries: Sequence[tuple[AuditEntry, bool]]
    before: int | None


class Mine:
    """Asks the catalog, the rules and the journal about one user. Each costs as much for many things as for few."""

    def __init__(
        self, catalog: Catalog, directory: Directory, gate: Gate, database: Database, index: IndexName
    ) -> None:
        self._catalog = catalog
        self._directory = directory
        self._gate = gate
        self._database = database
        self._index = index

    def projects(self, identity: Identity, limit: int | None) -> MyProjects:
        """Projects that a rule gives to me, and those I uploaded to. Two queries, and another for each 500 rules."""
        rights = self._rights(identity)
        named = {ProjectName(pattern): right for pattern, right in rights.items() if not is_pattern(pattern)}
        may_read = self._gate.readable(identity)
        with self._catalog.read(snapshot=False) as reader:
            uploads = reader.uploads_of(self._index, identity.username or "", _LOOKED_AT)
            there = reader.having_files(self._index, named)
        mine = {
            one.project: MyProject(
                one.project, one.display_name, named.get(one.project), one.files, uploaded_at=one.uploaded_at
            )
            for one in uploads
        }
        for name in there - mine.keys():
            mine[name] = MyProject(name, name.value, named[name])
        found = sorted((one for one in mine.values() if may_read(one.name)), key=lambda one: one.name.value)
        found.sort(key=lambda one: one.uploaded_at or _LONG_AGO, reverse=True)
        shown = found if limit is None else found[:limit]
        patterns = sorted((pattern, right) for pattern, right in rights.items() if is_pattern(pattern))
        return MyProjects(shown, len(found) - len(shown), patterns)

    def actions(self, identity: Identity, limit: int, before: int | None) -> MyActions:
        """What the journal has of mine, the newest first; one query."""
        username = identity.username or ""
        question = AuditQuestion(author=username, before=before, limit=limit + 1)
        with self._database.read(snapshot=False) as connection:
            found = entries(connection, question)
        told = [self._told(identity, entry) for entry in found[:limit] if entry.author.name == username]
        return MyActions(told, found[limit - 1].id if len(found) > limit else None)

    def _told(self, identity: Identity, entry: AuditEntry) -> tuple[AuditEntry, bool]:
        if not entry.project or self._may_name(identity, entry.project):
            return entry, False
        return replace(entry, project="", subject=None, detail={}), True

    def _may_name(self, identity: Identity, project: str) -> bool:
        if identity.is_admin:
            return True
        try:
            name = ProjectName.parse(project)
        except InvalidName:
            return False  # a pattern, which only administrators grant
        return self._gate.readable(identity)(name)

    def _rights(self, identity: Identity) -> dict[str, Right]:
        """The strongest right that a rule gives, by project or pattern: to own by any rule, to write by my own."""
        found: dict[str, Right] = {}
        book = self._directory.grant_book()
        for rule in rules_for(book, identity.username, identity.groups):
            right = _given(rule, identity)
            if right is not None and found.get(rule.pattern) is not Right.OWNER:
                found[rule.pattern] = right
        return dict(list(found.items())[:_LOOKED_AT])


def _given(rule: Rule, identity: Identity) -> Right | None:
    own = rule.kind == "user" and rule.who == identity.username
    if Right.OWNER in rule.rights and (own or (rule.kind == "group" and rule.who in identity.groups)):
        return Right.OWNER
    return Right.WRITE if own and Right.WRITE in rule.rights else None
