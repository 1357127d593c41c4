"""What metadata and numbers can do to a page: nothing may break out of its place, or of the screen."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_wheel

LONG = "a" + "-very" * 12 + "-long-name"
HOSTILE = '\u202egnp.exe <img src=x onerror=alert(1)> "quoted" {{ 7*7 }} '
ARABIC = "حزمة لحساب الفواتير 🧾 مع <b>تفاصيل</b>"
README = f"# مرحبا 🎉\n\n| a | b |\n|---|---|\n| {'wide ' * 60} | x |\n\n`" + "x" * 500 + "`\n\n" + "word " * 2000
HEADERS = [
    ("Description-Content-Type", "text/markdown"),
    ("Author", ARABIC),
    ("License", HOSTILE),
    ("Keywords", HOSTILE),
    ("Project-URL", f"{ARABIC[:30]}, https://example.com/{'long/' * 60}"),
    ("Project-URL", "Script, javascript:alert(1)"),
    ("Classifier", "Programming Language :: Python :: 3"),
]


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    """One project for each thing that goes wrong."""
    for artifact in (
        build_wheel(LONG, "1!2026.11.28.post99.dev12345+local.version.that.is.long", summary="x" * 400),
        build_wheel("hostile", "1.0", summary=HOSTILE, description=README, headers=HEADERS),
        build_wheel("arabic", "1.0", summary=ARABIC, requires_dist=(f"{LONG}>=1", "hostile")),
        build_wheel("silent", "1.0"),
        build_wheel("talkative", "1.0", description="# Much\n\n" + "a line of text\n\n" * 65_000, headers=HEADERS[:1]),
    ):
        publish(artifact)
    for number in range(60):
        publish(build_wheel("many", f"1.{number}"))


@pytest.mark.parametrize("name", [LONG, "hostile", "arabic", "silent", "many"])
def test_a_project_page_holds_together(visit, name):
    visit.log_in("reader")
    page = visit.go(f"/project/{name}/")
    page.get_by_role("heading", level=1).wait_for()
    visit.shoot(f"edge-{name[:10]}")
    assert page.locator("img").count() == 0
    assert page.get_by_text("49", exact=True).count() == 0


def test_the_lists_hold_together(visit):
    visit.log_in("reader")
    visit.go("/")
    visit.shoot("edge-home")
    visit.go("/search?q=a")
    visit.shoot("edge-search")
    page = visit.go(f"/search?q={HOSTILE}")
    assert HOSTILE.split(maxsplit=1)[0] in page.get_by_role("searchbox").first.input_value()
    visit.shoot("edge-nothing-found")


def test_of_many_versions_the_newest_are_shown_first(visit):
    visit.log_in("reader")
    page = visit.go("/project/many/")
    assert page.get_by_role("link", name="1.59", exact=True).count() == 1
    assert page.get_by_role("link", name="1.9", exact=True).count() == 0
    page.get_by_role("link", name="All 60 versions").click()
    page.get_by_role("link", name="1.9", exact=True).click()
    page.get_by_text("Not the newest").wait_for()


def test_a_readme_of_a_megabyte_is_shown(visit):
    visit.log_in("reader")
    page = visit.go("/project/talkative/")
    page.get_by_text("a line of text").first.wait_for()
    assert page.get_by_role("heading", name="Files").count() == 1
