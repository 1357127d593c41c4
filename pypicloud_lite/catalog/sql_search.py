"""Finding projects in SQL: ranges of an index, grouped by project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    case,
    func,
    literal_column,
    select,
    union_all,
)

from pypicloud_lite.catalog.model import ReleaseRecord
from pypicloud_lite.catalog.rows import project_name
from pypicloud_lite.catalog.search_port import Related, SearchQuery, UsedBy
from pypicloud_lite.catalog.search_tables import project_search, requirements, search_terms
from pypicloud_lite.catalog.sql_releases import SqlReleases
from pypicloud_lite.catalog.tables import catalog_state, projects
from pypicloud_lite.catalog.words import Weight
from pypicloud_lite.kernel.names import IndexName, ProjectName

_LAST = "\U0010ffff"
"""Above every letter that may follow the beginning of a word."""

_LAST_IN_NAME = "~"
_AT_ONCE = 500
_ROWS = 1000

_IS_WHOLE = select(catalog_state.c.id).where(catalog_state.c.search_after.is_not(None))
_s, _t = project_search.c, search_terms.c
_terms_of_index = _t.index_name == bindparam("index")
_shown_of_index = _s.index_name == bindparam("index")
_SHOWN = select(_s.name, projects.c.display_name, _s.version, _s.summary, _s.uploaded_at, _s.yanked).join_from(
    project_search, projects, projects.c.id == _s.project_id
)
_RELEASES_SHOWN = _SHOWN.where(_shown_of_index, _s.name.in_(bindparam("names", expanding=True)))
_HAVING_FILES = select(literal_column("0").label("kind"), projects.c.name, literal_column("0").label("optional")).where(
    projects.c.index_name == bindparam("index"),
    projects.c.name.in_(bindparam("names", expanding=True)),
    projects.c.file_count > 0,
    projects.c.status != "quarantined",
)
_dependants = (
    select(
        literal_column("1").label("kind"),
        requirements.c.name,
        case((requirements.c.optional, 1), else_=0).label("optional"),
    )
    .where(
        requirements.c.index_name == bindparam("index"),
        requirements.c.required == bindparam("project"),
        requirements.c.name > bindparam("after"),
        requirements.c.name != bindparam("project"),
    )
    .order_by(requirements.c.name)
    .limit(bindparam("count"))
    .subquery()
)
_RELATED = union_all(_HAVING_FILES, select(_dependants.c.kind, _dependants.c.name, _dependants.c.optional))


def _matches(number: int, word: str, *, within: bool) -> list[Select[Any]]:
    """Where one word stands: project, which word it is, and the weight of the place."""
    which = _number(number).label("word")
    low: BindParameter[str] = bindparam(f"low_{number}")
    high: BindParameter[str] = bindparam(f"high_{number}")
    columns = (_t.name.label("name"), which, _t.weight.label("weight"))
    if len(word) == 1:
        # So many words begin with one letter that only names are looked through for it.
        in_name = _number(Weight.NAME).label("weight")
        found = [
            select(*columns).where(_terms_of_index, _t.term == low),
            select(_s.name, which, in_name).where(_shown_of_index, _s.name >= low, _s.name < high),
        ]
        return found if word.isascii() else found[:1]
    found = [select(*columns).where(_terms_of_index, _t.term >= low, _t.term < high)]
    if within and word.isascii():
        inside = _number(Weight.WITHIN_NAME).label("weight")
        found.append(select(_s.name, which, inside).where(_shown_of_index, _s.name.like(bindparam(f"like_{number}"))))
    return found


def _number(number: int) -> ColumnElement[int]:
    """Written into the statement: a parameter would have no type there."""
    return literal_column(str(int(number)), Integer)


def _ranked(query: SearchQuery) -> Select[Any]:
    """Project and rank of all that have every word."""
    matches = union_all(
        *(match for number, word in enumerate(query.words) for match in _matches(number, word, within=query.within))
    ).subquery("matches")
    name = matches.c.name
    weights: list[ColumnElement[int]] = [
        func.min(case((matches.c.word == _number(number), matches.c.weight))) for number in range(len(query.words))
    ]
    together = weights[0]
    for weight in weights[1:]:
        together = together + weight
    rank = case(
        (name == bindparam("whole"), 0),
        ((name >= bindparam("whole")) & (name < bindparam("whole_end")), 1),
        else_=together,
    ).label("rank_")
    found = select(name, rank).group_by(name)
    return found if len(weights) == 1 else found.having(*(weight.is_not(None) for weight in weights))


@lru_cache(maxsize=256)
def _page(shape: SearchQuery) -> Select[Any]:
    """A page of what is found with the total; ``shape`` stands for every query of as many and as long words."""
    ranked = _ranked(shape).subquery("ranked")
    part = (
        select(ranked.c.name, ranked.c.rank_, func.count().over().label("total"))
        .order_by(ranked.c.rank_, ranked.c.name)
        .limit(bindparam("count"))
        .offset(bindparam("skip"))
        .subquery("part")
    )
    return (
        _SHOWN.add_columns(part.c.total)
        .join_from(project_search, part, part.c.name == _s.name)
        .where(_shown_of_index)
        .order_by(part.c.rank_, part.c.name)
    )


@lru_cache(maxsize=256)
def _names(shape: SearchQuery) -> Select[Any]:
    ranked = _ranked(shape).subquery("ranked")
    return select(ranked.c.name).order_by(ranked.c.rank_, ranked.c.name)


def _shape(query: SearchQuery) -> SearchQuery:
    """The words' lengths and letters, as far as the statement depends on them: never what they say."""
    return SearchQuery(tuple(_stand_in(word) for word in query.words), query.within)


