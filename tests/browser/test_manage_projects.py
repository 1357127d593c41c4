"""Managing projects, the storage and a rebuild, by mouse and by keyboard alone."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    for artifact in (
        *(build_wheel("acme-billing", version, summary="Bills and sums") for version in ("1.0", "1.1", "2.0rc1")),
        build_sdist("acme-billing", "1.1"),
        build_wheel("acme-auth", "0.3"),
        build_wheel("a-project-with-a-name-that-is-longer-than-most-names-of-projects-are-anywhere", "1.0"),
        build_wheel("scrap", "1.0"),
    ):
        publish(artifact)


def test_a_release_is_yanked_with_a_reason_and_un_yanked(visit):
    visit.log_in("admin")
    page = visit.go("/project/acme-billing/1.0/")
    page.get_by_role("link", name="Manage this project").click()
    page.get_by_role("heading", name="Release 1.0").wait_for()
    page.get_by_role("link", name="Yank the release…").click()
    page.get_by_role("heading", name="Yank acme-billing 1.0?").wait_for()
    visit.shoot("manage-yank")
    page.get_by_label("Reason").fill("rounds wrongly")
    page.get_by_role("button", name="Yank it").click()
    page.get_by_text("rounds wrongly").first.wait_for()
    visit.shoot("manage-project")
    assert visit.go("/project/acme-billing/1.0/").get_by_text("This release was yanked. rounds wrongly").count() == 1
    page = visit.go("/manage/projects/acme-billing?version=1.0")
    page.get_by_role("button", name="Un-yank the release").click()
    page.get_by_role("link", name="Yank the release…").wait_for()
    assert page.get_by_text("rounds wrongly").count() == 0


def test_a_project_is_found_deleted_once_its_name_is_typed_and_freed_by_keyboard_alone(visit):
    visit.log_in("admin")
    page = visit.go("/manage/projects")
    visit.shoot("manage-projects")
    page.get_by_label("Name").focus()
    page.keyboard.type("scra")
    page.keyboard.press("Enter")
    page.wait_for_url("**/manage/projects?q=scra")
    page.get_by_role("link", name="scrap").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Delete the project…").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Type scrap to go on").focus()
    page.keyboard.type("scrub")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("Nothing was changed").wait_for()
    visit.shoot("manage-delete")
    assert visit.statuses() == ["400"]
    page.get_by_label("Type scrap to go on").focus()
    page.keyboard.type("scrap")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("It has no file.").wait_for()
    page.get_by_role("link", name="Free the name…").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Type scrap to go on").focus()
    page.keyboard.type("scrap")
    page.keyboard.press("Enter")
    page.wait_for_url("**/manage/projects")
    assert page.get_by_role("link", name="scrap").count() == 0


def test_a_status_and_a_rule(visit):
    visit.log_in("admin")
    page = visit.go("/manage/projects/acme-auth")
    page.get_by_label("Status").select_option("deprecated")
    page.get_by_label("Reason").fill("use acme-login")
    page.get_by_role("button", name="Set the status").click()
    page.get_by_text("its status is deprecated: use acme-login").wait_for()
    page.get_by_label("For").select_option("the user")
    page.get_by_label("Name", exact=True).fill("writer")
    page.get_by_label("May").select_option("owner")
    page.get_by_role("button", name="Grant").click()
    page.get_by_role("cell", name="user writer", exact=True).wait_for()
    page.get_by_role("button", name="Log out").click()
    visit.log_in("writer")
    page = visit.go("/project/acme-auth/")
    page.get_by_role("link", name="Manage this project").click()
    page.get_by_role("heading", name="Manage acme-auth").wait_for()
    visit.shoot("manage-project-owner")
    assert page.get_by_role("link", name="Journal").count() == 0
    assert page.get_by_role("button", name="Grant").is_visible()


def test_the_room_that_files_take(visit):
    visit.log_in("admin")
    page = visit.go("/manage/users")
    page.get_by_role("link", name="Storage").click()
    page.get_by_role("img", name="Size of the largest projects").wait_for()
    assert page.get_by_text("are free on their disk").is_visible()
    visit.shoot("manage-storage")
    page.get_by_role("cell", name="acme-billing").get_by_role("link").click()
    page.get_by_role("heading", name="Manage acme-billing").wait_for()
