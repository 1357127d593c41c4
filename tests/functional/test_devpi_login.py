"""``devpi login``, ``+api`` and ``+status``: tokens of ours, and what every answer has."""

from __future__ import annotations

import base64
from importlib.metadata import version

import pytest

from pypicloud_lite.access.login_tokens import _MOST
from pypicloud_lite.access.tokens import LOGIN_NAME, WantedToken
from pypicloud_lite.journal.model import Author
from pypicloud_lite.testing.world import PASSWORDS, basic

FEATURES = ["push-no-docs", "push-only-docs", "push-register-project", "server-keyvalue-parsing"]
WRITER = {"user": "writer", "password": PASSWORDS["writer"]}
AUTHOR = Author("test")


def auth(user, secret):
    return base64.b64encode(f"{user}:{secret}".encode()).decode()


def log_in(world, user="writer", password=None, status=200):
    document = {"user": user, "password": PASSWORDS[user] if password is None else password}
    answer = world.send("POST", "/+login", None, status, document, Accept="application/json")
    return answer.json["result"]["password"] if status == 200 else answer


def authstatus(world, user, secret, path="/+api"):
    return world.get(path, None, 200, X_Devpi_Auth=auth(user, secret)).json["result"]["authstatus"]


def test_a_login_gives_a_token_that_is_also_the_password_for_pip(world):
    answer = world.send("POST", "/+login", None, 200, WRITER, Accept="application/json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-DEVPI-API-VERSION"] == "2"
    assert answer.json["type"] == "proxyauth"
    assert answer.json["message"]
    result = answer.json["result"]
    assert result["expiration"] == 36000
    token = result["password"]
    assert token.isascii()
    assert not token.startswith(("pypi-", "devpi-"))
    assert authstatus(world, "writer", token) == ["ok", "writer", ["developers", "staff"]]
    for name in ("writer", "__token__"):
        world.app.get("/simple/", headers={"Authorization": basic(name, token)}, status=200)
    world.app.get("/simple/", headers={"Authorization": f"Bearer {token}"}, status=200)


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json", "Accept": "*/*"}]
)
def test_neither_type_nor_accept_is_needed(world, headers):
    body = b'{"user": "writer", "password": "writer-pw"}'
    answer = world.app.request("/+login", method="POST", body=body, headers=headers, status=200)
    assert answer.json["type"] == "proxyauth"
    wrong = world.app.request("/+login", method="POST", body=body.replace(b"-pw", b""), headers=headers, status=401)
    assert wrong.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "old", ["nonsense", auth("writer", "wrong"), auth("reader", PASSWORDS["reader"]), auth("x", "ppcl_x")]
)
def test_an_old_login_beside_it_is_ignored(world, old):
    headers = {"X-Devpi-Auth": old}
    token = world.app.post_json("/+login", WRITER, headers=headers, status=200).json["result"]["password"]
    assert authstatus(world, "writer", token)[1] == "writer"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"user": "writer"}', 400),
        (b'{"password": "x"}', 400),
        (b'{"user": null, "password": "x"}', 400),
        (b'{"user": "writer", "password": 7}', 400),
        (b'{"user": "writer", "password": "wrong"}', 401),
        (b'{"user": "writer", "password": ""}', 401),
        (b'{"user": "nobody", "password": "x"}', 401),
        (b'{"user": "", "password": ""}', 401),
        (b'{"user": "a\\u0000b", "password": "\\ud800"}', 401),
    ],
)
def test_what_is_no_login_is_told_in_a_message(world, body, status):
    answer = world.app.request("/+login", method="POST", body=body, status=status)
    assert answer.json["message"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-DEVPI-API-VERSION"] == "2"
    assert "Location" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_gets_a_hint(world, method):
    answer = world.app.request("/+login", method=method, headers={"Accept": "application/json"}, status=405)
    assert "redirected" in answer.json["message"]
    assert answer.headers["Allow"] == "POST"


def test_guesses_are_counted_as_those_of_any_login_are(make_world):
    world = make_world({"auth.limit_user": "2"})
    for password, status in (("a", 401), ("b", 401), ("c", 429), (PASSWORDS["writer"], 429)):
        log_in(world, password=password, status=status)
    log_in(world, "reader")
    world.get("/+api", None, 429, X_Devpi_Auth=auth("writer", "d"))


def test_logins_and_wrong_ones_are_in_the_journal(world):
    token = log_in(world)
    log_in(world, password="wrong", status=401)
    assert authstatus(world, "writer", "wrong too") == ["noauth", "", []]
    world.services.refusals.write()
    entries = world.get("/admin/journal", "admin").json["entries"]
    (login,) = [one for one in entries if one["action"] == "log in"]
    assert (login["author"], login["subject"], login["address"]) == ("writer", "writer", "192.0.2.1")
    assert token not in str(entries)
    subjects = {one["subject"] for one in entries if one["action"] == "refuse login"}
    assert subjects == {"POST /+login", "GET /+api"}


def test_a_token_in_the_place_of_a_password_gives_no_other_token(world):
    secret, _ = world.services.tokens.create(WantedToken("writer", "ci"), AUTHOR)
    log_in(world, password=secret, status=401)


def test_a_login_ends_when_it_was_said(make_world, clock):
    world = make_world({"devpi.login_lifetime": "2 h"}, clock=clock)
    answer = world.send("POST", "/+login", None, 200, WRITER).json["result"]
    assert answer["expiration"] == 7200
    clock.advance(hours=2)
    assert authstatus(world, "writer", answer["password"])[0] == "ok"
    clock.advance(minutes=1)
    assert authstatus(world, "writer", answer["password"]) == ["noauth", "", []]
    world.get("/simple/", None, 401, X_Devpi_Auth=auth("writer", answer["password"]))


def test_logins_end_one_another_and_no_other_tokens(make_world, clock):
    world = make_world(clock=clock)
    own = [world.services.tokens.create(WantedToken("writer", f"ci {n}"), AUTHOR)[0] for n in range(3)]
    first, second = log_in(world), log_in(world)
    for _ in range(_MOST - 1):
        log_in(world)
    assert authstatus(world, "writer", first)[0] == "noauth"
    assert all(authstatus(world, "writer", secret)[0] == "ok" for secret in (second, *own))
    kept = [one for one in world.services.tokens.of("writer") if one.name == LOGIN_NAME]
    assert len(kept) == _MOST
    clock.advance(hours=11)
    log_in(world)
    assert [one.name for one in world.services.tokens.of("writer")] == ["ci 0", "ci 1", "ci 2", LOGIN_NAME]


def test_tokens_that_people_make_neither_count_nor_are_called_so(world, monkeypatch):
    monkeypatch.setattr("pypicloud_lite.access.tokens._MOST", 2)
    for _ in range(3):
        log_in(world)
    body = {"name": "ci", "permissions": ["read"]}
    for status in (201, 201, 409):
        world.send("POST", "/api/token", "writer", status, body)
    world.send("POST", "/api/token", "writer", 400, {**body, "name": LOGIN_NAME})
    log_in(world)


def test_a_login_costs_a_bounded_number_of_statements(make_world, queries):
    world = make_world({"pypi.auth": "sql config"})
    counts = []
    for _ in range(3):
        with queries(world) as seen:
            log_in(world)
        counts.append(len(seen))
    assert counts[1] == counts[2] <= 10


def test_the_devpi_header_wins_over_basic(world):
    right, wrong = auth("writer", PASSWORDS["writer"]), auth("writer", "wrong")
    both = {"X-Devpi-Auth": right, "Authorization": f"Basic {wrong}"}
    assert world.app.get("/api/user", headers=both, status=200).json["username"] == "writer"
    world.app.get("/simple/", headers={"X-Devpi-Auth": wrong, "Authorization": f"Basic {right}"}, status=401)
    world.app.get("/simple/", headers={"X-Devpi-Auth": "%%%", "Authorization": f"Basic {right}"}, status=401)
    world.app.get("/simple/", headers={"X-Devpi-Auth": "", "Authorization": f"Basic {right}"}, status=200)


@pytest.mark.parametrize("path", ["/+api", "/writer/+api", "/nobody/+api", "/%2Bapi"])
def test_api_config(world, path):
    answer = world.get(path, None, 200)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "type": "apiconfig",
        "result": {"login": "http://localhost/+login", "authstatus": ["noauth", "", []], "features": FEATURES},
    }
    assert authstatus(world, "reader", PASSWORDS["reader"], path) == ["ok", "reader", ["staff"]]


@pytest.mark.parametrize(
    "bad", ["nonsense", auth("writer", "wrong"), auth("nobody", "x"), auth("writer", "ppcl_" + "a" * 49)]
)
def test_a_login_that_is_none_is_no_error_of_api_and_one_elsewhere(world, bad):
    assert world.get("/+api", None, 200, X_Devpi_Auth=bad).json["result"]["authstatus"] == ["noauth", "", []]
    for path in ("/", "/writer", "/simple/"):
        answer = world.get(path, None, 401, X_Devpi_Auth=bad, Accept="application/json")
        assert answer.json["message"]
        assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("settings", "environ", "root"),
    [
        ({}, {"HTTP_HOST": "pkgs.example.com:81"}, "http://pkgs.example.com:81"),
        ({}, {"HTTP_HOST": "example.com", "SCRIPT_NAME": "/devpi"}, "http://example.com/devpi"),
        ({"pypi.base_url": "https://pkgs.example.com/x/"}, {"HTTP_HOST": "inside"}, "https://pkgs.example.com/x"),
        (
            {"pypi.trusted_proxies": "192.0.2.1"},
            {"HTTP_HOST": "example.com", "HTTP_X_FORWARDED_PROTO": "https"},
            "https://example.com",
        ),
    ],
)
def test_the_address_of_the_login_is_the_one_outside(make_world, settings, environ, root):
    world = make_world(settings)
    answer = world.app.get("/+api", extra_environ=environ)
    assert answer.json["result"]["login"] == f"{root}/+login"


def test_status_tells_versions_and_nothing_of_the_machine(world, tmp_path):
    answer = world.get("/+status", None, 200, Accept="application/json")
    assert answer.json["type"] == "status"
    result = answer.json["result"]
    assert result["versioninfo"] == {"pypicloud-lite": version("pypicloud_lite")}
    assert result["role"] == "standalone"
    assert str(tmp_path) not in answer.text
    assert answer.headers["X-Devpi-Serial"] == str(result["serial"])
    assert answer.headers["X-Devpi-Server-Version"] == version("pypicloud_lite")
    names = ("X-Devpi-Uuid", "X-Devpi-Master-Uuid", "X-Devpi-Primary-Uuid")
    assert {answer.headers[name] for name in names} == {result["uuid"]}
    assert len(result["uuid"]) == 32


def test_a_page_of_another_site_logs_nobody_in(world):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example.com"}):
        world.app.post_json("/+login", WRITER, headers=headers, status=403)
