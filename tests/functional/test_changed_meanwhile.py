"""An index that is changed between the bytes of an upload and its row: what it is then counts, not what it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.testing.artifacts import build_wheel, zip_bytes
from pypicloud_lite.testing.world import JSON, World, basic

LAB, OTHER = build_wheel("labpkg", "1.0"), build_wheel("labpkg", "1.0", summary="another one")
Meanwhile = Callable[..., list[int]]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """The next time that bytes are stored another client changes an index, and is answered before the row comes."""

    def arrange(world: World, index: str, *lines: str) -> list[int]:
        answers: list[int] = []

        def change() -> None:
            answer = world.send("PATCH", f"/{index}", "admin", "*", list(lines), Accept="application/json")
            answers.append(answer.status_int)

        def after(stores: Callable[..., Any]) -> Callable[..., Any]:
            def store(*arguments: Any) -> Any:
                done = stores(*arguments)
                if not answers:
                    # A request of its own knows nothing of what this one knows.
                    other = threading.Thread(target=change)
                    other.start()
                    other.join()
                return done

            return store

        storage = world.services.storage
        for name in ("put", "copy"):
            monkeypatch.setattr(storage, name, after(getattr(storage, name)))
        return answers

    return arrange


def make(world: World, name: str, **options: Any) -> None:
    world.send("PUT", f"/{name}", "writer", 200, options, Accept="application/json")


def digest(world: World, index: str) -> str:
    [file] = world.get(f"/{index}/+simple/labpkg/", "writer", Accept=JSON).json["files"]
    found: str = file["hashes"]["sha256"]
    return found


def test_an_upload_replaces_nothing_in_an_index_that_is_not_volatile_any_more(
    world: World, meanwhile: Meanwhile
) -> None:
    make(world, "writer/dev")
    world.upload(LAB, path="/writer/dev/")
    answers = meanwhile(world, "writer/dev", "volatile=False")
    assert "labpkg-1.0" in world.upload(OTHER, "writer", 409, path="/writer/dev/").status
    assert answers == [200]
    assert digest(world, "writer/dev") == LAB.sha256


def test_nor_under_a_name_that_is_reserved(world: World, meanwhile: Meanwhile) -> None:
    make(world, "writer/dev")
    world.upload(LAB, path="/writer/dev/")
    world.send("DELETE", "/writer/dev/labpkg/1.0", "writer", 200, Accept="application/json")
    meanwhile(world, "writer/dev", "volatile=False")
    world.upload(OTHER, "writer", 409, path="/writer/dev/")
    world.upload(LAB, "writer", 200, path="/writer/dev/")


def test_nor_in_the_default_index(world: World, meanwhile: Meanwhile) -> None:
    world.send("PATCH", "/root/main", "admin", 200, ["volatile=True"], Accept="application/json")
    world.upload(LAB)
    meanwhile(world, "root/main", "volatile=False")
    world.upload(OTHER, "writer", 409)
    assert digest(world, "root/main") == LAB.sha256


def test_an_upload_that_the_list_no_longer_has_comes_to_nothing(world: World, meanwhile: Meanwhile) -> None:
    make(world, "writer/dev", acl_upload="writer,reader")
    meanwhile(world, "writer/dev", "acl_upload=writer")
    world.upload(LAB, "reader", 403, path="/writer/dev/")
    world.get("/writer/dev/+simple/labpkg/", "writer", 404)


def test_an_index_that_becomes_volatile_meanwhile_is_no_reason_to_fail(world: World, meanwhile: Meanwhile) -> None:
    make(world, "writer/dev", volatile=False)
    meanwhile(world, "writer/dev", "volatile=True")
    world.upload(LAB, path="/writer/dev/")
    world.upload(OTHER, path="/writer/dev/")
    assert digest(world, "writer/dev") == OTHER.sha256


def test_a_promotion_replaces_nothing_either(world: World, meanwhile: Meanwhile) -> None:
    make(world, "writer/dev")
    make(world, "writer/prod")
    world.upload(OTHER, path="/writer/dev/")
    world.upload(LAB, path="/writer/prod/")
    wanted = {"source": "writer/dev", "target": "writer/prod", "project": "labpkg", "version": "1.0"}
    answers = meanwhile(world, "writer/prod", "volatile=False")
    world.send("POST", "/api/promote", "writer", 409, wanted)
    assert answers == [200]
    assert digest(world, "writer/prod") == LAB.sha256


def test_documentation_replaces_nothing_either(world: World, meanwhile: Meanwhile) -> None:
    make(world, "writer/dev")
    form = {":action": "doc_upload", "name": "labpkg", "version": "1.0"}

    def post(text: bytes, status: int) -> None:
        files = [("content", "labpkg.zip", zip_bytes({"index.html": text}))]
        headers = {"Authorization": basic("writer")}
        world.app.post("/writer/dev/", form, upload_files=files, headers=headers, status=status)

    post(b"one", 200)
    meanwhile(world, "writer/dev", "volatile=False")
    post(b"two", 409)
