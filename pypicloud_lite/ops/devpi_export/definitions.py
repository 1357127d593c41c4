"""The indexes of an export: made where they are not there yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pypicloud_lite.access.model import Identity
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.options import Kind, read_kind, read_options
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    Conflict,
    InvalidName,
    InvalidRequest,
    NotFound,
    PermissionDenied,
)
from pypicloud_lite.kernel.names import IndexName, shown
from pypicloud_lite.ops.devpi_export.earlier import EarlierImports
from pypicloud_lite.ops.devpi_export.earlier import Kind as Seen
from pypicloud_lite.ops.devpi_export.reading import Export, ExportedIndex
from pypicloud_lite.ops.devpi_export.renaming import Names
from pypicloud_lite.ops.devpi_export.report import ImportReport

_PEOPLE = ("acl_upload", "acl_toxresult_upload")
# Options that devpi-server renamed, which it reads itself in an export of its own.
_FORMER = {"pypi_whitelist": "mirror_whitelist"}


class IndexImport:
    """One run: build, call :meth:`run` once."""

    def __init__(
        self,
        indexes: Indexes,
        registry: Registry,
        names: Names,
        identity: Identity,
        author: Author,
        report: ImportReport,
        earlier: EarlierImports,
        *,
        dry_run: bool,
    ) -> None:
        self._indexes = indexes
        self._registry = registry
        self._names = names
        self._identity = identity
        self._author = author
        self._report = report
        self._earlier = earlier
        self._dry_run = dry_run
        self._known = {one.name: one for one in registry.now()}

    def run(self, export: Export) -> Iterator[tuple[ExportedIndex, IndexDefinition]]:
        """Make each of them after its bases; those that are there, with what they were in the export."""
        made = {one.name: self._made(one) for one in _bases_first(export.indexes, self._report)}
        for index in export.indexes:
            found = made[index.name]
            if found is not None:
                yield index, found
            elif index.file_count:
                self._report.left.append(f"index {shown(index.name)}: its {index.file_count} files stay where they are")

    def _made(self, index: ExportedIndex) -> IndexDefinition | None:
        try:
            name, kind = self._names.index(index.name), read_kind(index.config.get("type"))
        except InvalidName as error:
            self._leave(index, f"{error.message}: give another name with --rename")
            return None
        except InvalidRequest:
            self._leave(index, f"there is no kind {shown(str(index.config.get('type')))} of index here")
            return None
        there = self._known.get(name)
        if there is None and self._earlier.has(Seen.INDEX, name):
            self._leave(index, "removed here after an earlier import: make it again if it is to come back")
            return None
        options = self._with_bases_that_are_there(self._options(index, kind), index)
        if there is not None:
            self._earlier.note(Seen.INDEX, [name])
            return self._compared(there, kind, options, index)
        if not self._create(name, kind, options, index):
            return None
        self._earlier.note(Seen.INDEX, [name])
        self._report.indexes += 1
        new = self._known[name] = IndexDefinition(name, kind, options)
        return new

    def _create(self, name: IndexName, kind: Kind, options: Mapping[str, Any], index: ExportedIndex) -> bool:
        if self._dry_run:
            return True
        try:
            self._indexes.create(name, kind, options, self._identity, self._author)
        except (InvalidRequest, NotFound, PermissionDenied, AuthenticationRequired, Conflict) as error:
            self._leave(index, error.message)
            return False
        return True

    def _options(self, index: ExportedIndex, kind: Kind) -> dict[str, Any]:
        """What it is told there, as ours are kept; what cannot be so is reported."""
        kept: dict[str, Any] = {}
        for key, value in index.config.items():
            # Mirrors had bases once, without effect.
            if key in {"type", "projects"} or (key == "bases" and kind is Kind.MIRROR) or value in (None, ""):
                continue
            option = _FORMER.get(key, key)
            if option != key and option in index.config:
                continue
            given = self._names.listed(value) if key in _PEOPLE and isinstance(value, list) else value
            try:
                kept.update(read_options({option: self._bases(value) if key == "bases" else given}, kind))
            except InvalidRequest as error:
                self._leave(index, f"{shown(key)} is left out: {error.message}")
        return kept

    def _bases(self, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [self._base(one) if isinstance(one, str) else one for one in value]

    def _base(self, name: str) -> str:
        try:
            return str(self._names.index(name.strip("/")))
        except InvalidName:
            return name

    def _with_bases_that_are_there(self, options: dict[str, Any], index: ExportedIndex) -> dict[str, Any]:
        bases: Sequence[str] = options.get("bases", ())
        missing = [one for one in bases if IndexName.parse(one) not in self._known]
        for one in missing:
            self._leave(index, f"base {one} is left out: there is no such index here")
        return {**options, "bases": [one for one in bases if one not in missing]} if missing else options

    def _compared(
        self, there: IndexDefinition, kind: Kind, options: Mapping[str, Any], index: ExportedIndex
    ) -> IndexDefinition | None:
        if there.kind is not kind:
            self._leave(index, f"{there.name} is a {there.kind} here already, and a {kind} in the export")
            return None
        self._report.indexes_there += 1
        differing = sorted(key for key, value in options.items() if there.get(key) != value)
        if there.source is Source.BUILT_IN:
            self._report.notes.append(f"index {there.name} is built in here: its settings stay as they are")
        elif differing:
            self._leave(index, f"it is there already, with another {', '.join(differing)}: left as it is")
        return there

    def _leave(self, index: ExportedIndex, why: str) -> None:
        self._report.left.append(f"index {shown(index.name)}: {why}")


def _bases_first(indexes: Sequence[ExportedIndex], report: ImportReport) -> Iterator[ExportedIndex]:
    """In an order in which each comes after its bases; where they lead in a circle, it is cut in one place."""
    waiting = {one.name: one for one in indexes}
    while waiting:
        ready = [one for one in waiting.values() if waiting.keys().isdisjoint(_bases_of(one))]
        for one in ready:
            del waiting[one.name]
            yield one
        if not ready:
            name, base = _closing(waiting)
            report.left.append(f"index {shown(name)}: base {base} is left out: it shows {name} itself")
            rest = [one for one in _bases_of(waiting[name]) if one != base]
            waiting[name] = replace(waiting[name], config={**waiting[name].config, "bases": rest})


def _closing(waiting: Mapping[str, ExportedIndex]) -> tuple[str, str]:
    """An index and a base of it that together close a circle; every one of them stands on another."""
    path = [next(iter(waiting))]
    while True:
        base = next(one for one in _bases_of(waiting[path[-1]]) if one in waiting)
        if base in path:
            return path[-1], base
        path.append(base)


def _bases_of(index: ExportedIndex) -> list[str]:
    bases = index.config.get("bases")
    found = bases if isinstance(bases, list) else []
    return [one.strip("/") for one in found if isinstance(one, str)]
