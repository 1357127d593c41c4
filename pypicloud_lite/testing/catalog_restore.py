"""The catalog's contract: what a rebuild relies on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from pypicloud_lite.catalog.model import (
    FileRecord,
    ManifestState,
    ProjectStatus,
    Reservation,
)
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.testing.catalog_values import (
    AUTHOR,
    CORE,
    DEMO,
    INDEX,
    NOW,
    CatalogFixtures,
    add,
    file_record,
    project_record,
)


class RestoreContract(CatalogFixtures):
    """What a rebuild relies on."""

    def test_into_an_empty_catalog(self, catalog: Catalog) -> None:
        """Serials are kept, and the next one is above them all."""
        files = [
            (
                file_record("demo-2.tar.gz", serial=40, uploaded_at=NOW + timedelta(1), manifest=ManifestState.DONE),
                CORE,
            ),
            (file_record("demo-1.tar.gz", serial=30, manifest=ManifestState.DONE), {}),
        ]
        reserved = [Reservation(INDEX, DEMO, "demo-0.tar.gz", "ab" * 32)]
        told = project_record(display_name="Demo", serial=41, status=ProjectStatus.ARCHIVED, status_reason="old ☹")
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(told, files, reserved)
        with catalog.read() as reader:
            project = reader.project(INDEX, DEMO)
            found = reader.files(INDEX, DEMO)
            assert list(reader.reservations(INDEX, DEMO)) == reserved
            assert reader.state().serial >= 41
            assert [one.action for one in reader.journal()] == ["restore project"]
            assert reader.core_metadata(found[1].id) == CORE
        assert project is not None
        assert project == replace(told, id=project.id, revision=project.revision, file_count=2)
        assert [replace(one, id=0) for one in found] == [files[1][0], files[0][0]]
        assert add(catalog, file_record("demo-3.tar.gz")).serial > 41

    def test_twice_is_once(self, catalog: Catalog) -> None:
        """What is so already is no change."""
        files = [(file_record(serial=7), CORE)]
        told = project_record(serial=7)
        reserved = [Reservation(INDEX, DEMO, "demo-0.tar.gz", "ab" * 32)]
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(told, files, reserved)
        with catalog.read() as reader:
            before = (reader.state(), reader.project(INDEX, DEMO), reader.files(INDEX, DEMO), reader.journal())
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(told, files, reserved)
        with catalog.read() as reader:
            assert before == (
                reader.state(),
                reader.project(INDEX, DEMO),
                reader.files(INDEX, DEMO),
                reader.journal(),
            )

    def test_corrects_what_differs(self, catalog: Catalog) -> None:
        """The row becomes what storage says; rows not named stay; the project gets a new serial."""
        kept = add(catalog, file_record("demo-2.0.tar.gz"))
        wrong = add(catalog, file_record())
        right = file_record(content=b"!", serial=50, yanked=True, size=1, uploader=None, manifest=ManifestState.DONE)
        told = project_record(display_name="DEMO", serial=0, status=ProjectStatus.DEPRECATED)
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(told, [(right, {"name": "x"})], [])
        with catalog.read() as reader:
            project = reader.project(INDEX, DEMO)
            assert reader.files(INDEX, DEMO) == [kept, replace(right, id=wrong.id)]
            assert reader.core_metadata(wrong.id) == {"name": "x"}
        assert project is not None
        assert (project.display_name, project.status, project.file_count) == ("DEMO", ProjectStatus.DEPRECATED, 2)
        assert project.serial > 50

    def test_only_the_core_metadata_differs(self, catalog: Catalog) -> None:
        """That is a change too."""
        added = add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(project_record(display_name="Demo"), [(added, {"name": "x"})], [])
        with catalog.read() as reader:
            assert reader.core_metadata(added.id) == {"name": "x"}
            assert reader.state().serial == 2

    def test_leaves_what_is_newer(self, catalog: Catalog) -> None:
        """A row or project that changed after its manifest was read is not undone."""
        added = add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            newer = writer.replace_file(added, replace(added, yanked=True), CORE)
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(project_record(display_name="old", serial=1), [(added, CORE)], [])
        with catalog.read() as reader:
            project = reader.project(INDEX, DEMO)
            assert reader.files(INDEX, DEMO) == [newer]
        assert project is not None
        assert (project.display_name, project.serial) == ("Demo", 2)

    def test_without_serials_new_ones_are_drawn(self, catalog: Catalog) -> None:
        """As for files that another server wrote."""
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(project_record(), [(file_record(), {})], [])
        with catalog.read() as reader:
            project = reader.project(INDEX, DEMO)
            assert [one.serial for one in reader.files(INDEX, DEMO)] == [1]
        assert project is not None
        assert project.serial == 1

    def test_a_file_outranks_a_reservation(self, catalog: Catalog) -> None:
        """A name that is there is not reserved, and a wrong reservation is corrected."""
        add(catalog, file_record())
        names = ("demo-1.0.tar.gz", "demo-2.0.tar.gz", "demo-3.0.tar.gz")
        for digit in ("a", "b"):
            reserved = [Reservation(INDEX, DEMO, name, digit * 64) for name in names]
            with catalog.write(AUTHOR) as writer:
                writer.restore_project(project_record(), [(file_record("demo-2.0.tar.gz"), {})], reserved)
            with catalog.read() as reader:
                assert list(reader.reservations(INDEX, DEMO)) == reserved[2:]

    def test_many_files(self, catalog: Catalog) -> None:
        """More than fit into one statement."""
        files: list[tuple[FileRecord, dict[str, Any]]] = [
            (file_record(f"demo-{n}.tar.gz", serial=n), {}) for n in range(1, 1102)
        ]
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(project_record(serial=1101), files, [])
        with catalog.read() as reader:
            project = reader.project(INDEX, DEMO)
        assert project is not None
        assert project.file_count == 1101
