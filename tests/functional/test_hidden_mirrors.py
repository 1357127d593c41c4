"""A mirror is shown to those who may read it there, whoever stands on it: by its page, its files and its list of names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex
from pypicloud_lite.testing.world import JSON, MovingClock, World, basic

DEMO, OWN = build_wheel("demo", "1.0"), build_wheel("demo", "0.1")
AUTHENTICATED = {"pypi.default_read": "authenticated"}

Make = Callable[..., World]


@pytest.fixture
def make(make_world: Make, upstream_index: FakeIndex, clock: MovingClock) -> Make:
    """A world whose mirror ``root/m``, made with the given options, is over the upstream, which has ``demo``."""
    upstream_index.add("demo", DEMO.filename, DEMO.data)

    def made(settings: dict[str, str], **options: Any) -> World:
        place = upstream_index.url.partition("://")[2]
        world = make_world({"index.mirror_hosts": place, **settings}, clock=clock)
        world.services.first_rebuild().settle_trivial()
        define(world, "root/m", "admin", type="mirror", mirror_url=upstream_index.index, **options)
        return world

    return made


def define(world: World, name: str, user: str, **options: Any) -> None:
    world.send("PUT", f"/{name}", user, 200, options, Accept="application/json")


def names(world: World, path: str, user: str | None, status: int = 200) -> list[str]:
    answer = world.get(path, user, status, Accept=JSON)
    return [one["name"] for one in answer.json["projects"]] if status == 200 else []


def files(world: World, path: str, user: str | None) -> list[str]:
    return [one["filename"] for one in world.get(path, user, Accept=JSON).json["files"]]


def test_who_stands_on_a_hidden_mirror_sees_nothing_of_it_and_has_nothing_asked(
    make: Make, upstream_index: FakeIndex
) -> None:
    world = make(AUTHENTICATED, acl_read="writer")
    # Who may not know of the mirror cannot name it as a base.
    define(world, "outsider/p", "admin", bases="root/m")
    for path in ("/root/m/+simple/demo/", "/outsider/p/+simple/demo/", "/project/demo/?index=outsider/p"):
        world.get(path, "outsider", 404, Accept="text/html")
    world.get("/outsider/p/demo", "outsider", 404, Accept="application/json")
    assert upstream_index.paths() == []
    # The same index, to who may read the mirror.
    assert files(world, "/outsider/p/+simple/demo/", "writer") == [DEMO.filename]
    # What is known of it by now is not shown either, nor that a private name hides anything of it.
    world.get("/outsider/p/+simple/demo/", "outsider", 404)
    world.upload(OWN, "outsider", path="/outsider/p/")
    assert files(world, "/outsider/p/+simple/demo/", "outsider") == [OWN.filename]
    for user, is_told in (("outsider", False), ("writer", True)):
        shown = world.get("/project/demo/?index=outsider/p", user, Accept="text/html").text
        assert ("its mirror is not asked for it" in shown) is is_told


def test_a_private_name_hides_what_a_mirror_has_from_those_who_may_read_it(make: Make) -> None:
    world = make(AUTHENTICATED, acl_read="writer")
    define(world, "writer/dev", "writer", bases="root/m")
    world.upload(OWN, path="/writer/dev/")
    assert files(world, "/writer/dev/+simple/demo/", "writer") == [OWN.filename]


def test_a_mirror_is_asked_for_those_whom_its_own_rules_let(make: Make, upstream_index: FakeIndex) -> None:
    world = make({**AUTHENTICATED, "pypi.cache_update": "staff"})
    define(world, "outsider/p", "outsider", bases="root/m")
    world.get("/outsider/p/+simple/demo/", "outsider", 404)
    assert upstream_index.paths() == []


def test_list_of_a_hidden_mirror_is_nobodys_business(make: Make) -> None:
    world = make({"pypi.default_read": "everyone"}, acl_read="writer")
    assert names(world, "/root/m/+simple/", "writer") == ["demo"]
    for path in ("/root/m/+simple/", "/root/m/", "/root/m/+simple/demo/"):
        world.get(path, None, 401)
        world.get(path, "outsider", 404)


def test_list_of_a_mirror_for_everybody_is_for_everybody(make: Make) -> None:
    world = make({"pypi.default_read": "staff"}, acl_read=":ANONYMOUS:")
    assert names(world, "/root/m/+simple/", "reader") == ["demo"]
    assert names(world, "/root/m/+simple/", None) == ["demo"]
    assert files(world, "/root/m/+simple/demo/", "reader") == [DEMO.filename]
    world.get("/root/m/+simple/demo/", None, 401)  # which nobody had fetched yet


def test_list_of_a_mirror_without_readers_of_its_own_follows_the_default(make: Make) -> None:
    world = make({"pypi.default_read": "staff"})
    for user in ("reader", "outsider"):
        assert names(world, "/root/m/+simple/", user) == ["demo"]
    world.get("/root/m/+simple/", None, 401)


@pytest.mark.parametrize("whitelist", ["demo", "*"])
def test_what_a_whitelisted_name_lists_can_be_downloaded(
    make: Make, wait_for: Callable[..., None], set_status: Callable[..., None], whitelist: str
) -> None:
    world = make(AUTHENTICATED)
    world.upload(OWN)
    define(world, "writer/dev", "writer", bases="root/m", mirror_whitelist=whitelist)
    (listed,) = world.get("/writer/dev/+simple/demo/", Accept=JSON).json["files"]
    path = "/" + listed["url"].removeprefix("../../../../")
    shown = world.get("/writer/dev/demo", Accept="application/json").json["result"]["1.0"]
    link = shown["+links"][0]["href"].partition("localhost")[2]
    # As it comes, and when it is here.
    for _ in range(2):
        assert world.get(path).body == world.get(link).body == DEMO.data
        assert world.get(path + ".metadata").status_int == 200
        wait_for(lambda: _is_kept(world))
    # The name is ours all the same: at the addresses of the mirror there is no page of it, nor in others.
    world.get("/root/m/+simple/demo/", status=404)
    define(world, "writer/other", "writer", bases="root/m")
    world.get("/writer/other/+simple/demo/", status=404)
    headers = {"Authorization": basic("admin")}
    form = {"action": "refresh", "project": "demo", "index": "root/m"}
    world.app.post("/manage/mirror", form, headers=headers, status=303)
    set_status(world, "demo", ProjectStatus.QUARANTINED)
    for gone in (path, link, "/writer/dev/+simple/demo/"):
        world.get(gone, status=404)
    set_status(world, "demo", ProjectStatus.ACTIVE)
    world.send("PATCH", "/writer/dev", "writer", 200, ["mirror_whitelist="], Accept="application/json")
    for gone in (path, link, path + ".metadata"):
        world.get(gone, status=404)


def test_a_whitelist_elsewhere_shows_nothing_in_the_default_index(make_mirror: Make, upstream_index: FakeIndex) -> None:
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    world = make_mirror(pypi__default_read="authenticated")
    world.upload(OWN)
    define(world, "writer/dev", "writer", bases="root/pypi", mirror_whitelist="demo")
    for path in (f"/packages/root/main/demo/{DEMO.filename}", f"/packages/{DEMO.filename}"):
        world.get(path, status=404)
    assert upstream_index.paths() == []
    assert world.get(f"/packages/root/pypi/demo/{DEMO.filename}").body == DEMO.data
    assert files(world, "/simple/demo/", "reader") == [OWN.filename]


def _is_kept(world: World, mirror: str = "m") -> bool:
    with world.services.catalog.read() as catalog:
        return bool(catalog.files(IndexName("root", mirror), ProjectName("demo")))


@pytest.mark.parametrize("settings", [{"pypi__always_show_upstream": "true"}, {"mirror__merge": "de*"}], ids=str)
@pytest.mark.parametrize("fallback", ["none", "cache"])
def test_what_the_default_index_merges_is_private_in_every_other(
    make_mirror: Make, upstream_index: FakeIndex, fallback: str, settings: dict[str, str]
) -> None:
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    place = upstream_index.url.partition("://")[2]
    world = make_mirror(fallback, mirror__enabled="true", index__mirror_hosts=place, **settings)
    define(world, "root/m", "admin", type="mirror", mirror_url=upstream_index.index)
    define(world, "writer/dev", "writer", bases="root/pypi,root/m")
    define(world, "writer/above", "writer", bases="writer/dev,root/main")
    world.upload(OWN)
    world.upload(OWN, path="/writer/dev/")
    for name in ("writer/dev", "writer/above"):
        assert files(world, f"/{name}/+simple/demo/", "reader") == [OWN.filename]
    for gone in ("/root/m/+simple/demo/", f"/packages/root/m/demo/{DEMO.filename}"):
        world.get(gone, status=404)
    assert upstream_index.paths() == []
    # The default index shows both, also where its definition names the mirror; but of no other.
    if fallback == "cache":
        assert files(world, "/simple/demo/", "reader") == [OWN.filename, DEMO.filename]
    world.send("PATCH", "/root/main", "admin", 200, ["bases=root/m,root/pypi"], Accept="application/json")
    places = [one["url"].partition("/demo/")[0] for one in world.get("/simple/demo/", Accept=JSON).json["files"]]
    assert places == ["../../packages/root/main", "../../packages/root/pypi"]
    assert world.get(f"/packages/root/pypi/demo/{DEMO.filename}").body == DEMO.data


def test_merging_everything_is_warned_of_under_every_fallback(make_mirror: Make) -> None:
    for fallback, settings in (("none", {"mirror__enabled": "true"}), ("cache", {})):
        world = make_mirror(fallback, pypi__always_show_upstream="true", **settings)
        assert any("pypi.always_show_upstream" in line for line in world.services.warnings)


def test_what_the_default_index_falls_back_to_is_for_who_may_read_it_there(
    make_mirror: Make, upstream_index: FakeIndex, wait_for: Callable[..., None]
) -> None:
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    world = make_mirror()
    world.send("PATCH", "/root/pypi", "admin", 200, ["acl_read=writer"], Accept="application/json")
    paths = [
        "/simple/demo/",
        "/root/main/+simple/demo/",
        "/pypi/demo/json",
        "/project/demo/",
        f"/packages/root/main/demo/{DEMO.filename}",
        f"/packages/{DEMO.filename}",
        f"/api/package/demo/{DEMO.filename}",
        f"/packages/root/pypi/demo/{DEMO.filename}",
    ]
    for path in paths:
        world.get(path, "reader", 404)
    assert upstream_index.paths() == []
    for path in paths:
        assert world.get(path, "writer").body
    wait_for(lambda: _is_kept(world, "pypi"))
    for path in paths:
        world.get(path, "reader", 404)
