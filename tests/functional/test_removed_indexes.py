"""What was in an index goes with it, also where whoever removed it met an outage or died."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import World

WHEELS = [build_wheel(name, "1.0") for name in ("liba", "libb", "libc")]
DEV = IndexName("writer", "dev")
Outage = Callable[[World], AbstractContextManager[None]]


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    """Nothing can be deleted from the storage."""

    @contextmanager
    def broken(world: World) -> Any:
        def fail(_key: object) -> None:
            raise StorageUnavailable("The storage does not answer: try again later")

        with monkeypatch.context() as patch:
            patch.setattr(world.services.storage, "delete", fail)
            yield

    return broken


def ask(world: World, method: str, index: str = "writer/dev", status: int = 200, **options: Any) -> None:
    body = options if method == "PUT" else None
    world.send(method, f"/{index}", "writer", status, body, Accept="application/json")


def fill(world: World, index: str = "writer/dev") -> None:
    for wheel in WHEELS:
        world.upload(wheel, path=f"/{index}/")


def names(world: World, index: IndexName = DEV) -> list[str]:
    with world.services.catalog.read() as catalog:
        return [str(one.name) for one in catalog.projects_named(index, "", "", 10)]


def dropped(world: World) -> list[str]:
    with world.services.catalog.read() as catalog:
        return [str(one) for one in catalog.dropped_indexes()]


def stored(world: World) -> list[str]:
    return [info.key.value for info in world.services.storage.list()]


def lose(world: World, outage: Outage) -> None:
    """Remove an index while the storage is away."""
    ask(world, "PUT")
    fill(world)
    with outage(world):
        ask(world, "DELETE", status=503)
        world.services.housekeeping().do_chores()
    ask(world, "DELETE", status=404)
    assert dropped(world) == ["writer/dev"]


def test_what_an_outage_left_of_a_removed_index_goes_later(world: World, outage: Outage) -> None:
    lose(world, outage)
    assert len(names(world)) == len(WHEELS)
    world.services.housekeeping().do_chores()
    assert (names(world), dropped(world)) == ([], [])
    assert stored(world) == []


def test_one_that_is_removed_at_once_leaves_no_note(world: World, queries: Callable[..., Any]) -> None:
    ask(world, "PUT")
    fill(world)
    ask(world, "DELETE", status=201)
    assert (names(world), dropped(world), stored(world)) == ([], [], [])
    with queries(world) as statements:
        world.services.indexes.clear_dropped()
    assert len(statements) == 1


def test_one_that_is_made_anew_keeps_what_came_since(world: World, outage: Outage) -> None:
    lose(world, outage)
    ask(world, "PUT")
    assert (names(world), dropped(world)) == ([], [])
    fill(world)
    world.services.housekeeping().do_chores()
    assert len(names(world)) == len(WHEELS)


def test_one_that_cannot_be_cleared_keeps_no_other_waiting(
    world: World, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(world, outage)
    ask(world, "PUT", "writer/new")
    fill(world, "writer/new")
    with outage(world):
        ask(world, "DELETE", "writer/new", 503)
    delete = world.services.storage.delete

    def fail(key: Any) -> None:
        if key.value.startswith("writer/dev/"):
            raise StorageUnavailable("The storage does not answer: try again later")
        delete(key)

    monkeypatch.setattr(world.services.storage, "delete", fail)
    world.services.housekeeping().do_chores()
    assert dropped(world) == ["writer/dev"]
    assert names(world, IndexName("writer", "new")) == []


def test_one_that_the_configuration_has_no_more_keeps_all(make_world: Callable[..., World], outage: Outage) -> None:
    """Also where an index of that name was removed by a request before."""
    world = make_world()
    lose(world, outage)
    settings = {"index.writer/dev.acl_upload": "writer", "index.acme/stable.acl_upload": "writer"}
    configured = make_world(settings)
    configured.services.housekeeping().do_chores()
    assert dropped(configured) == []
    fill(configured, "acme/stable")
    last = make_world()
    last.services.housekeeping().do_chores()
    assert len(names(last)) == len(names(last, IndexName("acme", "stable"))) == len(WHEELS)
