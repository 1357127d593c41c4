"""A release from one index to another: all of it or nothing, with everything that is known of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.cli.promote import main
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.indexes.incoming import FileExists
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import Conflict, PpcError, StorageUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.publish.promotion import PromotionRequest
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import LiveServer, write_config
from pypicloud_lite.testing.world import JSON, World, user_settings

WHEEL, SDIST = build_wheel("labpkg", "1.0"), build_sdist("labpkg", "1.0")
OTHER, NEWER = build_wheel("labpkg", "1.0", summary="another one"), build_wheel("labpkg", "2.0")
DEV, PROD, LAB = IndexName("writer", "dev"), IndexName("writer", "prod"), ProjectName("labpkg")
BOSS = Identity("boss", roles=frozenset({Role.ADMIN}))
REQUEST = PromotionRequest(DEV, PROD, LAB, "1.0")


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    world = make_world()
    world.send("PUT", "/writer/dev", "writer", 200, {})
    world.send("PUT", "/writer/prod", "writer", 200, {"volatile": False})
    for artifact in (WHEEL, SDIST, NEWER):
        world.upload(artifact, path="/writer/dev/", signature=b"signed" if artifact is SDIST else None)
    return world


def ask(world: World, user: str = "writer", status: int = 200, **more: Any) -> Any:
    wanted = {"source": "writer/dev", "target": "writer/prod", "project": "LabPkg", "version": "1.0", **more}
    return world.send("POST", "/api/promote", user, status, wanted).json


def names(world: World, index: str) -> list[str]:
    answer = world.get(f"/{index}/+simple/labpkg/", "reader", "*", Accept=JSON)
    return [one["filename"] for one in answer.json["files"]] if answer.status_int == 200 else []


def rows(world: World, index: IndexName) -> dict[str, Any]:
    with world.services.catalog.read() as catalog:
        return {str(one.filename): one for one in catalog.files(index, LAB)}


def stored(world: World) -> set[str]:
    return {info.key.value for info in world.services.storage.list("writer/prod")}


def test_everything_that_is_known_goes_along(world: World) -> None:
    world.services.yanking.yank(Selection(DEV, LAB, filename=WHEEL.filename), BOSS, Author("boss"), "broken")
    before = rows(world, DEV)
    assert ask(world) == [
        {"filename": name, "outcome": "copied", "index": "writer/prod"} for name in (WHEEL.filename, SDIST.filename)
    ]
    after = rows(world, PROD)
    assert set(after) == {WHEEL.filename, SDIST.filename}
    for name, row in after.items():
        old = before[name]
        for field in ("digests", "size", "uploaded_at", "uploader", "requires_python", "summary", "metadata_sha256"):
            assert getattr(row, field) == getattr(old, field)
        assert (row.signed, row.yanked, row.yanked_reason) == (old.signed, old.yanked, old.yanked_reason)
        assert row.key != old.key
    page = world.get("/writer/prod/+simple/labpkg/", "reader", Accept=JSON).json["files"]
    assert [one["yanked"] for one in page] == ["broken", False]
    for one, artifact in zip(page, (WHEEL, SDIST), strict=True):
        assert world.get(one["url"].removeprefix("../../../.."), "reader").body == artifact.data
    versions = world.get("/writer/prod/labpkg", "reader", Accept="application/json").json["result"]
    log = versions["1.0"]["+links"][0]["log"]
    assert [(one["what"], one["who"], one.get("src"), one["dst"]) for one in log] == [
        ("upload", "writer", None, "writer/dev"),
        ("push", "writer", "writer/dev", "writer/prod"),
    ]
    assert all(len(one["when"]) == 6 for one in log)


def test_the_same_again_is_no_error_and_other_bytes_are(world: World) -> None:
    ask(world)
    assert [one["outcome"] for one in ask(world)] == ["already there", "already there"]
    world.upload(OTHER, path="/writer/dev/")
    kept, files = names(world, "writer/prod"), stored(world)
    answer = ask(world, status=409)
    assert WHEEL.filename in answer["message"]
    assert (names(world, "writer/prod"), stored(world)) == (kept, files)
    world.send("PATCH", "/writer/prod", "writer", 200, ["volatile=True"])
    assert [one["outcome"] for one in ask(world)] == ["already there", "replaced"]
    row = rows(world, PROD)[WHEEL.filename]
    events = json.loads(row.history)
    assert [one["what"] for one in events] == ["overwrite", "upload", "push"]
    assert events[0]["count"] == 1


def test_a_refusal_leaves_nothing(world: World) -> None:
    world.upload(OTHER, path="/writer/prod/")
    before = stored(world)
    assert "Nothing was copied" in ask(world, status=409)["message"]
    assert names(world, "writer/prod") == [WHEEL.filename]
    assert stored(world) == before


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"version": "9.9"}, 404),
        ({"project": "nothing"}, 404),
        ({"source": "writer/nowhere"}, 404),
        ({"target": "writer/nowhere"}, 404),
        ({"target": "writer/dev"}, 400),
        ({"target": "writer"}, 400),
        ({"filenames": ["labpkg-9.tar.gz"]}, 404),
        ({"version": "no version"}, 400),
    ],
)
def test_what_is_not_there_is_named(world: World, more: dict[str, Any], status: int) -> None:
    assert ask(world, status=status, **more)["message"]
    assert names(world, "writer/prod") == []


def test_who_may(world: World) -> None:
    ask(world, "reader", 403)
    world.send("PATCH", "/writer/prod", "writer", 200, ["acl_upload+=reader"])
    world.send("PATCH", "/writer/dev", "writer", 200, ["acl_read=writer"])
    ask(world, "reader", 404)
    world.send("PATCH", "/writer/dev", "writer", 200, ["acl_read=writer,reader"])
    ask(world, "reader", 403, move=True)
    ask(world, "reader")
    world.send("POST", "/api/promote", None, 401, {})


def test_chosen_files_and_moving(world: World) -> None:
    assert [one["filename"] for one in ask(world, filenames=[SDIST.filename])] == [SDIST.filename]
    assert names(world, "writer/prod") == [SDIST.filename]
    ask(world, move=True)
    assert names(world, "writer/dev") == [NEWER.filename]
    assert names(world, "writer/prod") == [WHEEL.filename, SDIST.filename]


def test_a_dry_run_changes_nothing(world: World) -> None:
    before = stored(world)
    assert {one["outcome"] for one in ask(world, dry_run=True)} == {"copied"}
    assert stored(world) == before
    assert names(world, "writer/prod") == []


def test_archived_projects_take_nothing(world: World) -> None:
    ask(world, filenames=[SDIST.filename])
    world.services.statuses.set(PROD, LAB, ProjectStatus.ARCHIVED, None, BOSS, Author("boss"))
    assert "archived" in ask(world, status=403)["message"]


def test_it_outlives_its_source_and_the_database(world: World, tmp_path: Path) -> None:
    ask(world)
    world.send("DELETE", "/writer/dev", "writer", 201, Accept="application/json")
    assert names(world, "writer/prod") == [WHEEL.filename, SDIST.filename]
    before = rows(world, PROD)
    rebuilt = World(tmp_path / "rebuilt", {**_places(world), "db.url": f"sqlite:///{tmp_path}/rebuilt.sqlite"})
    rebuilt.services.resync()
    after = rows(rebuilt, PROD)
    rebuilt.close()
    assert set(after) == set(before)
    for name, row in before.items():
        assert (after[name].digests, after[name].history) == (row.digests, row.history)


def test_an_outage_between_the_files_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, calls = world.services.storage, []
    copy = type(storage).copy

    def failing(self: Any, source: Any, key: Any, size: int) -> None:
        calls.append(key)
        if len(calls) == 2:
            raise StorageUnavailable("The storage is away")
        copy(self, source, key, size)

    before = stored(world)
    monkeypatch.setattr(type(storage), "copy", failing)
    with pytest.raises(StorageUnavailable):
        world.services.promotion.promote(REQUEST, BOSS, Author("boss"))
    monkeypatch.undo()
    assert stored(world) == before
    assert names(world, "writer/prod") == []
    ask(world)


def test_two_at_once_and_an_upload_beside_them(world: World) -> None:
    barrier = threading.Barrier(3)

    def promote() -> str:
        barrier.wait()
        try:
            world.services.promotion.promote(REQUEST, BOSS, Author("boss"))
        except PpcError as error:
            return type(error).__name__
        return "done"

    def upload() -> str:
        barrier.wait()
        answer = world.upload(OTHER, path="/writer/prod/", status="*")
        return str(answer.status_int)

    with ThreadPoolExecutor(3) as pool:
        first, second, uploaded = pool.submit(promote), pool.submit(promote), pool.submit(upload)
        outcomes = {first.result(), second.result()}
    there = rows(world, PROD)
    if uploaded.result() == "200":
        assert outcomes == {FileExists.__name__}
        assert set(there) == {WHEEL.filename}
    else:
        assert outcomes == {"done"}
        assert {name: row.digests.sha256 for name, row in there.items()} == {
            WHEEL.filename: WHEEL.sha256,
            SDIST.filename: SDIST.sha256,
        }
    keys = {row.key.value for row in there.values()}
    blobs = {key for key in stored(world) if key.endswith((".whl", ".tar.gz"))}
    assert blobs == keys


def test_a_source_that_is_deleted_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    copying = world.services.promotion._copying
    stored_one = copying._stored

    def deleting(*arguments: Any) -> Any:
        record = stored_one(*arguments)
        world.services.removals.remove(Selection(DEV, LAB), BOSS, Author("boss"))
        return record

    monkeypatch.setattr(copying, "_stored", deleting)
    before = stored(world)
    with pytest.raises(Conflict):
        world.services.promotion.promote(REQUEST, BOSS, Author("boss"))
    assert stored(world) == before
    assert names(world, "writer/prod") == []


def test_the_command(world: World, tmp_path: Path) -> None:
    write_config(tmp_path / "config.ini", {**user_settings(), **_places(world)})

    def run(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(main, ["-c", str(tmp_path / "config.ini"), *words], prog_name="ppc-promote")
        assert done.exit_code == status, done.output
        return done.output

    assert "would be copied" in run("writer/dev", "writer/prod", "labpkg==1.0", "--dry-run")
    assert names(world, "writer/prod") == []
    assert json.loads(run("writer/dev", "writer/prod", "labpkg==1.0", "--json"))[0]["outcome"] == "copied"
    assert run("writer/dev", "writer/prod", "labpkg").count("already there") == 2
    assert "no labpkg 9" in run("writer/dev", "writer/prod", "labpkg==9", status=1)
    run("writer/dev", "nothing", "labpkg", status=2)


def _places(world: World) -> dict[str, str]:
    raw = world.services.database.path
    folder = world.services.storage
    return {"db.url": f"sqlite:///{raw}", "storage.dir": str(folder._root)}  # type: ignore[attr-defined]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[LiveServer]:
    settings = {**user_settings(), "db.url": f"sqlite:///{tmp_path}/other.sqlite", "storage.dir": str(tmp_path / "o")}
    with LiveServer(tmp_path / "elsewhere", settings, workers=1) as server:
        yield server


def test_a_push_to_another_server(make_world: Callable[..., World], elsewhere: LiveServer) -> None:
    world = make_world({"upstream.file_hosts": f"127.0.0.1:{elsewhere.port}"})
    world.app.lint = False
    world.send("PUT", "/writer/dev", "writer", 200, {})
    for artifact in (WHEEL, SDIST):
        world.upload(artifact, path="/writer/dev/")
    wanted = {
        "name": "labpkg",
        "version": "1.0",
        "posturl": f"{elsewhere.url}/",
        "username": "writer",
        "password": "writer-pw",
    }
    answer = world.send("PUSH", "/writer/dev", "writer", 200, wanted).json
    assert answer["type"] == "actionlog"
    assert [row[0] for row in answer["result"]] == [200, 200]
    refused = world.send("PUSH", "/writer/dev", "writer", 502, {**wanted, "password": "wrong"})
    assert refused.json["result"][0][0] == 401
    assert "wrong" not in refused.text
    world.send("PUSH", "/writer/dev", None, 401, wanted)
    world.send("PUSH", "/writer/dev", "writer", 400, {"name": "labpkg"})
    world.send("PUSH", "/writer/dev", "writer", 400, {**wanted, "colour": "red"})


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://169.254.169.254/", "https://10.0.0.1/", "file:///etc"])
def test_a_push_goes_only_where_it_may(world: World, url: str) -> None:
    world.app.lint = False
    wanted = {"name": "labpkg", "version": "1.0", "posturl": url, "username": "x", "password": "y"}
    answer = world.send("PUSH", "/writer/dev", "writer", 502, wanted).json
    assert answer["result"][0][0] == 502
