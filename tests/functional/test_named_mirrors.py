"""Mirror indexes by their definitions: each its own, with its own options, and none leads where it may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex, upstream_server
from pypicloud_lite.testing.world import JSON, MovingClock, World

ONE, TWO = build_wheel("demo", "1.0"), build_wheel("demo", "2.0")
OTHER_ONE = build_wheel("demo", "1.0", summary="of the other upstream")


@pytest.fixture
def first() -> Iterator[FakeIndex]:
    with upstream_server() as index:
        index.add("demo", ONE.filename, ONE.data, ONE.metadata)
        yield index


@pytest.fixture
def second() -> Iterator[FakeIndex]:
    with upstream_server() as index:
        index.add("demo", OTHER_ONE.filename, OTHER_ONE.data)
        index.add("demo", TWO.filename, TWO.data)
        yield index


@pytest.fixture
def world(make_world: Callable[..., World], clock: MovingClock) -> World:
    world = make_world({"pypi.cache_update": "staff", "upstream.file_hosts": "127.0.0.1"}, clock=clock)
    world.services.first_rebuild().settle_trivial()
    return world


def mirror(world: World, name: str, index: FakeIndex, **options: Any) -> None:
    wanted = {"type": "mirror", "mirror_url": index.index, **options}
    world.send("PUT", f"/root/{name}", "admin", 200, wanted)


def stage(world: World, name: str, **options: Any) -> None:
    world.send("PUT", f"/writer/{name}", "writer", 200, options)


def files(world: World, index: str, project: str = "demo", status: int = 200) -> list[dict[str, Any]]:
    answer = world.get(f"/{index}/+simple/{project}/", "reader", status, Accept=JSON)
    return answer.json["files"] if status == 200 else []


def names(world: World, index: str, **more: Any) -> list[str]:
    return [one["filename"] for one in files(world, index, **more)]


def test_two_mirrors_never_mix(world: World, first: FakeIndex, second: FakeIndex) -> None:
    mirror(world, "one", first)
    mirror(world, "two", second)
    assert names(world, "root/one") == [ONE.filename]
    assert names(world, "root/two") == [ONE.filename, TWO.filename]
    for name, artifact in (("one", ONE), ("two", OTHER_ONE)):
        url = files(world, f"root/{name}")[0]["url"].removeprefix("../../../..")
        assert url.startswith(f"/packages/root/{name}/demo/")
        for _ in range(2):
            assert world.get(url, "reader").body == artifact.data
    assert world.get(f"/packages/root/one/demo/{TWO.filename}", "reader", 404)


def test_an_index_stands_on_mirrors_in_order(world: World, first: FakeIndex, second: FakeIndex) -> None:
    mirror(world, "one", first)
    mirror(world, "two", second)
    stage(world, "dev", bases="root/one,root/two")
    shown = files(world, "writer/dev")
    assert [one["filename"] for one in shown] == [ONE.filename, TWO.filename]
    assert shown[0]["hashes"]["sha256"] == ONE.sha256
    links = world.get("/writer/dev/demo", "reader", Accept="application/json").json["result"]
    assert links["1.0"]["+links"][0]["href"].startswith("http://localhost/root/one/+f/")
    assert world.get(links["1.0"]["+links"][0]["href"], "reader").body == ONE.data
    world.send("PATCH", "/writer/dev", "writer", 200, ["bases=root/two,root/one"])
    assert files(world, "writer/dev")[0]["hashes"]["sha256"] == OTHER_ONE.sha256


def test_private_hides_every_mirror(world: World, first: FakeIndex, second: FakeIndex) -> None:
    mirror(world, "one", first)
    mirror(world, "two", second)
    stage(world, "dev", bases="root/one,root/two")
    own = build_wheel("demo", "0.1")
    world.upload(own, path="/writer/dev/")
    before = first.paths(), second.paths()
    assert names(world, "writer/dev") == [own.filename]
    world.send("DELETE", "/writer/dev/demo", "writer", 200)
    names(world, "writer/dev", status=404)
    assert (first.paths(), second.paths()) == before
    world.send("PATCH", "/writer/dev", "writer", 200, ["mirror_whitelist=demo"])
    assert names(world, "writer/dev") == [ONE.filename, TWO.filename]


def test_one_mirror_that_is_down_does_not_keep_the_other(world: World, first: FakeIndex, second: FakeIndex) -> None:
    mirror(world, "one", first)
    world.send("PUT", "/root/two", "admin", 200, {"type": "mirror", "mirror_url": "http://127.0.0.1:9/simple/"})
    stage(world, "dev", bases="root/two,root/one")
    assert names(world, "writer/dev") == [ONE.filename]
    world.get("/root/two/+simple/demo/", "reader", "5*")


def test_how_long_a_page_is_believed(world: World, first: FakeIndex, clock: MovingClock) -> None:
    mirror(world, "one", first, mirror_cache_expiry="0")
    shown = world.get("/root/one?no_projects=", "reader", Accept="application/json").json["result"]
    assert (shown["mirror_cache_expiry"], shown["mirror_url"]) == (0, first.index)
    names(world, "root/one")
    clock.advance(seconds=10)
    names(world, "root/one")
    assert first.paths().count("/simple/demo/") == 2
    world.send("PATCH", "/root/one", "admin", 200, ["mirror_cache_expiry=3600"])
    names(world, "root/one")
    clock.advance(seconds=1800)
    asked = first.paths().count("/simple/demo/")
    names(world, "root/one")
    assert first.paths().count("/simple/demo/") == asked


def test_without_the_list_of_projects(world: World, first: FakeIndex) -> None:
    first.add("unseen", "unseen-1.0.tar.gz", b"x")
    mirror(world, "one", first, mirror_no_project_list=True)
    names(world, "root/one")
    listed = world.get("/root/one/+simple/", "reader", Accept=JSON).json["projects"]
    assert [one["name"] for one in listed] == ["demo"]
    assert "/simple/" not in first.paths()


def test_external_addresses(world: World, first: FakeIndex) -> None:
    mirror(world, "one", first, mirror_use_external_urls=True)
    assert files(world, "root/one")[0]["url"].startswith(first.url)


def test_metadata_that_is_not_believed(world: World, first: FakeIndex) -> None:
    mirror(world, "one", first)
    assert files(world, "root/one")[0]["core-metadata"]
    mirror(world, "two", first, mirror_provides_core_metadata=False)
    assert "core-metadata" not in files(world, "root/two")[0]


def test_a_password_is_sent_and_never_shown(world: World, first: FakeIndex) -> None:
    first.credentials = ("ann", "s3cret")
    address = first.index.replace("http://", "http://ann:s3cret@")
    world.send("PUT", "/root/one", "admin", 200, {"type": "mirror", "mirror_url": address})
    assert names(world, "root/one") == [ONE.filename]
    for path in ("/root/one", "/", "/root", "/api/index/root/one"):
        assert "s3cret" not in world.get(path, "reader", Accept="application/json").text
    # What was told may be sent back: the password stays.
    told = world.get("/root/one?no_projects=", "admin", Accept="application/json").json
    world.send("PATCH", "/root/one", "admin", 200, {**told["result"], "title": "One"})
    world.services.mirrors.of(IndexName("root", "one")).pages.expire(ProjectName("demo"))
    assert names(world, "root/one") == [ONE.filename]
    with world.services.catalog.read() as catalog:
        assert "s3cret" not in str(catalog.journal())


def test_owners_make_mirrors_where_that_is_set_and_lead_nowhere_inside(
    make_world: Callable[..., World], first: FakeIndex
) -> None:
    world = make_world({"index.mirrors_by": "owners", "pypi.cache_update": "authenticated"})
    wanted = {"type": "mirror", "mirror_url": first.index}
    world.send("PUT", "/writer/one", "writer", 200, wanted)
    world.get("/writer/one/+simple/demo/", "reader", "5*")
    assert first.paths() == []


def test_what_is_removed_is_forgotten(
    world: World, first: FakeIndex, second: FakeIndex, wait_for: Callable[[Callable[[], object]], None]
) -> None:
    mirror(world, "one", first, volatile=True)
    url = files(world, "root/one")[0]["url"].removeprefix("../../../..")
    world.get(url, "reader")
    world.send("DELETE", "/root/one", "admin", 201)
    # It may have been stored just after that: nothing of it stays.
    wait_for(lambda: not list(world.services.storage.list("root/one")))
    world.get(url, "reader", 404)
    mirror(world, "one", second)
    assert names(world, "root/one") == [ONE.filename, TWO.filename]
    assert files(world, "root/one")[0]["hashes"]["sha256"] == OTHER_ONE.sha256


def test_a_mirror_takes_no_uploads(world: World, first: FakeIndex) -> None:
    mirror(world, "one", first)
    assert "mirror" in world.upload(ONE, "admin", 404, path="/root/one/").status


def test_a_file_of_a_mirror_is_promoted(world: World, first: FakeIndex) -> None:
    mirror(world, "one", first)
    stage(world, "prod")
    wanted = {"source": "root/one", "target": "writer/prod", "project": "demo", "version": "1.0"}
    world.send("PATCH", "/writer/prod", "writer", 200, ["acl_upload+=reader"])
    assert world.send("POST", "/api/promote", "reader", 200, wanted).json[0]["outcome"] == "copied"
    assert names(world, "writer/prod") == [ONE.filename]
