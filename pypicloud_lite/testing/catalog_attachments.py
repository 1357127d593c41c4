"""The catalog's contract: documentation and results of tests."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pypicloud_lite.catalog.model import Attachment, AttachmentKind
from pypicloud_lite.catalog.port import Catalog, FilenameTaken
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
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


def documentation(
    version: str = "1.0", index: IndexName = INDEX, content: bytes = b"zip", **changes: Any
) -> Attachment:
    """A documentation archive of ``demo``."""
    sha256, name = digests_of(content).sha256, f"demo-{version}.doc.zip"
    key = StorageKey(f"{index}/demo/+attached/{sha256[:8]}-0123456789abcdef/{name}")
    kind = AttachmentKind.DOCZIP
    return replace(
        Attachment(index, DEMO, version, kind, name, None, len(content), sha256, key, NOW, "älice"), **changes
    )


def tox_result(number: int = 0, filename: str = "demo-1.0.tar.gz", **changes: Any) -> Attachment:
    """A result of testing a file of ``demo``."""
    name = f"{filename}.toxresult-20260102030405-{number}"
    key = StorageKey(f"{INDEX}/demo/+attached/00000000-{number:016x}/{name}")
    kind = AttachmentKind.TOXRESULT
    return replace(Attachment(INDEX, DEMO, "1.0", kind, name, filename, 2, "0" * 64, key, NOW), **changes)


def attach(catalog: Catalog, attachment: Attachment) -> Attachment:
    """Add one in a scope of its own."""
    with catalog.write(AUTHOR) as writer:
        return writer.add_attachment(attachment, "Demo")


class AttachmentsContract(CatalogFixtures):
    """What is attached to projects."""

    def test_attachments_of_several_indexes(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """By time, of the indexes that are named alone, in one query."""
        here, there = attach(catalog, documentation()), attach(catalog, documentation(index=OTHER))
        with catalog.read(snapshot=False) as reader, count_queries() as queries:
            assert list(reader.attachments_of([INDEX, OTHER], DEMO)) == [here, there]
        assert len(queries) == 1
        with catalog.read() as reader:
            assert list(reader.attachments_of([OTHER], DEMO)) == [there]
            assert list(reader.attachments_of([], DEMO)) == []

    def test_attachments_come_back(self, catalog: Catalog, count_queries: CountQueries) -> None:
        """Each with all that was given, by the time; of this project and index alone, in one query."""
        add(catalog, file_record())
        late = attach(catalog, documentation(uploaded_at=NOW + timedelta(seconds=1)))
        early = attach(catalog, tox_result())
        elsewhere = attach(catalog, documentation(index=OTHER))
        assert late == replace(documentation(uploaded_at=NOW + timedelta(seconds=1)), serial=2, id=late.id)
        with catalog.read() as reader, count_queries() as queries:
            assert list(reader.attachments(INDEX, DEMO)) == [early, late]
            assert len(queries) == 1
            assert list(reader.attachments(OTHER, DEMO)) == [elsewhere]
            assert list(reader.attachments(INDEX, ProjectName("dem"))) == []
            assert list(reader.all_attachments()) == [late, early, elsewhere]

    def test_an_attachment_by_its_name(self, catalog: Catalog) -> None:
        """Exactly that one; a text that is no name finds none."""
        added = attach(catalog, tox_result())
        with catalog.read() as reader:
            assert reader.attachment(INDEX, added.filename) == added
            assert reader.attachment(OTHER, added.filename) is None
            for text in (added.filename.upper(), added.filename + " ", "", "dämo", "demo\0"):
                assert reader.attachment(INDEX, text) is None

    def test_a_project_of_documentation_alone(self, catalog: Catalog) -> None:
        """It has a name, no files, and a document to be written."""
        attach(catalog, documentation())
        with catalog.read() as reader:
            project = reader.project(INDEX, DEMO)
            assert project is not None
            assert (project.display_name, project.file_count, project.serial) == ("Demo", 0, 1)
            assert list(reader.documents_due(NOW + timedelta(seconds=1), 9)) == [project]
            assert reader.projects(INDEX) == []
        with catalog.write(AUTHOR) as writer:
            assert not writer.forget_project(INDEX, DEMO)
        row = add(catalog, file_record())
        with catalog.read() as reader:
            assert list(reader.files(INDEX, DEMO)) == [row]

    def test_each_change_is_told(self, catalog: Catalog) -> None:
        """A serial and a revision for the project, an entry in the journal."""
        add(catalog, file_record())
        revisions = set()

        def look() -> int:
            with catalog.read() as reader:
                project = reader.project(INDEX, DEMO)
                assert project is not None
                assert reader.state().serial == project.serial
                revisions.add(project.revision)
                return project.serial

        assert look() == 1
        old = attach(catalog, documentation())
        assert look() == 2
        new = documentation(content=b"newer", key=StorageKey("root/main/demo/+attached/new/x"))
        with catalog.write(AUTHOR) as writer:
            replaced = writer.replace_attachment(old, new)
        assert replaced is not None
        assert replaced == replace(new, serial=3, id=replaced.id)
        assert replaced.id != old.id
        assert look() == 3
        with catalog.write(AUTHOR) as writer:
            assert not writer.remove_attachment(old)
            assert writer.replace_attachment(old, new) is None
        assert look() == 3
        with catalog.write(AUTHOR) as writer:
            assert writer.remove_attachment(replaced)
        assert look() == 4
        assert len(revisions) == 4
        with catalog.read() as reader:
            told = reader.journal(1)
            assert list(reader.attachments(INDEX, DEMO)) == []
            assert len(reader.documents_due(NOW + timedelta(seconds=1), 9)) == 1
        assert [(entry.action, entry.subject, entry.author) for entry in told] == [
            ("add documentation", "demo-1.0.doc.zip", AUTHOR),
            ("replace documentation", "demo-1.0.doc.zip", AUTHOR),
            ("remove documentation", "demo-1.0.doc.zip", AUTHOR),
        ]
        assert told[1].detail == {"version": "1.0", "sha256": new.sha256, "size": 5, "replaced_sha256": old.sha256}

    def test_one_documentation_for_a_release(self, catalog: Catalog) -> None:
        """The constraint says so; nothing of the scope stays, even where that is caught."""
        first = attach(catalog, documentation())

        def try_two() -> None:
            with catalog.write(AUTHOR) as writer:
                writer.add_attachment(tox_result(), "Demo")
                with contextlib.suppress(FilenameTaken):
                    writer.add_attachment(documentation(content=b"other"), "Demo")

        with pytest.raises(FilenameTaken):
            try_two()
        with catalog.read() as reader:
            assert list(reader.attachments(INDEX, DEMO)) == [first]
            assert reader.state().serial == first.serial

    def test_one_winner_of_eight(self, catalog: Catalog) -> None:
        """The same name at once: one gets it, the others are told."""

        def try_to(number: int) -> bool:
            try:
                attach(catalog, documentation(content=str(number).encode()))
            except FilenameTaken:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(try_to, range(8))) == 1

    def test_their_keys_are_in_use(self, catalog: Catalog) -> None:
        """So that nobody takes the bytes for a leftover."""
        added = attach(catalog, documentation())
        with catalog.read() as reader:
            assert reader.keys_in_use([added.key.value, added.manifest_key.value]) == {added.key.value}

    def test_restoring(self, catalog: Catalog) -> None:
        """What is missing comes, the higher serial of a name wins, serials stay as they were."""
        told = [documentation(serial=70), tox_result(serial=60), tox_result(1, serial=80)]
        with catalog.write(AUTHOR) as writer:
            writer.restore_project(project_record(serial=80), [], [])
            assert writer.restore_attachments(told, to_known=False) == 3
        with catalog.read() as reader:
            assert [replace(one, id=0) for one in reader.attachments(INDEX, DEMO)] == told
            before = reader.project(INDEX, DEMO)
            assert before is not None
            assert before.serial == 80
            assert reader.state().serial > 80
        older = documentation(content=b"older", serial=69)
        newer = tox_result(size=9, serial=81)
        with catalog.write(AUTHOR) as writer:
            assert writer.restore_attachments([*told, older], to_known=True) == 0
            assert writer.restore_attachments([older, newer], to_known=True) == 1
        with catalog.read() as reader:
            found = {one.filename: replace(one, id=0) for one in reader.attachments(INDEX, DEMO)}
            after = reader.project(INDEX, DEMO)
        assert found == {one.filename: one for one in (told[0], newer, told[2])}
        assert after is not None
        assert after.serial > before.serial
        assert after.revision != before.revision
