"""Results while somebody types, by keyboard alone, and who requires a project."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_wheel

AT_ONCE = """
    (texts) => {
      const field = document.getElementById("q");
      for (const text of texts) {
        field.value = text;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      }
    }
"""


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    """Many tools, one of which the others require; one is hidden from readers."""
    publish(build_wheel("base", "1.0", summary="What the others stand on"))
    publish(build_wheel("secret-tool", "1.0", summary="Hushed", requires_dist=("base",)))
    for number in range(24):
        needs = ("base>=1",) if number % 2 else ("base; extra == 'fast'",)
        publish(build_wheel(f"tool-{number:02}", "1.0", summary=f"Handy thing {number}", requires_dist=needs))


def test_results_come_while_one_types(visit):
    visit.log_in("reader")
    page = visit.go("/search")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/search?" in request.url else None)
    # Faster than anybody types: not one request for each key.
    page.evaluate(AT_ONCE, ["h", "ha", "han", "hand"])
    page.get_by_role("heading", name="24 packages for “hand”").wait_for()
    assert page.url == f"{visit.url}/search?q=hand"
    assert page.title() == "hand"
    assert page.get_by_role("status").text_content() == "24 packages for “hand”"
    assert asked == [f"{visit.url}/search?q=hand&part=results"]
    page.keyboard.press("End")
    visit.shoot("searching")
    page.keyboard.type("y 17")
    page.get_by_role("heading", name="1 package for “handy 17”").wait_for()
    page.keyboard.press("Control+A")
    page.keyboard.type("hushed")
    page.get_by_role("heading", name="0 packages for “hushed”").wait_for()
    visit.shoot("searching-nothing")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.get_by_role("heading", name="Search", exact=True).wait_for()
    assert page.url == f"{visit.url}/search"


def test_the_keyboard_reaches_the_results_and_the_next_page(visit):
    visit.log_in("reader")
    page = visit.go("/search")
    page.keyboard.type("handy")
    page.get_by_role("heading", name="24 packages").wait_for()
    page.get_by_role("link", name="More").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=handy&page=2")
    assert page.get_by_role("link", name="tool-").count() == 4
    # Going back finds what was typed, as the address says it.
    page.go_back()
    page.get_by_role("heading", name="24 packages").wait_for()
    page.get_by_role("link", name="tool-00").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="tool-00 1.0").wait_for()


def test_an_older_answer_never_replaces_a_newer_one(visit):
    visit.log_in("reader")
    page = visit.go("/search")
    held = []

    def hold(route):
        if "q=handy&" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    page.route("**/search?*part=results*", hold)
    with page.expect_request(lambda request: "q=handy&" in request.url):
        page.keyboard.type("handy")
    assert page.locator("#results").get_attribute("aria-busy") == "true"
    page.keyboard.type(" 17")
    page.get_by_role("heading", name="1 package for “handy 17”").wait_for()
    assert len(held) == 1
    assert page.get_by_role("heading", level=1).text_content() == "1 package for “handy 17”"
    assert page.url.endswith("q=handy+17")


def test_without_an_answer_enter_is_what_is_left(visit):
    visit.log_in("reader")
    page = visit.go("/search")
    page.route("**/search?*part=results*", lambda route: route.abort())
    page.keyboard.type("handy 17")
    page.get_by_text("Press Enter to search.").wait_for(state="attached")
    assert page.locator("#results").get_attribute("aria-busy") is None
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="1 package for “handy 17”").wait_for()
    # The browser says so itself.
    assert all("ERR_FAILED" in text for text in visit.complaints)
    visit.complaints.clear()


def test_who_requires_a_project(visit):
    visit.log_in("reader")
    page = visit.go("/project/base/")
    page.get_by_role("heading", name="Used here by").wait_for()
    page.get_by_text("24 packages, of which the first 20 are shown.").wait_for()
    assert page.get_by_text("secret-tool").count() == 0
    visit.shoot("dependants")
    page.get_by_role("link", name="tool-01").click()
    page.get_by_role("heading", name="tool-01 1.0").wait_for()
