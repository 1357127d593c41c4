"""The catalog's contract: what a reader answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from pypicloud_lite.catalog.model import (
    Amount,
    ManifestState,
    Origin,
    ProjectStatus,
    Reserved,
)
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.testing.catalog_values import (
    AUTHOR,
    CORE,
    DEMO,
    INDEX,
    NOW,
    OTHER,
    CatalogFixtures,
    CountQueries,
    add,
    file_record,
)


class QuestionsContract(CatalogFixtures):
    """What a reader answers."""

    def test_what_went_in_comes_out(self, catalog: Catalog) -> None:
        """Every field of a file, as it was given."""
        key = StorageKey("legacy/ключ 𝄞/demo-1.0.tar.gz")
        record = file_record(
            size=5 << 40,
            key=key,
            home=StorageKey("root/main/demo/x/demo-1.0.tar.gz"),
            uploaded_at=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))),
            uploader="ålice 𝄞",
            requires_python=">=3.8, !=3.9.1",
            summary="A demo … 𝄞",
            metadata_sha256="ab" * 32,
            signed=True,
            yanked=True,
            yanked_reason="broken ☹",
            origin=Origin.CACHE,
        )
        added = add(catalog, record)
        with catalog.read() as reader:
            found = reader.files(INDEX, DEMO)
            assert found == [added] == [reader.file(INDEX, "demo-1.0.tar.gz")]
            assert reader.core_metadata(added.id) == CORE
        assert added == replace(record, id=added.id, serial=1)
        assert added.id > 0
        assert found[0].uploaded_at.isoformat() == "1970-01-01T00:00:00.000456+00:00"

    def test_text_that_no_database_takes_whole(self, catalog: Catalog) -> None:
        """NUL and half surrogate pairs are replaced, the same everywhere."""
        add(catalog, file_record(summary="a\0b", yanked_reason="\udc80", requires_python="\ud83d"))
        with catalog.read() as reader:
            (found,) = reader.files(INDEX, DEMO)
        assert found.summary == "a\N{REPLACEMENT CHARACTER}b"
        assert found.yanked_reason == found.requires_python == "?"

    def test_long_texts_are_whole(self, catalog: Catalog) -> None:
        """Longer than a TEXT of MariaDB."""
        core = {"description": "é" * 300_000}
        with catalog.write(AUTHOR) as writer:
            added = writer.add_file(file_record(summary="s" * 70_000), core, "Demo")
        with catalog.read() as reader:
            assert reader.core_metadata(added.id) == core
            assert reader.files(INDEX, DEMO)[0].summary == "s" * 70_000

    def test_projects_by_a_part_of_their_name(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """In order, with those that have no file, none of another index; one query, and no sign has a meaning."""
        for filename in ("acme_b-1.0.tar.gz", "acme_a-1.0.tar.gz", "zeta-1.0.tar.gz"):
            add(catalog, file_record(filename))
        add(catalog, file_record("acme_c-1.0.tar.gz", index=OTHER))
        with catalog.write(AUTHOR) as writer:
            gone = writer.file(INDEX, "acme_a-1.0.tar.gz")
            assert gone is not None
            writer.remove_file(gone)
        with catalog.read(snapshot=False) as reader, count_queries() as queries:
            found = reader.projects_named(INDEX, "CME_", "", 10)
        assert [(one.name.value, one.file_count) for one in found] == [("acme-a", 0), ("acme-b", 1)]
        assert len(queries) == 1
        with catalog.read() as reader:
            assert [one.name.value for one in reader.projects_named(INDEX, "", "acme-a", 1)] == ["acme-b"]
            assert [one.name.value for one in reader.projects_named(INDEX, "", "acme-b", 9)] == ["zeta"]
            for part in ("%", "a%", "é", "\0", "\N{KELVIN SIGN}", "nothing"):
                assert reader.projects_named(INDEX, part, "", 9) == []
            assert reader.projects_named(INDEX, "", "\0", 9) == []

    def test_the_room_that_files_take(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """Of all by origin, of the largest projects; not of another index, nor of what is being removed. One query."""
        add(catalog, file_record("big-1.0.tar.gz", size=5 << 40))
        add(catalog, file_record("big-2.0.tar.gz", size=7, origin=Origin.CACHE))
        add(catalog, file_record("mid-1.0.tar.gz", size=100, origin=Origin.IMPORT))
        add(catalog, file_record("low-1.0.tar.gz", size=0))
        add(catalog, file_record("big-3.0.tar.gz", index=OTHER))
        gone = add(catalog, file_record("gone-1.0.tar.gz", size=50))
        with catalog.write(AUTHOR) as writer:
            writer.begin_removal(gone)
        with catalog.read(snapshot=False) as reader, count_queries() as queries:
            space = reader.space(INDEX, 0, 2)
        assert len(queries) == 1
        assert space.whole == Amount(4, (5 << 40) + 107)
        assert space.by_origin == {
            Origin.UPLOAD: Amount(2, 5 << 40),
            Origin.IMPORT: Amount(1, 100),
            Origin.CACHE: Amount(1, 7),
        }
        assert space.projects == 3
        assert [(one.name.value, one.whole, one.cached) for one in space.largest] == [
            ("big", Amount(2, (5 << 40) + 7), Amount(1, 7)),
            ("mid", Amount(1, 100), Amount()),
        ]
        with catalog.read() as reader:
            rest = reader.space(INDEX, 2, 2)
            assert [one.name.value for one in rest.largest] == ["low"]
            assert rest.whole == space.whole
            assert reader.space(INDEX, 3, 2).whole == Amount()

    def test_reserved_names_are_counted(self, catalog: Catalog) -> None:
        """Deleted filenames, and projects that have no file any more."""
        for filename in ("demo-1.0.tar.gz", "demo-2.0.tar.gz", "left-1.0.tar.gz", "left-2.0.tar.gz"):
            added = add(catalog, file_record(filename))
            if filename != "left-2.0.tar.gz":
                with catalog.write(AUTHOR) as writer:
                    writer.remove_file(added)
        with catalog.read() as reader:
            assert reader.reserved(INDEX) == Reserved(3, 1)
            assert reader.reserved(OTHER) == Reserved(0, 0)

    def test_nothing_there(self, catalog: Catalog) -> None:
        """Each question has an empty answer."""
        with catalog.read() as reader:
            assert reader.is_empty()
            assert reader.project(INDEX, DEMO) is None
            assert not list(reader.projects(INDEX))
            assert not list(reader.files(INDEX, DEMO))
            assert reader.file(INDEX, "demo-1.0.tar.gz") is None
            assert reader.core_metadata(99) == {}
            assert list(reader.reservations(INDEX, DEMO)) == []
            assert reader.reservation(INDEX, "demo-1.0.tar.gz") is None
            assert not list(reader.all_files(INDEX))
            assert not list(reader.pending(NOW, 9))
            assert not list(reader.journal())
            assert reader.keys_in_use([]) == reader.keys_in_use(["a", "b"]) == set()
            state = reader.state()
        assert (state.serial, state.rebuilding_since) == (0, None)

    @pytest.mark.parametrize(
        "filename", ["demo-1.0.tar.gz ", "DEMO-1.0.tar.gz", "demo-1.0.tar.gZ", "démo", "", "\0", "x" * 999, "\ud800"]
    )
    def test_filenames_compare_by_their_bytes(self, catalog: Catalog, filename: str) -> None:
        """Case and spaces count; what cannot be a filename is not found."""
        add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            writer.remove_file(writer.add_file(file_record("demo-2.0.tar.gz"), {}, "Demo"))
        with catalog.read() as reader:
            assert reader.file(INDEX, filename) is None
            assert reader.reservation(INDEX, filename.replace("1", "2")) is None

    def test_filenames_that_differ_in_case_are_two(self, catalog: Catalog) -> None:
        """As they are in storage."""
        add(catalog, file_record("demo-1.0.tar.gz"))
        add(catalog, file_record("Demo-1.0.tar.gz"))
        with catalog.read() as reader:
            assert [str(one.filename) for one in reader.files(INDEX, DEMO)] == ["demo-1.0.tar.gz", "Demo-1.0.tar.gz"]

    def test_indexes_are_apart(self, catalog: Catalog) -> None:
        """The same name in two indexes is two files, two projects."""
        first, second = add(catalog, file_record()), add(catalog, file_record(index=OTHER))
        with catalog.read() as reader:
            assert reader.files(INDEX, DEMO) == [first]
            assert reader.files(OTHER, DEMO) == [second] == list(reader.all_files(OTHER))
            assert [one.index for one in reader.projects(OTHER)] == [OTHER]

    def test_projects_with_files_by_name(self, catalog: Catalog) -> None:
        """By bytes; a project without files is known but not listed."""
        for name in ("b1", "b-c", "a", "b", "b0"):
            add(catalog, file_record(f"{name}-1.0-py3-none-any.whl".replace("b-c", "b_c")), name)
        with catalog.write(AUTHOR) as writer:
            gone = writer.file(INDEX, "b0-1.0-py3-none-any.whl")
            assert gone is not None
            writer.remove_file(gone)
        with catalog.read() as reader:
            assert [str(one.name) for one in reader.projects(INDEX)] == ["a", "b", "b-c", "b1"]
            kept = reader.project(INDEX, ProjectName("b0"))
        assert kept is not None
        assert kept.file_count == 0

    def test_files_in_the_order_they_came(self, catalog: Catalog) -> None:
        """By time; together ones as they were added."""
        late = add(catalog, file_record("demo-1.0.tar.gz", uploaded_at=NOW + timedelta(microseconds=1)))
        one, two = add(catalog, file_record("demo-3.0.tar.gz")), add(catalog, file_record("demo-2.0.tar.gz"))
        with catalog.read() as reader:
            assert reader.files(INDEX, DEMO) == [one, two, late]
            assert reader.project_with_files(INDEX, DEMO) == (reader.project(INDEX, DEMO), [one, two, late])

    def test_a_project_with_its_files_where_there_are_none(self, catalog: Catalog) -> None:
        """Unknown is nothing at all; known without files is the project alone."""
        gone = add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            writer.remove_file(gone)
        with catalog.read() as reader:
            assert reader.project_with_files(INDEX, DEMO) == (reader.project(INDEX, DEMO), [])
            assert reader.project_with_files(INDEX, ProjectName("unknown")) == (None, [])

    def test_one_query_whatever_the_size(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """A page of 1,000 files is one query, as of one."""
        first = add(catalog, file_record())
        for expected in (1, 1000):
            with count_queries() as queries, catalog.read() as reader:
                assert len(reader.files(INDEX, DEMO)) == expected
            assert len(queries) == 1
            if expected == 1:
                with catalog.write(AUTHOR) as writer:
                    for number in range(999):
                        writer.add_file(replace(file_record(f"demo-2.{number}.tar.gz"), key=first.key), {}, "Demo")
        questions: list[Callable[[Any], object]] = [
            lambda reader: reader.project(INDEX, DEMO),
            lambda reader: reader.project_with_files(INDEX, DEMO)[1],
            lambda reader: reader.projects(INDEX),
            lambda reader: reader.file(INDEX, "demo-1.0.tar.gz"),
            lambda reader: reader.journal(),
            lambda reader: reader.state(),
        ]
        for question in questions:
            with count_queries() as queries, catalog.read(snapshot=False) as reader:
                assert question(reader)
            assert len(queries) == 1

    def test_all_files_by_project(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """In batches, each file once, nothing asked for before it is needed."""
        names = [f"{project}-{n}.0.tar.gz" for n in range(701) for project in ("c", "a", "b")]
        with catalog.write(AUTHOR) as writer:
            for name in names:
                writer.add_file(file_record(name), {}, "x")
        with count_queries() as queries, catalog.read() as reader:
            walk = reader.all_files(INDEX)
            found = [next(walk)]
            assert len(queries) == 1
            found += walk
        assert len(queries) == 3
        assert Counter(str(one.filename) for one in found) == Counter(names)
        assert [str(one.project) for one in found] == ["a"] * 701 + ["b"] * 701 + ["c"] * 701

    def test_pending_oldest_first(self, catalog: Catalog) -> None:
        """Before a moment, and no more than asked for."""
        times = {"3": 30, "1": 10, "2": 20, "9": 90}
        added = {
            name: add(catalog, file_record(f"demo-{name}.tar.gz", uploaded_at=NOW + timedelta(microseconds=at)))
            for name, at in times.items()
        }
        done = add(catalog, file_record("demo-0.tar.gz", manifest=ManifestState.DONE))
        before = NOW + timedelta(microseconds=90)
        with catalog.read() as reader:
            assert reader.pending(before, 10) == [added["1"], added["2"], added["3"]]
            assert reader.pending(before, 2) == [added["1"], added["2"]]
            assert done not in reader.pending(before + timedelta(days=1), 10)

    def test_having_files(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """Of the index, listed, not quarantined; 500 names to a query."""
        add(catalog, file_record("demo-1.0.tar.gz"))
        add(catalog, file_record("gone-1.0.tar.gz"))
        add(catalog, file_record("held-1.0.tar.gz"))
        with catalog.write(AUTHOR) as writer:
            (gone,) = writer.files(INDEX, ProjectName("gone"))
            writer.begin_removal(gone)
            writer.set_status(INDEX, ProjectName("held"), ProjectStatus.QUARANTINED, None)
        asked = [ProjectName(name) for name in ("demo", "gone", "held", "none", "demo")]
        with count_queries() as queries, catalog.read(snapshot=False) as reader:
            assert reader.having_files(INDEX, asked) == {ProjectName("demo")}
            assert reader.having_files(IndexName("other", "index"), asked) == set()
            assert reader.having_files(INDEX, []) == set()
            assert len(queries) == 2
            many = [ProjectName(f"p{number}") for number in range(999)]
            assert reader.having_files(INDEX, [*many, ProjectName("demo")]) == {ProjectName("demo")}
        assert len(queries) == 4

    def test_keys_in_use(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """Keys and homes, by their bytes, 500 to a query."""
        long = "k" * 890
        add(catalog, file_record(key=StorageKey(f"{long}/a"), home=StorageKey("home/é")))
        add(catalog, file_record("demo-2.0.tar.gz", key=StorageKey("Key 1"), home=StorageKey("Key 1")))
        asked = [f"{long}/a", f"{long}/b", "home/é", "home/e", "Key 1", "key 1", "Key 1 ", "\0", "\udc80"]
        with count_queries() as queries, catalog.read() as reader:
            assert reader.keys_in_use(asked) == {f"{long}/a", "home/é", "Key 1"}
            assert len(queries) == 1
            many = iter([*(f"none/{n}" for n in range(999)), "Key 1", "Key 1"])
            assert reader.keys_in_use(many) == {"Key 1"}
        assert len(queries) == 3
