"""What must never come of an upstream: faults, rebuilds, quarantine, names that became ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex
from pypicloud_lite.testing.world import JSON, World

DEMO = build_wheel("demo", "1.0")
NEWER = build_wheel("demo", "999.0")
MakeMirror = Callable[..., World]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """With one wheel."""
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    return upstream_index


def names(page: dict) -> list[str]:
    return [file["filename"] for file in page["files"]]


def put(index: FakeIndex, artifact: BuiltArtifact, **told: object) -> None:
    index.add("demo", artifact.filename, artifact.data, **told)


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"]
)
def test_F22_upload_time_that_none_can_be_is_left_out(make_mirror: MakeMirror, index: FakeIndex, time: str) -> None:
    put(index, NEWER, upload_time=time)
    page = make_mirror(mirror__min_age="1 day", mirror__min_age_except="*").project("demo")
    assert NEWER.filename in names(page)
    assert "upload-time" not in page["files"][-1]


def test_fault_of_ours_over_an_answer_is_a_502_and_does_not_ask_again_and_again(
    make_mirror: MakeMirror, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_mirror()

    def fail(*_arguments: object) -> None:
        raise OverflowError("date value out of range")

    monkeypatch.setattr("pypicloud_lite.mirror.asking.follow", fail)
    for _ in range(3):
        world.get("/simple/demo/", status=502)
    assert index.paths() == ["/simple/demo/"]


def test_nothing_is_asked_for_before_the_storage_was_looked_at(
    make_world: Callable[..., World], index: FakeIndex
) -> None:
    world = make_world({"pypi.fallback": "cache", "pypi.fallback_base_url": index.url})
    for path in ("/simple/demo/", "/root/pypi/+simple/demo/", "/pypi/demo/json", "/project/demo/"):
        world.get(path, status=503)
    world.get(f"/packages/root/pypi/demo/{DEMO.filename}", status=(404, 503))
    assert index.paths() == []


def test_merged_project_in_quarantine_shows_nothing_of_the_upstream(
    make_mirror: MakeMirror, index: FakeIndex, set_status: Callable
) -> None:
    put(index, NEWER)
    world = make_mirror(mirror__merge="demo")
    world.upload(DEMO)
    set_status(world, "demo", ProjectStatus.QUARANTINED)
    assert names(world.get("/simple/demo/", Accept=JSON).json) == []
    # Of the mirror it is no project: whose it is, and why it is withheld, is told where it is.
    for path in (
        "/root/pypi/+simple/demo/",
        f"/packages/root/pypi/demo/{NEWER.filename}",
        f"/api/package/demo/{NEWER.filename}",
    ):
        world.get(path, status=404)
    assert index.paths() == []


def test_T20_cached_file_is_not_served_any_more_when_its_name_is_ours(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror()
    path = world.project("demo")["files"][0]["url"].removeprefix("../..")
    world.get(path)
    wait_for(lambda: is_kept(world, DEMO.filename))
    world.get(path)
    world.upload(NEWER)
    world.get(path, status=404)


def test_file_of_a_hidden_project_is_not_asked_for_under_another_reading_of_its_name(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    world = make_mirror(package__acme__user__writer="rw")
    world.upload(build_sdist("acme", "1.post2"))
    world.get("/packages/acme-1.post2.tar.gz", "outsider", status=(401, 404))
    world.get("/packages/acme-1.post2.tar.gz", "reader", status=404)
    assert index.paths() == []


def test_who_may_not_fill_the_cache_has_no_list_fetched(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror(pypi__cache_update="developers")
    world.get("/root/pypi/+simple/", "reader", status=503)
    assert index.paths() == []
    world.get("/root/pypi/+simple/", "writer", status=200)
    world.get("/root/pypi/+simple/", "reader", status=200)
