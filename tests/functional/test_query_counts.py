"""What a request costs the database does not grow with the index."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName, StorageKey
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import JSON, basic

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(world, name, number):
    sha256 = hashlib.sha256(f"{name}{number}".encode()).hexdigest()
    filename = f"{name}-{number}.tar.gz"
    key = StorageKey(f"root/main/{name}/{sha256[:8]}-0123456789abcdef/{filename}")
    project = ProjectName(name)
    return FileRecord(
        world.services.index,
        project,
        Filename.parse(filename, project),
        100,
        Digests(sha256, sha256, sha256[:32]),
        key,
        key,
        WHEN,
    )


@pytest.mark.parametrize("accept", [JSON, "text/html"])
def test_a_page_of_ten_thousand_files_costs_as_many_queries_as_a_page_of_one(world, add_rows, queries, accept):
    add_rows(world, "one", [record(world, "one", 1)])
    add_rows(world, "many", [record(world, "many", number) for number in range(10_000)])
    world.get("/simple/", status=200)
    counts = {}
    for name in ("one", "many"):
        with queries(world) as cold:
            page = world.get(f"/simple/{name}/", status=200, Accept=accept)
        with queries(world) as warm:
            again = world.get(f"/simple/{name}/", status=200, Accept=accept)
        with queries(world) as unchanged:
            world.get(f"/simple/{name}/", status=304, Accept=accept, If_None_Match=page.headers["ETag"])
        assert again.body == page.body
        counts[name] = (len(cold), len(warm), len(unchanged))
    assert page.text.count(".tar.gz") >= 10_000
    assert counts == {"one": (2, 1, 1), "many": (2, 1, 1)}


def test_users_in_the_database_and_tokens_cost_one_query_each(make_world, add_rows, queries):
    """Whoever is in the file and whatever the rules: one question a request, whether anything has changed."""
    world = make_world({"pypi.auth": "sql config", "package.t*.group.staff": "r"})
    add_rows(world, "tool", [record(world, "tool", 1)])
    world.send("PUT", "/admin/package/tool/user/reader/read", "admin")
    made = world.send("POST", "/api/token", "reader", 201, {"name": "x", "permissions": ["read"]}).json
    login = world.app.post_json("/acct/login", {"username": "reader", "password": "reader-pw"})
    cookie = login.headers["Set-Cookie"].split(";")[0]
    counts = {}
    for name, headers in (
        ("password", {"Authorization": basic("reader")}),
        ("token", {"Authorization": basic("__token__", made["token"])}),
        ("session", {"Cookie": cookie}),
    ):
        world.app.reset()
        for path in ("/simple/tool/", "/simple/", "/api/package/"):
            world.app.get(path, headers=headers)
            with queries(world) as warm:
                world.app.get(path, headers=headers)
            counts[name, path] = len(warm)
    assert {counts["password", path] for path in ("/simple/tool/", "/simple/", "/api/package/")} == {2}
    assert {count for (name, _), count in counts.items() if name != "password"} == {3}


def test_the_list_of_projects_costs_the_same_whatever_its_length(world, add_rows, queries):
    counts = []
    # Which indexes there are is read once for a process.
    world.get("/simple/nothing/", status=404)
    for start, stop in ((0, 1), (1, 300)):
        for number in range(start, stop):
            add_rows(world, f"p{number}", [record(world, f"p{number}", 1)])
        with queries(world) as cold:
            page = world.get("/simple/", status=200, Accept=JSON)
        with queries(world) as warm:
            world.get("/simple/", status=200, Accept=JSON)
        assert len(page.json["projects"]) == stop
        counts.append((len(cold), len(warm)))
    assert counts == [(2, 1), (2, 1)]


@pytest.mark.parametrize(
    ("path", "cold", "warm"),
    [("/pypi/{}/json", 3, 1), ("/pypi/{}/7/json", 3, 1), ("/rss/project/{}/releases.xml", 2, 1)],
)
def test_what_describes_ten_thousand_files_costs_as_many_queries_as_of_one(world, add_rows, queries, path, cold, warm):
    add_rows(world, "one", [record(world, "one", 7)])
    add_rows(world, "many", [record(world, "many", number) for number in range(10_000)])
    world.get("/simple/", status=200)
    for name in ("one", "many"):
        address = path.format(name)
        with queries(world) as seen:
            first = world.get(address, status=200)
        assert len(seen) == cold
        for status, headers in ((200, {}), (304, {"If_None_Match": first.headers["ETag"]})):
            with queries(world) as seen:
                world.get(address, status=status, **headers)
            assert len(seen) == warm


@pytest.mark.parametrize("path", ["/pypi/{}/json", "/{}/json", "/pypi/{}/1/json", "/rss/project/{}/releases.xml"])
def test_what_is_hidden_costs_the_same_queries_as_what_is_unknown(make_world, add_rows, queries, path):
    world = make_world({"package.hidden.user.somebody": "rw"})
    add_rows(world, "hidden", [record(world, "hidden", 1)])
    counts = []
    for name in ("hidden", "unknown"):
        with queries(world) as seen:
            world.get(path.format(name), status=404)
        counts.append(len(seen))
        with queries(world) as seen:
            world.get(path.format(name), None, 401)
        assert seen == []
    assert counts == [2, 2]


def test_a_download_costs_a_fixed_number_of_queries(world, add_rows, queries):
    wheel = build_wheel("demo", "1.0")
    world.upload(wheel)
    urls = {
        f"/packages/root/main/demo/{wheel.sha256[:16]}/{wheel.filename}": 200,
        f"/packages/root/main/demo/{wheel.filename}": 200,
        f"/api/package/demo/{wheel.filename}": 200,
        f"/packages/root/main/demo/{wheel.filename}.metadata": 200,
        "/packages/root/main/demo/demo-9.0.tar.gz": 404,
    }

    def measure():
        counts = []
        for url, status in urls.items():
            with queries(world) as seen:
                world.get(url, status=status)
            counts.append(len(seen))
        return counts

    few = measure()
    add_rows(world, "demo", [record(world, "demo", number) for number in range(2, 300)])
    assert measure() == few
    assert max(few) <= 2


def test_an_upload_costs_a_fixed_number_of_queries(world, add_rows, queries):
    counts = []
    # Each becomes the release that is offered first.
    for number in (1, 1000):
        world.upload(build_wheel("demo", f"{number}.0"))
        with queries(world) as seen:
            world.upload(build_wheel("demo", f"{number}.1"))
        counts.append(len(seen))
        add_rows(world, "demo", [record(world, "demo", 100 + extra) for extra in range(300)])
    assert counts[0] == counts[1]
