"""Files of an upstream: sent while they come, kept when they are right, never when they are not."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pypicloud_lite.kernel.errors import InsufficientStorage, UpstreamError
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import HTML, FakeIndex, Fault
from pypicloud_lite.testing.world import JSON, MovingClock, World

DEMO = build_wheel("demo", "1.0", summary="A small package")
SDIST = build_sdist("demo", "1.0")
LARGE = "large-1.0.tar.gz"
MakeMirror = Callable[..., World]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """With a wheel, an sdist, and a large file of nothing in particular."""
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    upstream_index.add("demo", SDIST.filename, SDIST.data)
    upstream_index.add("large", LARGE, bytes(range(256)) * 8192)
    return upstream_index


def path_of(world: World, project: str, filename: str) -> str:
    page = world.get(f"/simple/{project}/", Accept=JSON).json
    return next(file["url"] for file in page["files"] if file["filename"] == filename).removeprefix("../..")


def fetches(index: FakeIndex) -> list[str]:
    return [path for path in index.paths() if path.startswith("/files/")]


@pytest.mark.parametrize("artifact", [DEMO, SDIST], ids=["wheel", "sdist"])
def test_first_download_is_kept_and_the_second_asks_nobody(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable, artifact: object
) -> None:
    world = make_mirror()
    path = path_of(world, "demo", artifact.filename)
    first = world.get(path)
    assert (first.body, first.headers["Content-Length"]) == (artifact.data, str(len(artifact.data)))
    assert first.headers["ETag"] == f'"{hashlib.sha256(artifact.data).hexdigest()}"'
    wait_for(lambda: is_kept(world, artifact.filename))
    index.fault = lambda _path: Fault(reset=True)
    second = world.get(path)
    assert second.body == artifact.data
    assert second.headers["Accept-Ranges"] == "bytes"
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert len(fetches(index)) == 1
    assert world.get(path, Range="bytes=1-3", status=206).body == artifact.data[1:4]


@pytest.mark.parametrize("path", ["/api/package/demo/{}", "/packages/root/pypi/demo/{}", "/packages/{}"])
def test_file_is_found_under_every_address_that_ours_have(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable, path: str
) -> None:
    world = make_mirror()
    path = path.format(DEMO.filename)
    assert world.get(path).body == DEMO.data
    wait_for(lambda: is_kept(world, DEMO.filename))
    assert world.get(path).body == DEMO.data
    assert len(fetches(index)) == 1


def test_cached_file_is_told_apart_and_leaves_the_name_public(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror()
    world.get(path_of(world, "demo", DEMO.filename))
    wait_for(lambda: is_kept(world, DEMO.filename))
    with world.services.catalog.read() as catalog:
        record = catalog.file(world.services.mirror.index, DEMO.filename)
        assert catalog.project(world.services.index, record.project) is None
    assert (str(record.origin), record.uploader, record.summary) == ("cache", None, "A small package")
    assert len(world.project("demo")["files"]) == 2


def test_head_fetches_nothing(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    answer = world.head(path_of(world, "demo", DEMO.filename))
    assert answer.headers["Content-Length"] == str(len(DEMO.data))
    assert fetches(index) == []


def test_T22_wrong_bytes_of_a_small_file_are_a_502_and_nothing_is_kept(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)
    for fault in (
        Fault(body=DEMO.data[:-1] + b"x"),
        Fault(body=DEMO.data[:-1]),
        Fault(cut=len(DEMO.data) // 2),
        Fault(body=b"<html>Log in", headers=(("Content-Type", "text/html"),)),
        Fault(status=404),
        Fault(status=500),
        Fault(body=SDIST.data),
        Fault(body=DEMO.data * 2),
    ):
        index.fault = lambda _path, fault=fault: fault
        world.get(path, status=502)
    index.fault = lambda _path: None
    with world.services.catalog.read() as catalog:
        assert catalog.file(world.services.mirror.index, DEMO.filename) is None
    assert list(world.services.storage.list()) == []


@pytest.mark.parametrize("wrong", ["last byte", "cut off"])
def test_T22_transfer_of_a_large_wrong_file_breaks_off_and_nothing_is_kept(
    make_mirror: MakeMirror, index: FakeIndex, wrong: str
) -> None:
    world = make_mirror()
    path = path_of(world, "large", LARGE)
    data = index.projects["large"][LARGE].data
    index.fault = lambda _path: Fault(body=data[:-1] + b"x") if wrong == "last byte" else Fault(cut=len(data) - 1)
    came = bytearray()
    with pytest.raises(UpstreamError):
        deque(map(came.extend, chunks(world, path)), maxlen=0)
    assert len(came) < len(data)
    assert list(world.services.storage.list()) == []
    index.fault = lambda _path: None
    assert b"".join(chunks(world, path)) == data


def chunks(world: World, path: str):
    """What the server sends, as WSGI gives it."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": world._headers("reader", {})["Authorization"],
    }
    body = world.app.app(environ, lambda _status, _headers: None)
    try:
        yield from body
    finally:
        getattr(body, "close", lambda: None)()


