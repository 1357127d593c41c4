"""What every storage backend promises of copies; see ``pypicloud_lite.testing.storage``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from pypicloud_lite.storage.port import CHUNK, BlobNotFound, DigestMismatch, Storage
from pypicloud_lite.testing.storage import content, get, key, keys, put


class CopyContract:
    """Inherit it beside ``StorageContract``, whose fixtures it uses."""

    sees_existing: ClassVar[bool]

    @pytest.mark.parametrize("size", [0, 1, 2 * CHUNK + 1])
    def test_copy_has_the_bytes_and_outlives_its_source(self, storage: Storage, size: int) -> None:
        source, target = key("one/a/demo 1+é.whl"), key("two/b/demo 1+é.whl")
        put(storage, source, content(size))
        storage.copy(source, target, size)
        assert get(storage, target) == content(size)
        assert storage.stat(target).size == size
        assert keys(storage) == sorted([source.value, target.value])
        storage.delete(source)
        assert get(storage, target) == content(size)
        put(storage, source, b"another")
        storage.copy(target, key("three"), size)
        storage.delete(target)
        assert (get(storage, key("three")), get(storage, source)) == (content(size), b"another")
        storage.write(key("three").sibling(".metadata"), b"beside it")
        assert storage.sweep(datetime.now(UTC) + timedelta(hours=1)) == 0

    def test_copy_is_as_young_as_it_is(self, storage: Storage) -> None:
        """What was published a moment ago must not look like something left behind."""
        put(storage, key(), b"old")
        before = datetime.now(UTC) - timedelta(seconds=5)
        storage.copy(key(), key("new"), 3)
        assert storage.stat(key("new")).modified >= before

    def test_copy_of_nothing_or_of_another_size(self, storage: Storage) -> None:
        put(storage, key("there/is"), b"something")
        for absent in (key(), key("there"), key("there/is/not")):
            with pytest.raises(BlobNotFound):
                storage.copy(absent, key("new"), 9)
        for size in (0, 8, 10):
            with pytest.raises(DigestMismatch):
                storage.copy(key("there/is"), key("new"), size)
        assert keys(storage) == ["there/is"]

    def test_copy_never_replaces(self, storage: Storage) -> None:
        put(storage, key("one"), b"one")
        put(storage, key("two"), b"two")
        if self.sees_existing:
            with pytest.raises(FileExistsError):
                storage.copy(key("one"), key("two"), 3)
            assert get(storage, key("two")) == b"two"
