"""One's own account: asking for it, being let in, what is mine, and where I am logged in."""

from __future__ import annotations

import re

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.world import PASSWORDS, user_settings


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One on which people may be invited."""
    folder = tmp_path_factory.mktemp("server")
    more = {"pypi.auth": "config sql", "auth.signing_key": "s" * 32, "db.pool_size": "7"}
    with LiveServer(folder, {**user_settings(), **more}, workers=1) as made:
        yield made


@pytest.fixture
def second(chromium, server):
    """Another browser of the same person."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def open_registration(visit):
    visit.log_in("admin")
    page = visit.go("/manage/users")
    page.get_by_role("button", name="Switch on").click()
    page.get_by_text("Anybody may ask for an account.").wait_for()
    visit.shoot("manage-users-invite")
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("navigation").get_by_role("link", name="Log in").wait_for()


def test_register_be_approved_log_in_see_the_account_and_end_a_session(visit, second):
    open_registration(visit)
    # By keyboard alone.
    page = visit.go("/login")
    page.get_by_role("link", name="Register").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Register").wait_for()
    visit.shoot("register")
    for text, key in (("dora", "Tab"), ("dora-pw", "Tab"), ("dora-pv", "Enter")):
        page.keyboard.type(text)
        page.keyboard.press(key)
    page.get_by_role("alert").get_by_text("The two passwords differ").wait_for()
    visit.shoot("register-refused")
    page.keyboard.press("Tab")
    for text, key in (("dora-pw", "Tab"), ("dora-pw", "Enter")):
        page.keyboard.type(text)
        page.keyboard.press(key)
    page.get_by_role("heading", name="Waiting for approval").wait_for()
    visit.shoot("register-waiting")
    assert visit.statuses() == ["400"]

    visit.log_in("admin")
    page = visit.go("/manage/users")
    page.get_by_role("button", name="Approve dora").click()
    page.get_by_role("cell", name="dora", exact=True).wait_for()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("navigation").get_by_role("link", name="Log in").wait_for()

    for one in (second, page):
        one.goto(f"{visit.url}/login?next=/account/")
        one.get_by_label("User name").fill("dora")
        one.get_by_label("Password").fill("dora-pw")
        one.get_by_role("button", name="Log in").click()
        one.get_by_role("heading", name="dora", exact=True).wait_for()
    assert page.get_by_text("this one").count() == 1
    visit.shoot("account-new")
    page.get_by_role("button", name=re.compile("End the session of .*, number 2")).click()
    page.get_by_role("button", name=re.compile("End the session")).wait_for(state="detached")
    second.reload()
    second.get_by_role("heading", name="Log in").wait_for()


def test_what_is_mine(visit, publish):
    for number in range(3):
        publish(build_wheel(f"acme-{'long-name-' * number}tool", f"{number}.0", summary="x"))
    visit.log_in("admin")
    page = visit.go("/account/")
    page.get_by_role("link", name="acme-tool").first.wait_for()
    visit.shoot("account-projects")
    visit.go("/account/actions").get_by_text("add file").first.wait_for()
    visit.shoot("account-actions")


def test_a_link_lets_somebody_choose_a_password(visit):
    visit.log_in("admin")
    page = visit.go("/manage/users")
    page.get_by_label("Name of the account").fill("erin")
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_label("link").locator("code").text_content()
    visit.shoot("manage-users-link")
    page.get_by_role("button", name="Log out").click()
    page = visit.go(link.removeprefix(visit.url))
    visit.shoot("register-link")
    page.get_by_label("Password", exact=True).fill("erin-pw")
    page.get_by_label("Password again").fill("erin-pw")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("heading", name="erin", exact=True).wait_for()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("navigation").get_by_role("link", name="Log in").wait_for()
    page = visit.go(link.removeprefix(visit.url))
    page.get_by_label("Password", exact=True).fill("x")
    page.get_by_label("Password again").fill("x")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("alert").wait_for()
    assert visit.statuses() == ["409"]


def test_an_error_leads_to_the_login_and_back(visit):
    page = visit.go("/no/such/page/at/all")
    visit.shoot("error-404")
    page.get_by_role("main").get_by_role("link", name="Log in").click()
    page.get_by_label("User name").fill("reader")
    page.get_by_label("Password").fill(PASSWORDS["reader"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="reader").wait_for()
    page.wait_for_url("**/no/such/page/at/all")
    assert page.get_by_text("it may be private").count() == 0
    assert visit.statuses() == ["404", "404"]


def test_the_configuration_in_force(visit):
    visit.log_in("admin")
    page = visit.go("/manage/users")
    page.get_by_role("link", name="Configuration").click()
    page.get_by_text("db.pool_size").wait_for()
    assert page.locator("dl > div", has_text="auth.signing_key").get_by_text("***").count() == 1
    visit.shoot("manage-config")
