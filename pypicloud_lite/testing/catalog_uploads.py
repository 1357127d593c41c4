"""The catalog's contract: what a reader says of somebody's uploads."""

from __future__ import annotations

from datetime import timedelta

from pypicloud_lite.catalog.model import ProjectStatus, UploadedProject
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
)

SECOND = timedelta(seconds=1)


class UploadsContract(CatalogFixtures):
    """What a reader says of somebody's uploads."""

    def test_the_projects_of_an_uploader(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """Those uploaded to last come first; nobody else's, no other index's, in one query."""
        add(catalog, file_record("demo-1.0.tar.gz", uploaded_at=NOW))
        add(catalog, file_record("demo-1.1.tar.gz", uploaded_at=NOW + 2 * SECOND))
        add(catalog, file_record("tool-1.0.tar.gz", uploaded_at=NOW + 3 * SECOND), "Tool")
        add(catalog, file_record("tool-1.1.tar.gz", uploaded_at=NOW + 9 * SECOND, uploader="bob"), "Tool")
        add(catalog, file_record("elsewhere-1.0.tar.gz", index=OTHER))
        add(catalog, file_record("nobodys-1.0.tar.gz", uploader=None))
        with count_queries() as queries, catalog.read(snapshot=False) as reader:
            found = reader.uploads_of(INDEX, "alice", 100)
        assert len(queries) == 1
        assert found == [
            UploadedProject(ProjectName("tool"), "Tool", 1, NOW + 3 * SECOND),
            UploadedProject(DEMO, "Demo", 2, NOW + 2 * SECOND),
        ]
        with catalog.read() as reader:
            assert [one.files for one in reader.uploads_of(INDEX, "alice", 2)] == [1, 1]
            for nobody in ("Alice", "alice ", "alic", "", "a\0", "\ud800", "x" * 999):
                assert list(reader.uploads_of(INDEX, nobody, 100)) == []

    def test_names_of_any_letters_and_a_space_at_the_end(self, catalog: Catalog) -> None:
        """They are compared whole, on MariaDB too."""
        for name, uploader in (("one", "ålice 𝄞"), ("two", "ålice 𝄞 ")):
            add(catalog, file_record(f"{name}-1.0.tar.gz", uploader=uploader), name)
        with catalog.read() as reader:
            for name, uploader in (("one", "ålice 𝄞"), ("two", "ålice 𝄞 ")):
                assert [str(one.project) for one in reader.uploads_of(INDEX, uploader, 9)] == [name]

    def test_what_is_removed_or_in_quarantine_is_not_told(self, catalog: Catalog) -> None:
        """As it is in no list of releases."""
        gone = add(catalog, file_record("demo-1.0.tar.gz"))
        add(catalog, file_record("bad-1.0.tar.gz"), "bad")
        with catalog.write(AUTHOR) as writer:
            writer.begin_removal(gone)
            writer.set_status(INDEX, ProjectName("bad"), ProjectStatus.QUARANTINED, None)
            assert list(writer.uploads_of(INDEX, "alice", 9)) == []
