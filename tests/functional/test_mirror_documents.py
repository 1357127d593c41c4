"""The JSON API for projects of an upstream: the same matrix as pages, METADATA without the wheel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex, Fault
from pypicloud_lite.testing.world import World

DEMO = build_wheel("demo", "1.0", summary="A small package", requires_dist=("other>=1",))
NEWER = build_wheel("demo", "2.0", summary="A better package")
SDIST = build_sdist("demo", "2.0")
WHEN = "2024-01-02T03:04:05.678000Z"
DEMO_NAME = ProjectName("demo")
MakeMirror = Callable[..., World]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """Two releases, one of them with an sdist."""
    upstream_index.add("demo", DEMO.filename, DEMO.data, upload_time=WHEN)
    upstream_index.add("demo", NEWER.filename, NEWER.data, requires_python=">=3.9")
    upstream_index.add("demo", SDIST.filename, SDIST.data, yanked="broken")
    return upstream_index


def sha256(artifact: object) -> str:
    return hashlib.sha256(artifact.data).hexdigest()


def fetched(index: FakeIndex) -> list[str]:
    return [path for path in index.paths() if path.startswith("/files/")]


def test_project_of_the_upstream_is_described_as_our_own(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    document = world.get("/pypi/demo/json").json
    info = document["info"]
    assert (info["name"], info["version"], info["summary"]) == ("demo", "2.0", "A better package")
    assert info["requires_python"] == ">=3.9"
    assert info["project_url"] == "http://localhost/project/demo/"
    assert {version: [one["filename"] for one in files] for version, files in document["releases"].items()} == {
        "1.0": [DEMO.filename],
        "2.0": [NEWER.filename, SDIST.filename],
    }
    assert document["urls"] == document["releases"]["2.0"]
    old, (wheel, sdist) = document["releases"]["1.0"][0], document["urls"]
    assert old["url"] == f"http://localhost/packages/root/pypi/demo/{sha256(DEMO)[:16]}/{DEMO.filename}"
    assert old["digests"] == {"sha256": sha256(DEMO)}
    assert (old["size"], old["upload_time_iso_8601"]) == (len(DEMO.data), WHEN)
    assert wheel["upload_time"] is None
    assert (sdist["yanked"], sdist["yanked_reason"], wheel["yanked"]) == (True, "broken", False)
    assert index.url not in str(document)
    assert world.get(old["url"].removeprefix("http://localhost")).body == DEMO.data


def test_release_has_its_own_metadata_without_the_wheel_being_fetched(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    world = make_mirror()
    document = world.get("/pypi/Demo/1.0.0/json").json
    assert document["info"]["requires_dist"] == ["other>=1"]
    assert document["info"]["release_url"] == "http://localhost/project/demo/1.0/"
    assert "releases" not in document
    assert fetched(index) != []
    assert all("Range" in one.headers for one in index.asked if one.path.startswith("/files/"))
    world.get("/pypi/demo/3.0/json", status=404)
    world.get("/pypi/demo/x/json", status=404)


def test_metadata_that_cannot_be_had_without_the_wheel_is_left_out(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.has_ranges = False
    world = make_mirror()
    assert world.get("/pypi/demo/1.0/json").json["info"]["summary"] is None
    assert len(fetched(index)) == 1, "it is asked for a part, and closed when it sends all"
    with world.services.catalog.read() as catalog:
        assert catalog.files(world.services.mirror.index, DEMO_NAME) == []


def test_warm_document_asks_nobody_and_costs_few_queries(
    make_mirror: MakeMirror, index: FakeIndex, queries: Callable
) -> None:
    world = make_mirror()
    first = world.get("/pypi/demo/json")
    count = len(index.asked)
    with queries(world) as asked:
        assert world.get("/pypi/demo/json").body == first.body
    assert len(asked) <= 4
    assert len(index.asked) == count


def test_cached_file_tells_all_its_digests(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror()
    (file,) = world.get("/pypi/demo/1.0/json").json["urls"]
    world.get(file["url"].removeprefix("http://localhost"))
    wait_for(lambda: is_kept(world, DEMO.filename))
    index.fault = lambda _path: Fault(reset=True)
    (file,) = world.get("/pypi/demo/1.0/json").json["urls"]
    assert set(file["digests"]) == {"sha256", "md5", "blake2b_256"}
    assert file["md5_digest"] == hashlib.md5(DEMO.data, usedforsecurity=False).hexdigest()


def test_merged_document_has_both_and_ours_of_one_filename(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.add("demo", DEMO.filename, b"other bytes")
    world = make_mirror("mirror")
    world.upload(DEMO)
    document = world.get("/pypi/demo/json").json
    assert (document["info"]["version"], document["info"]["summary"]) == ("2.0", "A better package")
    assert document["releases"]["1.0"][0]["digests"]["sha256"] == sha256(DEMO)
    assert world.get("/pypi/demo/1.0/json").json["info"]["summary"] == "A small package"


def test_merged_document_shows_ours_alone_when_the_upstream_is_down(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.fault = lambda _path: Fault(reset=True)
    world = make_mirror("mirror")
    world.upload(DEMO)
    assert list(world.get("/pypi/demo/json").json["releases"]) == ["1.0"]


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault(reset=True), 502), (Fault(status=429, headers=(("Retry-After", "9"),)), 503)]
)
def test_never_404_where_the_upstream_gives_no_answer(
    make_mirror: MakeMirror, index: FakeIndex, fault: Fault, status: int
) -> None:
    index.fault = lambda _path: fault
    answer = make_mirror().get("/pypi/demo/json", status=status)
    assert "message" in answer.json


def test_document_without_metadata_is_no_answer_where_the_upstream_breaks_off(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    """A client would read it as: requires nothing."""
    index.fault = lambda path: Fault(reset=True) if path.startswith("/files/") else None
    make_mirror().get("/pypi/demo/json", status=502)


def test_redirect_leads_to_the_upstreams_own_document(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror("redirect")
    for path, target in (
        ("/pypi/Demo/json", "demo/json"),
        ("/pypi/demo/1.0.0/json", "demo/1.0.0/json"),
        ("/pypi/demo/1.0+x%20%3f%23/json", "demo/1.0%2Bx%20%3F%23/json"),
    ):
        answer = world.get(path, status=302)
        assert answer.headers["Location"] == f"{index.url}/pypi/{target}"
    world.get("/pypi/demo/json", "outsider", 404)
    world.get("/pypi/demo/json", None, 401)
    assert index.paths() == []


def test_redirect_to_an_index_of_another_kind_is_404(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror("redirect", pypi__fallback_base_url="", pypi__fallback_url=f"{index.url}/root/pypi/+simple/")
    world.get("/pypi/demo/json", status=404)
    assert index.paths() == []


@pytest.mark.parametrize("fallback", ["redirect", "cache"])
def test_T20_no_denied_or_private_name_is_asked_for(make_mirror: MakeMirror, index: FakeIndex, fallback: str) -> None:
    world = make_mirror(fallback, pypi__disallow_fallback="acme-*", package__hidden__user__somebody="rw")
    world.upload(DEMO)
    world.upload(build_wheel("mine", "1.0"))
    world.delete("/api/package/mine/mine-1.0-py3-none-any.whl")
    for name in ("acme-tool", "Acme_Tool", "hidden", "mine"):
        for path in (f"/pypi/{name}/json", f"/{name}/json", f"/pypi/{name}/1.0/json"):
            world.get(path, status=404)
    assert list(world.get("/pypi/demo/json").json["releases"]) == ["1.0"]
    assert index.paths() == []


def test_who_may_not_fill_the_cache_is_told_of_what_is_here(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror(pypi__cache_update="developers", pypi__default_read="everyone")
    world.get("/pypi/demo/json", None, 401)
    world.get("/pypi/demo/json", "reader", 404)
    assert index.paths() == []
    (file,) = world.get("/pypi/demo/1.0/json", "writer").json["urls"]
    world.get("/pypi/demo/json", "reader", 404)
    world.get(file["url"].removeprefix("http://localhost"), "writer")
    wait_for(lambda: is_kept(world, DEMO.filename))
    for user in (None, "reader"):
        document = world.get("/pypi/demo/json", user).json
        assert list(document["releases"]) == ["1.0"]
        assert document["info"]["summary"] == "A small package"


def test_quarantined_project_of_the_upstream_is_unknown(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.told = {"project-status": {"status": "quarantined"}}
    make_mirror().get("/pypi/demo/json", status=404)


def test_metadata_of_another_project_is_not_believed(make_mirror: MakeMirror, index: FakeIndex) -> None:
    raw = b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\nSummary: stolen\n"
    index.add("demo", DEMO.filename, DEMO.data, metadata=raw)
    info = make_mirror().get("/pypi/demo/1.0/json").json["info"]
    assert (info["name"], info["summary"]) == ("demo", None)


def test_name_is_spelled_as_its_metadata_spell_it(make_mirror: MakeMirror, index: FakeIndex) -> None:
    raw = b"Metadata-Version: 2.1\nName: DeMo\nVersion: 1.0\n"
    index.add("demo", DEMO.filename, DEMO.data, metadata=raw)
    assert make_mirror().get("/pypi/demo/1.0/json").json["info"]["name"] == "DeMo"
