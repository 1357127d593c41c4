"""What a page for people costs the database: as much for a large project as for a small one."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import PASSWORDS

AT_MOST = 6


@pytest.fixture
def world(make_world):
    world = make_world({"pypi.auth": "config sql"})
    world.upload(build_wheel("tiny", "1.0"), "admin")
    for number in range(100):
        wheel = build_wheel("large", "1.0", platform_tag=f"plat{number}", requires_dist=("tiny", "elsewhere"))
        world.upload(wheel, "admin")
    world.app.post("/login", {"username": "reader", "password": PASSWORDS["reader"]}, status=303)
    return world


@pytest.mark.parametrize("path", ["/", "/project/tiny/", "/project/large/", "/project/large/1.0/", "/search?q=large"])
def test_a_page_costs_few_queries_logged_in(world, queries, path):
    world.app.get(path, status=200)
    with queries(world) as statements:
        world.app.get(path, status=200)
    assert len(statements) <= AT_MOST, statements
