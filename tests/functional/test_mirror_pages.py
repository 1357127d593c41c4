"""What the default index and the mirror's own show of an upstream's projects, for whom, and what they ask."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from pypicloud_lite.journal.model import Author
from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import HTML, FakeIndex, Fault, upstream_server
from pypicloud_lite.testing.world import JSON, MovingClock, World

DEMO = build_wheel("demo", "1.0")
NEWER = build_wheel("demo", "999.0")


MakeMirror = Callable[..., World]


def names(page: dict) -> list[str]:
    return [file["filename"] for file in page["files"]]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """With one wheel."""
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    return upstream_index


def put(index: FakeIndex, artifact: BuiltArtifact, **told: object) -> None:
    index.add("demo", artifact.filename, artifact.data, **told)


def test_project_of_the_upstream_is_shown_as_our_own(make_mirror: MakeMirror, index: FakeIndex) -> None:
    moment = "2024-01-02T03:04:05.678000Z"
    put(
        index,
        build_sdist("demo", "2.0"),
        requires_python=">=3.9",
        yanked="broken",
        upload_time=moment,
        provenance="https://example.com/proof",
    )
    world = make_mirror()
    page = world.project("demo")
    assert names(page) == ["demo-1.0-py3-none-any.whl", "demo-2.0.tar.gz"]
    wheel, sdist = page["files"]
    digest = hashlib.sha256(DEMO.data).hexdigest()
    assert wheel["hashes"] == {"sha256": digest}
    assert wheel["url"] == f"../../packages/root/pypi/demo/{digest[:16]}/{DEMO.filename}"
    assert wheel["core-metadata"] is True
    assert wheel["size"] == len(DEMO.data)
    assert (sdist["requires-python"], sdist["yanked"], sdist["upload-time"]) == (">=3.9", "broken", moment)
    assert sdist["provenance"] == "https://example.com/proof"
    assert page["versions"] == ["1.0", "2.0"]
    html = world.get("/simple/demo/").text
    assert f'packages/root/pypi/demo/{digest[:16]}/{DEMO.filename}#sha256={digest}"' in html
    assert index.url not in html


def test_status_of_the_upstreams_project_is_passed_on(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.told = {"project-status": {"status": "archived", "reason": "no time"}}
    assert make_mirror().project("demo")["project-status"] == {"status": "archived", "reason": "no time"}


def test_quarantined_project_of_the_upstream_lists_nothing(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.told = {"project-status": {"status": "quarantined"}}
    page = make_mirror().project("demo")
    assert (names(page), page["project-status"]["status"]) == ([], "quarantined")


def test_HTML_upstream_is_understood(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.kinds = (HTML,)
    page = make_mirror().project("demo")
    assert names(page) == [DEMO.filename]
    assert "size" not in page["files"][0]


def test_warm_page_asks_nobody_and_costs_two_queries(
    make_mirror: MakeMirror, index: FakeIndex, queries: Callable
) -> None:
    world = make_mirror()
    world.project("demo")
    with queries(world) as asked:
        world.project("demo")
    assert len(asked) == 2
    assert index.paths() == ["/simple/demo/"]


def test_any_spelling_is_one_project(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    for spelling in ("Demo", "DEMO"):
        assert world.get(f"/simple/{spelling}/", status=301).headers["Location"] == "../demo/"
    assert index.paths() == []


def test_unknown_name_is_404_and_not_asked_again(make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock) -> None:
    world = make_mirror()
    for _ in range(3):
        world.get("/simple/nothing/", status=404)
    assert index.paths() == ["/simple/nothing/"]
    clock.advance(seconds=61)
    world.get("/simple/nothing/", status=404)
    assert len(index.paths()) == 2


def test_page_is_asked_for_again_when_it_is_old_and_only_read_when_it_changed(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock
) -> None:
    world = make_mirror()
    world.project("demo")
    clock.advance(hours=2)
    answer = world.get("/simple/demo/", Accept=JSON)
    assert answer.headers["X-Mirror"].startswith("fresh; checked=")
    assert index.asked[-1].headers["If-None-Match"]
    put(index, NEWER)
    clock.advance(hours=2)
    assert NEWER.filename in names(world.project("demo"))


def test_page_that_is_a_little_old_is_shown_while_it_is_asked_for(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock, wait_for: Callable
) -> None:
    world = make_mirror()
    world.project("demo")
    put(index, NEWER)
    clock.advance(minutes=11)
    answer = world.get("/simple/demo/", Accept=JSON)
    assert answer.headers["X-Mirror"].startswith("stale; checked=")
    assert names(answer.json) == [DEMO.filename]
    wait_for(lambda: NEWER.filename in names(world.project("demo")))


@pytest.mark.parametrize(
    "fault",
    [Fault(reset=True), Fault(status=503), Fault(status=403), Fault(status=429), Fault(status=304), Fault(body=b"<<")],
    ids=["down", "503", "403", "429", "unasked 304", "nonsense"],
)
def test_F20_F22_old_page_stands_when_the_upstream_gives_no_answer(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock, fault: Fault
) -> None:
    index.has_etags = False
    world = make_mirror()
    world.project("demo")
    index.fault = lambda _path: fault
    clock.advance(days=3)
    answer = world.get("/simple/demo/", Accept=JSON)
    assert names(answer.json) == [DEMO.filename]
    assert answer.headers["X-Mirror"].startswith("stale; checked=")
    count = len(index.asked)
    world.project("demo")
    assert len(index.asked) == count, "a failure stands for a while"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(reset=True), 502),
        (Fault(status=500), 502),
        (Fault(status=403), 502),
        (Fault(status=429), 502),
        (Fault(status=304), 502),
        (Fault(status=429, headers=(("Retry-After", "30"),)), 503),
    ],
)
def test_F20_F22_never_404_when_nothing_is_known_and_the_upstream_gives_no_answer(
    make_mirror: MakeMirror, index: FakeIndex, fault: Fault, status: int
) -> None:
    index.fault = lambda _path: fault
    world = make_mirror()
    world.get("/simple/demo/", status=status)
    count = len(index.asked)
    world.get("/simple/demo/", status=status)
    assert len(index.asked) == count


def test_old_page_survives_a_restart_with_the_upstream_down(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock
) -> None:
    make_mirror().project("demo")
    index.fault = lambda _path: Fault(reset=True)
    clock.advance(days=30)
    assert names(make_mirror().project("demo")) == [DEMO.filename]


@pytest.mark.parametrize("fallback", ["none", "redirect", "cache"])
def test_T20_private_hides_public_in_every_mode(make_mirror: MakeMirror, index: FakeIndex, fallback: str) -> None:
    index.add("demo", NEWER.filename, NEWER.data)
    world = make_mirror(fallback)
    world.upload(DEMO)
    assert names(world.project("demo")) == [DEMO.filename]
    world.get("/simple/demo/", "outsider", 404)
    world.get("/root/pypi/+simple/demo/", status=404)
    world.get(f"/api/package/demo/{NEWER.filename}", status=404)
    assert index.paths() == []


@pytest.mark.parametrize("fallback", ["redirect", "cache"])
def test_T20_name_stays_private_when_its_last_file_is_deleted_until_it_is_freed(
    make_mirror: MakeMirror, index: FakeIndex, fallback: str
) -> None:
    world = make_mirror(fallback)
    world.upload(DEMO)
    world.delete(f"/api/package/demo/{DEMO.filename}")
    world.get("/simple/demo/", status=404)
    assert index.paths() == []
    world.send("POST", "/admin/package/demo/free", "admin")
    answer = world.get("/simple/demo/", status="*")
    assert answer.status_int == (302 if fallback == "redirect" else 200)


def test_T20_upload_to_a_name_that_was_only_cached_makes_it_private(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.add("demo", NEWER.filename, NEWER.data)
    world = make_mirror()
    url = world.project("demo")["files"][-1]["url"]
    world.get(url.removeprefix("../.."))
    world.upload(build_wheel("demo", "1.5"))
    assert names(world.project("demo")) == ["demo-1.5-py3-none-any.whl"]


@pytest.mark.parametrize("fallback", ["redirect", "cache", "mirror"])
@pytest.mark.parametrize("spelling", ["acme-tool", "acme.tool", "ACME_Tool"])
def test_T20_denied_name_is_never_sent_upstream_by_any_route(
    make_mirror: MakeMirror, index: FakeIndex, fallback: str, spelling: str
) -> None:
    index.add("acme-tool", "acme_tool-9-py3-none-any.whl", b"evil")
    world = make_mirror(fallback, pypi__disallow_fallback="Acme_*", mirror__enabled="true")
    for user in ("reader", "admin"):
        for path in (
            f"/simple/{spelling}/",
            f"/pypi/{spelling}/",
            f"/{spelling}/",
            f"/pypi/{spelling}/json",
            f"/root/pypi/+simple/{spelling}/",
            f"/root/pypi/simple/{spelling}/",
            f"/api/package/{spelling}/",
            f"/api/package/{spelling}/acme_tool-9-py3-none-any.whl",
            f"/packages/root/pypi/{spelling}/acme_tool-9-py3-none-any.whl",
            f"/packages/root/pypi/{spelling}/acme_tool-9-py3-none-any.whl.metadata",
            f"/packages/root/pypi/{spelling}/0123456789abcdef/acme_tool-9-py3-none-any.whl",
            "/packages/acme_tool-9-py3-none-any.whl",
            f"/project/{spelling}/",
        ):
            answer = world.get(path, user, status="*")
            assert answer.status_int in {200, 301, 302, 401, 404}
            assert index.url not in answer.headers.get("Location", "")
    assert index.paths() == []


@pytest.mark.parametrize(
    "settings",
    [
        {"fallback": "mirror"},
        {"pypi__always_show_upstream": "true"},
        {"mirror__merge": "de*"},
        {"fallback": "redirect", "pypi__always_show_upstream": "true"},
    ],
    ids=str,
)
def test_merged_project_shows_both_and_of_one_filename_our_own(
    make_mirror: MakeMirror, index: FakeIndex, settings: dict[str, str]
) -> None:
    index.add("demo", DEMO.filename, b"other bytes")
    put(index, NEWER)
    world = make_mirror(**settings)
    world.upload(DEMO)
    page = world.project("demo")
    assert names(page) == [DEMO.filename, NEWER.filename]
    assert page["files"][0]["hashes"]["sha256"] == hashlib.sha256(DEMO.data).hexdigest()
    assert (index.url in page["files"][1]["url"]) == (settings.get("fallback") == "redirect")
    assert page["files"][1]["hashes"]["sha256"] == hashlib.sha256(NEWER.data).hexdigest()
    world.get("/simple/demo/", "outsider", 404)


def test_merged_project_shows_our_own_alone_when_the_upstream_is_down(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    index.fault = lambda _path: Fault(reset=True)
    world = make_mirror("mirror")
    world.upload(DEMO)
    answer = world.get("/simple/demo/", Accept=JSON)
    assert (names(answer.json), answer.headers["X-Mirror"]) == ([DEMO.filename], "unavailable")


def test_redirect_leads_to_the_first_upstream_without_asking_it(make_mirror: MakeMirror, index: FakeIndex) -> None:
    host = index.url.removeprefix("http://")
    world = make_mirror("redirect", pypi__fallback_base_url=f"http://user:secret@{host} https://index.example.com")
    for user in ("reader", "admin"):
        answer = world.get("/simple/demo/", user, 302)
        assert answer.headers["Location"] == f"{index.url}/simple/demo/"
    world.get("/simple/demo/", "outsider", 404)
    world.get("/simple/demo/", None, 401)
    world.get("/root/pypi/+simple/demo/", status=404)
    assert index.paths() == []


def test_without_a_fallback_the_mirror_answers_only_where_it_is_enabled(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    world = make_mirror("none")
    world.get("/root/pypi/+simple/demo/", status=404)
    assert index.paths() == []
    world = make_mirror("none", mirror__enabled="true")
    for path in ("/root/pypi/+simple/demo/", "/root/pypi/simple/demo/"):
        assert names(world.get(path, Accept=JSON).json) == [DEMO.filename]
    world.get("/simple/demo/", status=404)
    world.get("/root/other/+simple/demo/", status=404)


def test_who_may_not_fill_the_cache_sees_what_is_here_and_has_nothing_asked_for(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    put(index, NEWER)
    world = make_mirror(pypi__cache_update="developers", pypi__default_read="everyone")
    world.get("/simple/demo/", None, 401)
    world.get("/simple/demo/", "reader", 404)
    assert index.paths() == []
    url = next(file["url"] for file in world.project("demo", "writer")["files"] if file["filename"] == DEMO.filename)
    world.get("/simple/demo/", None, 401)
    path = url.removeprefix("../..")
    world.get(path, "reader", 404)
    world.get(path, "writer", 200)
    wait_for(lambda: is_kept(world, DEMO.filename))
    for user in (None, "reader"):
        assert names(world.get("/simple/demo/", user, Accept=JSON).json) == [DEMO.filename]


def test_first_of_several_upstreams_that_has_a_project_has_all_of_it(make_mirror: MakeMirror, index: FakeIndex) -> None:
    with upstream_server() as second:
        second.add("demo", NEWER.filename, NEWER.data)
        second.add("other", "other-1.0.tar.gz", b"other")
        world = make_mirror(pypi__fallback_base_url=f"{index.url} {second.url}")
        assert names(world.project("demo")) == [DEMO.filename]
        assert names(world.project("other")) == ["other-1.0.tar.gz"]
        world.get("/simple/nobodys/", status=404)
        index.fault = lambda _path: Fault(status=500)
        world.get("/simple/another/", status=502)
    assert second.paths() == ["/simple/other/", "/simple/nobodys/"]


def test_T22_file_whose_hash_changed_upstream_is_not_shown_any_more(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock
) -> None:
    put(index, NEWER)
    world = make_mirror()
    world.project("demo")
    del index.projects["demo"][NEWER.filename]
    clock.advance(hours=2)
    assert names(world.project("demo")) == [DEMO.filename]
    index.add("demo", NEWER.filename, b"evil")
    clock.advance(hours=2)
    assert names(world.project("demo")) == [DEMO.filename]
    put(index, NEWER)
    clock.advance(hours=2)
    assert NEWER.filename in names(world.project("demo"))


def test_quarantine_window_hides_young_files_until_they_are_of_age(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock
) -> None:
    def at(age: timedelta) -> str:
        return (clock.now - age).isoformat().replace("+00:00", "Z")

    index.projects["demo"] = {}
    put(index, DEMO, upload_time=at(timedelta(days=9)))
    put(index, NEWER, upload_time=at(timedelta(days=1)))
    index.add("hotfix", "hotfix-1.0.tar.gz", b"hot", upload_time=at(timedelta(minutes=1)))
    world = make_mirror(mirror__min_age="3 days", mirror__min_age_except="HOT*")
    assert names(world.project("demo")) == [DEMO.filename]
    assert names(world.project("hotfix")) == ["hotfix-1.0.tar.gz"]
    answer = world.get(f"/packages/root/pypi/demo/{NEWER.filename}", status=403)
    assert "mirror.min_age" in answer.text
    clock.advance(days=2, minutes=11)
    assert names(world.project("demo")) == [DEMO.filename, NEWER.filename]


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"mirror__deny": "demo ==2.0"}, ["1.0-any", "1.0-linux", "3.0-sdist"]),
        ({"mirror__allow": "demo >=2\nother"}, ["2.0-any", "3.0-sdist"]),
        ({"mirror__allow": "d?mo <3", "mirror__deny": "demo <2"}, ["2.0-any"]),
        ({"mirror__packagetypes": "sdist"}, ["3.0-sdist"]),
        ({"mirror__platforms": "win_*"}, ["1.0-any", "2.0-any", "3.0-sdist"]),
        ({"mirror__platforms": "manylinux*_x86_64"}, ["1.0-any", "1.0-linux", "2.0-any", "3.0-sdist"]),
    ],
    ids=str,
)
def test_curated_mirror_shows_what_is_allowed(
    make_mirror: MakeMirror, index: FakeIndex, settings: dict[str, str], shown: list[str]
) -> None:
    files = {
        "1.0-any": "demo-1.0-py3-none-any.whl",
        "1.0-linux": "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "2.0-any": "demo-2.0-py3-none-any.whl",
        "3.0-sdist": "demo-3.0.tar.gz",
    }
    index.projects["demo"] = {}
    for filename in files.values():
        index.add("demo", filename, b"bytes")
    world = make_mirror(**settings)
    assert set(names(world.project("demo"))) == {files[short] for short in shown}
    for short, filename in files.items():
        if short not in shown:
            world.get(f"/packages/root/pypi/demo/{filename}", status=403)


@pytest.mark.parametrize("settings", [{"mirror__deny": "demo"}, {"mirror__allow": "other"}], ids=str)
def test_name_that_is_not_allowed_at_all_is_not_asked_for(
    make_mirror: MakeMirror, index: FakeIndex, settings: dict[str, str]
) -> None:
    make_mirror(**settings).get("/simple/demo/", status=404)
    assert index.paths() == []


def test_merging_everything_is_warned_of_at_start(make_mirror: MakeMirror) -> None:
    for settings in ({"fallback": "mirror"}, {"pypi__always_show_upstream": "true"}):
        assert any("pypi.always_show_upstream" in line for line in make_mirror(**settings).services.warnings)
    assert not make_mirror().services.warnings


def test_nothing_is_asked_for_while_the_first_rebuild_runs(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.set_rebuilding(datetime.now(UTC))
    world.get("/simple/demo/", status=503)
    world.get("/root/pypi/+simple/demo/", status=503)
    world.get(f"/packages/root/pypi/demo/{DEMO.filename}", status=(404, 503))
    assert index.paths() == []


def test_files_without_a_hash_are_not_shown_and_the_log_says_why(make_mirror: MakeMirror, index: FakeIndex) -> None:
    bare = build_sdist("demo", "2.0")
    put(index, bare, hashes={})
    with capture_logs() as logs:
        assert names(make_mirror().project("demo")) == [DEMO.filename]
    (said,) = [line for line in logs if "without a hash" in line["event"]]
    assert (said["log_level"], said["project"], said["count"]) == ("warning", "demo", 1)
    assert said["files"] == [bare.filename]
