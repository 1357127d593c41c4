"""What an owner sends as an option breaks nobody's page, and is refused where it could not be answered again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.testing.world import World, basic


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


BAD = {
    "half a surrogate pair": '{"title": "\\ud800"}',
    "half a pair in a description": '{"description": "a\\udfffb"}',
    "half a pair in a list of changes": '["title=\\ud800"]',
    "NUL": '{"title": "\\u0000"}',
    "a list as a word": '{"mirror_whitelist_inheritance": ["union"]}',
    "an object as a word": '{"mirror_whitelist_inheritance": {}}',
    "NaN": '{"custom_data": NaN}',
    "Infinity within": '{"custom_data": {"a": [-Infinity]}}',
    "more than a float": '{"custom_data": 1e999}',
    **{f"{levels} levels": f'{{"custom_data": {nested(levels)}}}' for levels in (21, 400, 961, 965, 980)},
    "lists for a truth value": f'{{"volatile": {nested(400)}}}',
    "lists for a text": f'{{"title": {nested(940)}}}',
    "lists for people": f'{{"acl_upload": {nested(940)}}}',
}


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    world = make_world({"index.mirrors_by": "owners"})
    world.send("PUT", "/writer/dev", "writer", 200, {"title": "Mine"})
    return world


def patch(world: World, path: str, body: str, status: int) -> Any:
    headers = {"Authorization": basic("writer"), "Accept": "application/json", "Content-Type": "application/json"}
    return world.app.request(path, method="PATCH", headers=headers, body=body.encode(), status=status)


@pytest.mark.parametrize("path", ["/writer/dev", "/api/index/writer/dev"])
@pytest.mark.parametrize("why", BAD)
def test_what_could_not_be_answered_again_is_refused(world: World, why: str, path: str) -> None:
    before = world.get("/writer/dev", Accept="application/json").text
    patch(world, path, BAD[why], 400)
    assert world.get("/writer/dev", Accept="application/json").text == before
    for page in ("/indexes", "/", "/writer/dev/"):
        world.get(page, "reader", 200, Accept="text/html")


@pytest.mark.parametrize("expiry", ["1" + "0" * 400, "-1", "1e400", "true", '"1e999"', nested(900), "NaN"])
def test_a_time_is_a_number_of_seconds(world: World, expiry: str) -> None:
    mirror = {"type": "mirror", "mirror_url": "https://index.example.com/simple/"}
    world.send("PUT", "/writer/public", "writer", 200, mirror)
    for path in ("/writer/public", "/api/index/writer/public"):
        answer = patch(world, path, f'{{"mirror_cache_expiry": {expiry}}}', 400)
        assert answer.content_type == "application/json"


def test_data_of_programs_come_back(world: World) -> None:
    for text in (nested(20), '{"a": [1.5, null, {"b": "\\u00e9"}]}'):
        wanted = json.loads(text)
        patch(world, "/writer/dev", f'{{"custom_data": {text}}}', 200)
        assert world.get("/writer/dev", Accept="application/json").json["result"]["custom_data"] == wanted


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/writer/dev", '{"volatile": %s}'),
        ("PATCH", "/writer/dev", "[%s]"),
        ("PUT", "/writer/new", '{"type": %s}'),
        ("PUSH", "/writer/dev", '{"name": "a", "version": "1", "targetindex": %s}'),
        ("PATCH", "/writer", '{"title": %s}'),
    ],
)
def test_no_depth_is_an_error_of_the_server(world: World, method: str, path: str, body: str) -> None:
    world.app.lint = False
    headers = {"Authorization": basic("writer"), "Accept": "application/json"}
    for levels in (60, *range(880, 990)):
        sent = (body % nested(levels)).encode()
        world.app.request(path, method=method, headers=headers, body=sent, status=400)


@pytest.mark.parametrize("data", ["NaN", "[Infinity]", nested(21), nested(961), nested(980)])
def test_data_of_a_user_are_judged_alike(make_world: Callable[..., World], data: str) -> None:
    world = make_world({"pypi.auth": "sql config"})
    world.send("PUT", "/alice", "admin", 201, {"password": "a good password"}, Accept="application/json")
    headers = {"Authorization": basic("alice", "a good password"), "Accept": "application/json"}
    for field in ("custom_data", "title"):
        body = f'{{"{field}": {data}}}'.encode()
        world.app.request("/alice", method="PATCH", headers=headers, body=body, status=400)
    assert "custom_data" not in world.app.get("/alice", headers=headers).json["result"]
