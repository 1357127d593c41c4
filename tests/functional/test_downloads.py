"""What counts as a download and what does not, who sees the counts, and what counting costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.downloads.counts import DownloadCounts
from pypicloud_lite.downloads.tables import EARLIER, downloads
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import PASSWORDS

WHEEL = build_wheel("demo", "1.0")
NAMED = f"/packages/root/main/demo/{WHEEL.filename}"
BY_DIGEST = f"/packages/root/main/demo/{WHEEL.sha256[:16]}/{WHEEL.filename}"
API = f"/api/package/demo/{WHEEL.filename}"
FOLDER = f"/packages/{WHEEL.filename}"
ADDRESSES = (NAMED, BY_DIGEST, API, FOLDER)
DOCUMENT = "/api/package/demo/downloads"


@pytest.fixture
def world(make_world):
    world = make_world({"pypi.auth": "config sql", "package.secret-tool.group.developers": "rw"})
    world.upload(WHEEL, "admin", signature=b"-----BEGIN PGP SIGNATURE-----\n")
    return world


def counted(world, name="demo"):
    """The total of a project, all that is in memory written down."""
    world.services.counter.write()
    with world.services.catalog.read() as catalog:
        project = catalog.project(world.services.index, ProjectName(name))
    return DownloadCounts(world.services.database, world.services.clock).of(project.id, 1).total


def test_a_file_counts_whatever_its_address(world):
    for number, path in enumerate(ADDRESSES, 1):
        assert world.get(path, status=200).body == WHEEL.data
        assert counted(world) == number


def test_what_a_person_downloads_from_the_page_counts(world):
    world.app.post("/login", {"username": "reader", "password": PASSWORDS["reader"]}, status=303)
    page = world.app.get("/project/demo/", headers={"Accept": "text/html"})
    page.click(WHEEL.filename, index=0)
    assert counted(world) == 1


def test_what_sends_no_file_does_not_count(world):
    etag = world.get(NAMED, status=200).headers["ETag"]
    before = counted(world)
    for path in ADDRESSES:
        world.head(path, status=200)
        world.get(path, status=304, If_None_Match=etag)
        world.get(f"{path}.metadata", status=200)
        world.get(f"{path}.asc", status=200)
        world.get(path, None, 401)
        world.get(path, "outsider", 404)
    world.get(f"/packages/root/main/demo/{'0' * 16}/{WHEEL.filename}", status=404)
    world.get("/packages/root/main/demo/demo-9.tar.gz", status=404)
    for path in ("/simple/demo/", "/pypi/demo/json", "/project/demo/", "/api/package/demo/"):
        world.get(path, status=200)
    assert counted(world) == before


@pytest.mark.parametrize(
    ("sent", "status", "counts"),
    [
        ("bytes=0-", 206, True),
        ("bytes=0-0", 206, True),
        ("bytes=0-99", 206, True),
        (f"bytes=-{len(WHEEL.data)}", 206, True),
        ("bytes=1-", 206, False),
        ("bytes=100-199", 206, False),
        ("bytes=-20", 206, False),
        (f"bytes={len(WHEEL.data)}-", 416, False),
        ("bytes=-0", 416, False),
        # Not understood, so that the whole file is sent.
        ("bytes=5-2", 200, True),
        ("bytes=1-2,4-5", 200, True),
        ("lines=1-", 200, True),
    ],
)
def test_a_part_counts_if_it_is_the_first(world, sent, status, counts):
    world.get(NAMED, status=status, Range=sent)
    assert counted(world) == counts


def test_a_file_in_parts_counts_once(world):
    size, got = len(WHEEL.data), b""
    for start in range(0, size, 100):
        got += world.get(NAMED, status=206, Range=f"bytes={start}-{min(start + 99, size - 1)}").body
    assert got == WHEEL.data
    assert counted(world) == 1


def test_a_changed_file_is_sent_anew_and_counts(world):
    world.get(NAMED, status=200, Range="bytes=100-", If_Range='"another"')
    assert counted(world) == 1


@pytest.mark.parametrize(("sent", "counts"), [(None, 1), ("bytes=0-", 1), ("bytes=7-", 0), ("bytes=999999999-", 0)])
def test_what_nginx_sends_counts_the_same(make_world, sent, counts):
    world = make_world({"storage.accel_prefix": "/protected/"})
    world.upload(WHEEL, "admin")
    answer = world.get(NAMED, status=200, **({"Range": sent} if sent else {}))
    assert answer.headers["X-Accel-Redirect"].startswith("/protected/")
    world.head(NAMED, status=200)
    world.get(NAMED, status=304, If_None_Match=answer.headers["ETag"])
    assert counted(world) == counts


@pytest.mark.parametrize(("sent", "counts"), [(None, 1), ("bytes=0-", 1), ("bytes=7-", 0), ("bytes=999999999-", 0)])
def test_what_an_object_store_sends_counts_the_same(make_world, s3_options, sent, counts):
    world = make_world({"pypi.storage": "s3", **s3_options})
    world.upload(WHEEL, "admin")
    assert "Signature" in world.get(NAMED, status=302, **({"Range": sent} if sent else {})).headers["Location"]
    world.head(NAMED, status=200)
    world.get(f"{NAMED}.metadata", status=200)
    assert counted(world) == counts


def test_a_file_whose_bytes_are_gone_does_not_count(world):
    with world.services.catalog.read() as catalog:
        record = catalog.file(world.services.index, WHEEL.filename)
    world.services.storage.delete(record.key)
    world.get(NAMED, status=404)
    assert counted(world) == 0


def test_counting_adds_no_query_to_a_download(world, queries, monkeypatch):
    world.get(NAMED)
    with queries(world) as counting:
        world.get(NAMED, status=200)
    monkeypatch.setattr(world.services.counter, "note", lambda *_: None)
    with queries(world) as uncounted:
        world.get(NAMED, status=200)
    assert counting == uncounted
    monkeypatch.undo()
    assert counted(world) == 2


def test_the_next_owner_of_a_freed_name_begins_at_nothing(world):
    world.get(NAMED, status=200)
    assert counted(world) == 1
    # Counted, and not written down before the name has another owner.
    world.get(NAMED, status=200)
    world.send("DELETE", "/api/package/demo", "admin")
    world.send("POST", "/admin/package/demo/free", "admin")
    world.upload(build_wheel("demo", "1.0", body=b"another"), "admin")
    assert counted(world) == 0
    world.get(NAMED, status=200)
    assert counted(world) == 1


def test_a_deleted_project_whose_name_is_kept_keeps_its_counts(world):
    world.get(NAMED, status=200)
    world.send("DELETE", "/api/package/demo", "admin")
    world.upload(WHEEL, "admin")
    world.get(NAMED, status=200)
    assert counted(world) == 2


def test_a_rebuild_leaves_the_counts_alone(world):
    world.get(NAMED, status=200)
    assert counted(world) == 1
    world.services.resync()
    assert counted(world) == 1


def test_the_document_has_days_and_versions(world):
    world.upload(build_wheel("demo", "2.0"), "admin")
    for _ in range(3):
        world.get(NAMED, status=200)
    world.services.counter.write()
    found = world.get(DOCUMENT, status=200).json
    today = world.services.clock().date().isoformat()
    assert (found["name"], found["total"], found["versions"]) == ("demo", 3, {"1.0": 3})
    assert len(found["days"]) == 30
    assert found["days"][-1] == {"day": today, "count": 3}
    assert {day["count"] for day in found["days"][:-1]} == {0}
    assert len(world.get(f"{DOCUMENT}?days=400", status=200).json["days"]) == 400
    for wrong in ("0", "401", "x", "-1"):
        assert "days" in world.get(f"{DOCUMENT}?days={wrong}", status=400).json["message"]


def test_nobody_sees_counts_of_what_is_hidden(world, set_status):
    world.upload(build_wheel("secret-tool", "1.0"), "admin")
    world.get("/packages/root/main/secret-tool/secret_tool-1.0-py3-none-any.whl", "writer", 200)
    world.services.counter.write()
    assert world.get("/api/package/secret-tool/downloads", "writer", 200).json["total"] == 1
    hidden = world.get("/api/package/secret-tool/downloads", "reader", 404).text
    unknown = world.get("/api/package/nothing-here/downloads", "reader", 404).text
    assert hidden.replace("secret-tool", "nothing-here") == unknown
    set_status(world, "secret-tool", ProjectStatus.QUARANTINED)
    world.get("/api/package/secret-tool/downloads", "writer", 404)
    assert world.get("/api/package/secret-tool/downloads", "admin", 200).json["total"] == 1


def test_of_what_was_downloaded_long_ago_only_the_sum_is_shown(world):
    row = {"project_id": project_id(world), "version": "1.0", "day": EARLIER, "count": 7}
    with world.services.database.write() as connection:
        connection.execute(insert(downloads), row)
    page = world.get("/project/demo/", Accept="text/html")
    assert "0 in 30 days, 7 in all" in page
    assert "<svg" not in page


def test_the_project_page_shows_counts_and_a_chart(world):
    world.upload(build_wheel("demo", "2.0"), "admin")
    empty = world.get("/project/demo/", Accept="text/html")
    assert "None yet" in empty
    assert "<svg" not in empty
    for _ in range(1234):
        world.services.counter.note(project_id(world), "1.0")
    world.services.counter.write()
    page = world.get("/project/demo/", Accept="text/html")
    assert "1,234 in 30 days, 1,234 in all" in page
    assert page.text.count("<rect") == 1
    assert f"the most, 1,234, on {world.services.clock().date()}" in page
    versions = page.text.partition('id="versions"')[2].partition("</ul>")[0]
    assert versions.count("downloads") == 1
    assert "1,234 downloads" in versions.partition("1.0</a>")[2]


def project_id(world):
    with world.services.catalog.read() as catalog:
        return catalog.project(world.services.index, ProjectName("demo")).id


def test_the_housekeeping_writes_down_and_sums_up(make_world):
    clock = Clock()
    world = make_world(clock=clock)
    world.upload(WHEEL, "admin")
    housekeeping = world.services.housekeeping()
    world.get(NAMED, status=200)
    housekeeping.do_chores()
    clock.now += timedelta(days=500)
    world.get(NAMED, status=200)
    housekeeping.do_chores()
    with world.services.database.read() as connection:
        days = [(row[0], row[1]) for row in connection.execute(select(downloads.c.day, downloads.c["count"]))]
    assert sorted(days, key=lambda one: one[0]) == [(EARLIER, 1), (clock.now.date(), 1)]


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)

    def __call__(self):
        return self.now
