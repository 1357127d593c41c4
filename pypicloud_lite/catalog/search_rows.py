"""Keeps what projects are found by as their files are, in the transaction of each change.

A change costs few queries and reads the files of one release, unless the release that is offered first may have
become another one.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, bindparam, case, delete, func, insert, select, update

from pypicloud_lite.catalog.model import FileRecord, ManifestState, ProjectStatus
from pypicloud_lite.catalog.rows import project_name
from pypicloud_lite.catalog.search_tables import project_search, requirements, search_terms
from pypicloud_lite.catalog.tables import catalog_state, file_metadata, files, projects
from pypicloud_lite.catalog.words import requirements_of, terms_of
from pypicloud_lite.kernel.versions import parse_version, preference

_NO_METADATA = "{}"

_listed = (files.c.project_id == bindparam("project_id_"), files.c.manifest != ManifestState.REMOVING.value)
_of_release = (*_listed, files.c.version == bindparam("version_"))
_wheels_first = (case((files.c.packagetype == "bdist_wheel", 0), else_=1), files.c.uploaded_at, files.c.filename)

_PROJECT = select(projects.c.index_name, projects.c.name, projects.c.status).where(
    projects.c.id == bindparam("project_id_")
)
_SHOWN = select(
    project_search.c.version, project_search.c.summary, project_search.c.uploaded_at, project_search.c.yanked
).where(project_search.c.project_id == bindparam("project_id_"))
_VERSIONS = (
    select(files.c.version, func.min(case((files.c.yanked, 1), else_=0))).where(*_listed).group_by(files.c.version)
)
_RELEASE = select(files.c.summary, files.c.uploaded_at, files.c.yanked).where(*_of_release).order_by(*_wheels_first)
_CORE = (
    select(file_metadata.c.core)
    .join_from(files, file_metadata, file_metadata.c.file_id == files.c.id)
    .where(*_of_release, file_metadata.c.core != _NO_METADATA)
    .order_by(*_wheels_first)
    .limit(1)
)
_INSERT = insert(project_search)
_UPDATE = update(project_search).where(project_search.c.project_id == bindparam("project_id_"))
_DELETE = delete(project_search).where(project_search.c.project_id == bindparam("project_id_"))
_TO_FILL = select(catalog_state.c.search_after)
_FILLED = update(catalog_state).values(search_after=bindparam("last"))
_NEXT_PROJECTS = (
    select(projects.c.id).where(projects.c.id > bindparam("after")).order_by(projects.c.id).limit(bindparam("count"))
)


class SearchRows:
    """Within a write scope, whose lock keeps others from changing the same project.

    Changes are noted, and looked at once for each project when the scope ends: deleting ten thousand files is no
    more work than deleting one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # What came and what went of each project, version by version; None for what may be anything.
        self._came: dict[int, dict[str, FileRecord]] = {}
        self._lost: dict[int, set[str | None]] = {}

    def file_came(self, project_id: int, record: FileRecord) -> None:
        """A file is there that was not, or is not yanked any more."""
        known = self._came.setdefault(project_id, {})
        if record.version not in known or not record.yanked:
            known[record.version] = record

    def file_went(self, project_id: int, version: str | None) -> None:
        """A file of that version went or was yanked; None: anything may have changed."""
        self._lost.setdefault(project_id, set()).add(version)

    def project_goes(self, project_id: int) -> None:
        """The project's own row is about to be deleted."""
        self._came.pop(project_id, None)
        self._lost.pop(project_id, None)
        self._hide(project_id)

    def settle(self) -> None:
        """Before the commit."""
        for project_id in sorted(self._came.keys() | self._lost.keys()):
            shown = self._shown(project_id)
            came, lost = self._came.get(project_id, {}), self._lost.get(project_id, set())
            if shown is None or not lost.isdisjoint({None, shown["version"], *came}):
                self._refresh(project_id, shown)
            else:
                self._prefer(project_id, shown, came)
        self._came.clear()
        self._lost.clear()

    def _prefer(self, project_id: int, shown: Mapping[str, Any], came: Mapping[str, FileRecord]) -> None:
        """Show what came, where that is the same release or a better one; what else is there need not be read."""
        order = {shown["version"]: preference(shown["version"], yanked=shown["yanked"])}
        for version, record in came.items():
            key = preference(version, yanked=record.yanked)
            order[version] = max(order.get(version, key), key)
        best = max(_in_order(order), key=order.__getitem__)
        if best in came:
            self._show(project_id, best, shown)

    def _refresh(self, project_id: int, shown: Mapping[str, Any] | None) -> None:
        """Look at every release."""
        status = self._connection.execute(_PROJECT, {"project_id_": project_id}).one().status
        quarantined = status == ProjectStatus.QUARANTINED.value
        rows = [] if quarantined else self._connection.execute(_VERSIONS, {"project_id_": project_id}).all()
        order = {version: preference(version, yanked=bool(yanked)) for version, yanked in rows}
        if order:
            self._show(project_id, max(_in_order(order), key=order.__getitem__), shown)
        else:
            self._hide(project_id)

    def fill(self, count: int) -> bool:
        """Do so many of the projects that were there before these tables; whether there may be more."""
        after = self._connection.execute(_TO_FILL).scalar()
        if after is None:
            return False
        ids = self._connection.execute(_NEXT_PROJECTS, {"after": after, "count": count}).scalars().all()
        for project_id in ids:
            self._refresh(project_id, self._shown(project_id))
        self._connection.execute(_FILLED, {"last": ids[-1] if ids else None})
        return bool(ids)

    def _shown(self, project_id: int) -> Mapping[str, Any] | None:
        row = self._connection.execute(_SHOWN, {"project_id_": project_id}).mappings().one_or_none()
        return None if row is None else dict(row)

    def _show(self, project_id: int, version: str, before: Mapping[str, Any] | None) -> None:
        release = {"project_id_": project_id, "version_": version}
        rows = self._connection.execute(_RELEASE, release).all()
        summary = next((row.summary for row in rows if row.summary is not None), None)
        now = {
            "version": version,
            "summary": summary,
            "uploaded_at": min(row.uploaded_at for row in rows),
            "yanked": all(row.yanked for row in rows),
        }
        core = json.loads(self._connection.execute(_CORE, release).scalar() or _NO_METADATA)
        index, name, _status = self._connection.execute(_PROJECT, {"project_id_": project_id}).one()
        if before is None:
            self._connection.execute(_INSERT, {"project_id": project_id, "index_name": index, "name": name, **now})
        elif before != now:
            self._connection.execute(_UPDATE.values(now), {"project_id_": project_id})
        project = project_name(name)
        needed = {required.value: optional for required, optional in requirements_of(core).items()}
        self._replace(search_terms, "term", "weight", (index, name), terms_of(project, summary, core))
        self._replace(requirements, "required", "optional", (index, name), needed)

    def _hide(self, project_id: int) -> None:
        if self._connection.execute(_DELETE, {"project_id_": project_id}).rowcount:
            index, name, _status = self._connection.execute(_PROJECT, {"project_id_": project_id}).one()
            self._replace(search_terms, "term", "weight", (index, name), {})
            self._replace(requirements, "required", "optional", (index, name), {})

    def _replace(
        self, table: Table, key: str, value: str, project: tuple[str, str], wanted: Mapping[str, Hashable]
    ) -> None:
        """Leave a project with exactly these rows; a new version rarely changes more than a few."""
        index, name = project
        mine = (table.c.index_name == index, table.c.name == name)
        rows = self._connection.execute(select(table.c[key], table.c[value]).where(*mine))
        there = {one: said for one, said in rows}  # noqa: C416  a row is no pair to the type checker
        gone = [one for one, said in there.items() if wanted.get(one) != said]
        if gone:
            self._connection.execute(delete(table).where(*mine, table.c[key].in_(gone)))
        new = [
            {"index_name": index, "name": name, key: one, value: said}
            for one, said in wanted.items()
            if there.get(one) != said
        ]
        if new:
            self._connection.execute(insert(table), new)


def _in_order(versions: Iterable[str]) -> list[str]:
    """So that of equal ones the first is chosen, as for the project's page."""
    return sorted(versions, key=lambda version: (parse_version(version), version))
