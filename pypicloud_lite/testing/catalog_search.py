"""The catalog's contract: what projects are found by, and who requires them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pypicloud_lite.catalog.model import FileRecord, ProjectStatus, ReleaseRecord
from pypicloud_lite.catalog.port import Catalog, FilenameTaken
from pypicloud_lite.catalog.search_port import SearchQuery, UsedBy
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.catalog_values import (
    AUTHOR,
    DEMO,
    INDEX,
    NOW,
    OTHER,
    CatalogFixtures,
    CountQueries,
    file_record,
    project_record,
)


def added(catalog: Catalog, filename: str, core: dict[str, Any] | None = None, **changes: Any) -> FileRecord:
    """A file in a scope of its own."""
    with catalog.write(AUTHOR) as writer:
        record = file_record(filename, **changes)
        return writer.add_file(record, core or {}, record.project.value.title())


def found(catalog: Catalog, text: str, *, within: bool = False) -> list[str]:
    """The names, best first; both ways of asking agree."""
    query = SearchQuery.parse(text, within=within)
    with catalog.read() as reader:
        releases, total = reader.search(INDEX, query, 0, 100)
        with reader.search_names(INDEX, query) as each:
            names = list(each)
        assert (
            [one.project for one in releases] == names == [one.project for one in reader.releases_shown(INDEX, names)]
        )
        assert total == len(names)
    return [name.value for name in names]


def shown(catalog: Catalog) -> ReleaseRecord | None:
    """What a list shows of the demo."""
    with catalog.read() as reader:
        return next(iter(reader.releases_shown(INDEX, [DEMO])), None)


def dependants(catalog: Catalog, name: str) -> Sequence[UsedBy]:
    """Who requires the project."""
    with catalog.read() as reader:
        return reader.related(INDEX, ProjectName(name), (), "", 100).dependants


class SearchContract(CatalogFixtures):
    """Finding projects by words."""

    def test_the_best_come_first(self, catalog: Catalog) -> None:
        """The name, how it begins, its words, summary, keywords, people; of equal ones by name."""
        for name, summary, core in (
            ("acme", None, {}),
            ("acme_core", None, {}),
            ("acmeology", None, {}),
            ("a_acme", None, {}),
            ("told", "About ACME", {}),
            ("keyed", None, {"keywords": ["x", "acme,y"]}),
            ("keyed_too", None, {"keywords": "acme"}),
            ("made", None, {"author_email": "Jane <acme.jane@example.org>"}),
            ("kept", None, {"maintainer": "Acme, Inc."}),
            ("lacme", None, {}),
            ("other", "nothing", {"description": "acme"}),
        ):
            added(catalog, f"{name}-1.0.tar.gz", core, summary=summary)
        added(catalog, "acme_elsewhere-1.0.tar.gz", index=OTHER)
        best = ["acme", "acme-core", "acmeology", "a-acme", "told", "keyed", "keyed-too", "kept", "made"]
        for text in ("acme", "ACME", " Acme! "):
            assert found(catalog, text) == best
        assert found(catalog, "acme", within=True) == [*best, "lacme"]
        assert found(catalog, "acme core") == found(catalog, "core_acme") == found(catalog, "acmecore") == ["acme-core"]
        assert found(catalog, "example") == []

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("übersicht", ["demo"]),
            ("ÜBER pak", ["demo"]),
            ("U\u0308BERSICHT", ["demo"]),
            ("strasse", ["demo"]),
            ("данные", ["demo"]),
            ("データ", ["demo"]),
            ("d", ["demo"]),
            ("ü", []),
            ("em", []),
            ("demo nothing", []),
            ("%", []),
            ("_", []),
            ("d%mo", []),
            ("' OR 1=1 --", []),
            ("\0\ud800", []),
            ("", []),
            ("x" * 1000, ["demo"]),
            ("demo " * 1000, ["demo"]),
        ],
    )
    def test_words_in_any_script(self, catalog: Catalog, text: str, expected: list[str]) -> None:
        """Alike in either case and however composed; what a word says is no wildcard; long ones are cut."""
        added(catalog, "demo-1.0.tar.gz", summary=f"ÜBERSICHT der Pakete, Straße; ДАННЫЕ データ {'x' * 50}\0\ud800")
        assert found(catalog, text) == expected

    def test_a_page_and_the_total(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """One query whatever the size; nothing is said of what is beyond the end."""
        with catalog.write(AUTHOR) as writer:
            for number in range(60):
                writer.add_file(file_record(f"tool{number:02}-1.0.tar.gz", summary="handy"), {}, "x")
        query = SearchQuery.parse("handy too")
        with count_queries() as queries, catalog.read(snapshot=False) as reader:
            releases, total = reader.search(INDEX, query, 40, 15)
            assert ([one.project.value for one in releases], total) == ([f"tool{n}" for n in range(40, 55)], 60)
        assert len(queries) == 1
        with catalog.read() as reader:
            assert reader.search(INDEX, query, 60, 15) == ([], 0)
            with reader.search_names(INDEX, query) as names:
                assert next(names).value == "tool00"
            assert reader.search(INDEX, query, 0, 1)[1] == 60

    def test_the_release_that_is_offered_first(self, catalog: Catalog) -> None:
        """Through every change; what it says is found, and what the others say is not."""
        first = added(catalog, "demo-1.0.tar.gz", {"keywords": "one"}, summary="first")
        assert shown(catalog) == ReleaseRecord(DEMO, "Demo", "1.0", "first", NOW, yanked=False)
        added(catalog, "demo-2.0rc1.tar.gz", summary="second")
        added(catalog, "demo-0.9.tar.gz", summary="old")
        assert (found(catalog, "first one"), found(catalog, "second"), found(catalog, "old")) == (["demo"], [], [])
        third = added(catalog, "demo-3.0.tar.gz", {"keywords": "three"}, summary="third")
        assert (found(catalog, "third three"), found(catalog, "first")) == (["demo"], [])
        added(catalog, "demo-3.0-py3-none-any.whl", {"keywords": "wheel"}, summary="wheel")
        assert (found(catalog, "wheel"), found(catalog, "third"), found(catalog, "three")) == (["demo"], [], [])
        with catalog.write(AUTHOR) as writer:
            writer.yank([one for one in writer.files(INDEX, DEMO) if one.version == "3.0"], "bad", yanked=True)
        assert (found(catalog, "first one"), found(catalog, "wheel")) == (["demo"], [])
        with catalog.write(AUTHOR) as writer:
            writer.yank([one for one in writer.files(INDEX, DEMO) if one.id == third.id], None, yanked=False)
        assert found(catalog, "wheel") == ["demo"]
        with catalog.write(AUTHOR) as writer:
            for record in writer.files(INDEX, DEMO):
                if record.version == "3.0":
                    writer.begin_removal(record)
        assert (found(catalog, "first one"), found(catalog, "wheel")) == (["demo"], [])
        with catalog.write(AUTHOR) as writer:
            writer.replace_file(first, file_record("demo-1.0.tar.gz", content=b"x", summary="replaced"), {})
        assert (found(catalog, "replaced"), found(catalog, "first"), found(catalog, "one")) == (["demo"], [], [])
        with catalog.write(AUTHOR) as writer:
            for record in writer.files(INDEX, DEMO):
                writer.remove_file(record)
        assert (shown(catalog), found(catalog, "demo")) == (None, [])
        with catalog.write(AUTHOR) as writer:
            assert writer.forget_project(INDEX, DEMO)

    def test_a_quarantined_project_is_not_found(self, catalog: Catalog) -> None:
        """Nor does it require anything; once it is free again it is found as before."""
        added(catalog, "demo-1.0.tar.gz", {"requires_dist": ["other"]}, summary="told")
        for status, names in ((ProjectStatus.QUARANTINED, []), (ProjectStatus.ARCHIVED, ["demo"])):
            with catalog.write(AUTHOR) as writer:
                writer.set_status(INDEX, DEMO, status, None)
            assert found(catalog, "told") == found(catalog, "em", within=True) == names
            assert [one.name.value for one in dependants(catalog, "other")] == names
            if not names:
                added(catalog, "demo-2.0.tar.gz", {"requires_dist": ["other"]}, summary="told again")
                assert found(catalog, "told") == []

    def test_what_came_and_went_in_one_scope(self, catalog: Catalog) -> None:
        """Leaves what was there before; a scope that fails leaves nothing."""
        added(catalog, "demo-1.0.tar.gz", summary="stays")
        with catalog.write(AUTHOR) as writer:
            writer.remove_file(writer.add_file(file_record("demo-2.0.tar.gz", summary="passes"), {}, "Demo"))
        with pytest.raises(FilenameTaken):
            self._fail(catalog)
        assert (found(catalog, "stays"), found(catalog, "passes"), found(catalog, "fails")) == (["demo"], [], [])

    @staticmethod
    def _fail(catalog: Catalog) -> None:
        with catalog.write(AUTHOR) as writer:
            for filename in ("demo-3.0.tar.gz", "demo-1.0.tar.gz"):
                writer.add_file(file_record(filename, summary="fails"), {}, "Demo")

    def test_a_rebuild_finds_the_same(self, catalog: Catalog) -> None:
        """As storage tells it."""
        record = file_record(summary="told", serial=3)
        for core, needs in (({"requires_dist": ["other"]}, [UsedBy(DEMO, optional=False)]), ({}, [])):
            with catalog.write(AUTHOR) as writer:
                writer.restore_project(project_record(serial=9), [(record, core)], ())
            assert found(catalog, "told") == ["demo"]
            assert dependants(catalog, "other") == needs
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(project_record(serial=99, status=ProjectStatus.QUARANTINED), [(record, {})], ())
        assert found(catalog, "told") == []

    def test_who_requires_a_project(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """By the release that is offered first, by any spelling, in one query with what is here."""
        for name, needs in (
            ("one", ["Demo>=1", "other"]),
            ("two", ["de.mo", "demo[x]; extra == 'y'"]),
            ("three", ["demo; extra == 'y'", "DEMO; python_version < '3'"]),
            ("old", ["demo"]),
            ("demo", ["demo[all]; extra == 'more'", "not a requirement !"]),
        ):
            added(catalog, f"{name}-1.0.tar.gz", {"requires_dist": needs})
        added(catalog, "old-2.0.tar.gz", {"requires_dist": "odd"})
        added(catalog, "elsewhere-1.0.tar.gz", {"requires_dist": ["demo"]}, index=OTHER)
        expected = [UsedBy(ProjectName(name), optional=name == "two") for name in ("one", "three", "two")]
        names = [ProjectName(name) for name in ("one", "absent", "demo")]
        with count_queries() as queries, catalog.read(snapshot=False) as reader:
            related = reader.related(INDEX, DEMO, names, "", 10)
        assert (related.here, related.dependants) == ({ProjectName("one"), DEMO}, expected)
        assert len(queries) == 1
        with catalog.read() as reader:
            assert reader.related(INDEX, DEMO, (), "one", 1).dependants == expected[1:2]
            assert reader.related(INDEX, ProjectName("none"), (), "", 10).dependants == []
            many = [*(ProjectName(f"n{number}") for number in range(600)), ProjectName("two")]
            assert reader.related(INDEX, DEMO, many, "", 10).here == {ProjectName("two")}

    def test_a_file_that_changes_nothing_costs_a_query(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """However many there are: neither of the release that is offered first, nor better."""
        added(catalog, "demo-9.0.tar.gz", summary="best")
        counts = []
        for versions in (range(1, 2), range(2, 100)):
            with catalog.write(AUTHOR) as writer:
                for number in versions:
                    writer.add_file(file_record(f"demo-1.{number}.tar.gz"), {}, "Demo")
            for filename in (f"demo-0.{versions[-1]}.tar.gz", f"demo-{9 + versions[-1]}.0.tar.gz"):
                with count_queries() as queries:
                    added(catalog, filename, summary="best")
                counts.append(len(queries))
        assert counts[:2] == counts[2:]
        with count_queries() as queries, catalog.write(AUTHOR) as writer:
            for record in writer.files(INDEX, DEMO):
                writer.begin_removal(record)
        assert sum("project_search" in one for one in queries) <= 2
        assert found(catalog, "demo") == []
