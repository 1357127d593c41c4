"""Users and logins as the devpi client has them: every answer, also to those who may not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.testing.world import PASSWORDS, World

SETTINGS = {"pypi.auth": "config sql", "devpi.root_password": "root-pw"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(SETTINGS)


def ask(world: World, method: str, path: str, who: str | None = None, status: int = 200, json: Any = None) -> Any:
    """As the client asks: the secret of ``who`` is a password of ours, or what comes after a colon."""
    headers = dict(JSON)
    if who is not None:
        name, _, secret = who.partition(":")
        pair = f"{name}:{secret or PASSWORDS.get(name, name + '-pw')}"
        headers["X-Devpi-Auth"] = base64.b64encode(pair.encode()).decode()
    answer = (
        world.app.request(path, method=method, headers=headers, status=status)
        if json is None
        else getattr(world.app, f"{method.lower()}_json")(path, json, headers=headers, status=status)
    )
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Devpi-Api-Version"] == "2"
    return answer.json


def login(world: World, user: str, password: str, status: int = 200) -> Any:
    return ask(world, "POST", "/+login", None, status, {"user": user, "password": password})


def make(world: World, name: str = "dora", **more: Any) -> Any:
    return ask(world, "PUT", f"/{name}", "admin", 201, {"password": f"{name}-pw", **more})


def test_a_login_is_a_token_for_everything(world: World) -> None:
    make(world)
    answer = login(world, "dora", "dora-pw")
    assert answer["type"] == "proxyauth"
    assert answer["result"]["expiration"] == 36000
    token = answer["result"]["password"]
    assert not token.startswith(("pypi-", "devpi-"))
    assert ask(world, "GET", "/+api", f"dora:{token}")["result"]["authstatus"] == ["ok", "dora", []]
    assert ask(world, "GET", "/dora/+api", "dora")["result"]["authstatus"] == ["ok", "dora", []]
    basic = {"Authorization": "Basic " + base64.b64encode(f"dora:{token}".encode()).decode()}
    assert world.app.get("/simple/", headers=basic, status=200)


def test_config_of_the_server(world: World) -> None:
    expected = {
        "login": "http://localhost/+login",
        "authstatus": ["noauth", "", []],
        "features": ["push-no-docs", "push-only-docs", "push-register-project", "server-keyvalue-parsing"],
    }
    assert ask(world, "GET", "/+api") == {"type": "apiconfig", "result": expected}
    # an expired login is none
    assert ask(world, "GET", "/+api", "dora:wrong")["result"] == expected
    ask(world, "GET", "/dora", "dora:wrong", 401)
    assert "versioninfo" in ask(world, "GET", "/+status")["result"]


@pytest.mark.parametrize("body", ["[]", "{", '{"user": "dora"}', '{"user": 1, "password": "x"}'])
def test_a_login_that_is_none_is_400(world: World, body: str) -> None:
    answer = world.app.post("/+login", body, headers=JSON, status=400)
    assert answer.json["message"]


def test_a_wrong_login_is_401_and_leads_nowhere(world: World) -> None:
    make(world)
    for user, password in (("dora", "wrong"), ("nobody", "x"), ("dora", "")):
        answer = world.app.post_json("/+login", {"user": user, "password": password}, headers=JSON, status=401)
        assert "Location" not in answer.headers
        assert answer.json["message"]
    # what was sent of an old login does not count
    old = {**JSON, "X-Devpi-Auth": base64.b64encode(b"dora:gone").decode()}
    assert world.app.post_json("/+login", {"user": "dora", "password": "dora-pw"}, headers=old, status=200)


def test_the_clients_header_wins_over_a_wrong_password(world: World) -> None:
    headers = {**JSON, "X-Devpi-Auth": base64.b64encode(b"reader:reader-pw").decode(), "Authorization": "Basic eDp5"}
    assert world.app.get("/+api", headers=headers).json["result"]["authstatus"][:2] == ["ok", "reader"]


def test_users_are_made_by_administrators(world: World) -> None:
    made = make(world, "dora", email="dora@example.org", title="Dr")
    assert made["type"] == "userconfig"
    assert made["result"].pop("created").endswith("Z")
    assert made["result"] == {"username": "dora", "indexes": {}, "email": "dora@example.org", "title": "Dr"}
    body = {"password": "x"}
    ask(world, "PUT", "/dora", "admin", 409, body)
    ask(world, "PUT", "/eve", None, 401, body)
    ask(world, "PUT", "/eve", "reader", 403, body)
    for wrong in ({}, {"pwhash": "x"}, {"password": ""}, {"password": "x", "colour": "red"}, {"password": 3}):
        ask(world, "PUT", "/eve", "admin", 400, wrong)
    for name in ("with_under", "with.dot", "a1"):
        make(world, name)
    ask(world, "PUT", "/with:colon", "admin", 400, body)


def test_anybody_makes_users_where_that_is_set(make_world: Callable[..., World]) -> None:
    world = make_world({**SETTINGS, "devpi.open_registration": "true"})
    ask(world, "PUT", "/eve", None, 201, {"password": "eve-pw"})
    assert login(world, "eve", "eve-pw")


def test_who_sees_whom(world: World) -> None:
    make(world, "dora", email="dora@example.org")
    make(world, "carl", email="carl@example.org")
    ask(world, "PUT", "/dora/dev", "dora", 200, {"acl_read": ":anonymous:"})
    everybody = ask(world, "GET", "/", "dora")
    assert everybody["type"] == "list:userconfig"
    users = everybody["result"]
    assert {"dora", "carl", "root", "reader"} <= users.keys()
    assert users["dora"]["email"] == "dora@example.org"
    assert "email" not in users["carl"]
    assert users["dora"]["indexes"]["dev"]["volatile"] is True
    assert ask(world, "GET", "/", "admin")["result"]["carl"]["email"] == "carl@example.org"
    for_all = ask(world, "GET", "/")["result"]
    assert set(for_all) == {"dora"}
    assert "email" not in for_all["dora"]
    assert ask(world, "GET", "/carl", "dora")["result"]["username"] == "carl"
    ask(world, "GET", "/nobody", "dora", 404)
    ask(world, "GET", "/carl", None, 401)
    # a path that could be two things: a word that is reserved for pages is a user's name to this client
    assert ask(world, "GET", "/admin", "dora")["result"]["username"] == "admin"


def test_what_was_told_may_be_sent_back(world: World) -> None:
    make(world, "dora", email="old@example.org")
    told = ask(world, "GET", "/dora", "dora")["result"]
    answer = ask(world, "PATCH", "/dora", "dora", 200, {**told, "email": "new@example.org", "colour": "red"})
    assert "result" not in answer
    now = ask(world, "GET", "/dora", "dora")["result"]
    assert now["email"] == "new@example.org"
    assert "colour" not in now
    assert "modified" in now
    ask(world, "PATCH", "/dora", "dora", 200, {"email": ""})
    assert "email" not in ask(world, "GET", "/dora", "dora")["result"]


def test_only_oneself_and_administrators_change_a_user(world: World) -> None:
    make(world)
    ask(world, "PATCH", "/dora", None, 403, {"title": "x"})
    ask(world, "PATCH", "/dora", "reader", 403, {"title": "x"})
    ask(world, "PATCH", "/nobody", "admin", 404, {"title": "x"})
    ask(world, "PATCH", "/dora", "dora", 400, {"title": 3})
    ask(world, "PATCH", "/dora", "admin", 200, {"title": "x"})


def test_a_new_password_ends_every_other_login(world: World) -> None:
    make(world)
    mine, other = (login(world, "dora", "dora-pw")["result"]["password"] for _ in range(2))
    answer = ask(world, "PATCH", "/dora", f"dora:{mine}", 200, {"password": "new-pw"})
    assert answer["type"] == "userpassword"
    fresh = answer["result"]["password"]
    for token, status in ((mine, 200), (fresh, 200), (other, 401)):
        ask(world, "GET", "/dora", f"dora:{token}", status)
    login(world, "dora", "dora-pw", 401)
    login(world, "dora", "new-pw")


def test_a_user_goes_with_all_that_is_tied_to_the_name(world: World) -> None:
    make(world, "dora", email="dora@example.org")
    token = login(world, "dora", "dora-pw")["result"]["password"]
    ask(world, "PUT", "/dora/dev", "dora", 200, {})
    ask(world, "PUT", "/dora/prod", "dora", 200, {"volatile": False})
    ask(world, "DELETE", "/dora", "reader", 403)
    ask(world, "DELETE", "/dora", None, 403)
    ask(world, "DELETE", "/dora", "dora", 403)
    ask(world, "PATCH", "/dora/prod", "dora", 200, {"volatile": True})
    ask(world, "DELETE", "/dora", "dora", 200)
    ask(world, "DELETE", "/dora", "admin", 404)
    login(world, "dora", "dora-pw", 401)
    ask(world, "GET", "/dora/dev", "admin", 404)
    make(world)
    ask(world, "GET", "/dora", f"dora:{token}", 401)
    assert "email" not in ask(world, "GET", "/dora", "dora")["result"]
    assert ask(world, "GET", "/dora", "dora")["result"]["indexes"] == {}


def test_root_is_there_and_stays(world: World) -> None:
    login(world, "root", "root-pw")
    ask(world, "PUT", "/root/dev", "root", 200, {})
    ask(world, "DELETE", "/root", "admin", 403)


def test_root_is_only_there_where_it_is_wanted(make_world: Callable[..., World]) -> None:
    world = make_world({"pypi.auth": "config sql"})
    login(world, "root", "", 401)
    empty = make_world({"pypi.auth": "config sql", "devpi.root_password": '""'})
    assert login(empty, "root", "")


def test_logins_never_reach_the_limit_of_tokens(world: World) -> None:
    make(world)
    first = login(world, "dora", "dora-pw")["result"]["password"]
    for _ in range(60):
        last = login(world, "dora", "dora-pw")["result"]["password"]
    ask(world, "GET", "/dora", f"dora:{first}", 401)
    ask(world, "GET", "/dora", f"dora:{last}", 200)
    assert len(world.services.tokens.of("dora")) == 50


def test_a_browser_sees_pages_and_pip_sees_links(world: World) -> None:
    assert world.app.get("/", headers={"Accept": "text/html"}).content_type == "text/html"
    world.app.get("/nothing", headers={"Accept": "text/html,application/json"}, status=301)
