"""The catalog's questions about releases in SQL.

Of a release one file is shown, and the others are counted: by window functions, in one pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, case, func, or_, select

from pypicloud_lite.catalog.model import ManifestState, ProjectStatus, ReleaseRecord, UploadedProject
from pypicloud_lite.catalog.rows import project_name
from pypicloud_lite.catalog.tables import file_metadata, files, projects
from pypicloud_lite.db.types import storable
from pypicloud_lite.kernel.names import IndexName, ProjectName

_NO_METADATA = "{}"
_ESCAPE = "!"
_SPECIAL = re.compile(f"[{_ESCAPE}%_]")
_ASCII = re.compile(r"[\x20-\x7e]+")

_of_index = projects.c.index_name == bindparam("index")
_listed = files.c.manifest != ManifestState.REMOVING.value
_wheels_first = case((files.c.packagetype == "bdist_wheel", 0), else_=1)

_RELEASE_METADATA = select(file_metadata.c.core).where(
    file_metadata.c.file_id
    == select(files.c.id)
    .join_from(files, projects, projects.c.id == files.c.project_id)
    .join(file_metadata, file_metadata.c.file_id == files.c.id)
    .where(
        _of_index,
        projects.c.name == bindparam("name"),
        files.c.version == bindparam("version"),
        _listed,
        file_metadata.c.core != _NO_METADATA,
    )
    .order_by(_wheels_first, files.c.uploaded_at, files.c.filename)
    .limit(1)
    .correlate(None)
    .scalar_subquery()
)


def _releases(*only: ColumnElement[bool]) -> Select[Any]:
    """Each release once, by the file whose summary is shown."""
    release = (files.c.project_id, files.c.version)
    order = (case((files.c.summary.is_(None), 1), else_=0), _wheels_first, files.c.uploaded_at, files.c.filename)
    ranked = (
        select(
            files.c.id,
            func.min(files.c.uploaded_at).over(partition_by=release).label("uploaded_at"),
            func.min(case((files.c.yanked, 1), else_=0)).over(partition_by=release).label("yanked"),
            func.row_number().over(partition_by=release, order_by=order).label("place"),
        )
        .join_from(files, projects, projects.c.id == files.c.project_id)
        .where(_of_index, projects.c.status != ProjectStatus.QUARANTINED.value, _listed, *only)
        .subquery("ranked")
    )
    return (
        select(
            projects.c.name,
            projects.c.display_name,
            files.c.version,
            files.c.summary,
            ranked.c.uploaded_at,
            ranked.c.yanked,
        )
        .join_from(ranked, files, files.c.id == ranked.c.id)
        .join(projects, projects.c.id == files.c.project_id)
        .where(ranked.c.place == 1)
        .order_by(ranked.c.uploaded_at.desc(), projects.c.name, files.c.version)
    )


_NEWEST_RELEASES = _releases().limit(bindparam("count"))

_uploaded = (
    select(files.c.project_id, files.c.uploader, files.c.uploaded_at, files.c.manifest)
    .where(files.c.index_name == bindparam("index"), files.c.uploader == bindparam("uploader"))
    .order_by(files.c.uploaded_at.desc())
    .limit(bindparam("count"))
    .subquery("uploaded")
)
_last_upload = func.max(_uploaded.c.uploaded_at)
_UPLOADS = (
    select(projects.c.name, projects.c.display_name, func.count(), _last_upload)
    .join_from(_uploaded, projects, projects.c.id == _uploaded.c.project_id)
    .where(
        projects.c.status != ProjectStatus.QUARANTINED.value,
        _uploaded.c.manifest != ManifestState.REMOVING.value,
        # MariaDB takes no notice of spaces at the end.
        func.char_length(_uploaded.c.uploader) == bindparam("characters"),
    )
    .group_by(projects.c.id, projects.c.name, projects.c.display_name)
    .order_by(_last_upload.desc(), projects.c.name)
)


@lru_cache(maxsize=256)
def _releases_like(names: int, summaries: int, *, every: bool) -> Select[Any]:
    """For so many words; their number decides the statement, never what they say."""
    join = and_ if every else or_
    alternatives: list[ColumnElement[bool]] = []
    if names:
        alternatives.append(join(*_like(projects.c.name, "name", names)))
    if summaries:
        lowered = func.lower(files.c.summary)
        described = select(files.c.project_id).where(
            files.c.index_name == bindparam("index"), _listed, join(*_like(lowered, "summary", summaries))
        )
        alternatives.append(projects.c.id.in_(described.correlate(None)))
    return _releases(or_(*alternatives)) if alternatives else _releases()


def _like(column: ColumnElement[str], word: str, count: int) -> list[ColumnElement[bool]]:
    return [column.like(bindparam(f"{word}_{number}"), escape=_ESCAPE) for number in range(count)]


def _patterns(word: str, texts: Sequence[str]) -> dict[str, str]:
    longest = (max(_ASCII.findall(text), key=len, default="") for text in texts)
    return {f"{word}_{number}": f"%{_literal(text.lower())}%" for number, text in enumerate(longest)}


def _literal(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPE + match[0], text)


class SqlReleases:
    """The part of :class:`~pypicloud_lite.catalog.port.CatalogReader` that is about releases."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def release_metadata(self, index: IndexName, project: ProjectName, version: str) -> Mapping[str, Any]:
        """See the port."""
        parameters = {"index": str(index), "name": project.value, "version": version}
        core = self._connection.execute(_RELEASE_METADATA, parameters).scalar()
        return json.loads(core) if core else {}

    def newest_releases(self, index: IndexName, limit: int) -> Sequence[ReleaseRecord]:
        """See the port."""
        return _release_records(self._connection.execute(_NEWEST_RELEASES, {"index": str(index), "count": limit}))

    def releases_like(
        self, index: IndexName, names: Sequence[str], summaries: Sequence[str], *, every: bool
    ) -> Sequence[ReleaseRecord]:
        """See the port."""
        statement = _releases_like(len(names), len(summaries), every=every)
        words = {**_patterns("name", names), **_patterns("summary", summaries)}
        return _release_records(self._connection.execute(statement, {"index": str(index), **words}))

    def uploads_of(self, index: IndexName, uploader: str, limit: int) -> Sequence[UploadedProject]:
        """See the port."""
        if storable(uploader) != uploader:
            return []  # nobody of that name is in any row
        parameters = {"index": str(index), "uploader": uploader, "characters": len(uploader), "count": limit}
        rows = self._connection.execute(_UPLOADS, parameters)
        return [UploadedProject(project_name(name), shown, count, last) for name, shown, count, last in rows]


def _release_records(rows: Iterable[Sequence[Any]]) -> list[ReleaseRecord]:
    return [
        ReleaseRecord(project_name(name), display_name, version, summary, uploaded_at, bool(yanked))
        for name, display_name, version, summary, uploaded_at, yanked in rows
    ]
