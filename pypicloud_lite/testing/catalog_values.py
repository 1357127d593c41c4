"""What the parts of the catalog's contract share: values, and the fixtures that a backend gives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from pypicloud_lite.catalog.model import FileRecord, ProjectRecord
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey

CountQueries = Callable[[], AbstractContextManager[list[str]]]

INDEX: Final = IndexName("root", "main")
OTHER: Final = IndexName("root", "other")
DEMO: Final = ProjectName("demo")
AUTHOR: Final = Author("alice", "192.0.2.7")
NOW: Final = datetime(1970, 1, 1, 0, 0, 0, 456, tzinfo=UTC)
"""The catalog's clock: so early that serials, which never fall below the time, begin at 1."""
CORE: Final = {"metadata_version": "2.4", "name": "Demo", "version": "1.0", "description": "long\n\0 text €𝄞"}


def file_record(filename: str = "demo-1.0.tar.gz", index: IndexName = INDEX, **changes: Any) -> FileRecord:
    """A file as an upload makes it; its bytes are its name and ``content``."""
    name = Filename.parse(filename)
    content = changes.pop("content", b"")
    digests = digests_of(filename.encode() + content)
    key = StorageKey(f"{index}/{name.project}/{digests.sha256[:8]}-0123456789abcdef/{filename}")
    record = FileRecord(index, name.project, name, 1234, digests, key, key, NOW, uploader="alice")
    return replace(record, **changes)


def project_record(name: str = "demo", **changes: Any) -> ProjectRecord:
    """A project as storage tells of it."""
    record = ProjectRecord(INDEX, ProjectName.parse(name), name, serial=0, revision=0)
    return replace(record, **changes)


def add(catalog: Catalog, record: FileRecord, display_name: str = "Demo") -> FileRecord:
    """Add one file in a scope of its own."""
    with catalog.write(AUTHOR) as writer:
        return writer.add_file(record, CORE, display_name)


class CatalogFixtures:
    """What a backend's own class gives."""

    @pytest.fixture
    def catalog(self) -> Catalog:
        """An empty catalog whose clock stands at ``NOW``."""
        raise NotImplementedError

    @pytest.fixture
    def count_queries(self) -> CountQueries:
        """A scope whose list holds the queries sent in it."""
        raise NotImplementedError
