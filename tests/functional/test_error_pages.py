"""Errors as people see them: a page for every status, a number that the log knows, and the way on from there."""

from __future__ import annotations

import logging
import re

import pytest
import structlog
from sqlalchemy import make_url

from pypicloud_lite.kernel import errors
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import PASSWORDS, basic
from pypicloud_lite.web.logs import configure_logging

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NUMBER = re.compile(r"[0-9a-f]{16}")


@pytest.fixture
def world(make_world):
    return make_world({"pypi.auth": "config sql", "package.secret-tool.group.developers": "rw"})


@pytest.fixture
def failing(world, monkeypatch):
    """Makes the home page fail with an error."""

    def fail(error):
        def raising(*_arguments, **_named):
            raise error

        monkeypatch.setattr(type(world.services.catalog), "read", raising)

    return fail


@pytest.fixture
def log(caplog):
    configure_logging()
    with caplog.at_level(logging.INFO, "pypicloud_lite"):
        yield caplog
    structlog.reset_defaults()


def see(world, path, status, user=None, **headers):
    more = {} if user is None else {"Authorization": basic(user)}
    answer = world.app.get(path, headers={**HTML, **more, **headers}, status=status)
    assert answer.content_type == "text/html"
    return answer


def log_in(world, user):
    world.app.post("/login", {"username": user, "password": PASSWORDS[user]}, status=303)


@pytest.mark.parametrize(
    ("error", "status", "heading"),
    [
        (errors.InvalidRequest("CAUSE"), 400, "Bad Request"),
        (errors.AuthenticationRequired("CAUSE"), 401, "Log in first"),
        (errors.PermissionDenied("CAUSE"), 403, "Not allowed"),
        (errors.NotFound("CAUSE"), 404, "Not Found"),
        (errors.Conflict("CAUSE"), 409, "Not possible as things are"),
        (errors.TooLarge("CAUSE"), 413, "Too large"),
        (errors.TooManyRequests("CAUSE", 90), 429, "Too many tries"),
        (errors.CatalogUnavailable("CAUSE"), 503, "Not available for the moment"),
    ],
)
def test_every_status_is_a_page(world, failing, error, status, heading):
    failing(error)
    page = see(world, "/search?q=x", status, "reader")
    assert f"<h1>{heading}</h1>" in page
    assert "CAUSE" in page
    assert NUMBER.fullmatch(page.headers["X-Request-Id"])
    assert (page.headers["X-Request-Id"] in page.text) is (status == 503)


def test_a_bug_shows_its_number_and_nothing_else(world, failing, log):
    failing(RuntimeError("CAUSE of the bug"))
    page = see(world, "/search?q=x", 500, "reader")
    number = page.headers["X-Request-Id"]
    assert f'<code id="request-id">{number}</code>' in page
    assert "CAUSE" not in page
    assert "RuntimeError" not in page
    assert ">reader<" not in page
    (line,) = (one.getMessage() for one in log.records if "unexpected error" in one.getMessage())
    assert f"request_id='{number}'" in line
    assert "CAUSE of the bug" in line
    told = world.get("/search?q=x", status=500, Accept="application/json")
    assert told.json["request_id"] == told.headers["X-Request-Id"] != number
    text = world.get("/search?q=x", status=500, Accept="*/*")
    assert text.content_type == "text/plain"
    assert text.headers["X-Request-Id"] in text.text


def test_every_answer_has_a_number_of_its_own_and_none_that_a_client_gave(world):
    paths = ("/", "/simple/", "/nothing/here/at-all", "/static/000000000000/style.css", "/health/live", "/login")
    numbers = [
        world.app.get(path, headers={"X-Request-Id": "mine", **HTML}, status="*").headers["X-Request-Id"]
        for path in paths
    ]
    numbers.append(world.app.get("/%ff", headers=HTML, status=400).headers["X-Request-Id"])
    assert all(NUMBER.fullmatch(one) for one in numbers)
    assert len(set(numbers)) == len(numbers)


def test_a_line_of_the_log_has_the_number_of_its_request(world, failing, log):
    failing(errors.CatalogUnavailable("The database does not answer"))
    numbers = [see(world, "/search?q=x", 503, "reader").headers["X-Request-Id"] for _ in range(2)]
    lines = [one.getMessage() for one in log.records if "request failed" in one.getMessage()]
    assert [f"request_id='{number}'" in line for number, line in zip(numbers, lines, strict=True)] == [True, True]


