"""What a stranger learns of an index, a file or documentation that it may not see: as much as of one that is not there."""

from __future__ import annotations

from collections.abc import Callable
from json import dumps
from typing import Any

import pytest

from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_wheel, zip_bytes
from pypicloud_lite.testing.world import World

LAB = build_wheel("labpkg", "1.0")
DIGEST = f"{LAB.sha256[:3]}/{LAB.sha256[3:16]}"
WRONG = f"000/{'0' * 13}"
MIRROR = {"index.writer/mirror.type": "mirror", "index.writer/mirror.mirror_url": "https://index.example.com/simple/"}
STRANGERS = ["outsider", "reader", None]


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    world = make_world({**MIRROR, "index.writer/mirror.acl_read": "writer"})
    world.send("PUT", "/writer/kept", "writer", 200, {"acl_read": "writer"})
    world.upload(LAB, path="/writer/kept/")
    world.upload(LAB)
    for index in ("writer/kept", "root/main"):
        _document(world, index)
    world.app.lint = False
    return world


def _document(world: World, index: str) -> None:
    identity = world.services.authenticator.identify("writer", "writer-pw")
    with world.services.storage.spool() as spool:
        spool.write(zip_bytes({"index.html": b"pages"}))
        name = IndexName.parse(index)
        world.services.attachments.add_docs(name, ProjectName("labpkg"), "1.0", spool, identity, Author("writer"))


def _docs_path(world: World, index: str) -> str:
    name = IndexName.parse(index)
    with world.services.catalog.read() as catalog:
        found = catalog.attachments(name, ProjectName("labpkg"))[0]
    return f"/+f/{found.sha256[:3]}/{found.sha256[3:16]}/{found.filename}"


def asked(world: World, method: str, path: str, user: str | None, json: Any = None) -> Any:
    headers = world._headers(user, {"Accept": "application/json"})
    body = b"" if json is None else dumps(json).encode()
    return world.app.request(path, method=method, headers=headers, body=body, status="*")


def same(world: World, method: str, user: str | None, here: str, nowhere: str, *renamed: str, json: Any = None) -> None:
    """``renamed``: what the second address calls otherwise, by turns."""
    told = []
    for path in (here, nowhere):
        answer = asked(world, method, path, user, json)
        text = answer.text
        for one, other in zip(renamed[::2], renamed[1::2], strict=True):
            text = text.replace(one, other)
        told.append((answer.status_int, text))
    assert told[0] == told[1], (method, here)
    assert told[0][0] in {401, 403, 404}


@pytest.mark.parametrize("user", STRANGERS)
def test_within_a_hidden_index(world: World, user: str | None) -> None:
    docs = _docs_path(world, "writer/kept")
    files = [f"/+f/{DIGEST}/{LAB.filename}", f"/+f/{WRONG}/{LAB.filename}", f"/+f/{DIGEST}/nonsense", docs]
    files += [f"/+f/{WRONG}/{LAB.filename}.metadata", docs.replace("labpkg", "absent")]
    for file in files:
        for method, sent in (("GET", None), ("DELETE", None), ("POST", {"a": "result"})):
            same(
                world,
                method,
                user,
                f"/writer/kept{file}",
                f"/writer/none{file}",
                "writer/none",
                "writer/kept",
                json=sent,
            )
            same(
                world,
                method,
                user,
                f"/writer/mirror{file}",
                f"/writer/none{file}",
                "writer/none",
                "writer/mirror",
                json=sent,
            )
    for method in ("GET", "DELETE"):
        for file, absent in ((files[1], f"/+f/{WRONG}/absent-1.0-py3-none-any.whl"), (docs, files[-1])):
            same(world, method, user, f"/writer/kept{file}", f"/writer/kept{absent}", "absent", "labpkg")


@pytest.mark.parametrize("user", ["outsider", None])
def test_within_the_default_index(world: World, user: str | None) -> None:
    docs = _docs_path(world, "root/main")
    absent = f"/root/main/+f/{WRONG}/absent-1.0-py3-none-any.whl"
    same(world, "GET", user, f"/root/main/+f/{WRONG}/{LAB.filename}", absent, "absent", "labpkg")
    same(world, "DELETE", user, f"/root/main/+f/{WRONG}/{LAB.filename}", absent, "absent", "labpkg")
    same(world, "GET", user, f"/root/main{docs}", f"/root/main{docs}".replace("labpkg", "absent"), "absent", "labpkg")


def test_who_may_see_it_hears_what_became_of_it(world: World) -> None:
    for index in ("writer/kept", "root/main"):
        for method in ("GET", "DELETE"):
            gone = asked(world, method, f"/{index}/+f/{WRONG}/{LAB.filename}", "writer")
            assert (gone.status_int, "replaced or deleted" in gone.text) == (404, True)
        assert asked(world, "GET", f"/{index}/+f/{DIGEST}/{LAB.filename}", "writer").body
        assert asked(world, "GET", f"/{index}{_docs_path(world, index)}", "writer").status_int == 200
    assert "is a mirror" in asked(world, "POST", f"/writer/mirror/+f/{DIGEST}/{LAB.filename}", "writer", {}).text


def test_to_stand_on_an_index_takes_knowing_it(world: World) -> None:
    for method in ("PUT", "PATCH"):
        for base in ("writer/kept", "writer/mirror"):
            told = []
            for bases in (base, "writer/none"):
                answer = asked(world, method, "/outsider/x", "outsider", {"bases": ["root/main", bases]})
                told.append((answer.status_int, answer.text.replace(bases, "X")))
            assert told[0] == told[1]
            assert told[0][0] == 400
        world.send("PUT", "/outsider/x", "outsider", 200 if method == "PUT" else 409, {})
    asked(world, "PATCH", "/outsider/x", "outsider", {"bases": ["root/main"]})
    world.send("PUT", "/writer/top", "writer", 200, {"bases": ["writer/kept", "writer/mirror"]})


def test_what_an_index_stands_on_stays_when_it_is_hidden(world: World) -> None:
    world.send("PUT", "/writer/base", "writer", 200, {})
    world.send("PUT", "/reader/x", "reader", 200, {"bases": ["writer/base"]})
    world.send("PATCH", "/writer/base", "writer", 200, {"acl_read": ["writer"]})
    kept = world.send("PATCH", "/reader/x", "reader", 200, {"title": "Mine", "bases": ["writer/base", "root/main"]})
    assert kept.json["result"]["bases"] == ["writer/base", "root/main"]
    world.send("PATCH", "/reader/x", "reader", 200, {"bases": ["root/main"]})
    world.send("PATCH", "/reader/x", "reader", 400, {"bases": ["writer/base"]})
    world.send("PATCH", "/reader/x", "admin", 200, {"bases": ["writer/base"]})


def test_anybody_may_still_send_results_where_the_index_lets_everybody(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.send("PUT", "/writer/open", "writer", 200, {})
    world.upload(LAB, path="/writer/open/")
    assert asked(world, "POST", f"/writer/open/+f/{DIGEST}/{LAB.filename}", None, {"a": "result"}).status_int == 200
