"""The catalog's contract: what a writer does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pypicloud_lite.catalog.model import ManifestState, ProjectStatus, Reservation
from pypicloud_lite.catalog.port import Catalog, FilenameTaken
from pypicloud_lite.journal.model import Author
from pypicloud_lite.testing.catalog_values import (
    AUTHOR,
    DEMO,
    INDEX,
    NOW,
    CatalogFixtures,
    add,
    file_record,
)


class ChangesContract(CatalogFixtures):
    """What a writer does."""

    def test_a_file_creates_its_project(self, catalog: Catalog) -> None:
        """And the newest upload's spelling is the one that is shown."""
        add(catalog, file_record(), "demo")
        with catalog.read() as reader:
            before = reader.project(INDEX, DEMO)
        add(catalog, file_record("demo-2.0.tar.gz"), "Demo")
        with catalog.read() as reader:
            after = reader.project(INDEX, DEMO)
            assert not reader.is_empty()
        assert before is not None
        assert after is not None
        assert (before.display_name, before.serial, before.file_count) == ("demo", 1, 1)
        assert (after.display_name, after.serial, after.file_count) == ("Demo", 2, 2)
        assert (after.id, after.status) == (before.id, ProjectStatus.ACTIVE)
        assert after.revision != before.revision

    def test_one_serial_for_a_scope(self, catalog: Catalog) -> None:
        """All files and projects of a scope share it."""
        with catalog.write(AUTHOR) as writer:
            one = writer.add_file(file_record(), {}, "Demo")
            two = writer.add_file(file_record("other-1.0.tar.gz"), {}, "other")
        with catalog.read() as reader:
            assert one.serial == two.serial == reader.state().serial == 1
            assert {project.serial for project in reader.projects(INDEX)} == {1}

    def test_a_scope_without_a_change_draws_nothing(self, catalog: Catalog) -> None:
        """Reading in it is no change, nor is marking a manifest."""
        added = add(catalog, file_record())
        with catalog.read() as reader:
            before = reader.state()
        with catalog.write(AUTHOR) as writer:
            assert writer.files(INDEX, DEMO) == [added]
            assert writer.mark_manifest(added, done=True)
            assert writer.replace_file(replace(added, id=added.id + 999), added, {}) is None
            assert not writer.remove_file(replace(added, id=added.id + 999))
        with catalog.read() as reader:
            assert reader.state() == before
            assert len(reader.journal()) == 1

    def test_a_name_is_taken_once(self, catalog: Catalog) -> None:
        """The second is refused and leaves nothing."""
        first = add(catalog, file_record())
        with pytest.raises(FilenameTaken, match=r"demo-1\.0\.tar\.gz"), catalog.write(AUTHOR) as writer:  # noqa: PT012  the scope is what is tested
            writer.add_file(file_record("demo-9.tar.gz"), {}, "DEMO")
            writer.add_file(file_record(content=b"!"), {}, "DEMO")
        with catalog.read() as reader:
            assert reader.files(INDEX, DEMO) == [first]
            project = reader.project(INDEX, DEMO)
            assert project is not None
            assert (project.file_count, project.display_name, reader.state().serial) == (1, "Demo", 1)
            assert len(reader.journal()) == 1

    def test_a_refusal_that_was_caught_still_rolls_back(self, catalog: Catalog) -> None:
        """On every database: some go on after such an error, some do not."""
        add(catalog, file_record())
        with pytest.raises(FilenameTaken), catalog.write(AUTHOR) as writer:  # noqa: PT012  the scope is what is tested
            writer.add_file(file_record("demo-9.tar.gz"), {}, "Demo")
            with pytest.raises(FilenameTaken):
                writer.add_file(file_record(content=b"!"), {}, "Demo")
        with catalog.read() as reader:
            assert len(reader.files(INDEX, DEMO)) == 1

    def test_an_exception_rolls_back(self, catalog: Catalog) -> None:
        """Any exception."""
        with pytest.raises(KeyboardInterrupt), catalog.write(AUTHOR) as writer:  # noqa: PT012  the scope is what is tested
            writer.add_file(file_record(), {}, "Demo")
            raise KeyboardInterrupt
        with catalog.read() as reader:
            assert reader.is_empty()
            assert reader.state().serial == 0

    def test_replace(self, catalog: Catalog) -> None:
        """A new row in the old one's place; who holds the old one has nothing any more."""
        old = add(catalog, file_record())
        new = file_record(content=b"!", yanked=True)
        with catalog.write(AUTHOR) as writer:
            added = writer.replace_file(old, new, {"name": "new"})
        assert added is not None
        assert added == replace(new, id=added.id, serial=2)
        assert added.id != old.id
        with catalog.write(AUTHOR) as writer:
            assert not writer.mark_manifest(old, done=True)
            assert not writer.remove_file(old)
            assert writer.replace_file(old, new, {}) is None
        with catalog.read() as reader:
            assert reader.files(INDEX, DEMO) == [added]
            assert reader.core_metadata(added.id) == {"name": "new"}
            assert reader.core_metadata(old.id) == {}
            project = reader.project(INDEX, DEMO)
        assert project is not None
        assert (project.file_count, project.serial) == (1, 2)

    def test_mark_manifest(self, catalog: Catalog) -> None:
        """There and back."""
        added = add(catalog, file_record())
        for done, state in ((True, ManifestState.DONE), (False, ManifestState.PENDING)):
            with catalog.write(AUTHOR) as writer:
                assert writer.mark_manifest(added, done=done)
            with catalog.read() as reader:
                assert reader.files(INDEX, DEMO) == [replace(added, manifest=state)]

    def test_mark_manifest_of_another_serial(self, catalog: Catalog) -> None:
        """Who wrote a manifest before the row changed has not told of the change."""
        added = add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            (yanked,) = writer.yank([added], None, yanked=True)
        with catalog.write(AUTHOR) as writer:
            assert not writer.mark_manifest(added, done=True)
            assert writer.mark_manifest(yanked, done=True)

    def test_remove(self, catalog: Catalog) -> None:
        """The name stays reserved, the project stays known, the metadata goes; a second time it is gone."""
        added = add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            assert writer.remove_file(added)
            assert not writer.remove_file(added)
        expected = Reservation(INDEX, DEMO, "demo-1.0.tar.gz", added.digests.sha256, serial=2)
        with catalog.read() as reader:
            assert list(reader.files(INDEX, DEMO)) == []
            assert reader.core_metadata(added.id) == {}
            assert reader.reservation(INDEX, "demo-1.0.tar.gz") == expected
            assert list(reader.reservations(INDEX, DEMO)) == [expected]
            project = reader.project(INDEX, DEMO)
        assert project is not None
        assert (project.file_count, project.serial) == (0, 2)

    def test_an_id_never_comes_back(self, catalog: Catalog) -> None:
        """A stale id must not reach another file."""
        old = add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            writer.remove_file(old)
        assert add(catalog, file_record()).id > old.id

    def test_remove_without_reserving(self, catalog: Catalog) -> None:
        """As for a file that vanished from storage."""
        added = add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            assert writer.remove_file(added, reserve=False)
        with catalog.read() as reader:
            assert reader.reservation(INDEX, "demo-1.0.tar.gz") is None

    def test_a_removal_that_began_is_never_taken_back(self, catalog: Catalog) -> None:
        """Neither by a manifest that is written meanwhile nor by a rebuild; it waits for whoever finishes it."""
        added = add(catalog, file_record())
        with catalog.read() as reader:
            before = reader.state()
        with catalog.write(AUTHOR) as writer:
            assert writer.begin_removal(added)
        removing = replace(added, manifest=ManifestState.REMOVING)
        with catalog.write(AUTHOR) as writer:
            assert not writer.mark_manifest(added, done=True)
            assert not writer.mark_manifest(added, done=False)
            assert writer.begin_removal(added)
            project = writer.project(INDEX, DEMO)
            assert project is not None
            writer.restore_project(project, [(replace(added, summary="other", manifest=ManifestState.DONE), {})], [])
        with catalog.read() as reader:
            assert reader.files(INDEX, DEMO) == [removing]
            assert list(reader.pending(added.uploaded_at + timedelta(seconds=1), 10)) == [removing]
            assert reader.state().serial == before.serial + 1
            told = reader.journal(before.serial)
            after = reader.project(INDEX, DEMO)
            assert (list(reader.projects(INDEX)), list(reader.overview(INDEX))) == ([], [])
        assert after is not None
        assert (after.file_count, after.serial) == (0, before.serial + 1)
        assert [(one.author, one.action, one.subject) for one in told] == [(AUTHOR, "begin removal", "demo-1.0.tar.gz")]
        with catalog.write(AUTHOR) as writer:
            assert writer.remove_file(removing)
            assert not writer.begin_removal(added)

    def test_adding_drops_the_reservation(self, catalog: Catalog) -> None:
        """And removing makes a new one."""
        for content in (b"1", b"2"):
            added = add(catalog, file_record(content=content))
            with catalog.read() as reader:
                assert reader.reservation(INDEX, "demo-1.0.tar.gz") is None
            with catalog.write(AUTHOR) as writer:
                writer.remove_file(added)
            with catalog.read() as reader:
                assert [one.sha256 for one in reader.reservations(INDEX, DEMO)] == [added.digests.sha256]

    def test_the_journal(self, catalog: Catalog) -> None:
        """One entry for each change: who, what, when, from where."""
        added = add(catalog, file_record())
        with catalog.write(Author("bob")) as writer:
            replaced = writer.replace_file(added, file_record(content=b"!"), {})
        assert replaced is not None
        with catalog.write(Author(None)) as writer:
            writer.remove_file(replaced)
        with catalog.read() as reader:
            entries = reader.journal()
            assert reader.journal(after=2) == entries[2:]
        assert [(one.serial, one.action, one.author) for one in entries] == [
            (1, "add file", AUTHOR),
            (2, "replace file", Author("bob")),
            (3, "remove file", Author(None)),
        ]
        assert {(one.at, one.index, one.project, one.subject) for one in entries} == {
            (NOW, INDEX, DEMO, "demo-1.0.tar.gz")
        }
        assert entries[1].detail["sha256"] == replaced.digests.sha256
        assert entries[1].detail["replaced_sha256"] == added.digests.sha256

    def test_the_journal_keeps_a_serial_together(self, catalog: Catalog) -> None:
        """So that the last serial seen is where to go on."""
        add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            for number in (2, 3, 4):
                writer.add_file(file_record(f"demo-{number}.tar.gz"), {}, "Demo")
        with catalog.read() as reader:
            assert [one.serial for one in reader.journal(limit=1)] == [1]
            assert [one.serial for one in reader.journal(limit=2)] == [1, 2, 2, 2]
            assert [one.subject for one in reader.journal(1, 1)] == [f"demo-{n}.tar.gz" for n in (2, 3, 4)]
            assert list(reader.journal(2)) == []

    def test_rebuilding(self, catalog: Catalog) -> None:
        """It is part of the state, whose revision it changes; its end is remembered."""
        revisions = set()
        for since, done in ((None, None), (NOW, None), (None, NOW)):
            if since or done:
                with catalog.write(AUTHOR) as writer:
                    writer.set_rebuilding(since)
            with catalog.read() as reader:
                state = reader.state()
            assert (state.rebuilding_since, state.rebuilt_at) == (since, done)
            revisions.add(state.revision)
        assert len(revisions) == 3

    def test_unchanged_since(self, catalog: Catalog) -> None:
        """By the revision; absent is a state too."""
        with catalog.write(AUTHOR) as writer:
            assert writer.unchanged_since(INDEX, DEMO, None)
            writer.add_file(file_record(), {}, "Demo")
            assert not writer.unchanged_since(INDEX, DEMO, None)
            seen = writer.project(INDEX, DEMO)
        with catalog.write(AUTHOR) as writer:
            assert writer.unchanged_since(INDEX, DEMO, seen)
            writer.add_file(file_record("demo-2.tar.gz"), {}, "Demo")
            assert not writer.unchanged_since(INDEX, DEMO, seen)
