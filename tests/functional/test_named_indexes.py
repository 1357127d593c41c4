"""Named indexes: who sees what of whom, and what stays private."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON, World

DEVPI = {"Accept": "application/json"}
LAB, LAB_OTHER = build_wheel("labpkg", "1.0"), build_wheel("labpkg", "1.0", summary="another one")
LAB_NEWER = build_wheel("labpkg", "1.1")


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def make(world: World, name: str, user: str = "writer", status: int = 200, **options: Any) -> Any:
    return world.send("PUT", f"/{name}", user, status, options, Accept="application/json")


def change(world: World, name: str, *lines: str, user: str = "writer", status: int = 200) -> Any:
    return world.send("PATCH", f"/{name}", user, status, list(lines), Accept="application/json")


def told(world: World, path: str, user: str | None = "writer", status: int = 200) -> Any:
    return world.get(path, user, status, Accept="application/json").json


def page(world: World, index: str, project: str = "labpkg", user: str | None = "reader", status: int = 200) -> Any:
    answer = world.get(f"/{index}/+simple/{project}/", user, status, Accept=JSON)
    return [one["filename"] for one in answer.json["files"]] if status == 200 else answer


def put(world: World, index: str, artifact: Any, user: str = "writer", status: int = 200) -> Any:
    return world.upload(artifact, user, status, path=f"/{index}/")


def test_an_index_is_made_shown_changed_and_removed(world: World) -> None:
    made = make(world, "writer/dev", bases="root/main", volatile="True", acl_upload="writer,reader").json
    assert made["type"] == "indexconfig"
    assert made["result"] == {
        "type": "stage",
        "bases": ["root/main"],
        "volatile": True,
        "acl_upload": ["writer", "reader"],
        "acl_toxresult_upload": [":ANONYMOUS:"],
        "mirror_whitelist": [],
        "mirror_whitelist_inheritance": "intersection",
    }
    assert told(world, "/writer/dev?no_projects=") == made
    assert told(world, "/writer/dev")["result"]["projects"] == []
    changed = change(world, "writer/dev", "acl_upload-=reader", "title=Mine", "mirror_whitelist+=Foo_Bar,*").json
    assert changed["result"]["acl_upload"] == ["writer"]
    assert changed["result"]["title"] == "Mine"
    assert changed["result"]["mirror_whitelist"] == ["foo-bar", "*"]
    assert "title" not in change(world, "writer/dev", "title-=").json["result"]
    assert world.send("DELETE", "/writer/dev", "writer", 201, Accept="application/json").json["message"]
    told(world, "/writer/dev", status=404)


@pytest.mark.parametrize(
    ("lines", "comes_to"),
    [
        (["acl_upload-=", "acl_upload+=admin"], ["writer", "admin"]),
        (["acl_upload=writer", "acl_upload+=admin"], ["writer", "admin"]),
        (["acl_upload=", "acl_upload+=admin"], ["admin"]),
        (["acl_upload=writer,admin", "acl_upload-=admin"], ["writer"]),
        (["acl_upload+=admin", "acl_upload-=reader,outsider", "acl_upload+=writer"], ["admin", "writer"]),
        (["acl_upload=:authenticated:", "acl_upload-=:AUTHENTICATED:"], []),
        (["acl_upload=writer", "acl_upload-=reader"], None),
        (["acl_upload-=", "acl_upload-=reader"], None),
        (["acl_upload=writer", "acl_upload=admin"], ["admin"]),
        (["acl_upload=writer", "acl_upload-="], ["writer"]),
    ],
)
def test_lines_of_one_change_build_on_each_other(world: World, lines: list[str], comes_to: list[str] | None) -> None:
    make(world, "writer/dev", acl_upload="reader,outsider")
    change(world, "writer/dev", *lines, status=400 if comes_to is None else 200)
    assert told(world, "/writer/dev")["result"]["acl_upload"] == (
        ["reader", "outsider"] if comes_to is None else comes_to
    )


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"volatile": "perhaps"}, "volatile"),
        ({"bases": "a/b/c"}, "bases"),
        ({"bases": "nobody/there"}, "nobody/there"),
        ({"type": "tree"}, "type"),
        ({"colour": "red"}, "colour"),
        ({"mirror_whitelist_inheritance": "both"}, "intersection"),
        ({"acl_upload": 3}, "acl_upload"),
        ({"mirror_url": "https://index.example.com/simple/"}, "mirror_url"),
    ],
)
def test_a_wrong_option_is_named(world: World, options: dict[str, Any], word: str) -> None:
    answer = world.send("PUT", "/writer/dev", "writer", 400, options, Accept="application/json")
    assert word in answer.json["message"]
    told(world, "/writer/dev", status=404)


def test_who_may_make_an_index(world: World) -> None:
    make(world, "reader/dev", "writer", 403)
    make(world, "nobody/dev", "writer", 404)
    make(world, "nobody/dev", "admin", 404)
    make(world, "writer/dev", None, 401)  # type: ignore[arg-type]
    make(world, "root/dev", "admin")
    make(world, "writer/dev", "admin")
    make(world, "writer/dev", "writer", 409)
    make(world, "writer/json", "writer", 405)
    make(world, "writer/Dev", "writer", 400)
    refused = make(world, "writer/m", "writer", 403, type="mirror", mirror_url="https://index.example.com/simple/")
    assert "index.mirrors_by" in refused.json["message"]


def test_the_type_of_an_index_stays(world: World) -> None:
    make(world, "writer/dev")
    whole = told(world, "/writer/dev")
    assert (
        world.send("PATCH", "/writer/dev", "writer", 200, whole).json["result"]
        == told(world, "/writer/dev?no_projects=")["result"]
    )
    whole["result"]["type"] = "mirror"
    world.send("PATCH", "/writer/dev", "writer", 400, whole)
    change(world, "writer/dev", "type=mirror", status=400)


def test_bases_cannot_lead_back(world: World) -> None:
    make(world, "writer/a")
    make(world, "writer/b", bases="writer/a")
    make(world, "writer/c", bases="writer/b")
    assert "itself" in change(world, "writer/a", "bases=writer/c", status=400).json["message"]
    assert "itself" in change(world, "writer/a", "bases=writer/a", status=400).json["message"]
    assert change(world, "writer/c", "bases=").json["result"]["bases"] == []


def test_bases_cannot_lead_back_by_an_index_that_waited_for_its_base(make_world: Callable[..., World]) -> None:
    world = make_world({"index.acme/stable.bases": "writer/a"})
    assert "itself" in make(world, "writer/a", status=400, bases="acme/stable").json["message"]
    make(world, "writer/b", bases="acme/stable")
    assert "itself" in make(world, "writer/a", status=400, bases="writer/b").json["message"]
    make(world, "writer/a")


def test_files_come_from_the_index_then_from_its_bases(world: World) -> None:
    make(world, "writer/base")
    make(world, "writer/dev", bases="writer/base")
    put(world, "writer/base", LAB)
    put(world, "writer/base", LAB_NEWER)
    assert page(world, "writer/dev") == [LAB.filename, LAB_NEWER.filename]
    put(world, "writer/dev", LAB_OTHER)
    files = world.get("/writer/dev/+simple/labpkg/", "reader", Accept=JSON).json["files"]
    assert [one["filename"] for one in files] == [LAB.filename, LAB_NEWER.filename]
    assert files[0]["hashes"]["sha256"] == LAB_OTHER.sha256
    assert files[0]["url"] == f"../../../../packages/writer/dev/labpkg/{LAB_OTHER.sha256[:16]}/{LAB.filename}"
    assert world.get(files[0]["url"].removeprefix("../../../.."), "reader").body == LAB_OTHER.data
    versions = told(world, "/writer/dev/labpkg")["result"]
    assert list(versions) == ["1.1", "1.0"]
    assert versions["1.0"]["+links"][0]["href"].startswith("http://localhost/writer/dev/+f/")
    assert versions["1.0"]["+shadowing"][0]["+links"][0]["href"].startswith("http://localhost/writer/base/+f/")
    assert list(told(world, "/writer/dev/labpkg/?ignore_bases=")["result"]) == ["1.0"]
    assert told(world, "/writer/dev")["result"]["projects"] == ["labpkg"]
    # none of it is in the default index
    world.get("/simple/labpkg/", "reader", 404)


def test_a_page_follows_all_its_bases(world: World) -> None:
    make(world, "writer/base")
    make(world, "writer/dev", bases="writer/base")
    put(world, "writer/dev", LAB)
    assert page(world, "writer/dev") == [LAB.filename]
    put(world, "writer/base", LAB_NEWER)
    assert page(world, "writer/dev") == [LAB.filename, LAB_NEWER.filename]
    change(world, "writer/dev", "bases=")
    assert page(world, "writer/dev") == [LAB.filename]


def test_an_index_that_is_not_volatile_keeps_what_it_has(world: World) -> None:
    make(world, "writer/prod", volatile=False)
    put(world, "writer/prod", LAB)
    before = world.get("/writer/prod/+simple/labpkg/", "reader").body
    assert "labpkg-1.0" in put(world, "writer/prod", LAB_OTHER, status=409).status
    put(world, "writer/prod", LAB)
    for path in ("/writer/prod/labpkg", "/writer/prod/labpkg/1.0", "/writer/prod"):
        world.send("DELETE", path, "writer", 403, Accept="application/json")
        world.send("DELETE", path, "admin", 403, Accept="application/json")
    world.send("DELETE", "/writer/prod/labpkg/1.0?force=", "writer", 403)
    assert world.get("/writer/prod/+simple/labpkg/", "reader").body == before
    change(world, "writer/prod", "acl_force=writer")
    world.send("DELETE", "/writer/prod/labpkg/1.0?force=", "writer", 200)
    page(world, "writer/prod", status=404)


def test_a_volatile_index_replaces(world: World) -> None:
    make(world, "writer/dev")
    put(world, "writer/dev", LAB)
    old = told(world, "/writer/dev/labpkg")["result"]["1.0"]["+links"][0]["href"]
    put(world, "writer/dev", LAB_OTHER)
    new = told(world, "/writer/dev/labpkg")["result"]["1.0"]["+links"][0]["href"]
    assert world.get(new, "reader").body == LAB_OTHER.data
    world.get(old, "reader", 404)
    # What was replaced is not there to be asked about or deleted, and its successor is another file.
    world.get(old, "reader", 404, Accept="application/json")
    world.send("DELETE", old, "writer", 404)
    assert page(world, "writer/dev") == [LAB.filename]
    world.send("DELETE", new, "writer", 200)
    page(world, "writer/dev", status=404)


def test_reading_can_be_limited(world: World) -> None:
    make(world, "writer/secret", acl_read="writer", acl_upload="writer")
    make(world, "reader/dev", "admin", bases="writer/secret")
    put(world, "writer/secret", LAB)
    assert page(world, "writer/secret", user="writer") == [LAB.filename]
    href = told(world, "/writer/secret/labpkg")["result"]["1.0"]["+links"][0]["href"]
    for path in ("/writer/secret/+simple/labpkg/", "/writer/secret/labpkg", "/writer/secret", href, href + ".metadata"):
        world.get(path, "reader", 404, Accept="application/json")
        world.get(path, None, 401, Accept="application/json")
    # standing on it does not show it
    page(world, "reader/dev", status=404)
    assert page(world, "reader/dev", user="admin") == [LAB.filename]
    for path in ("/writer/secret/+simple/", "/writer/secret/"):
        world.get(path, "reader", 404, Accept=JSON)
        world.get(path, None, 401, Accept=JSON)
    assert world.get("/reader/dev/+simple/", "reader", Accept=JSON).json["projects"] == []


def test_an_owner_reads_its_index_where_others_read_by_the_rules_of_the_server(world: World) -> None:
    make(world, "outsider/x", "outsider", acl_upload="outsider,writer", bases="root/main")
    put(world, "outsider/x", LAB, "outsider")
    world.upload(LAB_NEWER)
    # What a base has is another matter.
    assert page(world, "outsider/x", user="outsider") == [LAB.filename]
    assert page(world, "outsider/x") == [LAB.filename, LAB_NEWER.filename]
    page(world, "outsider/x", user=None, status=401)
    assert told(world, "/outsider/x", "outsider")["result"]["projects"] == ["labpkg"]
    href = told(world, "/outsider/x/labpkg", "outsider")["result"]["1.0"]["+links"][0]["href"]
    assert world.get(href, "outsider").body == LAB.data
    listed = world.get("/outsider/x/+simple/", "outsider", Accept=JSON).json["projects"]
    assert [one["name"] for one in listed] == ["labpkg"]
    world.get("/simple/labpkg/", "outsider", 404)
    assert "outsider" in world.get("/outsider/x/", "reader", Accept="text/html").text


def test_uploads_need_the_list(world: World) -> None:
    make(world, "writer/dev")
    assert "acl_upload" in put(world, "writer/dev", LAB, "reader", 403).status
    put(world, "writer/dev", LAB, None, 401)  # type: ignore[arg-type]
    change(world, "writer/dev", "acl_upload+=:staff")
    put(world, "writer/dev", LAB, "reader")
    put(world, "writer/other", LAB, "writer", 404)


def test_removing_a_base_or_its_index_keeps_its_names(world: World) -> None:
    make(world, "writer/base")
    make(world, "writer/dev", bases="writer/base")
    make(world, "writer/other", bases="writer/base")
    put(world, "writer/base", LAB)
    change(world, "writer/dev", "bases=")
    world.send("DELETE", "/writer/base", "writer", 201)
    with world.services.catalog.read() as catalog:
        for name in ("dev", "other"):
            index = world.services.registry.now().of("writer")
            project = catalog.project(next(one.name for one in index if one.name.name == name), ProjectName("labpkg"))
            assert project is not None
            assert project.file_count == 0
    assert told(world, "/writer/other")["result"]["bases"] == []
    # whoever makes it anew finds nothing
    make(world, "writer/base")
    assert told(world, "/writer/base")["result"]["projects"] == []


def test_indexes_of_the_configuration_stay(make_world: Callable[..., World]) -> None:
    world = make_world(
        {
            "index.acme/stable.bases": "root/main",
            "index.acme/stable.acl_upload": "writer :staff",
            "index.acme/stable.volatile": "no",
        }
    )
    shown = told(world, "/acme/stable?no_projects=")["result"]
    assert (shown["bases"], shown["acl_upload"], shown["volatile"]) == (["root/main"], ["writer", ":staff"], False)
    change(world, "acme/stable", "title=x", user="admin", status=409)
    world.send("DELETE", "/acme/stable", "admin", 403)
    put(world, "acme/stable", LAB, "reader")
    assert page(world, "acme/stable") == [LAB.filename]


def test_the_default_index_is_one_of_them(world: World) -> None:
    world.upload(LAB)
    assert page(world, "root/main") == [LAB.filename]
    assert told(world, "/root/main")["result"]["projects"] == ["labpkg"]
    make(world, "writer/extra")
    put(world, "writer/extra", LAB_NEWER)
    assert change(world, "root/main", "bases=writer/extra", "title=Everything", user="admin").json["result"]["title"]
    assert world.project("labpkg")["versions"] == ["1.0", "1.1"]
    change(world, "root/main", "acl_upload=reader", user="admin", status=400)
    change(world, "root/main", "title=x", status=403)


def test_resolution_costs_one_query_however_many_bases(world: World, queries: Callable[..., Any]) -> None:
    for number in range(12):
        make(world, f"writer/b{number}")
        put(world, f"writer/b{number}", build_sdist("labpkg", f"1.{number}"))
    make(world, "writer/dev", bases=",".join(f"writer/b{number}" for number in range(12)))
    assert len(page(world, "writer/dev")) == 12
    with queries(world) as warm:
        assert len(page(world, "writer/dev")) == 12
    assert len(warm) == 1
    put(world, "writer/b3", LAB_NEWER)
    with queries(world) as cold:
        assert len(page(world, "writer/dev")) == 13
    assert len(cold) == 2


def test_the_rest_api_has_indexes_too(world: World) -> None:
    made = world.send(
        "PUT", "/api/index/writer/dev", "writer", 201, {"bases": ["root/main"], "acl_upload": "writer"}
    ).json
    assert made == {
        "name": "writer/dev",
        "type": "stage",
        "defined": "database",
        "default": False,
        "options": {
            "bases": ["root/main"],
            "volatile": True,
            "acl_upload": ["writer"],
            "acl_toxresult_upload": [":ANONYMOUS:"],
            "mirror_whitelist": [],
            "mirror_whitelist_inheritance": "intersection",
        },
    }
    changed = world.send("PATCH", "/api/index/writer/dev", "writer", 200, {"title": "Mine", "bases": None}).json
    assert changed["options"]["title"] == "Mine"
    assert changed["options"]["bases"] == []
    assert [one["name"] for one in world.get("/api/index/", "reader").json] == ["root/main", "writer/dev"]
    assert world.get("/api/index/writer/dev", "reader").json == changed
    put(world, "writer/dev", LAB)
    put(world, "writer/dev", LAB_NEWER)
    assert world.get("/api/index/writer/dev/package/", "reader").json == {"packages": ["labpkg"]}
    files = world.get("/api/index/writer/dev/package/labpkg/", "reader").json["packages"]
    assert [(one["filename"], one["index"]) for one in files] == [
        (LAB.filename, "writer/dev"),
        (LAB_NEWER.filename, "writer/dev"),
    ]
    assert world.get(files[0]["url"].partition("localhost")[2], "reader").body == LAB.data
    world.send("DELETE", "/api/index/writer/dev/package/labpkg/version/1.0", "reader", 403)
    assert world.send("DELETE", "/api/index/writer/dev/package/labpkg/version/1.0").json == {"deleted": [LAB.filename]}
    assert world.send("DELETE", f"/api/index/writer/dev/package/labpkg/{LAB_NEWER.filename}").json["deleted"]
    world.get("/api/index/writer/dev/package/labpkg/", "reader", 404)
    world.send("PUT", "/api/index/writer/dev", "writer", 409, {})
    world.send("PATCH", "/api/index/writer/dev", "reader", 403, {"title": "x"})
    world.send("PATCH", "/api/index/writer/dev", "writer", 400, {"colour": "red"})
    world.send("DELETE", "/api/index/writer/dev", "writer", 200)
    world.get("/api/index/writer/dev", "reader", 404)
