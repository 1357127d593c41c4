"""The catalog's contract: yanks, statuses, documents that are due, names that are freed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pypicloud_lite.catalog.model import FileRecord, ManifestState, ProjectOverview, ProjectStatus
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

_LATER = NOW + timedelta(seconds=1)


class CurationContract(CatalogFixtures):
    """What changes of files and projects that are there."""

    def test_yank(self, catalog: Catalog) -> None:
        """All at once under one serial, with a manifest to be written; the journal has each file."""
        one, two = self._done(catalog, "demo-1.0.tar.gz"), self._done(catalog, "demo-1.0-py3-none-any.whl")
        with catalog.read() as reader:
            before = reader.project(INDEX, DEMO)
        with catalog.write(AUTHOR) as writer:
            changed = writer.yank([one, two], "bröken", yanked=True)
        expected = [
            replace(row, yanked=True, yanked_reason="bröken", serial=3, manifest=ManifestState.PENDING)
            for row in (one, two)
        ]
        assert list(changed) == expected
        with catalog.read() as reader:
            assert reader.files(INDEX, DEMO) == expected
            after = reader.project(INDEX, DEMO)
            told = reader.journal(2)
            assert list(reader.pending(_LATER, 9)) == expected
        assert before is not None
        assert after is not None
        assert (after.serial, after.file_count) == (3, 2)
        assert after.revision != before.revision
        assert [(entry.action, entry.subject, entry.detail["reason"]) for entry in told] == [
            ("yank file", "demo-1.0.tar.gz", "bröken"),
            ("yank file", "demo-1.0-py3-none-any.whl", "bröken"),
        ]

    def test_unyank(self, catalog: Catalog) -> None:
        """The reason goes too, whatever is said with it."""
        added = add(catalog, file_record())
        with catalog.write(AUTHOR) as writer:
            (yanked,) = writer.yank([added], "why", yanked=True)
            (restored,) = writer.yank([yanked], "why", yanked=False)
        assert (restored.yanked, restored.yanked_reason) == (False, None)
        with catalog.read() as reader:
            assert reader.file(INDEX, "demo-1.0.tar.gz") == restored
            assert [entry.action for entry in reader.journal(1)] == ["yank file", "un-yank file"]

    def test_yank_changes_what_differs_and_is_there(self, catalog: Catalog) -> None:
        """The same again draws no serial; another reason is a change; what goes or is gone is none."""
        kept, going, gone = (self._done(catalog, f"demo-{n}.tar.gz") for n in (1, 2, 3))
        with catalog.write(AUTHOR) as writer:
            (yanked,) = writer.yank([kept], None, yanked=True)
            writer.begin_removal(going)
            writer.remove_file(gone)
        with catalog.write(AUTHOR) as writer:
            before = writer.state()
            assert list(writer.yank([yanked, going, gone], None, yanked=True)) == []
            assert writer.state() == before
            (other,) = writer.yank([yanked], "other", yanked=True)
        assert other.yanked_reason == "other"

    @pytest.mark.parametrize("status", ProjectStatus)
    def test_set_status(self, catalog: Catalog, status: ProjectStatus) -> None:
        """With a new serial and revision, and a document that is due; the same again changes nothing."""
        add(catalog, file_record())
        with catalog.read() as reader:
            before = reader.project(INDEX, DEMO)
        assert before is not None
        for _ in range(2):
            with catalog.write(AUTHOR) as writer:
                assert writer.set_status(INDEX, DEMO, status, "büg")
        with catalog.read() as reader:
            after = reader.project(INDEX, DEMO)
            due = reader.documents_due(_LATER, 9)
            told = reader.journal(1)
        assert after is not None
        assert (after.status, after.status_reason, after.serial) == (status, "büg", 2)
        assert after.revision != before.revision
        assert list(due) == [after]
        assert [(entry.action, entry.detail["status"], entry.detail["before"]) for entry in told] == [
            ("set status", status, "active")
        ]

    def test_set_status_of_nothing(self, catalog: Catalog) -> None:
        """There is no such project, or only in another index."""
        add(catalog, file_record(index=OTHER))
        with catalog.write(AUTHOR) as writer:
            assert not writer.set_status(INDEX, DEMO, ProjectStatus.ARCHIVED, None)

    def test_documents_due(self, catalog: Catalog) -> None:
        """After a removal as after a status; until they are marked, by the serial that they told."""
        added = add(catalog, file_record())
        with catalog.read() as reader:
            assert list(reader.documents_due(_LATER, 9)) == []
        with catalog.write(AUTHOR) as writer:
            writer.remove_file(added)
            writer.set_status(INDEX, DEMO, ProjectStatus.ARCHIVED, None)
            told = writer.project(INDEX, DEMO)
        assert told is not None
        with catalog.write(AUTHOR) as writer:
            assert list(writer.documents_due(_LATER, 9)) == [told]
            assert list(writer.documents_due(NOW, 9)) == []
            assert list(writer.documents_due(_LATER, 0)) == []
            assert not writer.mark_document(replace(told, serial=told.serial - 1))
            assert writer.mark_document(told)
            assert list(writer.documents_due(_LATER, 9)) == []

    def test_forget_project(self, catalog: Catalog) -> None:
        """With its reserved filenames; the name is nobody's again, and the journal remembers."""
        added = add(catalog, file_record())
        other = add(catalog, file_record("other-1.0.tar.gz"), "other")
        with catalog.write(AUTHOR) as writer:
            writer.remove_file(added)
            writer.remove_file(other)
            assert writer.forget_project(INDEX, DEMO)
        with catalog.write(AUTHOR) as writer:
            assert writer.project(INDEX, DEMO) is None
            assert writer.reservation(INDEX, "demo-1.0.tar.gz") is None
            assert writer.reservation(INDEX, "other-1.0.tar.gz") is not None
            assert not writer.forget_project(INDEX, DEMO)
            assert [entry.action for entry in writer.journal()][-1] == "forget project"

    def test_forget_no_project_with_files(self, catalog: Catalog) -> None:
        """Also with one that is being removed."""
        added = add(catalog, file_record())
        for begin in (False, True):
            with catalog.write(AUTHOR) as writer:
                if begin:
                    writer.begin_removal(added)
                assert not writer.forget_project(INDEX, DEMO)
        with catalog.read() as reader:
            assert reader.project(INDEX, DEMO) is not None

    def test_overview(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """One query: what the newest listed file says, and all of them, by name."""
        add(catalog, file_record("demo-2.0.tar.gz", summary="old", uploaded_at=NOW, size=5 << 40))
        add(catalog, file_record("demo-1.0.tar.gz", summary="néw", uploaded_at=NOW + timedelta(seconds=5)), "DEMO")
        newest = add(catalog, file_record("demo-3.0.tar.gz", summary="gone", uploaded_at=NOW + timedelta(seconds=9)))
        add(catalog, file_record("a-1.tar.gz", summary=None), "A")
        add(catalog, file_record("a-2.tar.gz", summary="last of the same time"), "A")
        add(catalog, file_record("b-1.tar.gz", index=OTHER), "b")
        with catalog.write(AUTHOR) as writer:
            writer.begin_removal(newest)
            writer.set_status(INDEX, DEMO, ProjectStatus.ARCHIVED, None)
        with catalog.read() as reader, count_queries() as queries:
            found = list(reader.overview(INDEX))
        assert len(queries) == 1
        assert found == [
            ProjectOverview(ProjectName("a"), "A", ProjectStatus.ACTIVE, "last of the same time", NOW, NOW, 2468),
            ProjectOverview(
                DEMO, "Demo", ProjectStatus.ARCHIVED, "néw", NOW + timedelta(seconds=5), NOW, (5 << 40) + 1234
            ),
        ]

    @staticmethod
    def _done(catalog: Catalog, filename: str) -> FileRecord:
        added = add(catalog, file_record(filename))
        with catalog.write(AUTHOR) as writer:
            writer.mark_manifest(added, done=True)
        return replace(added, manifest=ManifestState.DONE)
