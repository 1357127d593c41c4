"""The list of all projects that an upstream has, at the mirror's own address."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pypicloud_lite.testing.upstream_server import HTML, FakeIndex, Fault, upstream_server
from pypicloud_lite.testing.world import JSON, MovingClock, World

MakeMirror = Callable[..., World]
PATH = "/root/pypi/+simple/"


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    for name in ("zebra", "Apple_Pie", "apple.pie", "acme-tool", "<script>", "-bad-", "x" * 300):
        upstream_index.projects[name] = {}
    return upstream_index


def listed(world: World, **headers: str) -> list[str]:
    return [one["name"] for one in json.loads(world.get(PATH, Accept=JSON, **headers).body)["projects"]]


@pytest.mark.parametrize("kind", ["JSON", "HTML"])
def test_names_are_normalised_and_in_order_and_what_is_none_is_left_out(
    make_mirror: MakeMirror, index: FakeIndex, kind: str
) -> None:
    if kind == "HTML":
        index.kinds = (HTML,)
    world = make_mirror(pypi__disallow_fallback="acme-*")
    assert listed(world) == ["apple-pie", "zebra"]
    page = world.get(PATH, Accept="text/html")
    assert '<a href="apple-pie/">apple-pie</a><br>\n<a href="zebra/">zebra</a><br>' in page.text
    assert page.content_type == "text/html"
    assert index.paths() == ["/simple/"]


def test_list_is_packed_and_named_by_its_content(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock, wait_for: Callable
) -> None:
    world = make_mirror()
    first = world.get(PATH, Accept=JSON, Accept_Encoding="gzip")
    # WebTest has unpacked it.
    assert first.headers["ETag"].endswith('-gzip"')
    assert len(first.json["projects"]) == 3
    assert world.get(PATH, Accept=JSON, Accept_Encoding="gzip", If_None_Match=first.headers["ETag"]).status_int == 304
    clock.advance(hours=1)
    assert world.get(PATH, Accept=JSON, Accept_Encoding="gzip", If_None_Match=first.headers["ETag"]).status_int == 304
    wait_for(lambda: len(index.asked) == 2)
    assert index.asked[-1].headers["If-None-Match"]
    index.projects["new"] = {}
    # Again and again: the answer before may only now be written down, and then counts from now on.
    wait_for(lambda: clock.advance(hours=1) or "new" in listed(world))
    second = world.get(PATH, Accept=JSON, Accept_Encoding="gzip", If_None_Match=first.headers["ETag"], status=200)
    assert second.headers["ETag"] != first.headers["ETag"]
    for refused in ("identity", "zstd, gzip;q=0", "gzip;q=0"):
        plain = world.get(PATH, Accept=JSON, Accept_Encoding=refused)
        assert not plain.headers["ETag"].endswith('-gzip"')


def test_rules_change_what_the_list_is_named_by(make_mirror: MakeMirror, index: FakeIndex) -> None:
    etags = {
        make_mirror(**rules).get(PATH, Accept=JSON).headers["ETag"]
        for rules in ({}, {"mirror__deny": "zebra"}, {"mirror__allow": "zebra"}, {"pypi__disallow_fallback": "zebra"})
    }
    assert len(etags) == 4


def test_index_that_lists_no_projects_has_an_empty_list(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.fault = lambda _path: Fault(status=404)
    assert listed(make_mirror()) == []


def test_old_list_stands_when_the_upstream_gives_no_answer(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock, wait_for: Callable
) -> None:
    world = make_mirror()
    names = listed(world)
    index.fault = lambda _path: Fault(status=500)
    clock.advance(days=1)
    count = len(index.asked)
    assert listed(world) == names
    wait_for(lambda: len(index.asked) > count)
    for _ in range(3):
        assert listed(world) == names
    assert len(index.asked) == count + 1, "a failure stands for a while"


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=304), Fault(headers=(("Content-Type", "image/png"),))]
)
def test_without_any_list_the_failure_is_told(make_mirror: MakeMirror, index: FakeIndex, fault: Fault) -> None:
    index.fault = lambda _path: fault
    world = make_mirror()
    world.get(PATH, status=502)
    count = len(index.asked)
    world.get(PATH, status=503)
    assert len(index.asked) == count


def test_lists_of_several_upstreams_are_one(make_mirror: MakeMirror, index: FakeIndex) -> None:
    with upstream_server() as second:
        second.projects |= {"mango": {}, "zebra": {}}
        world = make_mirror(pypi__fallback_base_url=f"{index.url} {second.url}")
        assert listed(world) == ["acme-tool", "apple-pie", "mango", "zebra"]


def test_who_is_not_logged_in_is_asked_to(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    world.get(PATH, None, 401)
    assert index.paths() == []
    make_mirror("redirect").get(PATH, status=404)
    assert make_mirror("redirect").get("/root/main/+simple/", Accept=JSON).json["projects"] == []
