"""What the storage in a folder promises beyond the contract: links, full disks, durability, tidiness."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from pypicloud_lite.kernel.errors import ConfigError, InvalidName, StorageUnavailable
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.backends import local_tree
from pypicloud_lite.storage.backends.local import LocalSettings, LocalStorage
from pypicloud_lite.storage.port import CHUNK, BlobNotFound, DigestMismatch, Span

if TYPE_CHECKING:
    from collections.abc import Callable


def make(root: Path, **options: Any) -> LocalStorage:
    settings = {f"storage.{name}": value for name, value in options.items()}
    storage = LocalStorage(LocalSettings.model_validate({"storage.dir": str(root), **settings}))
    storage.prepare()
    return storage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "packages"


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return make(root)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


def put(storage: LocalStorage, key: str, data: bytes) -> None:
    with storage.spool(len(data)) as spool:
        spool.write(data)
        storage.put(StorageKey(key), spool)


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Links and other things that are no files


def test_linked_file_is_absent_everywhere(storage: LocalStorage, root: Path, outside: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "link").symlink_to(outside / "secret")
    key = StorageKey("a/link")
    for ask in (storage.open, storage.read, storage.stat):
        with pytest.raises(BlobNotFound):
            ask(key)
    assert list(storage.list()) == []
    storage.delete(key)
    assert (root / "a" / "link").is_symlink()
    with pytest.raises(FileExistsError):
        put(storage, "a/link", b"x")
    storage.write(key, b"ours")  # replaces the link, not what it points to
    assert storage.read(key) == b"ours"
    assert (outside / "secret").read_text() == "secret"


@pytest.mark.parametrize("depth", [1, 2])
def test_linked_folder_is_never_entered(storage: LocalStorage, root: Path, outside: Path, depth: int) -> None:
    parent = root if depth == 1 else root / "real"
    parent.mkdir(exist_ok=True)
    (parent / "link").symlink_to(outside)
    key = StorageKey("link/secret" if depth == 1 else "real/link/secret")
    for ask in (storage.open, storage.read, storage.stat):
        with pytest.raises(BlobNotFound):
            ask(key)
    assert list(storage.list()) == []
    assert list(storage.list(key.value)) == []
    storage.delete(key)
    with pytest.raises(StorageUnavailable):
        put(storage, key.sibling("-new").value, b"x")
    with pytest.raises(StorageUnavailable):
        storage.write(key, b"x")
    assert everything(outside) == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_linked_folder_of_temporaries_is_refused(storage: LocalStorage, root: Path, outside: Path) -> None:
    put(storage, "a", b"x")
    (root / ".tmp").rmdir()
    (root / ".tmp").symlink_to(outside)
    for call in (storage.spool, storage.probe, lambda: storage.sweep(datetime.now(UTC) + timedelta(days=1))):
        with pytest.raises(StorageUnavailable):
            call()
    assert everything(outside) == ["secret"]


def test_a_root_that_is_a_link_is_the_operators(tmp_path: Path, root: Path) -> None:
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    put(make(tmp_path / "link"), "a/b", b"x")
    assert (root / "a" / "b").read_bytes() == b"x"


def test_pipes_and_folders_are_absent(storage: LocalStorage, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    for name in ("pipe", "folder"):
        for ask in (storage.open, storage.read, storage.stat):
            with pytest.raises(BlobNotFound):
                ask(StorageKey(name))
        storage.delete(StorageKey(name))
    assert list(storage.list()) == []
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)


def test_names_that_are_no_keys_are_left_out(storage: LocalStorage, root: Path) -> None:
    for name in (b"back\\slash", b"bell\x07", b"\xff\xfe"):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_text("x")
    (root / "line\nfeed").mkdir()
    (root / "line\nfeed" / "file").write_text("x")
    (root / "fine.whl").write_text("x")
    (root / "sub").mkdir()
    (root / "sub" / ".tmp").write_text("an ordinary name, but at the top")
    assert sorted(blob.key.value for blob in storage.list()) == ["fine.whl", "sub/.tmp"]


def test_keys_of_temporaries_are_not_served(storage: LocalStorage, root: Path) -> None:
    with storage.spool() as spool:
        spool.write(b"half an upload")
        (temporary,) = (root / ".tmp").iterdir()
        key = StorageKey(f".tmp/{temporary.name}")
        for ask in (storage.open, storage.read, storage.stat):
            with pytest.raises(BlobNotFound):
                ask(key)
        storage.delete(key)
        assert list(storage.list(".tmp/")) == []
        assert temporary.exists()


# All or nothing


def test_temporary_changed_behind_our_back_is_not_published(storage: LocalStorage, root: Path) -> None:
    with storage.spool() as spool:
        spool.write(b"x" * CHUNK)
        (temporary,) = (root / ".tmp").iterdir()
        os.truncate(temporary, 10)
        with pytest.raises(DigestMismatch):
            storage.put(StorageKey("a/b"), spool)
    assert everything(root) == [".tmp"]


def test_file_truncated_while_read_is_noticed(storage: LocalStorage, root: Path) -> None:
    put(storage, "a", b"x" * (3 * CHUNK))
    with storage.open(StorageKey("a")) as reader:
        pieces = iter(reader)
        assert next(pieces) == b"x" * CHUNK
        os.truncate(root / "a", CHUNK + 1)
        assert next(pieces) == b"x"
        with pytest.raises(StorageUnavailable):
            next(pieces)


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EROFS])
def test_a_sick_disk_is_unavailable(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    put(storage, "old", b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with storage.spool() as spool:
        spool.write(b"new")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            for call in (
                lambda: storage.put(StorageKey("new"), spool),
                lambda: storage.write(StorageKey("new"), b"x"),
                storage.probe,
            ):
                with pytest.raises(StorageUnavailable):
                    call()
        assert storage.read(StorageKey("old")) == b"old"
    assert everything(root) == [".tmp", "old"]


def test_file_system_without_hard_links(storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    put(storage, "a/b", b"first")
    with pytest.raises(FileExistsError):
        put(storage, "a/b", b"second")
    assert everything(root) == [".tmp", "a", "a/b"]
    assert storage.read(StorageKey("a/b")) == b"first"


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced, and when a file gets its name."""
    seen: list[str] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append("sync " + str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    def named(what: str) -> Any:
        does = getattr(os, what)

        def call(*arguments: Any, **options: Any) -> None:
            seen.append(what)
            does(*arguments, **options)

        return call

    monkeypatch.setattr(os, "fsync", fsync)
    for what in ("link", "rename"):
        monkeypatch.setattr(os, what, named(what))
    return seen


def test_what_lies_beside_a_blob_syncs_its_folder_alone(storage: LocalStorage, root: Path, events: list[str]) -> None:
    """The way down to it was synced when the blob was put."""
    put(storage, "a/b/c", b"x")
    events.clear()
    storage.write(StorageKey("a/b/c.json"), b"{}")
    assert events[0].startswith(f"sync {root}/.tmp/")
    assert events[1:] == ["rename", f"sync {root}/a/b"]


def test_a_new_folder_syncs_the_way_down_as_far_as_it_is_new(
    storage: LocalStorage, root: Path, events: list[str]
) -> None:
    put(storage, "a/b/c", b"x")
    events.clear()
    put(storage, "a/d/e", b"x")
    assert events[1:] == ["link", f"sync {root}/a/d", f"sync {root}/a"]


@pytest.mark.parametrize("way", ["deleted", "another process", "made anew", "moved"])
def test_a_folder_that_is_not_known_to_be_synced_is(
    storage: LocalStorage, root: Path, events: list[str], way: str
) -> None:
    put(storage, "a/b/c", b"x")
    if way == "deleted":
        storage.delete(StorageKey("a/b/c"))
    elif way == "another process":
        storage = LocalStorage(LocalSettings.model_validate({"storage.dir": root}))
    elif way == "moved":
        (root / "a").rename(root / "z")
        (root / "a").mkdir()
        (root / "z" / "b").rename(root / "a" / "b")
    else:
        shutil.rmtree(root / "a")
    events.clear()
    storage.write(StorageKey("a/b/c.json"), b"{}")
    assert events[1:] == ["rename", f"sync {root}/a/b", f"sync {root}/a", f"sync {root}"]


def test_everything_is_synced_before_put_returns(storage: LocalStorage, root: Path, events: list[str]) -> None:
    put(storage, "a/b/c", b"x")
    assert events[0].startswith(f"sync {root}/.tmp/")
    assert events[1:] == ["link", f"sync {root}/a/b", f"sync {root}/a", f"sync {root}"]


def test_folder_removed_while_putting_is_made_again(
    storage: LocalStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link
    rest = [3]

    def late(*arguments: Any, **options: Any) -> None:
        if rest[0]:
            rest[0] -= 1
            (root / "a" / "b").rmdir()
            (root / "a").rmdir()
        link(*arguments, **options)

    monkeypatch.setattr(os, "link", late)
    put(storage, "a/b/c", b"x")
    assert (rest, storage.read(StorageKey("a/b/c"))) == ([0], b"x")


def test_temporary_swept_away_is_a_failure_not_a_loop(storage: LocalStorage, root: Path) -> None:
    with storage.spool() as spool:
        spool.write(b"x")
        assert storage.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1
        with pytest.raises(StorageUnavailable):
            storage.put(StorageKey("a/b"), spool)
    assert list(storage.list()) == []


# Tidiness


def test_only_empty_folders_go(storage: LocalStorage, root: Path) -> None:
    for key in ("a/b/c/one", "a/b/two", "a/.hidden"):
        storage.write(StorageKey(key), b"x")
    storage.delete(StorageKey("a/b/c/one"))
    assert everything(root / "a") == [".hidden", "b", "b/two"]
    storage.delete(StorageKey("a/b/two"))
    storage.delete(StorageKey("a/.hidden"))
    assert everything(root) == [".tmp"]
    assert root.is_dir()


def test_sweep_removes_what_a_killed_process_left(storage: LocalStorage, root: Path) -> None:
    old, young = root / ".tmp" / "old", root / ".tmp" / "young"
    storage.probe()
    old.write_text("x")
    young.write_text("x")
    long_ago = datetime.now(UTC) - timedelta(days=3)
    os.utime(old, (long_ago.timestamp(), long_ago.timestamp()))
    assert storage.sweep(datetime.now(UTC) - timedelta(days=1)) == 1
    assert everything(root / ".tmp") == ["young"]


def test_missing_root_is_unavailable_not_empty(storage: LocalStorage, root: Path) -> None:
    put(storage, "a", b"x")
    root.rename(root.with_name("unmounted"))
    with pytest.raises(StorageUnavailable, match=r"storage\.dir"):
        storage.read(StorageKey("a"))
    with pytest.raises(StorageUnavailable):
        list(storage.list())


def test_prepare_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"storage\.dir"):
        make(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"storage\.dir"):
        make(tmp_path / "file" / "below")


def test_accelerated_path(root: Path) -> None:
    key = StorageKey("a b/ü/demo+1.whl")
    assert make(root).accelerated(key) is None
    for prefix in ("/protected", "/protected/"):
        assert make(root, accel_prefix=prefix).accelerated(key) == "/protected/a%20b/%C3%BC/demo%2B1.whl"
    for wrong in ("protected", "/pro tected/", "/a?b"):
        with pytest.raises(ValidationError):
            make(root, accel_prefix=wrong)


def test_files_do_not_stay_open(storage: LocalStorage) -> None:
    def descriptors() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = descriptors()
    for number in range(20):
        put(storage, f"a/{number % 2}/{number}", b"x" * CHUNK)
        with storage.open(StorageKey(f"a/{number % 2}/{number}")) as reader:
            next(iter(reader))
        with pytest.raises(ValueError):
            storage.open(StorageKey(f"a/{number % 2}/{number}"), Span(CHUNK, CHUNK + 1))
        storage.spool().close()
    listing = storage.list()
    next(listing)
    # The folders a, a/0, a/1 and .tmp, which are known to be synced.
    assert descriptors() <= before + 4


def test_few_folders_stay_open_and_none_for_longer_than_the_storage(root: Path) -> None:
    def descriptors() -> int:
        gc.collect()
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = descriptors()
    storage = make(root)
    for number in range(200):
        put(storage, f"a/{number}/b", b"x")
    assert before + 100 < descriptors() <= before + 129
    del storage
    assert descriptors() == before


def test_put_and_delete_race_for_the_folder(storage: LocalStorage) -> None:
    done = threading.Event()
    failures: list[BaseException] = []

    def guarded(turn: Callable[[], None]) -> None:
        try:
            while not done.is_set():
                turn()
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    def disturb() -> None:
        storage.write(StorageKey("x/y/z/other"), b"")
        storage.delete(StorageKey("x/y/z/other"))

    threads = [threading.Thread(target=guarded, args=[disturb]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(100):
        put(storage, f"x/y/z/{number}", b"x")
        storage.delete(StorageKey(f"x/y/z/{number}"))
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_tree_of_links_cannot_be_swapped_in_halfway(storage: LocalStorage, root: Path, outside: Path) -> None:
    put(storage, "a/secret", b"ours")
    with local_tree.folders(root, ["a"]) as opened:
        (root / "a").rename(root / "moved")
        (root / "a").symlink_to(outside)
        assert os.listdir(opened[-1]) == ["secret"]  # noqa: PTH208 - a descriptor has no path
    with pytest.raises(BlobNotFound):
        storage.read(StorageKey("a/secret"))


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EMLINK, errno.EXDEV])
def test_without_second_links_a_copy_moves_the_bytes(storage, monkeypatch, number):
    put(storage, "one", b"bytes")
    link = os.link

    def refuse(source, *arguments, **more):
        if source == "one":
            raise OSError(number, os.strerror(number))
        return link(source, *arguments, **more)

    monkeypatch.setattr(os, "link", refuse)
    storage.copy(StorageKey("one"), StorageKey("folder/two"), 5)
    assert storage.read(StorageKey("folder/two")) == b"bytes"
    assert sorted(str(blob.key) for blob in storage.list()) == ["folder/two", "one"]


def test_a_copy_follows_no_link_and_leaves_temporaries_alone(storage, root, outside):
    (root / "link").symlink_to(outside / "secret")
    with pytest.raises(BlobNotFound):
        storage.copy(StorageKey("link"), StorageKey("two"), 6)
    put(storage, "one", b"bytes")
    with pytest.raises(InvalidName):
        storage.copy(StorageKey("one"), StorageKey(".tmp/two"), 5)
    with pytest.raises(BlobNotFound):
        storage.copy(StorageKey(".tmp/one"), StorageKey("two"), 5)
    assert [str(blob.key) for blob in storage.list()] == ["one"]
