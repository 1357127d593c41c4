"""What describes packages, while the database does not answer or is being rebuilt: 503, never 404 and never nothing."""

from __future__ import annotations

import xmlrpc.client

import pytest

from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import basic

OF_PROJECT = ["/pypi/demo/json", "/demo/json/", "/pypi/demo/1.0/json", "/rss/project/demo/releases.xml"]
OF_INDEX = ["/rss/updates.xml", "/rss/packages.xml", "/stats/"]
SEARCH = xmlrpc.client.dumps(({"name": ["demo"]}, "or"), "search").encode()


@pytest.fixture
def crowded(make_world):
    """A world whose only connection to the database can be taken away."""
    world = make_world({"db.pool_size": "1", "db.max_overflow": "0", "db.pool_timeout": "0.05"})
    world.upload(build_wheel("demo", "1.0"))
    return world


def search(world, status):
    headers = {"Authorization": basic("reader"), "Content-Type": "text/xml"}
    return world.app.post("/pypi", SEARCH, headers=headers, status=status)


def test_91_no_database_is_a_503_with_a_time_to_wait(crowded):
    for path in (*OF_PROJECT, *OF_INDEX):
        crowded.get(path, status=200)
    with crowded.services.database.read():
        for path in (*OF_PROJECT, *OF_INDEX):
            answer = crowded.get(path, status=503)
            assert answer.headers["Retry-After"].isdecimal()
            assert (answer.headers["Content-Type"] == "application/json") is path.strip("/").endswith("json")
        answer = search(crowded, 503)
        assert answer.headers["Retry-After"].isdecimal()
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    for path in (*OF_PROJECT, *OF_INDEX):
        crowded.get(path, status=200)
    search(crowded, 200)


def test_what_may_still_come_is_not_denied(make_world):
    world = make_world({"package.hidden.user.somebody": "rw"})
    world.upload(build_wheel("other", "1.0"))
    world.upload(build_wheel("hidden", "1.0"), "admin")
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.set_rebuilding(system_clock())
    for name in ("demo", "hidden"):
        for path in OF_PROJECT:
            answer = world.get(path.replace("demo", name), status=503)
            assert int(answer.headers["Retry-After"]) > 0
    world.get("/pypi/other/json", status=200)
    assert "other 1.0" in world.get("/rss/updates.xml", status=200).text
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.set_rebuilding(None)
    for path in OF_PROJECT:
        world.get(path, status=404)
