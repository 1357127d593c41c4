"""The catalog's contract: what a reader says of releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from pypicloud_lite.catalog.model import ProjectStatus, ReleaseRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.catalog_values import (
    AUTHOR,
    DEMO,
    INDEX,
    NOW,
    OTHER,
    CatalogFixtures,
    CountQueries,
    add,
    file_record,
    project_record,
)

WHEEL = "demo-1.0-py3-none-any.whl"
SECOND = timedelta(seconds=1)


def named(releases: Sequence[ReleaseRecord]) -> list[str]:
    """Releases as ``name version``."""
    return [f"{one.project} {one.version}" for one in releases]


class ReleasesContract(CatalogFixtures):
    """What a reader says of releases."""

    def test_the_metadata_of_a_release(self, catalog: Catalog) -> None:
        """A wheel before what came earlier, the first of its kind, and what says something before what is empty."""
        files = [
            (file_record("demo-1.0.tar.gz"), {"name": "sdist"}),
            (file_record(WHEEL.replace("py3", "py1"), uploaded_at=NOW + SECOND), {}),
            (file_record(WHEEL.replace("py3", "py9"), uploaded_at=NOW + 2 * SECOND), {"name": "first wheel"}),
            (file_record(WHEEL.replace("py3", "py2"), uploaded_at=NOW + 3 * SECOND), {"name": "second wheel"}),
            (file_record("demo-2.0.tar.gz"), {"name": "other release"}),
            (file_record("demo-3.0.tar.gz"), {}),
        ]
        with catalog.write(AUTHOR) as writer:
            added = [writer.add_file(record, core, "Demo") for record, core in files]
        said = []
        for gone in (None, added[2], added[3], added[0]):
            with catalog.write(AUTHOR) as writer:
                if gone is not None:
                    writer.begin_removal(gone)
                said.append(writer.release_metadata(INDEX, DEMO, "1.0").get("name"))
        assert said == ["first wheel", "second wheel", "sdist", None]
        with catalog.read() as reader:
            assert reader.release_metadata(INDEX, DEMO, "2.0") == {"name": "other release"}
            for version in ("3.0", "4.0"):
                assert reader.release_metadata(INDEX, DEMO, version) == {}
            assert reader.release_metadata(OTHER, DEMO, "2.0") == {}
            assert reader.release_metadata(INDEX, ProjectName("none"), "2.0") == {}

    def test_a_release_is_what_its_files_say(self, catalog: Catalog) -> None:
        """The time of the first, the summary of a wheel, yanked when all are."""
        add(catalog, file_record("demo-1.0.tar.gz", summary="sdist", uploaded_at=NOW + SECOND, yanked=True))
        wheel = add(catalog, file_record(WHEEL, summary="wheel Ω", uploaded_at=NOW + 2 * SECOND))
        add(catalog, file_record(WHEEL.replace("py3", "py2"), uploaded_at=NOW))
        expected = ReleaseRecord(DEMO, "Demo", "1.0", "wheel Ω", NOW, yanked=False)
        with catalog.read() as reader:
            assert reader.newest_releases(INDEX, 10) == [expected] == reader.releases_like(INDEX, [], [], every=False)
        with catalog.write(AUTHOR) as writer:
            for record in writer.files(INDEX, DEMO):
                if record.yanked is False and record.id != wheel.id:
                    writer.begin_removal(record)
            writer.begin_removal(wheel)
        with catalog.read() as reader:
            assert reader.newest_releases(INDEX, 10) == [
                replace(expected, summary="sdist", uploaded_at=NOW + SECOND, yanked=True)
            ]

    def test_the_newest_releases(self, catalog: Catalog) -> None:
        """By the first file of each, of this index, as many as asked for."""
        times = {"a-1.0": 1, "b-1.0": 4, "a-2.0": 3, "c-1.0": 2, "b-0.9": 4}
        for stem, seconds in times.items():
            add(catalog, file_record(f"{stem}.tar.gz", uploaded_at=NOW + seconds * SECOND))
        # A later file of an old release does not make it new.
        add(catalog, file_record("a-1.0-py3-none-any.whl", uploaded_at=NOW + 9 * SECOND))
        add(catalog, file_record("z-1.0.tar.gz", index=OTHER, uploaded_at=NOW + 9 * SECOND))
        with catalog.read() as reader:
            assert named(reader.newest_releases(INDEX, 10)) == ["b 0.9", "b 1.0", "a 2.0", "c 1.0", "a 1.0"]
            assert named(reader.newest_releases(INDEX, 2)) == ["b 0.9", "b 1.0"]

    def test_a_quarantined_project_is_in_none_of_them(self, catalog: Catalog) -> None:
        """Its metadata is not asked for by any name but its own."""
        add(catalog, file_record(summary="a demo"))
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(project_record(serial=9, status=ProjectStatus.QUARANTINED), (), ())
        with catalog.read() as reader:
            assert reader.newest_releases(INDEX, 10) == []
            for names, summaries in (([], []), (["demo"], []), ([], ["demo"])):
                assert reader.releases_like(INDEX, names, summaries, every=False) == []

    @pytest.mark.parametrize(
        ("names", "summaries", "any_of", "each_of"),
        [
            (["web"], [], ["web-app", "web-lib"], ["web-app", "web-lib"]),
            (["web", "app"], [], ["app", "web-app", "web-lib"], ["web-app"]),
            (["WEB-"], [], ["web-app", "web-lib"], ["web-app", "web-lib"]),
            ([], ["fast"], ["app", "web-lib"], ["app", "web-lib"]),
            ([], ["FAST", "100%"], ["app", "web-lib"], ["app"]),
            (["lib"], ["tools"], ["web-app", "web-lib"], ["web-app", "web-lib"]),
            ([], ["%"], ["app"], ["app"]),
            ([], ["_"], ["web-app"], ["web-app"]),
            ([], ["!"], ["web-lib"], ["web-lib"]),
            (["%"], [], [], []),
            (["_"], [], [], []),
            ([], ["' OR 1=1 --"], [], []),
            ([], ["\\"], [], []),
            ([], ["ünd TOOLS"], ["web-app"], ["web-app"]),
            ([], [], ["app", "web-app", "web-lib"], ["app", "web-app", "web-lib"]),
        ],
    )
    def test_releases_like(
        self, catalog: Catalog, names: list[str], summaries: list[str], any_of: list[str], each_of: list[str]
    ) -> None:
        """Substrings in either case, nothing that a word says is a wildcard, and every release of what is found."""
        summaries_of = {"app": "100% fast", "web-app": "snake_case Ünd tools", "web-lib": "Fast!"}
        for name, summary in summaries_of.items():
            add(catalog, file_record(f"{name.replace('-', '_')}-1.0-py3-none-any.whl", summary="other"))
            newer = file_record(f"{name.replace('-', '_')}-2.0-py3-none-any.whl", uploaded_at=NOW + SECOND)
            add(catalog, replace(newer, summary=summary))
        add(catalog, file_record("web_app-1.0-py3-none-any.whl", index=OTHER, summary="100% fast!"))
        with catalog.read() as reader:
            for every, expected in ((False, any_of), (True, each_of)):
                found = named(reader.releases_like(INDEX, names, summaries, every=every))
                assert sorted(found) == [f"{name} {version}" for name in expected for version in ("1.0", "2.0")]
                assert [text[-3:] for text in found] == sorted((text[-3:] for text in found), reverse=True)

    def test_a_word_in_other_letters_may_find_too_much_and_never_too_little(self, catalog: Catalog) -> None:
        """The case of letters beyond ASCII is the caller's to compare."""
        add(catalog, file_record(summary="ÜBERSICHT der Pakete"))
        with catalog.read() as reader:
            for word in ("übersicht", "ÜBERSICHT DER", "ü", "é", "𝄞"):
                assert named(reader.releases_like(INDEX, [], [word], every=False)) == ["demo 1.0"]
            assert reader.releases_like(INDEX, [], ["übersichten"], every=False) == []

    def test_one_query_each_whatever_the_size(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """Of an index with 600 files as of one with a single file."""
        for start, stop in ((0, 1), (1, 300)):
            with catalog.write(AUTHOR) as writer:
                for number in range(start, stop):
                    for name in ("demo", f"p{number}"):
                        record = file_record(f"{name}-{number}.0.tar.gz", summary=f"number {number}")
                        writer.add_file(record, {}, name)
            with count_queries() as queries, catalog.read(snapshot=False) as reader:
                assert len(reader.newest_releases(INDEX, 1000)) == 2 * stop
                assert len(reader.releases_like(INDEX, ["demo"], ["umbe"], every=False)) == 2 * stop
                reader.release_metadata(INDEX, DEMO, "0.0")
            assert len(queries) == 3
