"""What every storage backend promises: the docstrings of ``pypicloud_lite.storage.port``, as tests.

Subclass :class:`StorageContract` and give it a fixture ``storage`` (empty, prepared) and, where the backend
can be made to fail, a fixture ``break_storage``: a function after whose call nothing works any more. And subclass
``pypicloud_lite.testing.storage_copies.CopyContract``.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import unquote

import pytest

from pypicloud_lite.kernel.errors import InsufficientStorage, StorageUnavailable
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.port import CHUNK, BlobNotFound, BlobTooLarge, Span, Storage

_MIB = 1024 * 1024
_SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * _MIB)
_THREADS = 8


def content(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression or repetition can hide a mistake in; the same for the same arguments."""
    return random.Random(f"{size}-{seed}").randbytes(size)  # noqa: S311 - test data


def key(text: str = "root/main/demo/0011223344556677/demo-1.0.tar.gz") -> StorageKey:
    """A storage key."""
    return StorageKey(text)


def put(storage: Storage, where: StorageKey, data: bytes) -> None:
    """Publish bytes, in pieces."""
    with storage.spool(len(data)) as spool:
        for start in range(0, len(data), CHUNK):
            spool.write(data[start : start + CHUNK])
        storage.put(where, spool)


def get(storage: Storage, where: StorageKey, span: Span | None = None) -> bytes:
    """Fetch bytes."""
    with storage.open(where, span) as reader:
        return b"".join(reader)


def keys(storage: Storage, prefix: str = "") -> list[str]:
    """The keys listed, sorted; one named twice stays twice."""
    return sorted(blob.key.value for blob in storage.list(prefix))