def test_not_here_or_private_leads_to_the_login_and_back(make_world):
    world = make_world({"pypi.default_read": "everyone", "package.secret-tool.group.developers": "rw"})
    world.upload(build_wheel("secret-tool", "1.0"), "writer")
    for path in ("/project/nothing/?versions=all", "/no/such/page/at/all"):
        page = see(world, path, 404)
        assert "it may be private" in page
        form = page.click("Log in", index=1).forms[1]
        assert form["next"].value == path
    known = see(world, "/project/nothing/", 404, "outsider")
    assert "it may be private" not in known
    hidden = see(world, "/project/secret-tool/", 404, "outsider")
    assert hidden.text.replace("secret-tool", "nothing") == known.text


def test_401_leads_to_the_login_and_back(world):
    page = see(world, "/stats/", 401)
    assert page.headers["WWW-Authenticate"].startswith("Basic ")
    assert page.click("Log in", index=1).forms[1]["next"].value == "/stats/"


def test_a_form_that_was_left_open_leads_to_the_login_and_back(world):
    sent = {"csrf_token": "x", "name": "build"}
    headers = {**HTML, "Referer": "http://localhost:80/account/?a=b"}
    page = world.app.post("/account/token", sent, headers=headers, status=401)
    assert page.content_type == "text/html"
    assert 'href="/account/?a=b">Back to the form' in page
    assert page.click("Log in", index=1).forms[1]["next"].value == "/account/?a=b"


@pytest.mark.parametrize(
    "referer",
    [
        "http://example.com/account/",
        "http://localhost:80//example.com/",
        "http://[",
        "",
        "http://localhost:80/\\x",
        "x",
    ],
)
def test_no_page_leads_to_another_site(world, referer):
    page = world.app.post("/logout", {"csrf_token": "x"}, headers={**HTML, "Referer": referer}, status=401)
    assert "Back to the form" not in page
    assert "example.com" not in page


def test_a_form_of_another_session_is_an_error_page(world):
    log_in(world, "reader")
    page = world.app.post("/logout", {"csrf_token": "x"}, headers=HTML, status=403)
    assert "<h1>Not allowed</h1>" in page
    assert "reload the page" in page


def test_too_many_logins_say_when_to_try_again(make_world):
    world = make_world({"auth.limit_user": "2"})
    form = {"username": "reader", "password": "wrong"}
    for _ in range(2):
        world.app.post("/login", form, headers=HTML, status=403)
    page = world.app.post("/login", form, headers=HTML, status=429)
    assert page.content_type == "text/html"
    assert re.search(r"Try again in \d minutes?, after <time [^>]+>\d\d:\d\d:\d\d UTC", page.text)
    assert int(page.headers["Retry-After"]) > 0


def test_a_form_that_is_too_large_is_a_page(world):
    page = world.app.post("/login", {"username": "x" * 70_000}, headers=HTML, status=413)
    assert "<h1>Too large</h1>" in page


def test_upload_clients_and_scripts_are_told_as_ever(world):
    for accept in ("*/*", "application/json, text/html;q=0.1", None):
        headers = {} if accept is None else {"Accept": accept}
        answer = world.app.post("/login", {"username": "x" * 70_000}, headers=headers, status=413)
        assert answer.content_type == ("application/json" if accept and "json" in accept else "text/plain")


def test_the_pages_come_without_the_database(world, monkeypatch):
    """Whose cookie it is cannot be said then, and nobody is greeted."""
    log_in(world, "reader")
    assert ">reader<" in see(world, "/search?q=x", 200)
    database = world.services.database
    monkeypatch.setattr(database, "_url", make_url("sqlite:////nonexistent/folder/x.sqlite"))
    monkeypatch.setattr(database, "_processes", {})
    page = see(world, "/search?q=x", 503)
    assert ">reader<" not in page
    assert page.headers["X-Request-Id"] in page.text
    assert int(page.headers["Retry-After"]) > 0
    missing = see(world, "/no/such/page/at/all", 404)
    assert "<h1>Not Found</h1>" in missing
