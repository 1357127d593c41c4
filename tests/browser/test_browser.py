"""What people do with the pages, with mouse and with keyboard alone."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    """Two projects of several releases, and one that only writers see."""
    for artifact in (
        *(build_wheel("acme-billing", version, summary="Bills and sums") for version in ("1.0", "1.1", "2.0rc1")),
        build_sdist("acme-billing", "1.1"),
        build_wheel("acme-auth", "0.3", requires_dist=("acme-billing>=1", "secret-tool")),
        build_wheel("secret-tool", "1.0"),
    ):
        publish(artifact)


def test_home_search_project_version_and_back(visit):
    visit.log_in("reader")
    page = visit.go("/")
    visit.shoot("home")
    page.get_by_role("searchbox").fill("bills")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="1 package for “bills”").wait_for()
    visit.shoot("search")
    page.get_by_role("link", name="acme-billing").click()
    page.get_by_role("heading", name="acme-billing 1.1").wait_for()
    visit.shoot("project")
    page.get_by_role("link", name="1.0", exact=True).click()
    page.get_by_text("Not the newest").wait_for()
    assert page.get_by_text("acme-billing==1.0").first.is_visible()


def test_what_only_writers_see(visit):
    visit.log_in("reader")
    assert visit.go("/").get_by_text("secret-tool").count() == 0
    page = visit.go("/project/acme-auth/")
    assert page.get_by_role("link", name="acme-billing>=1").count() == 1
    assert page.get_by_role("link", name="secret-tool").count() == 0


def test_the_install_line_is_copied(visit):
    visit.log_in("reader")
    page = visit.go("/project/acme-billing/")
    page.get_by_text("uv", exact=True).click()
    page.get_by_role("button", name="Copy the line for uv").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"uv add --default-index {visit.url}/simple/ acme-billing"


def test_the_installer_is_chosen_by_keyboard(visit):
    visit.log_in("reader")
    page = visit.go("/project/acme-billing/")
    page.get_by_role("radio", name="pip").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="uv").is_checked()
    assert page.get_by_text("uv add --default-index").is_visible()
    assert not page.get_by_text("pip install --index-url").is_visible()


def test_login_token_and_logout_by_keyboard_alone(visit):
    page = visit.go("/account/")
    page.get_by_role("heading", name="Log in").wait_for()
    visit.shoot("login")
    page.keyboard.type("writer")
    page.keyboard.press("Tab")
    page.keyboard.type("writer-pw")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="writer").wait_for()
    page.get_by_label("Name").focus()
    page.keyboard.type("build")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Token “build”").wait_for()
    visit.shoot("account")
    page.get_by_role("button", name="Revoke build").focus()
    page.keyboard.press("Enter")
    page.get_by_text("None yet.").wait_for()
    page.get_by_role("button", name="Log out").focus()
    page.keyboard.press("Enter")
    page.get_by_role("navigation").get_by_role("link", name="Log in").wait_for()


def test_files_are_dropped_and_each_gets_its_verdict(visit, tmp_path):
    good, bad = build_wheel("dropped", "1.0"), tmp_path / "bad-1.0.tar.gz"
    bad.write_bytes(b"no archive")
    (tmp_path / good.filename).write_bytes(good.data)
    visit.log_in("writer")
    page = visit.go("/upload")
    page.get_by_label("Drop files here").set_input_files([tmp_path / good.filename, bad])
    page.get_by_role("link", name="dropped 1.0").wait_for()
    page.get_by_text("it is not gzip, or it is damaged").wait_for()
    visit.shoot("upload")
    # That the server refused a file is what the console says, and nothing else.
    assert visit.statuses() == ["400"]


def test_errors_are_pages(visit):
    visit.log_in("reader")
    page = visit.go("/project/secret-tool/")
    page.get_by_role("heading", name="Not Found").wait_for()
    visit.shoot("not-found")
    assert visit.statuses() == ["404"]


def test_without_javascript_all_of_it_is_there(chromium, server):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/login")
    page.get_by_label("User name").fill("reader")
    page.get_by_label("Password").fill("reader-pw")
    page.get_by_role("button", name="Log in").click()
    page.goto(f"{server.url}/project/acme-billing/")
    for tool in ("pip", "uv", "poetry"):
        page.get_by_text(tool, exact=True).click()
        assert page.get_by_label(tool, exact=True).locator("code").is_visible()
    assert page.get_by_role("button", name="Copy").count() == 0
    page.get_by_role("searchbox").fill("auth")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="acme-auth").wait_for()
    context.close()


def test_the_api_page_tries_a_call(visit):
    page = visit.go("/api/")
    page.get_by_text("Calls are made anonymously.").wait_for()
    page.get_by_role("textbox", name="User", exact=True).fill("reader")
    page.get_by_label("Password or token").fill("reader-pw")
    page.get_by_label("Find").fill("who one is")
    page.get_by_text("Calls are made as reader (password).").wait_for()
    page.locator("summary:visible").click()
    page.get_by_role("button", name="Send").locator("visible=true").click()
    page.get_by_text('"username": "reader"').wait_for()
    visit.shoot("api")
    # The first question, who is asking, is answered with 401.
    assert set(visit.statuses()) <= {"401"}
