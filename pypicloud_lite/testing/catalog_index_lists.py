"""The catalog's contract: the projects of several indexes, counted and found by a part of their name."""

from __future__ import annotations

from pypicloud_lite.catalog.model import ConfiguredIndex, IndexRow, ProjectStatus
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.catalog_values import AUTHOR, INDEX, OTHER, CatalogFixtures, CountQueries, add, file_record

_EMPTY = IndexName("root", "empty")


class IndexListsContract(CatalogFixtures):
    """What lists of indexes, and of what an index shows, are made of."""

    def _fill(self, catalog: Catalog) -> None:
        for index, name in ((INDEX, "acme"), (INDEX, "acme-web"), (OTHER, "acme"), (OTHER, "zebra")):
            add(catalog, file_record(f"{name.replace('-', '_')}-1.0.tar.gz", index=index), name)
        for name in ("held", "gone"):
            add(catalog, file_record(f"{name}-1.0.tar.gz", index=OTHER), name)
        with catalog.write(AUTHOR) as writer:
            writer.set_status(OTHER, ProjectName("held"), ProjectStatus.QUARANTINED, None)
            for record in writer.files(OTHER, ProjectName("gone")):
                writer.begin_removal(record)

    def test_the_projects_of_each_index_are_counted(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """Those that list a file and are not quarantined, in one query."""
        self._fill(catalog)
        with count_queries() as queries, catalog.read(snapshot=False) as reader:
            found = reader.project_counts([INDEX, _EMPTY, OTHER])
        assert found == {INDEX: 2, _EMPTY: 0, OTHER: 2}
        assert len(queries) == 1
        with catalog.read() as reader:
            assert reader.project_counts([]) == {}

    def test_projects_of_several_indexes_are_found_by_a_part_of_their_name(
        self, catalog: Catalog, count_queries: CountQueries
    ) -> None:
        """By name, then by index, in one query, however the part is spelled; no sign has a meaning."""
        self._fill(catalog)

        def found(part: str, after: str = "", limit: int = 9, *indexes: IndexName) -> list[tuple[str, str]]:
            with catalog.read(snapshot=False) as reader:
                rows = reader.projects_within(indexes or (OTHER, INDEX), part, after, limit)
            return [(one.name.value, one.index.name) for one in rows]

        both = [("acme", "main"), ("acme", "other")]
        with count_queries() as queries:
            assert found("") == [*both, ("acme-web", "main"), ("zebra", "other")]
        assert len(queries) == 1
        assert found("ME_W") == [("acme-web", "main")]
        assert found("", "acme") == [("acme-web", "main"), ("zebra", "other")]
        assert found("", limit=2) == both
        assert found("acme", "", 9, OTHER) == [("acme", "other")]
        for nothing in ("%", "a\0", "\ud800", "é", "x" * 999):
            assert found(nothing) == []
            assert found("", nothing) == ([] if nothing != "x" * 999 else [("zebra", "other")])

    def test_what_is_configured_is_remembered_until_it_is_noted_anew(
        self, catalog: Catalog, count_queries: CountQueries
    ) -> None:
        """All of it, in one query; it is no change of the catalog's."""
        one = ConfiguredIndex(INDEX, "stage", "built in", (OTHER, _EMPTY), is_default=True)
        other, new = (
            ConfiguredIndex(OTHER, "mirror", "configuration"),
            ConfiguredIndex(_EMPTY, "stage", "configuration"),
        )

        def noted() -> list[ConfiguredIndex]:
            with catalog.read(snapshot=False) as reader:
                return list(reader.configured_indexes())

        with catalog.read() as reader:
            assert reader.configured_indexes() == []
            before = reader.state()
        for indexes in ([one, other], [new, one], []):
            with catalog.write(AUTHOR) as writer:
                writer.note_configured(indexes)
            with count_queries() as queries:
                assert set(noted()) == set(indexes)
            assert len(queries) == 1
        with catalog.read() as reader:
            assert reader.state() == before

    def test_an_index_that_was_dropped_is_remembered(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """Until it is noted as cleared, or defined anew; one that was never there is not."""

        def dropped() -> list[IndexName]:
            with catalog.read(snapshot=False) as reader:
                return list(reader.dropped_indexes())

        with catalog.write(AUTHOR) as writer:
            for name in (INDEX, OTHER):
                writer.define_index(IndexRow(name, "stage", {}))
            assert not writer.drop_index(_EMPTY)
        assert dropped() == []
        with catalog.write(AUTHOR) as writer:
            assert writer.drop_index(OTHER)
            assert writer.drop_index(INDEX)
        with count_queries() as queries:
            assert set(dropped()) == {INDEX, OTHER}
        assert len(queries) == 1
        with catalog.write(AUTHOR) as writer:
            writer.note_cleared(OTHER)
            writer.note_cleared(OTHER)
        assert dropped() == [INDEX]
        with catalog.write(AUTHOR) as writer:
            writer.define_index(IndexRow(INDEX, "stage", {}))
        assert dropped() == []
