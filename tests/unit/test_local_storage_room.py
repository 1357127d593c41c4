"""What the storage in a folder does when there is no room."""

from __future__ import annotations

import os
import resource
import subprocess

import pytest
from pydantic import ValidationError

from pypicloud_lite.kernel.errors import InsufficientStorage, StorageUnavailable
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.backends.local import LocalSettings, LocalStorage
from pypicloud_lite.storage.port import CHUNK

MIB = 1024 * 1024


def make(root, **options):
    settings = {f"storage.{name}": value for name, value in options.items()}
    storage = LocalStorage(LocalSettings.model_validate({"storage.dir": str(root), **settings}))
    storage.prepare()
    return storage


def put(storage, key, data):
    with storage.spool(len(data)) as spool:
        spool.write(data)
        storage.put(StorageKey(key), spool)


def test_reserve_is_kept(tmp_path):
    status = os.statvfs(tmp_path)
    total = status.f_blocks * status.f_frsize
    storage = make(tmp_path / "packages", reserve=str(2 * total))
    with pytest.raises(InsufficientStorage, match=r"storage\.reserve"):
        storage.spool(expected_size=0)
    storage.spool().close()
    storage.write(StorageKey("manifest"), b"{}")
    storage.probe()


def test_sizes_may_be_written_with_units(tmp_path):
    for text, size in {"64 MiB": 64 * MIB, "1GiB": 1024 * MIB, "0": 0}.items():
        settings = LocalSettings.model_validate({"storage.dir": str(tmp_path), "storage.reserve": text})
        assert settings.reserve == size
    with pytest.raises(ValidationError):
        LocalSettings.model_validate({"storage.dir": str(tmp_path), "storage.reserve": "much"})


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small file system can be mounted: {error}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_full_disk_is_said_and_recovered_from(small_disk):
    storage = make(small_disk / "packages", reserve="0")
    put(storage, "old", b"o" * MIB)
    with pytest.raises(InsufficientStorage):
        storage.spool(expected_size=2 * MIB)
    with storage.spool() as spool, pytest.raises(InsufficientStorage):
        spool.write(b"n" * (4 * MIB))
    with storage.spool() as filler:
        with pytest.raises(InsufficientStorage):
            filler.write(b"f" * (4 * MIB))
        with pytest.raises(InsufficientStorage):
            storage.write(StorageKey("document"), b"d" * CHUNK)
        with pytest.raises(StorageUnavailable):
            storage.probe()
        assert storage.read(StorageKey("old")) == b"o" * MIB
        make(small_disk / "packages", reserve="0")
    assert [blob.key.value for blob in storage.list()] == ["old"]
    assert list((small_disk / "packages" / ".tmp").iterdir()) == []
    put(storage, "new", b"n" * CHUNK)
    storage.probe()


def test_file_size_limit_is_no_room(tmp_path):
    storage = make(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with storage.spool() as spool:
        spool.write(b"x" * CHUNK)
        resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK + 10, hard))
        try:
            with pytest.raises(InsufficientStorage):
                spool.write(b"x" * CHUNK)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / ".tmp").iterdir()) == []