def _stand_in(word: str) -> str:
    letter = "x" if word.isascii() else "\N{LATIN SMALL LETTER O WITH STROKE}"
    return letter if len(word) == 1 else letter * 2


def _parameters(index: IndexName, query: SearchQuery) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "index": str(index),
        "whole": query.name,
        "whole_end": query.name and query.name + _LAST_IN_NAME,
    }
    for number, word in enumerate(query.words):
        last = _LAST_IN_NAME if len(word) == 1 else _LAST
        # Words are letters and digits: nothing in them is a wildcard.
        parameters |= {f"low_{number}": word, f"high_{number}": word + last, f"like_{number}": f"%{word}%"}
    return parameters


class SqlSearch(SqlReleases):
    """:class:`~pypicloud_lite.catalog.search_port.SearchReader` on one connection."""

    __slots__ = ()

    def search_is_whole(self) -> bool:
        """See the port."""
        return self._connection.execute(_IS_WHOLE).first() is None

    def search(
        self, index: IndexName, query: SearchQuery, skip: int, limit: int
    ) -> tuple[Sequence[ReleaseRecord], int]:
        """See the port."""
        if not query.words:
            return (), 0
        parameters = {**_parameters(index, query), "skip": skip, "count": limit}
        rows = self._connection.execute(_page(_shape(query)), parameters).all()
        return [_release(row[:-1]) for row in rows], rows[0].total if rows else 0

    @contextmanager
    def search_names(self, index: IndexName, query: SearchQuery) -> Iterator[Iterator[ProjectName]]:
        """See the port."""
        if not query.words:
            yield iter(())
            return
        options = {"yield_per": _ROWS}
        statement, parameters = _names(_shape(query)), _parameters(index, query)
        with self._connection.execute(statement, parameters, execution_options=options) as rows:
            yield map(project_name, rows.scalars())

    def releases_shown(self, index: IndexName, names: Iterable[ProjectName]) -> Sequence[ReleaseRecord]:
        """See the port."""
        asked = [name.value for name in names]
        rows = self._connection.execute(_RELEASES_SHOWN, {"index": str(index), "names": asked}) if asked else ()
        found = {row[0]: _release(row) for row in rows}
        return [found[name] for name in asked if name in found]

    def related(
        self, index: IndexName, project: ProjectName, names: Iterable[ProjectName], after: str, limit: int
    ) -> Related:
        """See the port."""
        asked = sorted({name.value for name in names})
        parameters = {"index": str(index), "project": project.value, "after": after, "count": limit}
        rows = self._connection.execute(_RELATED, {**parameters, "names": asked[:_AT_ONCE]}).all()
        for start in range(_AT_ONCE, len(asked), _AT_ONCE):
            more = {"index": str(index), "names": asked[start : start + _AT_ONCE]}
            rows = [*rows, *self._connection.execute(_HAVING_FILES, more)]
        here = {project_name(name) for kind, name, _ in rows if not kind}
        found = [UsedBy(project_name(name), bool(optional)) for kind, name, optional in rows if kind]
        return Related(here, sorted(found, key=lambda one: one.name))


def _release(row: Sequence[Any]) -> ReleaseRecord:
    name, display_name, version, summary, uploaded_at, yanked = row
    return ReleaseRecord(project_name(name), display_name, version, summary, uploaded_at, bool(yanked))
