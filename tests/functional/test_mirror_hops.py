"""Servers of this kind that have each other as upstreams: what came by one of them is not shown to it again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex, Fault, upstream_server
from pypicloud_lite.testing.world import JSON, MovingClock, World

DEMO, NEWER = build_wheel("demo", "1.0"), build_wheel("demo", "999.0")
OTHER, THIRD = f"ppc-{'0' * 32}", f"ppc-{'1' * 32}"

MakeMirror = Callable[..., World]


def names(page: dict) -> list[str]:
    return [file["filename"] for file in page["files"]]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """With one wheel."""
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    return upstream_index


def test_request_that_came_round_asks_nobody(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    name = world.services.mirror.server()
    answer = world.get("/simple/demo/", status=404, Via=f"1.1 proxy, 1.1 {name}, 1.1 ppc-{'0' * 32}")
    assert answer.headers["X-Mirror"] == "round"
    assert index.paths() == []
    answer = world.get("/simple/demo/", Via=f"1.1 ppc-{'0' * 32}")
    assert index.asked[0].headers["Via"] == f"1.1 ppc-{'0' * 32}, 1.1 {name}"
    assert answer.headers["Via"] == f"1.1 {name}"
    # Also now that the page is known: it may be what that server has from here.
    world.get("/simple/demo/", status=404, Via=f"1.1 {name}")
    assert "Via" not in world.get("/simple/demo/").headers


def test_our_own_project_says_to_another_server_by_whom_it_comes(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    world.upload(build_wheel("ours", "1.0"))
    name = world.services.mirror.server()
    for via in (OTHER, name):
        assert world.get("/simple/ours/", Via=f"1.1 {via}").headers["Via"] == f"1.1 {name}"


def test_page_is_not_shown_to_a_server_that_it_came_by(make_mirror: MakeMirror, index: FakeIndex) -> None:
    """Nor its files; somebody else is told by whom it came."""
    index.headers = (("Via", f"1.1 {OTHER}, 1.1 {THIRD}"),)
    world = make_mirror()
    path = world.project("demo")["files"][0]["url"].removeprefix("../..")
    name = world.services.mirror.server()
    asked = len(index.asked)
    answer = world.get("/simple/demo/", Via=f"1.1 ppc-{'9' * 32}")
    assert answer.headers["Via"] == f"1.1 {OTHER}, 1.1 {THIRD}, 1.1 {name}"
    assert len(index.asked) == asked
    for other in (OTHER, THIRD):
        for address in ("/simple/demo/", path, f"{path}.metadata"):
            assert world.get(address, status=404, Via=f"1.1 {other}").headers["X-Mirror"] == "round"
    assert not [one for one in index.paths() if one.startswith("/files/")]
    assert names(world.project("demo")) == [DEMO.filename]


def test_absence_that_only_who_asks_could_deny_is_nobody_elses_answer(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    index.fault = lambda _path: Fault(404, (("X-Mirror", "round"),), b"")
    world = make_mirror()
    for _ in range(2):
        assert world.get("/simple/late/", status=404, Via=f"1.1 {OTHER}").headers["X-Mirror"] == "round"
    # Remembered for who asks by the same way.
    assert index.paths() == ["/simple/late/"]
    index.fault = lambda _path: None
    index.add("late", "late-1.0.tar.gz", b"x")
    assert names(world.project("late")) == ["late-1.0.tar.gz"]


def test_page_of_several_mirrors_tells_by_whom_any_of_it_came(make_mirror: MakeMirror, index: FakeIndex) -> None:
    with upstream_server() as second:
        second.add("demo", NEWER.filename, NEWER.data)
        world = make_mirror(index__mirror_hosts=second.url.partition("://")[2])
        index.headers, second.headers = (("Via", f"1.1 {OTHER}"),), (("Via", f"1.1 {THIRD}"),)
        for path, options in (
            ("/root/two", {"type": "mirror", "mirror_url": second.index}),
            ("/root/both", {"bases": "root/pypi,root/two"}),
        ):
            world.send("PUT", path, "admin", 200, options, Accept="application/json")
        answer = world.get("/root/both/+simple/demo/", Accept=JSON, Via=f"1.1 ppc-{'9' * 32}")
    assert names(answer.json) == [DEMO.filename, NEWER.filename]
    assert answer.headers["Via"] == f"1.1 {OTHER}, 1.1 {THIRD}, 1.1 {world.services.mirror.server()}"


def test_who_a_page_came_by_may_change_though_the_page_does_not(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock
) -> None:
    index.headers = (("Via", f"1.1 {OTHER}"),)
    world = make_mirror()
    world.get("/simple/demo/")
    world.get("/simple/demo/", status=404, Via=f"1.1 {OTHER}")
    index.headers = (("Via", f"1.1 {THIRD}"),)
    clock.advance(hours=2)
    world.get("/simple/demo/")
    assert "If-None-Match" in index.asked[-1].headers
    world.get("/simple/demo/", Via=f"1.1 {OTHER}")
    world.get("/simple/demo/", status=404, Via=f"1.1 {THIRD}")


def test_who_asks_for_another_server_does_not_wait_for_our_own_question(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    """It may be what the question waits for."""
    asked, told = threading.Event(), threading.Event()

    def fault(_path: str) -> Fault | None:
        if len(index.asked) == 1:
            asked.set()
            told.wait(8)
        return None

    index.fault = fault
    world = make_mirror()
    with ThreadPoolExecutor(1) as pool:
        ours = pool.submit(world.get, "/simple/demo/")
        assert asked.wait(10)
        world.get("/simple/demo/", Via=f"1.1 {OTHER}")
        assert not ours.done()
        told.set()
        assert ours.result(10).status_int == 200
