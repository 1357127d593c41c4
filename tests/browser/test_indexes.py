"""Named indexes before a real browser: making one, what it shows, its settings, a project in it, its removal."""

from __future__ import annotations

import json
import urllib.request

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import basic

LONG = "a-project-with-a-name-that-is-longer-than-most-names-of-projects-are-anywhere"
TEXT = "Nightly builds of everything.\nThey go after 30 days: promote what you want to keep."


@pytest.fixture(scope="module", autouse=True)
def indexes(server):
    """``writer/nightly`` on ``acme-platform/everything`` and ``writer/base``, both on ``root/main``."""

    def ask(method, path, user="writer", document=None, body=None, kind="application/json"):
        headers = {"Authorization": basic(user), "Accept": "application/json", "Content-Type": kind}
        data = json.dumps(document).encode() if body is None else body
        with urllib.request.urlopen(urllib.request.Request(server.url + path, data, headers, method=method)) as answer:
            assert answer.status == 200

    def put(index, artifact, user="writer"):
        head = f'--b\r\nContent-Disposition: form-data; name="content"; filename="{artifact.filename}"\r\n\r\n'
        body = head.encode() + artifact.data + b"\r\n--b--\r\n"
        ask("POST", f"/{index}/", user, body=body, kind="multipart/form-data; boundary=b")

    ask("PUT", "/root/vendored", "admin", {"title": "Checked by the security team", "bases": "root/main"})
    ask("PUT", "/writer/base", document={"bases": "root/main", "title": "What everybody builds on"})
    options = {"bases": "writer/base,root/vendored,root/main", "title": "Built every night", "description": TEXT}
    ask("PUT", "/writer/nightly", document={**options, "acl_upload": "writer,:developers", "mirror_whitelist": "six"})
    ask("PUT", "/writer/stable", document={"volatile": False, "acl_read": ":AUTHENTICATED:"})
    for version in ("1.0", "1.1"):
        put("writer/nightly", build_wheel("acme-billing", version, summary="Bills and sums", description=version))
        put("writer/base", build_wheel("acme-billing", version, summary="Bills and sums"))
    put("writer/nightly", build_sdist("acme-billing", "1.1"))
    put("writer/base", build_wheel("acme-billing", "1.1", platform_tag="manylinux2014_x86_64", python_tag="cp312"))
    put("root/main", build_wheel("acme-auth", "0.3"), "admin")
    put("writer/base", build_wheel(LONG, "1.0"))


def test_an_index_is_made_changed_and_removed_by_keyboard_alone(visit):
    visit.log_in()
    page = visit.go("/")
    page.get_by_role("link", name="Indexes").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/indexes")
    page.get_by_label("Name").focus()
    page.keyboard.type("nightly")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("There is an index writer/nightly already").wait_for()
    assert visit.statuses() == ["409"]
    page.get_by_label("Name").fill("tmp")
    page.get_by_label("Name").press("Enter")
    page.get_by_role("heading", name="writer/tmp").wait_for()
    page.get_by_text("Change this index").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Bases").focus()
    page.keyboard.type("root/main")
    page.get_by_label("Title").focus()
    page.keyboard.type("For a day")
    page.keyboard.press("Enter")
    page.get_by_text("For a day").first.wait_for()
    assert page.locator(".tree li").count() == 1
    page.get_by_role("link", name="Remove this index…").focus()
    page.keyboard.press("Enter")
    visit.shoot("index-remove")
    page.get_by_label("Type writer/tmp to go on").focus()
    page.keyboard.type("writer/tmp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/indexes")
    assert page.get_by_role("link", name="writer/tmp").count() == 0


def test_the_list_and_an_index(visit):
    visit.log_in()
    visit.go("/indexes")
    visit.shoot("indexes")
    page = visit.go("/writer/nightly/")
    visit.shoot("index")
    tree = page.locator(".tree")
    assert tree.get_by_role("list").count() == 3
    assert tree.get_by_role("listitem").count() == 5
    page.get_by_text("devpi", exact=True).click()
    assert page.get_by_text(f"devpi use {visit.url}/writer/nightly").is_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_text("Change this index").click()
    visit.shoot("index-settings")
    page.get_by_role("searchbox", name="Name").fill("auth")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**/writer/nightly/?q=auth**")
    assert page.locator(".list .name").all_inner_texts() == ["acme-auth"]
    page.get_by_role("link", name="acme-auth").click()
    page.get_by_text("As writer/nightly shows it.").wait_for()


def test_a_project_in_an_index_and_the_switch(visit):
    visit.log_in()
    page = visit.go("/project/acme-billing/1.1/?index=writer/nightly")
    assert page.get_by_text("hidden by the one of writer/nightly").count() == 2
    visit.shoot("index-project")
    page.get_by_label("Index").select_option("writer/base")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("As writer/base shows it.").wait_for()
    assert page.get_by_role("heading", name="Hidden files").count() == 0
    visit.go(f"/project/{LONG}/?index=writer/nightly")
    visit.shoot("index-project-long")
    page = visit.go("/project/acme-auth/")
    visit.shoot("project-switch")
    page.get_by_label("Index").select_option("writer/base")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("As writer/base shows it.").wait_for()


def test_a_release_is_yanked_from_its_page(visit):
    visit.log_in()
    page = visit.go("/project/acme-billing/1.0/?index=writer/nightly")
    page.get_by_role("link", name="Yank it…").click()
    visit.shoot("index-yank")
    page.get_by_label("Reason").fill("rounds wrongly")
    page.get_by_role("button", name="Yank it").click()
    page.get_by_text("rounds wrongly").first.wait_for()
    assert page.get_by_role("link", name="Un-yank it…").count() == 1


def promote(page, source):
    """Press the button of the form for what ``source`` has itself."""
    form = page.locator(f'form:has(input[name="source"][value="{source}"])')
    form.get_by_label("To").select_option("writer/stable")
    form.get_by_role("button", name="Promote").click()


def test_a_release_is_promoted(visit):
    visit.log_in()
    page = visit.go("/project/acme-billing/1.1/?index=writer/nightly")
    promote(page, "writer/nightly")
    page.get_by_role("heading", name="Copied to writer/stable").wait_for()
    visit.shoot("promoted")
    page.get_by_role("link", name="See it in writer/stable").click()
    page.get_by_text("As writer/stable shows it.").wait_for()
    page = visit.go("/project/acme-billing/1.1/?index=writer/base")
    promote(page, "writer/base")
    page.get_by_role("heading", name="Nothing was promoted").wait_for()
    assert visit.statuses() == ["409"]
    visit.shoot("promoted-not")
