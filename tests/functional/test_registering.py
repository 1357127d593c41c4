"""The page on which somebody gets an account: by asking, or by a link that an administrator gave."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import AuditQuestion
from pypicloud_lite.manage.audit import Audit
from pypicloud_lite.testing.world import PASSWORDS

HTML = {"Accept": "text/html,application/xhtml+xml"}
SETTINGS = {"pypi.auth": "config sql", "auth.signing_key": "s" * 32}


@pytest.fixture
def world(make_world):
    world = make_world(SETTINGS)
    world.services.administration.set_register(Author("test"), allowed=True)
    return world


def see(world, path, status=200):
    return world.app.get(path, headers=HTML, status=status)


def log_in(world, user, password=None, status=303):
    form = {"username": user, "password": password or PASSWORDS[user]}
    return world.app.post("/login", form, headers=HTML, status=status)


def send(world, status=303, **fields):
    fields = {"username": "dora", "password": "dora-pw", "again": fields.get("password", "dora-pw"), **fields}
    return world.app.post("/register", fields, headers=HTML, status=status)


def token_for(world, name="dora"):
    return world.services.registration.invite(name, Author("admin"))


def test_who_asks_waits_and_logs_in_after_approval(world):
    form = see(world, "/login").click("Register").forms[1]
    form["username"], form["password"], form["again"] = " dora ", "dora-pw", "dora-pw"
    answer = form.submit(headers=HTML).follow(headers=HTML)
    assert "<h1>Waiting for approval</h1>" in answer
    assert "Wrong user name or password" in log_in(world, "dora", "dora-pw", 403)
    world.services.administration.approve("dora", Author("admin"))
    log_in(world, "dora", "dora-pw")
    assert "<h1>dora</h1>" in see(world, "/account/")


def test_where_registration_is_off_there_is_no_page_and_no_link(make_world):
    for settings in (SETTINGS, {}):
        world = make_world(settings)
        assert "/register" not in see(world, "/login")
        assert "Registration is off here" in see(world, "/register", 403)
        assert "Registration is off here" in send(world, 403)
        assert world.services.administration.pending() == []


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"again": "other"}, 400, "The two passwords differ"),
        ({"username": "reader"}, 409, "There is a user reader already"),
        ({"username": "a:b"}, 400, "&#39;:&#39;"),
        ({"username": "everyone"}, 400, "stands for everybody"),
        ({"username": ""}, 400, "1 to 100 characters"),
        ({"password": ""}, 400, "A password has 1 to"),
        ({"token": "x.y"}, 400, "not one of this server"),
    ],
)
def test_what_is_wrong_is_said_beside_the_form_and_nobody_is_added(world, fields, status, said):
    answer = send(world, status, **fields)
    assert said in answer
    assert world.services.administration.pending() == []
    if "token" not in fields:
        assert answer.forms[1]["username"].value == fields.get("username", "dora")
        assert answer.forms[1]["password"].value == ""


def test_registering_is_limited_as_logins_are(world):
    statuses = [send(world, "*", username=f"many{number}").status_int for number in range(12)]
    assert statuses == [303] * 10 + [429] * 2
    assert "Try again in" in send(world, 429, username="late")


def test_a_form_of_another_site_registers_nobody(world):
    fields = {"username": "dora", "password": "x", "again": "x"}
    world.app.post("/register", fields, headers={**HTML, "Sec-Fetch-Site": "cross-site"}, status=403)
    assert world.services.administration.pending() == []


def test_a_link_makes_one_account_once(world):
    world.services.administration.set_register(Author("test"), allowed=False)
    path = f"/register?token={token_for(world)}"
    page = see(world, path)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "<bdi>dora</bdi>" in page
    form = page.forms[1]
    form["password"], form["again"] = "dora-pw", "dora-pv"
    again = form.submit(headers=HTML, status=400)
    assert "The two passwords differ" in again
    form = again.forms[1]
    # The name is the token's, whatever the form says.
    form["username"] = "admin2"
    form["password"], form["again"] = "dora-pw", "dora-pw"
    answer = form.submit(headers=HTML, status=303)
    assert answer.headers["Location"] == "/account/"
    assert "<h1>dora</h1>" in answer.follow(headers=HTML)
    assert world.services.access.lookup("admin2") is None
    world.app.reset()
    form = see(world, path).forms[1]
    form["password"], form["again"] = "x", "x"
    assert "There is a user dora already" in form.submit(headers=HTML, status=409)
    world.services.administration.remove_user("dora", Author("admin"))
    assert "used already" in form.submit(headers=HTML, status=409)
    assert world.services.access.lookup("dora") is None


def test_a_link_that_is_over_says_so(make_world):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    world = make_world(SETTINGS, clock=lambda: now[0])
    token = token_for(world)
    now[0] += timedelta(days=8)
    page = see(world, f"/register?token={token}", 400)
    assert "has expired: ask an administrator" in page
    assert "<form" not in page.text.partition("<main")[2]
    assert "has expired" in send(world, 400, token=token)
    assert "not one of this server" in see(world, f"/register?token={token}x", 400)


def test_where_no_key_signs_there_are_no_links(make_world):
    world = make_world({"pypi.auth": "config sql"})
    assert "set auth.signing_key" in see(world, "/register?token=x.y", 409)
    log_in(world, "admin")
    assert "Invite somebody" not in see(world, "/manage/users")


def invite(world, username, status=200):
    form = next(one for one in see(world, "/manage/users").forms.values() if one.action.endswith("/invite"))
    form["username"] = username
    return form.submit(headers=HTML, status=status)


def test_an_administrator_makes_a_link_that_is_shown_once(world):
    log_in(world, "admin")
    page = invite(world, " dora ")
    assert page.headers["Cache-Control"] == "no-store"
    (link,) = re.findall(r'id="c-link">(http://localhost/register\?token=[^<]+)<', page.text)
    assert "token=" not in see(world, "/manage/users")
    (line,) = Audit(world.services.database).entries(AuditQuestion(action="issue"))
    assert (line.author.name, line.author.credential, line.subject) == ("admin", "session", "dora")
    world.app.reset()
    assert "<bdi>dora</bdi>" in see(world, link.removeprefix("http://localhost"))
    log_in(world, "admin")
    assert "cannot be a user name" in invite(world, "a:b", 400)
    world.app.reset()
    log_in(world, "writer")
    form = next(one for one in see(world, "/account/").forms.values() if one.action.endswith("/logout"))
    fields = {"csrf_token": form["csrf_token"].value, "username": "x"}
    world.app.post("/manage/users/invite", fields, headers=HTML, status=403)
    world.app.post("/manage/users/invite", {"csrf_token": "", "username": "x"}, headers=HTML, status=403)


def test_a_built_in_group_is_made_no_owner(world):
    log_in(world, "admin")
    form = next(one for one in see(world, "/manage/rules").forms.values() if "right" in one.fields)
    form["project"], form["who"], form["right"] = "tool", "everyone", "owner"
    assert "The group everyone cannot be the owner of tool" in form.submit(
        "action", value="grant", headers=HTML, status=409
    )
