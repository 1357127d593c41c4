"""``python -m bench.searching``: what a search among 100,000 projects takes, on each database that is here.

Milliseconds of one search as the page makes it, the median of some rounds, beside those of ``SELECT 1`` on the same
connection; for a caller who may read everything, and for one from whom every hundredth project is hidden.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import insert

from bench.data import WHEN
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import ANONYMOUS, Identity
from pypicloud_lite.browse.search import ProjectSearch
from pypicloud_lite.catalog.search_tables import project_search, search_terms
from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.catalog.tables import projects
from pypicloud_lite.catalog.words import terms_of
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.databases import KINDS, DatabaseMissing, new_database, open_database

INDEX = IndexName("root", "main")
_BATCH = 1000
_COMMON = ("python", "client", "data", "library", "api", "simple", "tools", "for", "the", "and", "with", "framework")
_NAME = "acme-billing-core"
QUERIES = {
    "common word": "python",
    "two common words": "python client",
    "rare word": "quixotry",
    "two letters": "py",
    "one letter": "p",
    "name": _NAME,
    "within a name": "cme-bil",
    "nothing": "zzzzzz",
}


class HiddenFrom:
    """A gate that hides every so many projects by name; None hides none."""

    def __init__(self, one_of: int | None) -> None:
        self._one_of = one_of

    def reads_everything(self, _identity: Identity) -> bool:
        return self._one_of is None

    def readable(self, _identity: Identity) -> Callable[[ProjectName], bool]:
        one_of = self._one_of
        return lambda name: one_of is None or hash(name.value) % one_of != 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.searching", description=__doc__)
    parser.add_argument("--projects", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--databases", default=",".join(KINDS))
    options = parser.parse_args()
    for kind in options.databases.split(","):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            try:
                with new_database(kind, Path(folder)) as url:
                    database = open_database(url)
                    try:
                        _measure(kind, database, options.projects, options.rounds)
                    finally:
                        database.dispose()
            except DatabaseMissing as error:
                print(f"{kind} is left out: {error}")


def _measure(kind: str, database: Database, count: int, rounds: int) -> None:
    upgrade(database)
    began = time.perf_counter()
    rows = _fill(database, count)
    print(f"\n{kind}: {count} projects, {rows} words, filled in {time.perf_counter() - began:.0f} s")
    catalog = SqlCatalog(database, lambda: datetime.now(UTC))
    print(f"{'':18}{'found':>12}{'all ms':>10}{'some ms':>10}")
    print(f"{'SELECT 1':18}{'':12}{_median(rounds, database.probe):10.1f}")
    for name, text in QUERIES.items():
        times, found = [], ""
        for one_of in (None, 100):
            search = ProjectSearch(catalog, cast("Gate", HiddenFrom(one_of)))
            found = found or str(search.find(ANONYMOUS, INDEX, text, 1).total)
            times.append(_median(rounds, lambda search=search, text=text: search.find(ANONYMOUS, INDEX, text, 1)))
        print(f"{name:18}{found:>12}" + "".join(f"{one:10.1f}" for one in times), flush=True)


def _median(rounds: int, call: Callable[[], Any]) -> float:
    call()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _fill(database: Database, count: int) -> int:
    written, batch = 0, []
    for one in _made_up(count):
        batch.append(one)
        if len(batch) == _BATCH:
            written += _write(database, batch)
            batch = []
    written += _write(database, batch)
    with database.connect() as connection:
        connection.exec_driver_sql(
            {"sqlite": "ANALYZE", "postgresql": "VACUUM ANALYZE"}.get(database.kind, "ANALYZE TABLE search_terms")
        ).close()
    return written


def _write(database: Database, batch: list[tuple[int, str, str, str]]) -> int:
    index = str(INDEX)
    rows, shown, words = [], [], []
    for number, name, summary, author in batch:
        common = {"index_name": index, "name": name}
        state = {"serial": number, "revision": number, "file_count": 1, "status": "active"}
        rows.append({"id": number, "display_name": name, **common, **state})
        release = {"version": "1.0", "summary": summary, "uploaded_at": WHEN, "yanked": False}
        shown.append({"project_id": number, **common, **release})
        terms = terms_of(ProjectName(name), summary, {"author": author})
        words += [{**common, "term": term, "weight": int(weight)} for term, weight in terms.items()]
    with database.write() as connection:
        for table, values in ((projects, rows), (project_search, shown), (search_terms, words)):
            if values:
                connection.execute(insert(table), values)
    return len(words)


def _made_up(count: int) -> Iterator[tuple[int, str, str, str]]:
    """Names, summaries and authors as they are in large indexes: few words everywhere, most of them rare."""
    chance = random.Random(100)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = [*_COMMON, *("".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(20_000))]
    weights = [1 / (place + 5) for place in range(len(vocabulary))]
    seen = {_NAME}
    yield 1, _NAME, "Bills with quixotry", "Jane Doe"
    while len(seen) < count:
        parts = chance.choices(vocabulary, weights, k=chance.randint(1, 3))
        name = "-".join(
            [*(["py"] if chance.random() < 0.1 else []), *parts, *([str(len(seen))] if len(parts) < 3 else [])]
        )
        if name in seen:
            continue
        seen.add(name)
        summary = " ".join(chance.choices(vocabulary, weights, k=chance.randint(4, 12)))
        yield len(seen), name, summary, " ".join(chance.choices(vocabulary[2000:], k=2))


if __name__ == "__main__":
    main()
