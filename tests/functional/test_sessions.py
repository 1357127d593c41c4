"""Logins of browsers: T10 forged requests, T11 fixation, ends and replay, T26 where a login leads."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import pypicloud_lite
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel import moment
from pypicloud_lite.testing.world import PASSWORDS, basic

READER = hash_password(PASSWORDS["reader"], "pbkdf2_sha256", 1000)


class Time:
    def __init__(self):
        self.now = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def world(make_world, time):
    return make_world({"pypi.auth": "config sql"}, clock=time)


def log_in(world, user="reader", password=None, **more):
    body = {"username": user, "password": PASSWORDS[user] if password is None else password}
    world.app.reset()
    return world.app.post_json("/acct/login", body, **more)


def cookie(answer):
    return answer.headers["Set-Cookie"].split(";")[0]


def who(world, sent, status=200):
    world.app.reset()
    answer = world.app.get("/api/user", headers={"Cookie": sent}, status=status)
    return answer.json.get("username")


def change(world, sent, status, **headers):
    world.app.reset()
    wanted = {"name": "x", "permissions": ["read"]}
    return world.app.post_json("/api/token", wanted, headers={"Cookie": sent, **headers}, status=status)


def test_a_login_gives_a_cookie_and_a_token(world):
    answer = log_in(world)
    assert answer.json["next"] == "/"
    parts = {part.strip().split("=")[0].lower() for part in answer.headers["Set-Cookie"].split(";")}
    assert {"ppc_session", "httponly", "samesite", "path"} == parts
    assert "SameSite=Lax" in answer.headers["Set-Cookie"]
    assert who(world, cookie(answer)) == "reader"
    assert PASSWORDS["reader"] not in answer.text


def test_the_cookie_is_for_https_where_that_is_spoken_or_asked(make_world):
    for settings, extra in (({"session.secure": "true"}, {}), ({}, {"wsgi.url_scheme": "https"})):
        world = make_world(settings)
        assert "secure" in log_in(world, extra_environ=extra).headers["Set-Cookie"].lower()


def test_below_a_prefix_it_is_the_prefixs(world):
    answer = log_in(world, extra_environ={"SCRIPT_NAME": "/pypi"})
    assert "Path=/pypi" in answer.headers["Set-Cookie"]
    assert answer.json["next"] == "/pypi/"


@pytest.mark.parametrize(
    ("username", "password"), [("reader", "wrong"), ("nobody", "x"), ("reader", ""), ("", ""), ("reader", "x" * 5000)]
)
def test_a_wrong_password_is_403_without_a_cookie(world, username, password):
    answer = world.app.post_json("/acct/login", {"username": username, "password": password}, status=403)
    assert "Set-Cookie" not in answer.headers
    assert "WWW-Authenticate" not in answer.headers


def test_T07_logins_are_limited(world):
    for _ in range(10):
        log_in(world, password="wrong", status=403)
    answer = log_in(world, status=429)
    assert int(answer.headers["Retry-After"]) > 0


def test_T10_a_change_needs_the_sessions_token(world):
    answer = log_in(world)
    sent, token = cookie(answer), answer.json["csrf_token"]
    assert "X-CSRF-Token" in change(world, sent, 403).json["message"]
    for wrong in ("", "x", token[:-1], token + "x", "é"):
        change(world, sent, 403, **{"X-CSRF-Token": wrong})
    other = log_in(world, "writer").json["csrf_token"]
    change(world, sent, 403, **{"X-CSRF-Token": other})
    change(world, sent, 403, **{"X-CSRF-Token": token, "Origin": "https://evil.example.com"})
    change(world, sent, 403, **{"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"})
    change(world, sent, 201, **{"X-CSRF-Token": token})
    assert world.app.get("/api/user", headers={"Cookie": sent}).json["csrf_token"] == token


def test_T10_a_login_from_another_site_is_refused(world):
    answer = log_in(world, headers={"Origin": "https://evil.example.com"}, status=403)
    assert "Set-Cookie" not in answer.headers


def test_T10_a_header_says_who_and_the_cookie_does_not_count(world):
    sent = cookie(log_in(world))
    change(world, sent, 201, Authorization=basic("writer"))
    assert len(world.send("GET", "/api/token", "writer").json["tokens"]) == 1


def test_T11_an_id_from_before_is_not_taken_over(world):
    planted = "ppc_session=planted.by-somebody"
    answer = log_in(world, headers={"Cookie": planted})
    assert cookie(answer) != planted
    who(world, planted, 401)
    again = log_in(world, headers={"Cookie": cookie(answer), "X-CSRF-Token": answer.json["csrf_token"]})
    assert cookie(again) != cookie(answer)
    who(world, cookie(answer), 401)
    assert who(world, cookie(again)) == "reader"


def test_T11_logging_out_ends_it(world):
    answer = log_in(world)
    sent, token = cookie(answer), answer.json["csrf_token"]
    other = cookie(log_in(world))
    world.app.reset()
    world.app.post("/acct/logout", headers={"Cookie": sent}, status=403)
    out = world.app.post("/acct/logout", headers={"Cookie": sent, "X-CSRF-Token": token})
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    who(world, sent, 401)
    assert who(world, other) == "reader"


def test_T11_a_new_password_ends_every_session_but_the_one_it_came_by(world):
    world.send("PUT", "/admin/user/dora", "admin", json={"password": "dora-pw"})
    first, second = log_in(world, "dora", "dora-pw"), log_in(world, "dora", "dora-pw")
    world.app.reset()
    answer = world.app.post_json(
        "/api/user/password",
        {"old_password": "dora-pw", "new_password": "other-pw"},
        headers={"Cookie": cookie(first), "X-CSRF-Token": first.json["csrf_token"]},
    )
    who(world, cookie(first), 401)
    who(world, cookie(second), 401)
    assert who(world, cookie(answer)) == "dora"
    wrong = {"old_password": "dora-pw", "new_password": "x"}
    headers = {"Cookie": cookie(answer), "X-CSRF-Token": answer.json["csrf_token"]}
    world.app.reset()
    world.app.post_json("/api/user/password", wrong, headers=headers, status=403)


def test_T11_an_old_password_that_is_being_checked_while_it_changes_opens_nothing(world, monkeypatch):
    world.send("PUT", "/admin/user/dora", "admin", json={"password": "old-pw"})
    monkeypatch.setattr(moment, "_LONGEST", -1.0)
    verify = world.services.hasher.verify

    def slow(password, stored):
        right = verify(password, stored)
        world.services.administration.set_password("dora", "new-pw", Author("admin"))
        return right

    monkeypatch.setattr(world.services.hasher, "verify", slow)
    assert "Set-Cookie" not in log_in(world, "dora", "old-pw", status=403).headers


def test_T11_an_administrators_new_password_or_removal_ends_it(world):
    world.send("PUT", "/admin/user/dora", "admin", json={"password": "dora-pw"})
    sent = cookie(log_in(world, "dora", "dora-pw"))
    world.send("POST", "/admin/user/dora/password", "admin", json={"password": "other-pw"})
    who(world, sent, 401)
    sent = cookie(log_in(world, "dora", "other-pw"))
    world.send("DELETE", "/admin/user/dora", "admin")
    world.send("PUT", "/admin/user/dora", "admin", json={"password": "other-pw"})
    who(world, sent, 401)


def test_T11_a_changed_file_ends_it(make_world, world):
    sent = cookie(log_in(world))
    changed = make_world({"pypi.auth": "config sql", "user.reader": hash_password("new", "pbkdf2_sha256", 1000)})
    who(changed, sent, 401)


def test_F29_it_ends_when_idle_and_after_thirty_days(world, time):
    sent = cookie(log_in(world))
    for _ in range(3):
        time.now += timedelta(hours=11)
        who(world, sent)
    time.now += timedelta(hours=12, seconds=31)
    who(world, sent, 401)
    sent = cookie(log_in(world))
    for _ in range(66):
        time.now += timedelta(hours=11)
        last = world.app.get("/api/user", headers={"Cookie": sent}, status="*").status_int
    assert last == 401


def test_a_short_time_begins_anew_with_every_request(make_world, time):
    world = make_world({"session.timeout": "60"}, clock=time)
    sent = cookie(log_in(world))
    for _ in range(20):
        time.now += timedelta(seconds=20)
        who(world, sent)
    time.now += timedelta(seconds=91)
    who(world, sent, 401)


def test_F29_a_clock_that_steps_back_ends_nothing(world, time):
    sent = cookie(log_in(world))
    time.now -= timedelta(days=1)
    assert who(world, sent) == "reader"


@pytest.mark.parametrize(
    "sent",
    [
        "ppc_session=",
        "ppc_session=x",
        "ppc_session=a.b",
        "ppc_session=\xe9",
        'ppc_session="',
        "ppc_session=" + "x" * 8000,
    ],
)
def test_T11_a_cookie_that_is_none_is_nobodys(world, sent):
    world.app.get("/simple/", headers={"Cookie": sent.encode("latin-1").decode("latin-1")}, status=200)
    who(world, sent, 401)


def test_T11_a_saved_cookie_of_another_key_is_nobodys(make_world):
    here, there = (make_world({"user.reader": READER, "session.encrypt_key": key * 32}) for key in "ab")
    sent = cookie(log_in(here))
    assert who(here, sent) == "reader"
    who(there, sent, 401)


def test_pypiclouds_keys_sign_on_every_host(make_world):
    keys = {"session.encrypt_key": "e" * 43, "session.validate_key": "v" * 43, "user.reader": READER}
    first, second = make_world(keys), make_world(keys)
    assert who(second, cookie(log_in(first))) == "reader"


def test_T11_nothing_is_unpickled():
    for path in Path(pypicloud_lite.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"pickle", "shelve", "marshal", "dill"} & set(names), path


def test_T26_a_login_leads_home_whatever_it_is_sent(world):
    for target in ("//evil.example.com", "/\\evil", " //evil", "https:evil", "%2f%2fevil", "/\tevil"):
        answer = world.app.post_json(f"/acct/login?next={target}", {"username": "reader", "password": "x"}, status="*")
        assert answer.status_int == 400
        assert "Location" not in answer.headers


def test_a_session_reads_what_its_user_may(world):
    sent = cookie(log_in(world, "outsider"))
    world.app.reset()
    assert world.app.get("/api/user", headers={"Cookie": sent}).json["credential"] == "session"
    world.app.get("/admin/user", headers={"Cookie": sent}, status=403)
    admin = cookie(log_in(world, "admin"))
    world.app.reset()
    world.app.get("/admin/user", headers={"Cookie": admin}, status=200)


def test_expired_rows_go_with_the_next_login(world, time, queries):
    log_in(world)
    time.now += timedelta(days=31)
    log_in(world)
    with world.services.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sessions").scalar() == 1
