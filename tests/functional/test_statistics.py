"""``/stats/``: sizes as JSON for programs and as a page for people, of what the caller may read."""

from __future__ import annotations

from random import Random

import pytest

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import basic

JSON = "application/json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SMALL, LARGE, HIDDEN = (
    build_wheel("small", "1.0"),
    build_wheel("Large", "1.0", body=Random(1).randbytes(5000)),
    build_wheel("hidden", "1.0"),
)


@pytest.fixture
def make(make_world):
    def build(settings=()):
        world = make_world({"package.hidden.user.somebody": "rw", **dict(settings)})
        for artifact in (SMALL, LARGE, HIDDEN):
            world.upload(artifact, "admin")
        return world

    return build


def document(world, user="reader"):
    answer = world.get("/stats/", user, 200, Accept=JSON)
    assert answer.headers["Content-Type"] == JSON
    return answer.json


def test_sizes_the_largest_first(make):
    world = make()
    world.upload(build_sdist("small", "1.0"))
    both = len(SMALL.data) + len(build_sdist("small", "1.0").data)
    found = document(world)
    assert found == {
        "total_packages_size": len(LARGE.data) + both,
        "top_packages": {"large": {"size": len(LARGE.data)}, "small": {"size": both}},
    }
    assert list(found["top_packages"]) == ["large", "small"]


def test_47_only_what_the_caller_may_read(make):
    world = make()
    assert "hidden" in document(world, "admin")["top_packages"]
    for user, count in (("reader", 2), ("outsider", 0), ("reader", 2)):
        found = document(world, user)
        assert len(found["top_packages"]) == count
        assert found["total_packages_size"] == sum(one["size"] for one in found["top_packages"].values())
    assert "hidden" not in world.get("/stats/", Accept=BROWSER).text
    assert world.get("/stats/", None, 401, Accept=JSON).json["error"] == "authentication-required"
    world.app.get("/stats/", headers={"Authorization": basic("reader", "wrong")}, status=401)


def test_48_where_anyone_may_read(make):
    world = make({"pypi.default_read": "everyone"})
    answer = world.get("/stats/", None, 200, Accept=JSON)
    assert set(answer.json["top_packages"]) == {"large", "small"}
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Vary"] == "Accept, Accept-Encoding, Authorization, Cookie"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (JSON, JSON),
        (f"{JSON};q=0.9, text/html;q=0.1", JSON),
        (f"text/html, {JSON};q=0.1", "text/html"),
        (f"{JSON};q=0", "text/html"),
        (BROWSER, "text/html"),
        ("*/*", "text/html"),
        (None, "text/html"),
        ("image/png", "text/html"),
        (f"{JSON};q=x", "text/html"),
    ],
)
def test_a_page_unless_json_is_asked_for(make, accept, kind):
    answer = make().get("/stats/", status=200, **({"Accept": accept} if accept else {}))
    assert answer.headers["Content-Type"].split(";")[0] == kind


def test_the_page(make):
    world = make()
    page = world.get("/stats", status=301, Accept=BROWSER)
    assert page.headers["Location"] == "stats/"
    text = world.get("/stats/", status=200, Accept=BROWSER).text
    assert text.startswith("<!DOCTYPE html>")
    assert text.index(">Large</a>") < text.index(">small</a>")
    assert 'href="../project/large/"' in text
    assert f"{(len(SMALL.data) + len(LARGE.data)) / 1024:.1f} KiB" in text
    world.get("/project/large/", status=200)


def test_26_94_quarantined_and_leaving_count_nothing(make, set_status):
    world = make()
    set_status(world, "large", ProjectStatus.QUARANTINED)
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.begin_removal(catalog.file(world.services.index, SMALL.filename))
    assert document(world) == {"total_packages_size": 0, "top_packages": {}}


def test_a_hundred_at_most_and_the_total_of_all(make, queries):
    world = make()
    for number in range(101):
        world.upload(build_wheel(f"p{number}", "1.0"), "admin")
    with queries(world) as cold:
        found = document(world)
    with queries(world) as warm:
        assert document(world) == found
    assert len(found["top_packages"]) == 100
    assert found["total_packages_size"] > sum(one["size"] for one in found["top_packages"].values())
    assert (len(cold), len(warm)) == (2, 1)
    tag = world.get("/stats/", Accept=JSON).headers["ETag"]
    world.get("/stats/", status=304, Accept=JSON, If_None_Match=tag)
    world.get("/stats/", status=200, Accept=BROWSER, If_None_Match=tag)
