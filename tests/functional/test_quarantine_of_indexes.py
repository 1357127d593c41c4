"""What is quarantined in the default index is so where that is shown, and its reason is for who may read it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import JSON, World

BAD, OWN = build_wheel("tool", "1.0"), build_wheel("tool", "5.0")
SECRET = "it calls home"


@pytest.fixture
def world(make_world: Callable[..., World], set_status: Callable[..., None]) -> World:
    """The default index has ``tool`` in quarantine, which nobody may read but developers."""
    made = make_world({"package.tool.group.developers": "rw"})
    made.upload(BAD)
    set_status(made, "tool", ProjectStatus.QUARANTINED, SECRET)
    return made


def define(world: World, name: str, **options: Any) -> None:
    """An index of that user with his own ``tool``."""
    user = name.partition("/")[0]
    world.send("PUT", f"/{name}", user, 200, {"acl_read": user, **options}, Accept="application/json")
    world.upload(OWN, user, path=f"/{name}/")


def shown(world: World, name: str, user: str) -> Any:
    answer = world.get(f"/{name}/+simple/tool/", user, Accept=JSON)
    assert int(answer.headers["X-PyPI-Last-Serial"]) == answer.json["meta"]["_last-serial"]
    return answer.json


def test_an_index_that_does_not_stand_on_the_default_one_has_nothing_to_do_with_it(world: World) -> None:
    define(world, "outsider/x")
    page = shown(world, "outsider/x", "outsider")
    assert [one["filename"] for one in page["files"]] == [OWN.filename]
    assert "project-status" not in page or page["project-status"].get("status", "active") == "active"
    assert SECRET not in str(page)
    world.get("/outsider/x/tool", "outsider", 200, Accept="application/json")
    world.get("/project/tool/?index=outsider/x", "outsider", 200, Accept="text/html")


def test_who_may_not_read_it_hears_nothing_of_it_where_he_stands_on_it(world: World) -> None:
    define(world, "outsider/x", bases="root/main")
    page = shown(world, "outsider/x", "outsider")
    assert [one["filename"] for one in page["files"]] == [OWN.filename]
    assert SECRET not in str(page)


def test_who_may_read_it_is_shown_nothing_of_the_name_where_he_stands_on_it(world: World) -> None:
    define(world, "writer/dev", bases="root/main")
    page = shown(world, "writer/dev", "writer")
    assert page["files"] == []
    assert page["project-status"] == {"status": "quarantined", "reason": SECRET}
    world.get("/writer/dev/tool", "writer", 404, Accept="application/json")
