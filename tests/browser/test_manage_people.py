"""Groups, rules and the journal, as an administrator meets them."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_wheel


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    publish(build_wheel("acme-billing", "1.0"))


def test_a_group_is_made_granted_and_explained_and_the_journal_tells(visit):
    visit.log_in("admin")
    page = visit.go("/manage/groups")
    page.get_by_label("Group", exact=True).fill("auditors")
    page.get_by_role("button", name="Add the group").click()
    page.get_by_text("auditors", exact=True).wait_for()
    page.get_by_label("User").fill("outsider")
    page.get_by_label("Of the group").fill("auditors")
    page.get_by_role("button", name="Put in").click()
    page.locator("li", has_text="auditors").get_by_text("outsider").wait_for()
    visit.shoot("manage-groups")
    page = visit.go("/manage/rules")
    page.get_by_label("For").select_option("the group")
    page.get_by_label("Name", exact=True).fill("auditors")
    page.get_by_role("textbox", name="Project").last.fill("acme-*")
    page.get_by_label("May").select_option("read")
    page.get_by_role("button", name="Grant").click()
    page.get_by_role("cell", name="acme-*", exact=True).wait_for()
    page.get_by_role("textbox", name="User").fill("outsider")
    page.get_by_role("textbox", name="Project").first.fill("acme-billing")
    page.get_by_role("button", name="Explain").click()
    assert "yes" in page.get_by_role("row", name="read", exact=False).first.text_content()
    visit.shoot("manage-rules")
    page = visit.go("/manage/journal")
    page.get_by_label("Action").fill("grant")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**action=grant**")
    assert page.locator("main .list li").count() == 1
    assert "auditors" in page.locator("main .list li").text_content()
    visit.shoot("manage-journal")


def test_what_somebody_may_not_see_is_a_page(visit):
    visit.log_in("reader")
    page = visit.go("/manage/users")
    page.get_by_role("heading", name="Not allowed").wait_for()
    visit.shoot("error-403")
    assert visit.statuses() == ["403"]
