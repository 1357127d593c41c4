"""What the storage in a bucket does when the bucket misbehaves: bounded time, one error, nothing visible."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from pypicloud_lite.kernel.errors import ConfigError, StorageUnavailable
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.backends.s3_settings import S3Settings
from pypicloud_lite.storage.port import CHUNK, BlobNotFound, DigestMismatch
from pypicloud_lite.testing.servers import Fault, fault_proxy
from pypicloud_lite.testing.storage import content, get, keys, put

KEY = StorageKey("root/main/demo/0011/demo-1.0.tar.gz")
LARGE = 33 * 1024 * 1024  # sent in three parts
TOMORROW = timedelta(days=1)


@pytest.fixture
def proxy(s3_endpoint):
    with fault_proxy(s3_endpoint) as proxy:
        yield proxy


@pytest.fixture
def make(proxy, s3_options):
    def make(**options):
        from pypicloud_lite.storage.backends.s3_storage import S3Storage

        named = {f"storage.{name}": value for name, value in options.items()}
        storage = S3Storage(S3Settings.model_validate({**s3_options, "storage.endpoint_url": proxy.url, **named}))
        storage.prepare()
        proxy.heal()
        return storage

    return make


@pytest.fixture
def storage(make):
    return make()


def large(storage):
    spool = storage.spool()
    spool.write(bytes(LARGE))
    return spool


def unfinished(storage):
    return storage.sweep(datetime.now(UTC) + TOMORROW)


# Refusals


@pytest.mark.parametrize("fault", [Fault.INTERNAL_ERROR, Fault.SLOW_DOWN, Fault.HANG_UP])
def test_a_passing_fault_is_retried(proxy, storage, fault):
    proxy.fail(fault, times=1)
    put(storage, KEY, b"x" * CHUNK)
    assert len(proxy.seen) == 2
    assert get(storage, KEY) == b"x" * CHUNK


@pytest.mark.parametrize(("fault", "attempts"), [(Fault.SLOW_DOWN, 4), (Fault.FORBIDDEN, 1)])
def test_a_lasting_fault_is_unavailable(proxy, storage, fault, attempts):
    proxy.fail(fault)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable) as caught:
        put(storage, KEY, b"x")
    assert time.monotonic() - began < 30
    assert len(proxy.seen) == attempts
    assert "testing" not in caught.value.message  # the secret key
    proxy.heal()
    assert keys(storage) == []


def test_a_missing_bucket_is_not_a_missing_blob(proxy, storage, s3_options):
    storage._bucket = "no-such-bucket"
    with pytest.raises(StorageUnavailable):
        storage.read(KEY)
    with pytest.raises(StorageUnavailable):
        storage.delete(KEY)


# Silence


def test_silence_ends_within_its_bound(proxy, make):
    storage = make(connect_timeout="0.5", read_timeout="0.7")
    proxy.fail(Fault.SILENCE)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable):
        storage.stat(KEY)
    assert time.monotonic() - began < 20
    assert 1 < len(proxy.seen) <= 4


def test_with_longer_timeouts_there_are_fewer_attempts(proxy, make):
    # A second attempt could end after the bound of 30 s: the first one is the only one.
    storage = make(connect_timeout="29.5", read_timeout="0.5")
    proxy.fail(Fault.SILENCE)
    with pytest.raises(StorageUnavailable):
        storage.stat(KEY)
    assert len(proxy.seen) == 1


@pytest.mark.slow
def test_silence_in_an_upload_ends_within_30_seconds(proxy, storage):
    proxy.fail(Fault.SILENCE, containing="partNumber=2")
    began = time.monotonic()
    with large(storage) as spool, pytest.raises(StorageUnavailable):
        storage.put(KEY, spool)
    assert time.monotonic() - began < 30


# Wrong bytes


def test_a_checksum_that_does_not_fit(proxy, storage):
    proxy.fail(Fault.BAD_DIGEST)
    with storage.spool() as spool:
        spool.write(b"x")
        with pytest.raises(DigestMismatch):
            storage.put(KEY, spool)
    proxy.heal()
    assert keys(storage) == []


@pytest.mark.parametrize("size", [CHUNK, LARGE])
def test_bytes_changed_on_their_way(proxy, storage, size):
    proxy.fail(Fault.CORRUPT, method="PUT")
    with pytest.raises(DigestMismatch):
        put(storage, KEY, bytes(size))
    with pytest.raises(DigestMismatch):
        storage.write(KEY, b"x")
    proxy.heal()
    assert keys(storage) == []
    assert unfinished(storage) == 0


def test_bytes_changed_in_the_spool(storage):
    with storage.spool() as spool:
        spool.write(b"x" * CHUNK)
        os.pwrite(spool._file.fileno(), b"y", 100)
        with pytest.raises(DigestMismatch):
            storage.put(KEY, spool)
    assert keys(storage) == []


def test_a_body_that_breaks_off_never_ends_in_silence(proxy, storage):
    put(storage, KEY, content(5 * CHUNK))
    proxy.fail(Fault.TRUNCATE, method="GET")
    with storage.open(KEY) as reader, pytest.raises(StorageUnavailable):
        list(reader)
    with pytest.raises(StorageUnavailable):
        storage.read(KEY)


# Large files


def test_large_file_goes_in_parts_and_comes_back(proxy, storage):
    data = content(LARGE)
    put(storage, KEY, data)
    assert [seen.method for seen in proxy.seen] == ["POST", "PUT", "PUT", "PUT", "POST", "HEAD"]
    assert get(storage, KEY) == data
    with pytest.raises(FileExistsError):
        put(storage, KEY, data)
    assert unfinished(storage) == 0


@pytest.mark.parametrize("containing", ["partNumber=1", "partNumber=3", "?uploadId"])
def test_a_part_that_fails_aborts_the_upload(proxy, storage, containing):
    proxy.fail(Fault.FORBIDDEN, containing=containing, times=1)
    with large(storage) as spool, pytest.raises(StorageUnavailable):
        storage.put(KEY, spool)
    assert proxy.seen[-1].method == "DELETE"
    proxy.heal()
    assert keys(storage) == []
    assert unfinished(storage) == 0


def test_an_upload_that_cannot_be_aborted_is_swept(proxy, storage):
    def plan(seen):
        return Fault.FORBIDDEN if "partNumber=2" in seen.path or seen.method == "DELETE" else None

    proxy.plan = plan
    with large(storage) as spool, pytest.raises(StorageUnavailable):
        storage.put(KEY, spool)
    proxy.heal()
    assert keys(storage) == []
    assert storage.sweep(datetime(2001, 1, 1, tzinfo=UTC)) == 0  # moto says that all began in 2010
    assert storage.sweep(datetime.now(UTC) + TOMORROW) == 1
    assert storage.sweep(datetime.now(UTC) + TOMORROW) == 0


def test_sweep_keeps_to_its_prefix(proxy, make):
    ours, theirs = make(prefix="ours/"), make(prefix="theirs/")
    proxy.plan = lambda seen: Fault.FORBIDDEN if "partNumber" in seen.path or seen.method == "DELETE" else None
    with large(theirs) as spool, pytest.raises(StorageUnavailable):
        theirs.put(KEY, spool)
    proxy.heal()
    assert unfinished(ours) == 0
    assert unfinished(theirs) == 1


@pytest.mark.parametrize("size", [CHUNK, LARGE])
def test_an_answer_that_got_lost_is_not_a_failure(proxy, storage, size):
    where = {"method": "PUT"} if size == CHUNK else {"method": "POST", "containing": "?uploadId"}
    proxy.fail(Fault.LOSE_ANSWER, times=1, **where)
    data = content(size)
    put(storage, KEY, data)
    proxy.heal()
    assert get(storage, KEY) == data
    assert unfinished(storage) == 0


@pytest.mark.parametrize("size", [CHUNK, LARGE])
def test_a_lost_answer_never_costs_what_was_there_before(proxy, storage, size):
    put(storage, KEY, b"the first")
    where = {"method": "PUT"} if size == CHUNK else {"method": "POST", "containing": "?uploadId"}
    proxy.fail(Fault.LOSE_ANSWER, times=1, **where)
    with pytest.raises(FileExistsError):
        put(storage, KEY, bytes(size))
    assert get(storage, KEY) == b"the first"
    assert unfinished(storage) == 0


def test_a_server_without_conditional_writes(proxy, storage):
    data = content(CHUNK)
    refusals = []

    def plan(seen):
        if seen.method == "PUT" and not refusals:
            refusals.append(seen)
            return Fault.NOT_IMPLEMENTED
        return None

    proxy.plan = plan
    put(storage, KEY, data)
    assert len(proxy.seen) == 2
    assert get(storage, KEY) == data


# Start


def test_prepare_says_what_to_change(proxy, make, s3_options):
    with pytest.raises(ConfigError, match=r"storage\.create_bucket"):
        make(bucket="not-there", create_bucket="false")
    with pytest.raises(ConfigError, match=r"storage\.endpoint_url"):
        make(endpoint_url="http://127.0.0.1:1", connect_timeout="0.2")
    with pytest.raises(ConfigError, match=r"storage\.endpoint_url"):
        make(endpoint_url="not a url")
    with pytest.raises(ConfigError, match=r"storage\.spool_dir"):
        make(spool_dir="/nowhere/at/all")
    proxy.fail(Fault.FORBIDDEN)
    with pytest.raises(ConfigError, match="s3:PutObject"):
        make()


def test_an_absent_blob_stays_absent_and_costs_one_request(proxy, storage):
    for ask in (storage.open, storage.read, storage.stat):
        proxy.heal()
        with pytest.raises(BlobNotFound):
            ask(KEY)
        assert len(proxy.seen) == 1
