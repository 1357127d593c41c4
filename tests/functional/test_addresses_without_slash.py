"""Addresses of named indexes without their last slash: links are relative, so installers are sent to the one with it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import JSON, World

TOOL = build_wheel("foo_bar", "1.0")
PIP = {"Accept": f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"}
HTML = {"Accept": "application/vnd.pypi.simple.v1+html", "User_Agent": "pip/25.0"}


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    made = make_world()
    made.send("PUT", "/writer/my_dev.x", "writer", 200, {}, Accept="application/json")
    made.upload(TOOL, path="/writer/my_dev.x/")
    return made


@pytest.mark.parametrize("path", ["/writer/my_dev.x", "/writer/my_dev.x/+simple"])
def test_list_without_a_slash(world: World, path: str) -> None:
    moved = world.get(f"{path}?format=html", "reader", 301, **HTML)
    assert urljoin(f"http://localhost{path}", moved.headers["Location"]) == f"http://localhost{path}/?format=html"
    assert 'href="foo-bar/"' in world.get(f"{path}/", "reader", **HTML).text


@pytest.mark.parametrize("spelling", ["foo-bar", "foo_bar", "Foo.Bar"])
@pytest.mark.parametrize("path", ["/writer/my_dev.x/", "/writer/my_dev.x/+simple/"])
def test_project_without_a_slash(world: World, path: str, spelling: str) -> None:
    moved = world.get(path + spelling, "reader", 301, **PIP)
    where = urljoin(f"http://localhost{path}{spelling}", moved.headers["Location"])
    assert where == f"http://localhost{path}foo-bar/"
    (file,) = world.get(f"{path}foo-bar/", "reader", **PIP).json["files"]
    assert world.get(urljoin(where, file["url"]).removeprefix("http://localhost"), "reader").body == TOOL.data


def test_what_could_be_no_project_or_index_is_not_redirected_to(world: World) -> None:
    for path in ("/writer/my_dev.x/+simple/-x", "/writer/my_dev.x/+simple/a:b", "/writer/Dev", "/writer/-x/+simple"):
        world.get(path, "reader", 404, **PIP)


def test_an_index_that_is_not_there_is_told_apart_by_nothing(world: World) -> None:
    world.send("PUT", "/writer/secret", "writer", 200, {"acl_read": "writer"}, Accept="application/json")
    for end in ("", "/+simple", "/foo-bar", "/+simple/foo-bar"):
        told = [world.get(f"/writer/{name}{end}", "reader", "*", **PIP) for name in ("secret", "nowhere")]
        assert [one.status_int for one in told] == [301, 301]
        assert told[0].headers["Location"].replace("secret", "nowhere") == told[1].headers["Location"]


def test_other_callers_are_answered_where_they_are(world: World) -> None:
    assert world.get("/writer/my_dev.x", Accept="application/json").json["type"] == "indexconfig"
    assert world.get("/writer/my_dev.x/foo-bar", Accept="application/json").json["type"] == "projectconfig"
