"""One's own page: projects, sessions, actions; never more of them than one may still read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from pypicloud_lite.access.model import Right
from pypicloud_lite.browse.account.agents import agent_name
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import append
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import PASSWORDS

HTML = {"Accept": "text/html,application/xhtml+xml"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
ADMIN = Author("admin")


@pytest.fixture
def world(make_world):
    return make_world({"pypi.auth": "config sql", "package.hidden-tool.group.crew": "rw", "group.crew": ""})


def see(world, path="/account/", status=200):
    return world.app.get(path, headers=HTML, status=status)


def log_in(world, user="writer", agent=FIREFOX):
    world.app.reset()
    headers = {**HTML, "User-Agent": agent}
    world.app.post("/login", {"username": user, "password": PASSWORDS[user]}, headers=headers, status=303)
    return world.app.cookies["ppc_session"]


def grant(world, project, right, user="writer", *, given=True, kind="user"):
    world.services.administration.set_right(project, kind, user, right, ADMIN, given=given)


def projects(page):
    section = page.text.partition('id="projects"')[2].partition("<h2")[0]
    return re.findall(r'href="/project/([^/]+)/"', section)


def csrf(page):
    return next(form for form in page.forms.values() if form.action.endswith("/logout"))["csrf_token"].value


def test_my_projects_are_what_i_uploaded_own_or_may_write_by_my_rule(world):
    log_in(world)
    assert "None yet: here are those" in see(world)
    for name, user in (("by-me", "writer"), ("by-another", "admin"), ("owned", "admin"), ("written", "admin")):
        world.upload(build_wheel(name, "1.0"), user)
    world.upload(build_wheel("read-only", "1.0"), "admin")
    grant(world, "owned", Right.OWNER)
    grant(world, "written", Right.WRITE)
    grant(world, "written", Right.READ)
    grant(world, "read-only", Right.READ)
    grant(world, "empty", Right.OWNER)
    grant(world, "team-*", Right.WRITE)
    page = see(world)
    assert projects(page) == ["by-me", "owned", "written"]
    assert "1 file of yours" in page
    assert "<code>team-*</code> (may upload)" in page
    assert "empty" not in page
    world.services.administration.add_group("owners", ADMIN)
    world.services.administration.set_member("owners", "writer", ADMIN, member=True)
    world.services.administration.set_right("by-another", "group", "owners", Right.OWNER, ADMIN, given=True)
    assert projects(see(world)) == ["by-me", "by-another", "owned", "written"]


def test_what_i_may_not_read_any_more_is_not_named(world, set_status):
    world.upload(build_wheel("gone-away", "1.0"), "writer")
    world.upload(build_wheel("bad-one", "1.0"), "writer")
    log_in(world)
    assert "gone-away" in see(world)
    grant(world, "gone-away", Right.READ, "reader")
    grant(world, "write-blind", Right.WRITE)
    world.upload(build_wheel("write-blind", "1.0"), "writer")
    set_status(world, "bad-one", ProjectStatus.QUARANTINED)
    for path in ("/account/", "/account/?projects=all", "/account/actions"):
        page = see(world, path)
        assert "gone-away" not in page.text.replace("gone_away", "gone-away")
        assert "write-blind" not in page.text.replace("write_blind", "write-blind")
        assert "of a project that you may not read any more" in page
    assert projects(see(world)) == []


def test_many_projects_are_shown_when_asked_for(world):
    for number in range(33):
        grant(world, f"tool-{number:02}", Right.OWNER)
        world.upload(build_wheel(f"tool-{number:02}", "1.0"), "admin")
    log_in(world)
    page = see(world)
    assert len(projects(page)) == 30
    assert len(projects(page.click("3 projects more"))) == 33


def test_my_actions_are_mine_and_paged(world):
    log_in(world)
    for number in range(72):
        with world.services.database.write() as connection:
            append(connection, datetime.now(UTC), Author("writer"), "add file", subject=f"file-{number:02}")
            append(connection, datetime.now(UTC), Author("reader"), "add file", subject=f"other-{number:02}")
    page = see(world)
    assert re.findall(r"<bdi>((?:file|other)-\d\d)</bdi>", page.text) == [f"file-{n:02}" for n in range(71, 51, -1)]
    older = page.click("Older actions")
    assert re.findall(r"<bdi>(\w+-\d\d)</bdi>", older.text) == [f"file-{n:02}" for n in range(51, 1, -1)]
    last = older.click("Older")
    assert re.findall(r"<bdi>(\w+-\d\d)</bdi>", last.text) == ["file-01", "file-00"]
    assert "log in" in last
    assert ">Older<" not in last
    see(world, "/account/actions?before=x", 400)
    assert "Nothing more." in see(world, "/account/actions?before=1")
    world.app.reset()
    assert see(world, "/account/actions", 303).headers["Location"] == "/login?next=%2Faccount%2Factions"


def test_sessions_are_listed_and_end_one_by_one_or_all(world):
    others = [log_in(world, agent=CHROME), log_in(world, agent="curl/8.0"), log_in(world, "reader")]
    mine = log_in(world)
    page = see(world)
    section = page.text.partition('id="sessions"')[2].partition("<h2")[0]
    assert section.count("192.0.2.1") == 3
    assert section.count("this one") == 1
    assert "Chrome on Windows" in section
    assert "curl/8.0" in section
    assert mine not in page.text
    assert "End all others" in section
    form = next(one for one in page.forms.values() if "session" in one.fields)
    form.submit(headers=HTML, status=303)
    left = [cookie for cookie in others if world.services.sessions.find(cookie) is not None]
    assert len(left) == 2
    fields = {"csrf_token": csrf(see(world)), "session": world.services.sessions.handle(others[2])}
    world.app.post("/account/sessions/end", fields, headers=HTML, status=303)
    assert world.services.sessions.find(others[2]) is not None, "it is the reader's"
    for odd in ("", "ü", "%", "0" * 64, "x" * 5000):
        fields = {"csrf_token": csrf(see(world)), "session": odd}
        world.app.post("/account/sessions/end", fields, headers=HTML, status=303)
    assert len([cookie for cookie in others if world.services.sessions.find(cookie) is not None]) == 2
    world.app.post("/account/sessions/end-others", {"csrf_token": csrf(see(world))}, headers=HTML, status=303)
    alive = [cookie for cookie in (*others, mine) if world.services.sessions.find(cookie) is not None]
    assert alive == [others[2], mine]
    assert "End all others" not in see(world)
    assert "sessions: <bdi>1</bdi>" in see(world)


@pytest.mark.parametrize("path", ["/account/sessions/end", "/account/sessions/end-others"])
def test_sessions_end_by_a_form_of_this_session_only(world, path):
    other = log_in(world)
    log_in(world)
    world.app.post(
        path, {"csrf_token": "x", "session": world.services.sessions.handle(other)}, headers=HTML, status=403
    )
    assert world.services.sessions.find(other) is not None


def test_sessions_that_are_over_are_not_listed(make_world):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    world = make_world({"pypi.auth": "config sql"}, clock=lambda: now[0])
    log_in(world)
    now[0] += timedelta(hours=13)
    log_in(world)
    assert see(world).text.count("from 192.0.2.1, logged in") == 1


def test_the_page_costs_as_much_for_much_as_for_little(world, queries):
    log_in(world)
    see(world)
    with queries(world) as few:
        see(world)
    for number in range(12):
        world.upload(build_wheel(f"tool-{number}", "1.0"), "writer")
        grant(world, f"other-{number}", Right.OWNER)
    see(world)
    with queries(world) as many:
        see(world)
    # Whoever is named by a rule costs one question more: which of those projects are there.
    assert len(many) <= len(few) + 1
    assert len(many) <= 14, many


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (f"{CHROME} Edg/141.0", "Edge on Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/1 Safari/604.1",
            "Safari on iPhone",
        ),
        ("pip/25.0", "pip/25.0"),
        ("x" * 100, "x" * 60),
        ("", "A program that does not say what it is"),
        (None, "A program that does not say what it is"),
    ],
)
def test_what_a_browser_is_called(sent, shown):
    assert agent_name(sent) == shown