class StorageContract:
    """Inherit, and provide the fixture ``storage``."""

    sees_existing: ClassVar[bool] = True
    """Whether ``put`` sees that a key exists already, even when two come at once."""

    @pytest.fixture
    def storage(self) -> Storage:
        """An empty storage, prepared."""
        raise NotImplementedError

    @pytest.fixture
    def break_storage(self) -> Callable[[], None]:
        """A function after whose call the storage does not work any more."""
        pytest.skip("this storage cannot be broken on purpose")

    # Bytes in, bytes out

    @pytest.mark.parametrize("size", _SIZES)
    def test_bytes_come_back_as_they_were_put(self, storage: Storage, size: int) -> None:
        data = content(size)
        put(storage, key(), data)
        with storage.open(key()) as reader:
            assert reader.size == size
            pieces = list(reader)
        assert b"".join(pieces) == data
        assert all(0 < len(piece) <= CHUNK for piece in pieces)

    def test_spool_counts_and_hashes_what_is_written(self, storage: Storage) -> None:
        data = content(3 * CHUNK + 7)
        with storage.spool() as spool:
            assert spool.size == 0
            assert spool.digests.sha256 == hashlib.sha256(b"").hexdigest()
            spool.write(bytearray(data[:10]))
            assert spool.digests.md5 == hashlib.md5(data[:10], usedforsecurity=False).hexdigest()
            spool.write(memoryview(data)[10:])
            assert spool.size == len(data)
            assert spool.digests.sha256 == hashlib.sha256(data).hexdigest()
            assert spool.digests.blake2b_256 == hashlib.blake2b(data, digest_size=32).hexdigest()
            storage.put(key(), spool)
            assert spool.size == len(data)
        assert get(storage, key()) == data

    def test_spool_reads_from_the_start_and_seeks(self, storage: Storage) -> None:
        data = content(2 * CHUNK + 5)
        with storage.spool() as spool:
            spool.write(data)
            reader = spool.reader()
            assert reader.seekable()
            assert reader.read(9) == data[:9]
            assert reader.tell() == 9
            assert reader.seek(-5, 2) == len(data) - 5
            assert reader.read() == data[-5:]
            assert reader.seek(0) == 0
            assert reader.read() == data
            reader.close()
            storage.put(key(), spool)
        assert get(storage, key()) == data

    def test_spool_that_is_left_or_closed_publishes_nothing(self, storage: Storage) -> None:
        with storage.spool() as spool:
            spool.write(b"abandoned")
            assert keys(storage) == []
        spool.close()
        spool.close()
        assert keys(storage) == []
        assert storage.sweep(datetime.now(UTC) + timedelta(hours=1)) == 0

    def test_put_consumes_the_spool(self, storage: Storage) -> None:
        with storage.spool() as spool:
            spool.write(b"once")
            storage.put(key(), spool)
            with pytest.raises(ValueError):
                storage.put(key("other"), spool)
            spool.close()
        assert keys(storage) == [key().value]
        assert storage.sweep(datetime.now(UTC) + timedelta(hours=1)) == 0

    def test_expected_size_beyond_the_disk_is_refused_at_once(self, storage: Storage) -> None:
        with pytest.raises(InsufficientStorage):
            storage.spool(expected_size=1 << 60)
        with storage.spool(expected_size=1) as spool:
            spool.write(b"x")
            storage.put(key(), spool)

    def test_put_never_replaces(self, storage: Storage) -> None:
        put(storage, key(), b"first")
        if self.sees_existing:
            with pytest.raises(FileExistsError):
                put(storage, key(), b"second")
            assert get(storage, key()) == b"first"
            assert keys(storage) == [key().value]

    # Small documents

    def test_write_replaces_and_read_reads(self, storage: Storage) -> None:
        storage.write(key(), b"old")
        storage.write(key(), b'{"new": true}')
        assert storage.read(key()) == b'{"new": true}'
        storage.write(key("empty"), b"")
        assert storage.read(key("empty")) == b""
        assert keys(storage) == sorted(["empty", key().value])

    def test_readers_see_the_old_or_the_new(self, storage: Storage) -> None:
        versions = [bytes([letter]) * 200_000 for letter in b"abcd"]
        storage.write(key(), versions[0])
        done = threading.Event()

        def look() -> set[bytes]:
            found = {storage.read(key())}
            while not done.is_set():
                found.add(storage.read(key()))
            return found

        with ThreadPoolExecutor(2) as pool:
            looks = [pool.submit(look) for _ in range(2)]
            try:
                for version in versions[1:]:
                    storage.write(key(), version)
            finally:
                done.set()
            seen = set[bytes]().union(*(found.result() for found in looks))
        assert seen <= set(versions)
        assert storage.read(key()) == versions[-1]

    def test_read_has_a_limit(self, storage: Storage) -> None:
        storage.write(key(), b"12345")
        assert storage.read(key(), limit=5) == b"12345"
        with pytest.raises(BlobTooLarge):
            storage.read(key(), limit=4)

    def test_siblings_lie_beside_each_other(self, storage: Storage) -> None:
        put(storage, key(), b"wheel")
        storage.write(key().sibling(".metadata"), b"metadata")
        storage.write(key().sibling(".ppc.json"), b"{}")
        assert keys(storage, key().value) == [
            key().value,
            key().value + ".metadata",
            key().value + ".ppc.json",
        ]
        storage.delete(key())
        assert storage.read(key().sibling(".metadata")) == b"metadata"

    # Spans

    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            (0, 1),
            (0, CHUNK),
            (1, CHUNK + 2),
            (CHUNK - 1, CHUNK + 1),
            (CHUNK, 2 * CHUNK + 1),
            (2 * CHUNK, 2 * CHUNK + 1),
        ],
    )
    def test_span(self, storage: Storage, start: int, stop: int) -> None:
        data = content(2 * CHUNK + 1)
        put(storage, key(), data)
        with storage.open(key(), Span(start, stop)) as reader:
            assert reader.size == len(data)
            assert b"".join(reader) == data[start:stop]

    def test_span_is_cut_at_the_end(self, storage: Storage) -> None:
        put(storage, key(), b"0123456789")
        assert get(storage, key(), Span(4, 1 << 40)) == b"456789"

    @pytest.mark.parametrize("size", [0, 10])
    def test_span_from_the_end_on_is_refused(self, storage: Storage, size: int) -> None:
        put(storage, key(), content(size))
        with pytest.raises(ValueError):
            storage.open(key(), Span(size, size + 1))
        with pytest.raises(ValueError):
            storage.open(key(), Span(size + 5, size + 6))

    def test_reader_may_be_closed_at_any_time(self, storage: Storage) -> None:
        put(storage, key(), content(4 * CHUNK))
        for consumed in range(3):
            reader = storage.open(key())
            pieces = iter(reader)
            for _ in range(consumed):
                next(pieces)
            reader.close()
            reader.close()
        assert get(storage, key()) == content(4 * CHUNK)

    # Asking and removing

    def test_absent(self, storage: Storage) -> None:
        put(storage, key("there/is"), b"something")
        for absent in (key(), key("there"), key("there/is/not"), key("there/isnt"), key("x" * 300)):
            with pytest.raises(BlobNotFound):
                storage.open(absent)
            with pytest.raises(BlobNotFound):
                storage.open(absent, Span(0, 1))
            with pytest.raises(BlobNotFound):
                storage.read(absent)
            with pytest.raises(BlobNotFound):
                storage.stat(absent)
            storage.delete(absent)
        assert keys(storage) == ["there/is"]

    def test_stat(self, storage: Storage) -> None:
        put(storage, key(), b"12345")
        info = storage.stat(key())
        assert (info.key, info.size, dict(info.attributes)) == (key(), 5, {})
        assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=5)

    def test_delete(self, storage: Storage) -> None:
        put(storage, key("a/b/one"), b"1")
        put(storage, key("a/two"), b"2")
        storage.delete(key("a/b/one"))
        storage.delete(key("a/b/one"))
        assert keys(storage) == ["a/two"]
        with pytest.raises(BlobNotFound):
            storage.read(key("a/b/one"))
        put(storage, key("a/b"), b"a file where a folder was")
        assert storage.read(key("a/b")) == b"a file where a folder was"

    # Listing

    def test_list(self, storage: Storage) -> None:
        names = ["a", "b/a", "b/b/c", "b/bc/d", "bb/e", "b b/ü+%.txt"]
        for name in names:
            put(storage, key(name), name.encode())
        for prefix in ("", "a", "b", "b/", "b/b", "b/b/", "b/b/c", "b b/ü", "c", "/", "../", "b//"):
            expected = sorted(name for name in names if name.startswith(prefix))
            assert keys(storage, prefix) == expected
        for blob in storage.list():
            assert blob.size == len(blob.key.value.encode())
            assert abs(blob.modified - datetime.now(UTC)) < timedelta(minutes=5)
            assert storage.read(blob.key) == blob.key.value.encode()

    def test_list_names_each_once_while_others_come_and_go(self, storage: Storage) -> None:
        steady = [f"steady/{number}/file" for number in range(20)]
        for name in steady:
            storage.write(key(name), b"")
        found: list[str] = []
        for number, blob in enumerate(storage.list()):
            found.append(blob.key.value)
            storage.write(key(f"steady/{number}-new/file"), b"")
            storage.delete(key(f"steady/{number - 1}-new/file"))
        assert sorted(name for name in found if name in steady) == sorted(steady)
        assert len(found) == len(set(found))

    # Many at once

    def test_threads_put_different_keys(self, storage: Storage) -> None:
        wanted = {key(f"shared/{n % 2}/{n}"): content(CHUNK + n, n) for n in range(2 * _THREADS)}
        with ThreadPoolExecutor(_THREADS) as pool:
            for result in [pool.submit(put, storage, where, data) for where, data in wanted.items()]:
                result.result()
        with ThreadPoolExecutor(_THREADS) as pool:
            found = dict(zip(wanted, pool.map(lambda where: get(storage, where), wanted), strict=True))
        assert found == wanted
        assert keys(storage) == sorted(where.value for where in wanted)

    def test_two_puts_to_one_key(self, storage: Storage) -> None:
        both = [content(CHUNK, 1), content(CHUNK, 2)]
        together = threading.Barrier(2)

        def race(data: bytes) -> bool:
            with storage.spool() as spool:
                spool.write(data)
                together.wait()
                try:
                    storage.put(key(), spool)
                except FileExistsError:
                    return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(race, both))
        assert any(won)
        if self.sees_existing:
            assert sum(won) == 1
            assert get(storage, key()) == both[won.index(True)]
        assert get(storage, key()) in both

    def test_threads_put_and_delete_in_one_folder(self, storage: Storage) -> None:
        def turn(number: int) -> None:
            for attempt in range(10):
                where = key(f"deep/er/{number}-{attempt}")
                put(storage, where, b"x")
                storage.delete(where)

        with ThreadPoolExecutor(_THREADS) as pool:
            for result in [pool.submit(turn, number) for number in range(_THREADS)]:
                result.result()
        assert keys(storage) == []

    # Everything else

    def test_links(self, storage: Storage) -> None:
        put(storage, key(), b"x")
        for path in (storage.accelerated(key()), storage.signed_url(key(), "demo-1.0.tar.gz")):
            assert path is None or key().value in unquote(path)
        assert storage.signed_url(key(), "demo.whl") == storage.signed_url(key(), "demo.whl")

    def test_probe_leaves_nothing(self, storage: Storage) -> None:
        storage.probe()
        storage.probe()
        assert keys(storage) == []
        assert storage.sweep(datetime.now(UTC) + timedelta(hours=1)) == 0

    def test_prepare_may_be_repeated(self, storage: Storage) -> None:
        put(storage, key(), b"kept")
        storage.prepare()
        assert storage.read(key()) == b"kept"

    def test_sweep_leaves_blobs_and_young_temporaries(self, storage: Storage) -> None:
        put(storage, key(), b"kept")
        with storage.spool() as spool:
            spool.write(b"young")
            assert storage.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
            storage.put(key("young"), spool)
        assert keys(storage) == sorted([key().value, "young"])

    def test_failures_are_translated(self, storage: Storage, break_storage: Callable[[], None]) -> None:
        put(storage, key(), b"x")
        with storage.spool() as spool:
            spool.write(b"y")
            break_storage()
            calls: list[Callable[[], object]] = [
                lambda: storage.put(key("new"), spool),
                lambda: storage.write(key("new"), b"x"),
                lambda: storage.copy(key(), key("new"), 1),
                lambda: storage.read(key()),
                lambda: storage.open(key()),
                lambda: storage.open(key(), Span(0, 1)),
                lambda: storage.stat(key()),
                lambda: storage.delete(key()),
                lambda: list(storage.list()),
                storage.probe,
                lambda: storage.sweep(datetime.now(UTC)),
            ]
            for call in calls:
                with pytest.raises(StorageUnavailable) as caught:
                    call()
                assert caught.value.__cause__ is not None
