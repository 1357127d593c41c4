"""Names stay private whatever becomes of the configuration's indexes between two starts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from structlog.testing import capture_logs

from pypicloud_lite.catalog.tables import configured_indexes
from pypicloud_lite.indexes.lasting import keep_names
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex
from pypicloud_lite.testing.world import JSON, World
from pypicloud_lite.wiring import load_raw, prepare
from pypicloud_lite.wiring.indexing import registry_of

OURS, THEIRS = build_wheel("corp", "1.0"), build_wheel("corp", "9.9")
Restart = Callable[..., World]


@pytest.fixture
def restart(make_world: Callable[..., World], upstream_index: FakeIndex) -> Restart:
    """A server of these settings on the folder of those before, over an upstream that has the private name too."""
    upstream_index.add("corp", THEIRS.filename, THEIRS.data)
    mirror = {"index.root/m.type": "mirror", "index.root/m.mirror_url": upstream_index.url}

    def start(**settings: str) -> World:
        world = make_world({**mirror, **settings})
        world.services.first_rebuild().settle_trivial()
        return world

    return start


def stable(**more: str) -> dict[str, str]:
    return {"index.acme/stable.acl_upload": "writer", **more}


def listed(world: World, index: str, project: str = "corp") -> list[str]:
    page = world.get(f"/{index}/+simple/{project}/", "reader", Accept=JSON, status="*")
    return [one["filename"] for one in page.json["files"]] if page.status_int == 200 else []


def put(world: World, index: str) -> None:
    world.upload(OURS, path=f"/{index}/")
    assert listed(world, index) == [OURS.filename]


def is_kept(world: World, owner: str, name: str) -> bool:
    with world.services.catalog.read() as catalog:
        return catalog.project(IndexName(owner, name), ProjectName("corp")) is not None


def told(logs: list[Any]) -> list[tuple[str, ...]]:
    return [(one["index"], *one["of"]) for one in logs if "names stay private" in one["event"]]


def make(world: World, bases: str) -> None:
    world.send("PUT", "/writer/dev", "writer", 200, {"bases": bases}, Accept="application/json")


def test_a_base_that_the_configuration_takes_away_leaves_its_names(restart: Restart, upstream_index: FakeIndex) -> None:
    before = restart(**stable(**{"index.acme/cfg.bases": "acme/stable root/m"}))
    put(before, "acme/stable")
    assert listed(before, "acme/cfg") == [OURS.filename]
    before.close()
    with capture_logs() as logs:
        after = restart(**stable(**{"index.acme/cfg.bases": "root/m"}))
    assert listed(after, "acme/cfg") == []
    assert listed(after, "acme/stable") == [OURS.filename]
    assert is_kept(after, "acme", "cfg")
    assert not [one for one in upstream_index.paths() if "corp" in one]
    assert told(logs) == [("acme/cfg", "acme/stable")]
    after.close()
    # It is told once, and stays so.
    with capture_logs() as logs:
        again = restart(**stable(**{"index.acme/cfg.bases": "root/m"}))
    assert listed(again, "acme/cfg") == []
    assert told(logs) == []


def test_an_index_that_the_configuration_has_no_more_leaves_its_names(restart: Restart) -> None:
    before = restart(**stable(**{"index.acme/cfg.bases": "acme/stable"}))
    put(before, "acme/stable")
    make(before, "acme/cfg,root/m")
    assert listed(before, "writer/dev") == [OURS.filename]
    before.close()
    with capture_logs() as logs:
        after = restart()
    assert listed(after, "writer/dev") == []
    assert ("writer/dev", "acme/cfg", "acme/stable") in told(logs)
    # What was in it is still there, for when the lines come back, and who comes back without its base keeps the names.
    after.close()
    back = restart(**stable(**{"index.acme/cfg.bases": "root/m"}))
    assert listed(back, "acme/stable") == [OURS.filename]
    assert listed(back, "acme/cfg") == []


def test_an_index_that_becomes_a_mirror_leaves_its_names(restart: Restart, upstream_index: FakeIndex) -> None:
    before = restart(**stable())
    put(before, "acme/stable")
    make(before, "acme/stable,root/m")
    before.close()
    url = upstream_index.url
    after = restart(**{"index.acme/stable.type": "mirror", "index.acme/stable.mirror_url": url})
    assert listed(after, "writer/dev") == []
    assert is_kept(after, "writer", "dev")


def test_another_default_index_keeps_the_names_of_the_former(restart: Restart, upstream_index: FakeIndex) -> None:
    public = {"pypi.fallback": "cache", "pypi.fallback_base_url": upstream_index.url}
    before = restart(**stable(**public, **{"index.root/main.bases": "acme/stable"}))
    put(before, "acme/stable")
    before.upload(build_wheel("lib", "1.0"))
    make(before, "root/m")
    before.close()
    upstream_index.add("lib", "lib-9.9.tar.gz", b"")
    with capture_logs() as logs:
        after = restart(**stable(**public, **{"pypi.default_index": "root/second"}))
    for name in ("corp", "lib"):
        assert after.get(f"/simple/{name}/", "writer", "*").status_int == 404
        # What the default index has is private in every index.
        assert listed(after, "writer/dev", name) == []
    assert ("root/second", "root/main", "acme/stable") in told(logs)
    # Nobody's own names are lost by the way.
    assert listed(after, "acme/stable") == [OURS.filename]


def test_starting_again_costs_one_query_and_changes_nothing(restart: Restart, queries: Callable[..., Any]) -> None:
    settings = stable(**{"index.acme/cfg.bases": "acme/stable root/m"})
    world = restart(**settings)
    put(world, "acme/stable")
    serial = world.services.catalog_serial()
    with queries(world) as statements:
        keep_names(world.services.catalog, world.services.registry)
    assert len(statements) == 1
    prepare(world.loaded)
    assert world.services.catalog_serial() == serial


def test_what_was_never_noted_is_noted(restart: Restart) -> None:
    """A database that an older version wrote."""
    world = restart(**stable())
    with world.services.database.write() as connection:
        connection.execute(delete(configured_indexes))
    with capture_logs() as logs:
        keep_names(world.services.catalog, world.services.registry)
    assert logs == []
    with world.services.catalog.read() as catalog:
        found = {str(one.name): (one.source, one.is_default) for one in catalog.configured_indexes()}
    assert found == {
        "acme/stable": ("configuration", False),
        "root/m": ("configuration", False),
        "root/main": ("built in", True),
    }


def test_workers_that_start_at_once_keep_them_once(restart: Restart) -> None:
    before = restart(**stable(**{"index.acme/cfg.bases": "acme/stable root/m"}))
    put(before, "acme/stable")
    registry = registry_of(
        load_raw({"index.acme/stable.title": "x", "index.acme/cfg.bases": "root/m"}, Path(), {}),
        before.services.catalog,
    )
    with capture_logs() as logs, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: keep_names(before.services.catalog, registry), range(4)))
    assert told(logs) == [("acme/cfg", "acme/stable")]