def test_F24_fifty_that_want_one_file_at_once_cost_one_fetch(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    path = path_of(world, "large", LARGE)
    data = index.projects["large"][LARGE].data
    everybody = threading.Barrier(10)

    def download(_number: int) -> bytes:
        everybody.wait()
        return b"".join(chunks(world, path))

    with ThreadPoolExecutor(10) as pool:
        assert all(body == data for body in pool.map(download, range(50)))
    assert len(fetches(index)) == 1


def test_F24_who_leaves_halfway_breaks_nothing_and_the_file_comes_all_the_same(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror()
    path = path_of(world, "large", LARGE)
    data = index.projects["large"][LARGE].data
    going = threading.Event()

    def slowly():
        yield data[: len(data) // 2]
        going.wait(20)
        yield data[len(data) // 2 :]

    index.fault = lambda _path: Fault(stream=slowly)
    leaving = chunks(world, path)
    assert next(leaving)
    leaving.close()
    staying = chunks(world, path)
    first = next(staying)
    going.set()
    assert first + b"".join(staying) == data
    wait_for(lambda: is_kept(world, LARGE))
    assert len(fetches(index)) == 1


def test_first_bytes_are_sent_before_the_upstream_has_sent_the_rest(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    path = path_of(world, "large", LARGE)
    data = index.projects["large"][LARGE].data
    going = threading.Event()

    def slowly():
        yield data[: len(data) // 10]
        going.wait(20)
        yield data[len(data) // 10 :]

    index.fault = lambda _path: Fault(stream=slowly)
    coming = chunks(world, path)
    first = next(coming)
    assert first
    assert not going.is_set()
    going.set()
    assert first + b"".join(coming) == data


def test_metadata_of_a_wheel_is_fetched_by_itself_and_kept(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.add("demo", DEMO.filename, DEMO.data, DEMO.metadata)
    world = make_mirror()
    page = world.project("demo")
    assert page["files"][0]["core-metadata"] == {"sha256": hashlib.sha256(DEMO.metadata).hexdigest()}
    path = path_of(world, "demo", DEMO.filename)
    for _ in range(2):
        answer = world.get(path + ".metadata")
        assert (answer.body, answer.content_type) == (DEMO.metadata, "text/plain")
    assert fetches(index) == [f"/files/demo/{DEMO.filename}.metadata"]


@pytest.mark.parametrize("has_ranges", [True, False], ids=["ranges", "no ranges"])
def test_metadata_is_made_from_the_wheel_where_the_upstream_has_none(
    make_mirror: MakeMirror, index: FakeIndex, has_ranges: bool
) -> None:
    index.has_ranges = has_ranges
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)
    for _ in range(2):
        assert world.get(path + ".metadata").body == DEMO.metadata
    ranges = [one.headers.get("Range") for one in index.asked if one.path.startswith("/files/")]
    assert all(ranges) if has_ranges else ranges[-1] is None
    assert len(ranges) <= 3


def test_metadata_of_a_cached_wheel_is_there(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)
    world.get(path)
    wait_for(lambda: is_kept(world, DEMO.filename))
    index.fault = lambda _path: Fault(reset=True)
    assert world.get(path + ".metadata").body == DEMO.metadata


def test_T22_wrong_metadata_is_a_502(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.add("demo", DEMO.filename, DEMO.data, DEMO.metadata)
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)
    index.fault = lambda _path: Fault(body=b"Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    world.get(path + ".metadata", status=502)
    index.fault = lambda _path: None
    assert world.get(path + ".metadata").body == DEMO.metadata


def test_address_with_another_digest_is_404(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    world.project("demo")
    world.get(f"/packages/root/pypi/demo/0123456789abcdef/{DEMO.filename}", status=404)
    world.get(f"/packages/root/pypi/other/{DEMO.filename}", status=404)
    world.get(f"/packages/root/pypi/demo/{DEMO.filename}.asc", status=404)
    assert fetches(index) == []


def test_who_may_not_read_gets_nothing_and_has_nothing_fetched(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)
    world.get(path, "outsider", 404)
    world.get(path + ".metadata", "outsider", 404)
    world.get(path, None, 401)
    assert fetches(index) == []


def test_upstream_that_knows_md5_alone(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    md5 = hashlib.md5(DEMO.data, usedforsecurity=False).hexdigest()
    index.add("demo", DEMO.filename, DEMO.data, hashes={"md5": md5})
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)
    assert path == f"/packages/root/pypi/demo/{DEMO.filename}"
    assert world.get(path).body == DEMO.data
    wait_for(lambda: is_kept(world, DEMO.filename))
    assert world.get(path).body == DEMO.data
    assert f"#md5={md5}" in world.get("/simple/demo/").text


def test_file_without_any_hash_is_not_shown(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.add("demo", DEMO.filename, DEMO.data, hashes={})
    assert [file["filename"] for file in make_mirror().project("demo")["files"]] == [SDIST.filename]


def test_size_that_nobody_knows_before(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.kinds = (HTML,)
    world = make_mirror()
    path = path_of(world, "large", LARGE)
    data = index.projects["large"][LARGE].data
    index.fault = lambda _path: Fault(stream=lambda: iter([data]))
    answer = world.get(path)
    assert answer.body == data
    # Behind a proxy of HTTP/1.0 it could break off unseen.
    assert (answer.headers["Cache-Control"], "ETag" in answer.headers) == ("no-store", False)


def test_more_files_than_a_process_brings_at_a_time_are_refused_at_once(
    make_mirror: MakeMirror, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypicloud_lite.wiring.mirroring._FILES", 1)
    world = make_mirror()
    paths = [path_of(world, "large", LARGE), path_of(world, "demo", DEMO.filename)]
    data, going = index.projects["large"][LARGE].data, threading.Event()

    def slowly():
        yield data[: len(data) // 2]
        going.wait(20)
        yield data[len(data) // 2 :]

    index.fault = lambda _path: Fault(stream=slowly)
    coming = chunks(world, paths[0])
    first = next(coming)
    world.get(paths[1], status=503)
    going.set()
    assert first + b"".join(coming) == data


def test_file_that_is_no_archive_is_passed_on_and_kept_without_a_description(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror()
    assert world.get(path_of(world, "large", LARGE)).body == index.projects["large"][LARGE].data
    wait_for(lambda: is_kept(world, LARGE))


def test_quota_takes_those_that_nobody_asked_for_the_longest_and_they_come_again(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable, clock: MovingClock
) -> None:
    world = make_mirror()
    services = world.services
    for number in range(5):
        filename = f"many-{number}.0.tar.gz"
        index.add("many", filename, bytes([number]) * 1000)
    world.upload(build_wheel("ours", "1.0"))
    for number in range(5):
        world.get(path_of(world, "many", f"many-{number}.0.tar.gz"))
        wait_for(lambda number=number: is_kept(world, f"many-{number}.0.tar.gz"))
        clock.advance(minutes=1)
    world.get(path_of(world, "many", "many-0.0.tar.gz"))
    services.mirror.usage.write()
    assert services.eviction.space().size == 5000
    gone = services.eviction.evict(2500)
    assert [file.filename for file in gone] == ["many-1.0.tar.gz", "many-2.0.tar.gz", "many-3.0.tar.gz"]
    assert services.eviction.space().size == 2000
    assert world.get(path_of(world, "many", "many-1.0.tar.gz")).body == b"\1" * 1000
    wait_for(lambda: is_kept(world, "many-1.0.tar.gz"))
    with services.catalog.read() as catalog:
        assert list(catalog.reservations(services.mirror.index, ProjectName("many"))) == []
    assert world.project("ours")["files"]


def test_what_nobody_needs_is_forgotten_by_the_minute_and_comes_again(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock
) -> None:
    world = make_mirror(mirror__quota="1 GiB")
    path = path_of(world, "demo", DEMO.filename) + ".metadata"
    world.get(path)
    world.get("/simple/nothing/", status=404)
    asked = len(index.asked)
    clock.advance(days=200)
    world.services.housekeeping().do_chores()
    assert world.services.mirror.pages.totals() == {"pages": 1, "stale": 1, "missing": 0}
    assert world.get(path).body == DEMO.metadata
    assert len(index.asked) > asked


def test_failed_transfer_counts_and_a_hit_is_counted(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)
    world.get(path)
    wait_for(lambda: is_kept(world, DEMO.filename))
    world.get(path)
    world.get(path)
    world.services.mirror.usage.write()
    totals = world.services.mirror.usage.totals(7)
    assert {what.value: count for what, count in totals.items()} == {
        "file hit": 2,
        "file miss": 1,
        "bytes fetched": len(DEMO.data),
        "page hit": 1,
        "page miss": 1,
        "failure": 0,
    }


def test_cached_files_outlive_the_database_and_stay_told_apart(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable, tmp_path: Path
) -> None:
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)
    world.get(path)
    wait_for(lambda: is_kept(world, DEMO.filename))
    index.fault = lambda _path: Fault(reset=True)
    other = make_mirror(db__url=f"sqlite:///{tmp_path}/other.sqlite")
    other.services.resync_or_first()
    assert other.get(path).body == DEMO.data
    assert other.services.eviction.space().files == 1
    with other.services.catalog.read() as catalog:
        assert catalog.project(other.services.index, ProjectName("demo")) is None


def test_hash_of_what_is_kept_is_a_first_seen_hash_too(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable, tmp_path: Path
) -> None:
    world = make_mirror()
    world.get(path_of(world, "demo", DEMO.filename))
    wait_for(lambda: is_kept(world, DEMO.filename))
    other = make_mirror(db__url=f"sqlite:///{tmp_path}/other.sqlite")
    other.services.resync_or_first()
    index.add("demo", DEMO.filename, b"changed while the database was lost")
    assert [file["filename"] for file in other.project("demo")["files"]] == [SDIST.filename]


def test_file_that_the_storage_has_no_room_for_is_refused_and_nothing_stays(
    make_mirror: MakeMirror, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_mirror()
    path = path_of(world, "demo", DEMO.filename)

    def full(_size: int | None = None) -> None:
        raise InsufficientStorage("The storage has no room: free some space")

    monkeypatch.setattr(world.services.storage, "spool", full)
    world.get(path, status=507)
    monkeypatch.undo()
    assert world.get(path).body == DEMO.data
