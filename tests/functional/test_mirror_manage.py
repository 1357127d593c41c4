"""The page about the mirror: how it is, and what can be done about it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from html import unescape

import pytest

from pypicloud_lite.journal.sql import AuditQuestion, entries
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex, Fault
from pypicloud_lite.testing.world import PASSWORDS, MovingClock, World

HTML = {"Accept": "text/html,application/xhtml+xml"}
PAGE = "/manage/mirror"
DEMO = build_wheel("demo", "1.0")
SDIST = build_sdist("demo", "1.0")
MakeMirror = Callable[..., World]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """Two files of one project."""
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    upstream_index.add("demo", SDIST.filename, SDIST.data)
    return upstream_index


def log_in(world: World, user: str = "admin") -> None:
    world.app.reset()
    world.app.post("/login", {"username": user, "password": PASSWORDS[user]}, headers=HTML, status=303)


def see(world: World, path: str = PAGE, status: int = 200) -> object:
    return world.app.get(path, headers=HTML, status=status)


def text(page: object) -> str:
    main = page.text.partition("<main")[2].partition(">")[2]
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", main).split()))


def send(world: World, status: int = 303, **fields: str) -> object:
    form = next(one for one in see(world, "/account/").forms.values() if one.action.endswith("/logout"))
    sent = {"csrf_token": form["csrf_token"].value, **fields}
    answer = world.app.post(PAGE, sent, headers=HTML, status=status)
    for thread in threading.enumerate():
        if thread.name.startswith("task "):
            thread.join(30)
    return answer


@pytest.fixture
def fill(wait_for: Callable, is_kept: Callable) -> Callable[[World], None]:
    """Have both files kept."""

    def fetch(world: World) -> None:
        for artifact in (DEMO, SDIST):
            world.get(f"/packages/root/pypi/demo/{artifact.filename}")
            wait_for(lambda name=artifact.filename: is_kept(world, name))
        world.services.mirror.usage.write()

    return fetch


def test_it_is_for_administrators_and_needs_the_sessions_token(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    see(world, status=302)
    log_in(world, "writer")
    see(world, status=403)
    send(world, 403, action="refresh", project="demo")
    log_in(world)
    assert 'href="/manage/mirror" aria-current="page"' in see(world).text
    world.app.post(PAGE, {"csrf_token": "x", "action": "refresh", "project": "demo"}, headers=HTML, status=403)
    assert index.paths() == []


def test_mirror_that_is_off_says_how_it_is_put_on(world: World) -> None:
    log_in(world)
    told = text(see(world))
    assert "The mirror is off" in told
    assert "set pypi.fallback to cache" in told
    assert "Traffic" not in told


def test_how_it_is(make_mirror: MakeMirror, index: FakeIndex, fill: Callable, clock: MovingClock) -> None:
    world = make_mirror(
        pypi__fallback_base_url=index.url.replace("://", "://user:s3cr3t@"),
        pypi__disallow_fallback="acme-*",
        mirror__deny="evil",
        mirror__min_age="3 days",
        mirror__min_age_except="demo",
        mirror__quota="1 MiB",
    )
    fill(world)
    world.get("/simple/nothing/", status=404)
    log_in(world)
    page = see(world)
    told = text(page)
    size = len(DEMO.data) + len(SDIST.data)
    assert "The index root/pypi mirrors an index upstream: what is not here is shown as our own" in told
    assert f"{index.url}/simple/ asked as needed" in told
    assert "s3cr3t" not in page.text
    assert "2 files of 1 project quota 1.0 MB, 0 % of it taken" in told
    assert "Pages known 1 0 of them to be asked for again and 1 name that is not there" in told
    assert f"7 days 0 (0 %) 2 {size / 1000:.1f} kB" in told
    for rule in ("acme-*", "evil", "3 days", "1 MiB", "mirror.platforms"):
        assert rule in told
    assert "The last failure" not in told
    index.fault = lambda _path: Fault(reset=True)
    clock.advance(hours=2)
    world.get("/simple/demo/")
    told = text(see(world))
    assert "1 of them to be asked for again" in told
    assert "The last failure that was not made good since" in told


def test_each_database_tells_it_and_forgets_what_is_removed(
    make_mirror: MakeMirror, index: FakeIndex, fill: Callable, clock: MovingClock, database_url: str
) -> None:
    world = make_mirror(db__url=database_url, mirror__quota="1")
    fill(world)
    world.get("/simple/nothing/", status=404)
    clock.advance(hours=2)
    log_in(world)
    told = text(see(world, f"{PAGE}?project=demo"))
    assert "Pages known 1 1 of them to be asked for again and 1 name that is not there" in told
    assert "2 files of 1 project" in told
    assert "7 days 0 (0 %) 2" in told
    assert "demo" in text(see(world, "/project/demo/"))
    send(world, action="room")
    assert "2 files, " in text(see(world)).partition("What was removed lately")[2]
    assert world.services.eviction.space().files == 0


def test_breaker_of_an_upstream_is_told(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    index.fault = lambda _path: Fault(status=429, headers=(("Retry-After", "60"),))
    world.get("/simple/demo/", status=503)
    log_in(world)
    assert "left alone for now" in text(see(world))


def test_it_costs_few_queries(make_mirror: MakeMirror, index: FakeIndex, fill: Callable, queries: Callable) -> None:
    world = make_mirror()
    fill(world)
    log_in(world)
    see(world)
    with queries(world) as asked:
        see(world)
    assert len(asked) <= 9
    count = len(index.asked)
    see(world, f"{PAGE}?project=unheard-of")
    assert len(index.asked) == count


def test_one_project_is_looked_at_and_asked_for_again(
    make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock
) -> None:
    world = make_mirror()
    log_in(world)
    assert "never asked for" in text(see(world, f"{PAGE}?project=Demo"))
    assert index.paths() == []
    answer = send(world, action="refresh", project=" Demo ")
    assert answer.headers["Location"] == f"{PAGE}?project=demo#project"
    assert "known, just now" in text(see(world, f"{PAGE}?project=demo"))
    send(world, action="refresh", project="demo")
    assert index.paths() == ["/simple/demo/"] * 2
    send(world, action="refresh", project="nothing")
    assert "there was none" in text(see(world, f"{PAGE}?project=nothing"))


def test_refresh_that_fails_says_why(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.fault = lambda _path: Fault(reset=True)
    world = make_mirror()
    log_in(world)
    page = send(world, 502, action="refresh", project="demo")
    assert 'role="alert"' in page.text
    assert "The upstream gave no answer" in text(page)


def test_T20_nothing_private_or_denied_is_asked_for(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror(pypi__disallow_fallback="acme-*")
    world.upload(DEMO)
    world.upload(build_wheel("mine", "1.0"))
    world.delete("/api/package/mine/mine-1.0-py3-none-any.whl")
    log_in(world)
    for name in ("demo", "mine"):
        assert f"Project {name} is ours" in text(send(world, 409, action="refresh", project=name))
    assert "No upstream is asked for acme-x" in text(send(world, 409, action="refresh", project="Acme_X"))
    assert index.paths() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "refresh", "project": "../x"},
        {"action": "refresh"},
        {"action": "remove", "project": ""},
        {"action": "explode", "project": "demo"},
        {},
        {"action": "room"},
    ],
    ids=str,
)
def test_wrong_forms_are_refused(make_mirror: MakeMirror, index: FakeIndex, fields: dict[str, str]) -> None:
    world = make_mirror()
    log_in(world)
    assert 'role="alert"' in send(world, 400, **fields).text
    assert index.paths() == []


def test_kept_files_of_a_project_are_removed_and_come_again(
    make_mirror: MakeMirror, index: FakeIndex, fill: Callable
) -> None:
    world = make_mirror()
    world.upload(build_wheel("mine", "1.0"))
    fill(world)
    log_in(world)
    assert "Remove its kept files" in text(see(world, f"{PAGE}?project=demo"))
    send(world, action="remove", project="demo")
    told = text(see(world, f"{PAGE}?project=demo"))
    assert "Kept here 0 files" in told
    assert "2 files, " in told
    assert "of demo" in told
    assert "by admin" in told
    assert world.services.eviction.space().files == 0
    assert world.get(f"/packages/root/pypi/demo/{DEMO.filename}").body == DEMO.data
    assert world.project("mine")["files"]
    with world.services.database.read() as connection:
        told = {entry.action for entry in entries(connection, AuditQuestion(author="admin"))}
    assert "remove cached files" in told


def test_kept_files_of_ours_are_never_removed(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    world.upload(DEMO)
    log_in(world)
    send(world, action="remove", project="demo")
    assert world.project("demo")["files"]


def test_room_is_made_now(make_mirror: MakeMirror, index: FakeIndex, fill: Callable) -> None:
    world = make_mirror(mirror__quota=str(len(SDIST.data)))
    fill(world)
    log_in(world)
    send(world, action="room")
    assert world.services.eviction.space().size <= len(SDIST.data)
    assert "for the quota" in text(see(world))


def test_storage_page_tells_what_is_kept_apart_from_uploads(
    make_mirror: MakeMirror, index: FakeIndex, fill: Callable
) -> None:
    world = make_mirror()
    world.upload(build_wheel("mine", "1.0"))
    fill(world)
    log_in(world)
    told = text(see(world, "/manage/storage"))
    assert "in 1 file of 1 project, and" in told
    assert "2 files, kept by the mirror" in told
