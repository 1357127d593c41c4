"""One project as storage knows it, taken over into its rows."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from pypicloud_lite.catalog.model import FileRecord, ManifestState, ProjectRecord, Reservation
from pypicloud_lite.catalog.rows import (
    LISTED_FILES,
    SELECT_FILES,
    SELECT_PROJECTS,
    SELECT_RESERVATIONS,
    dumped,
    file_records,
    file_values,
    new_id,
    optional_text,
    project_records,
    reservation_records,
    reservation_values,
)
from pypicloud_lite.catalog.tables import file_metadata, files, projects, reservations
from pypicloud_lite.kernel.names import IndexName, ProjectName

_AT_ONCE = 500

_PROJECT = SELECT_PROJECTS.where(projects.c.index_name == bindparam("index"), projects.c.name == bindparam("name"))
_INSERT_PROJECT = insert(projects)
_UPDATE_PROJECT = (
    update(projects)
    .where(projects.c.id == bindparam("project_id"))
    .values(
        display_name=bindparam("new_display_name"),
        status=bindparam("new_status"),
        status_reason=bindparam("new_status_reason"),
        serial=bindparam("new_serial"),
        revision=bindparam("new_revision"),
    )
)
_COUNT = update(projects).where(projects.c.id.in_(bindparam("ids", expanding=True))).values(file_count=LISTED_FILES)
_ROWS = (
    SELECT_FILES.add_columns(files.c.project_id, file_metadata.c.core)
    .outerjoin(file_metadata, file_metadata.c.file_id == files.c.id)
    .where(
        files.c.index_name == bindparam("index"),
        files.c.filename.in_(bindparam("filenames", expanding=True)),
    )
)
_FILENAMES = select(files.c.filename).where(
    files.c.index_name == bindparam("index"), files.c.filename.in_(bindparam("filenames", expanding=True))
)
_INSERT_FILE = insert(files)
_INSERT_CORE = insert(file_metadata)
_UPDATE_CORE = (
    update(file_metadata).where(file_metadata.c.file_id == bindparam("id_")).values(core=bindparam("new_core"))
)
_RESERVATIONS = SELECT_RESERVATIONS.where(reservations.c.filename.in_(bindparam("filenames", expanding=True)))
_DELETE_RESERVATIONS = delete(reservations).where(
    reservations.c.index_name == bindparam("index"),
    reservations.c.filename.in_(bindparam("filenames", expanding=True)),
)
_INSERT_RESERVATION = insert(reservations)


class Recorder(Protocol):
    """What a restoration needs of the scope that it runs in."""

    def draw_serial(self, at_least: int = 0) -> int:
        """The scope's serial, above ``at_least``."""

    def record(
        self, action: str, index: IndexName, project: ProjectName, subject: str | None, detail: Mapping[str, Any]
    ) -> None:
        """Append to the journal."""


