"""The contract of :mod:`pypicloud_lite.catalog.port`: what its scopes promise, and all the parts together."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from pypicloud_lite.catalog.model import (
    FileRecord,
)
from pypicloud_lite.catalog.port import Catalog, FilenameTaken
from pypicloud_lite.testing.catalog_attachments import AttachmentsContract
from pypicloud_lite.testing.catalog_changes import ChangesContract
from pypicloud_lite.testing.catalog_curation import CurationContract
from pypicloud_lite.testing.catalog_index_lists import IndexListsContract
from pypicloud_lite.testing.catalog_questions import QuestionsContract
from pypicloud_lite.testing.catalog_releases import ReleasesContract
from pypicloud_lite.testing.catalog_restore import RestoreContract
from pypicloud_lite.testing.catalog_search import SearchContract
from pypicloud_lite.testing.catalog_uploads import UploadsContract
from pypicloud_lite.testing.catalog_values import (
    AUTHOR,
    DEMO,
    INDEX,
    CatalogFixtures,
    add,
    file_record,
)


class ScopesContract(CatalogFixtures):
    """Snapshots, transactions, and many at once."""

    def test_one_snapshot(self, catalog: Catalog) -> None:
        """A reader sees one moment, unless it asked for the newest."""
        add(catalog, file_record())
        with catalog.read() as reader, catalog.read(snapshot=False) as fresh:
            assert len(reader.files(INDEX, DEMO)) == len(fresh.files(INDEX, DEMO)) == 1
            add(catalog, file_record("demo-2.0.tar.gz"))
            project = reader.project(INDEX, DEMO)
            assert project is not None
            assert (project.file_count, len(reader.files(INDEX, DEMO))) == (1, 1)
            assert len(fresh.files(INDEX, DEMO)) == 2
        with catalog.read() as reader:
            assert len(reader.files(INDEX, DEMO)) == 2

    def test_a_writer_sees_its_own_changes(self, catalog: Catalog) -> None:
        """And nobody else does before it ends."""
        with catalog.write(AUTHOR) as writer:
            added = writer.add_file(file_record(), {}, "Demo")
            assert writer.files(INDEX, DEMO) == [added]
            with catalog.read() as reader:
                assert reader.is_empty()
        with catalog.read() as reader:
            assert reader.files(INDEX, DEMO) == [added]

    def test_probe(self, catalog: Catalog) -> None:
        """A database that answers raises nothing."""
        catalog.probe()

    def test_one_winner_of_sixteen(self, catalog: Catalog) -> None:
        """The same name at once: one gets it, fifteen are told."""
        barrier = threading.Barrier(16)

        def attempt(number: int) -> FileRecord | None:
            barrier.wait()
            try:
                return add(catalog, file_record(content=b"%d" % number))
            except FilenameTaken:
                return None

        with ThreadPoolExecutor(16) as pool:
            winners = [one for one in pool.map(attempt, range(16)) if one is not None]
        with catalog.read() as reader:
            assert reader.files(INDEX, DEMO) == winners
            project = reader.project(INDEX, DEMO)
            assert len(reader.journal()) == 1
        assert len(winners) == 1
        assert project is not None
        assert project.file_count == 1

    def test_serials_rise_and_are_unique(self, catalog: Catalog) -> None:
        """Whatever the threads do; the projects' counts are right in the end."""
        barrier = threading.Barrier(8)

        def work(number: int) -> list[int]:
            barrier.wait()
            serials = []
            for step in range(5):
                serials.append(add(catalog, file_record(f"demo-{number}.{step}.tar.gz")).serial)
                with catalog.read() as reader:
                    # Committed before this scope was entered: seen.
                    assert reader.state().serial >= serials[-1]
            return serials

        with ThreadPoolExecutor(8) as pool:
            lists = list(pool.map(work, range(8)))
        assert all(serials == sorted(serials) for serials in lists)
        assert sorted(serial for serials in lists for serial in serials) == list(range(1, 41))
        with catalog.read() as reader:
            project = reader.project(INDEX, DEMO)
            assert [one.serial for one in reader.journal()] == list(range(1, 41))
        assert project is not None
        assert (project.file_count, project.serial) == (40, 40)


class CatalogContract(
    AttachmentsContract,
    IndexListsContract,
    QuestionsContract,
    ReleasesContract,
    SearchContract,
    ChangesContract,
    CurationContract,
    RestoreContract,
    UploadsContract,
    ScopesContract,
):
    """The whole contract; a backend's tests inherit this and give the two fixtures."""