class Restoration:
    """One run over one project, inside a write scope."""

    def __init__(self, scope: Recorder, connection: Connection, project: ProjectRecord) -> None:
        self._scope = scope
        self._connection = connection
        self._given = project
        self._index = str(project.index)
        self._highest = project.serial
        self._counts = {"inserted": 0, "corrected": 0, "reserved": 0}
        self._recount: set[int] = set()

    def run(self, given: Sequence[tuple[FileRecord, Mapping[str, Any]]], reserved: Sequence[Reservation]) -> set[int]:
        """Insert what is missing and correct what differs; no statement changes what is already so.

        The ids of this project and of those that lost files to it.
        """
        self._highest = max([self._given.serial, *(record.serial for record, _core in given)])
        found = project_records(
            self._connection.execute(_PROJECT, {"index": self._index, "name": self._given.name.value})
        )
        old = found[0] if found else None
        project_id = old.id if old else self._insert_project()
        named = {record.filename.value for record, _core in given}
        self._restore_files(project_id, sorted(given, key=lambda pair: (pair[0].uploaded_at, pair[0].serial)))
        self._restore_reservations([each for each in reserved if each.filename not in named])
        changed = any(self._counts.values())
        if old is not None:
            source = self._given if self._is_current(old) else old
            changed = changed or self._says_more(source, old)
            if changed:
                self._update_project(old.id, source)
        if self._recount:
            self._connection.execute(_COUNT, {"ids": sorted(self._recount)})
        if old is None or changed:
            self._draw()
            self._scope.record(
                "restore project", self._given.index, self._given.name, None, {"new": old is None, **self._counts}
            )
        return {project_id, *self._recount}

    def _draw(self) -> int:
        return self._scope.draw_serial(self._highest)

    def _is_current(self, old: ProjectRecord) -> bool:
        """Whether what is given is not older than the row: else the project changed meanwhile."""
        return self._given.serial == 0 or self._given.serial >= old.serial

    @staticmethod
    def _says_more(given: ProjectRecord, old: ProjectRecord) -> bool:
        return given.serial > old.serial or (given.display_name, given.status, optional_text(given.status_reason)) != (
            old.display_name,
            old.status,
            old.status_reason,
        )

    def _insert_project(self) -> int:
        result = self._connection.execute(
            _INSERT_PROJECT,
            {
                "index_name": self._index,
                "name": self._given.name.value,
                "display_name": self._given.display_name,
                "serial": self._given.serial or self._draw(),
                "revision": secrets.randbits(63),
                "file_count": 0,
                "status": self._given.status.value,
                "status_reason": optional_text(self._given.status_reason),
            },
        )
        return new_id(result)

    def _update_project(self, old_id: int, source: ProjectRecord) -> None:
        self._connection.execute(
            _UPDATE_PROJECT,
            {
                "project_id": old_id,
                "new_display_name": source.display_name,
                "new_status": source.status.value,
                "new_status_reason": optional_text(source.status_reason),
                "new_serial": self._draw(),
                "new_revision": secrets.randbits(63),
            },
        )

    def _restore_files(self, project_id: int, given: Sequence[tuple[FileRecord, Mapping[str, Any]]]) -> None:
        for start in range(0, len(given), _AT_ONCE):
            batch = given[start : start + _AT_ONCE]
            rows = self._rows([record.filename.value for record, _core in batch])
            for record, core in batch:
                row = rows.get(record.filename.value)
                if row is None:
                    self._insert_file(record, core, project_id)
                else:
                    self._correct_file(record, core, project_id, row)

    def _rows(self, filenames: list[str]) -> dict[str, tuple[FileRecord, int, str | None]]:
        rows = self._connection.execute(_ROWS, {"index": self._index, "filenames": filenames}).all()
        records = file_records(row[:-2] for row in rows)
        return {record.filename.value: (record, row[-2], row[-1]) for record, row in zip(records, rows, strict=True)}

    def _insert_file(self, record: FileRecord, core: Mapping[str, Any], project_id: int) -> None:
        numbered = record if record.serial else replace(record, serial=self._draw())
        self._delete_reservations([record.filename.value])
        result = self._connection.execute(_INSERT_FILE, file_values(numbered, project_id))
        file_id = new_id(result)
        self._connection.execute(_INSERT_CORE, {"file_id": file_id, "core": dumped(core)})
        self._counts["inserted"] += 1
        self._recount.add(project_id)

    def _correct_file(
        self,
        record: FileRecord,
        core: Mapping[str, Any],
        project_id: int,
        row: tuple[FileRecord, int, str | None],
    ) -> None:
        old, old_project_id, old_core = row
        if 0 < record.serial < old.serial or old.manifest is ManifestState.REMOVING:
            return
        before = file_values(old, old_project_id)
        after = file_values(replace(record, serial=record.serial or old.serial), project_id)
        changes = {name: value for name, value in after.items() if before[name] != value}
        new_core = dumped(core)
        if new_core != old_core:
            self._set_core(old.id, new_core, missing=old_core is None)
        if changes:
            self._connection.execute(update(files).where(files.c.id == old.id).values(changes))
            self._recount.update({old_project_id, project_id} if "project_id" in changes else ())
        if changes.keys() - {"manifest"} or new_core != old_core:
            self._counts["corrected"] += 1

    def _set_core(self, file_id: int, core: str, *, missing: bool) -> None:
        if missing:
            self._connection.execute(_INSERT_CORE, {"file_id": file_id, "core": core})
        else:
            self._connection.execute(_UPDATE_CORE, {"id_": file_id, "new_core": core})

    def _restore_reservations(self, given: Sequence[Reservation]) -> None:
        for start in range(0, len(given), _AT_ONCE):
            batch = given[start : start + _AT_ONCE]
            names = [each.filename for each in batch]
            parameters = {"index": self._index, "filenames": names}
            there = set(self._connection.execute(_FILENAMES, parameters).scalars())
            known = {
                each.filename: each for each in reservation_records(self._connection.execute(_RESERVATIONS, parameters))
            }
            wanted = [
                each for each in batch if each.filename not in there and _tells_more(each, known.get(each.filename))
            ]
            if wanted:
                self._delete_reservations(each.filename for each in wanted)
                self._connection.execute(_INSERT_RESERVATION, [reservation_values(each) for each in wanted])
                self._counts["reserved"] += len(wanted)

    def _delete_reservations(self, filenames: Iterable[str]) -> None:
        self._connection.execute(_DELETE_RESERVATIONS, {"index": self._index, "filenames": list(filenames)})


def _tells_more(given: Reservation, known: Reservation | None) -> bool:
    return known is None or (given != known and given.serial >= known.serial)
