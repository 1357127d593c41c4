"""Looking into a file, and the list of files, on a screen and on a phone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel

NAME = "acme-inside"
DESCRIPTION = "# Acme inside\n\n" + "A line of words that is longer than any phone is wide, and then some more. " * 20
WHEEL = build_wheel(
    NAME,
    "1.4.2",
    summary="Tools to look inside",
    requires_python=">=3.9",
    description=DESCRIPTION,
    extra_files=[
        *((f"acme_inside/module_{number}.py", b"x = 1\n" * number) for number in range(6)),
        (
            "acme_inside/data/tables/a-name-that-is-quite-a-bit-longer-than-what-a-phone-can-show-in-one-line.json",
            b"{}",
        ),
        ("acme_inside/data/empty/.keep", b""),
    ],
)
SDIST = build_sdist(NAME, "1.4.2", description=DESCRIPTION)
TAGS = (
    "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp311-cp311-macosx_11_0_arm64",
    "cp39-abi3-musllinux_1_2_aarch64",
    "cp312-cp312-win_amd64",
)


def tagged(tags):
    built = build_wheel(NAME, "1.4.2", body=tags.encode())
    return replace(built, filename=built.filename.replace("py3-none-any", tags))


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    for artifact in (WHEEL, SDIST, *map(tagged, TAGS)):
        publish(artifact)


def test_the_files_of_a_release_say_what_they_are_for(visit):
    visit.log_in("reader")
    page = visit.go(f"/project/{NAME}/")
    rows = page.locator("table.files tbody tr")
    assert rows.count() == 6
    assert "Wheel for any Python 3" in rows.nth(0).text_content()
    assert "CPython 3.9 or newer on Linux ARM64 (musl 1.2 or newer)" in rows.nth(1).text_content()
    assert "Source" in rows.nth(5).text_content()
    page.set_viewport_size({"width": 390, "height": 844})
    for row in rows.all():
        assert row.bounding_box()["width"] > 300
        assert row.bounding_box()["height"] < 260
    page.set_viewport_size({"width": 1280, "height": 900})
    visit.shoot("files")


def test_looking_into_a_wheel(visit):
    visit.log_in("reader")
    page = visit.go(f"/project/{NAME}/")
    page.get_by_role("link", name=f"contents of {WHEEL.filename}").click()
    page.get_by_role("heading", name=WHEEL.filename).wait_for()
    assert page.evaluate("window.shifts") == []
    members = page.locator("table.members")
    assert members.get_by_text("acme_inside/data/tables/").is_visible()
    assert members.get_by_text("module_5.py").is_visible()
    page.get_by_role("button", name="Copy the SHA-256 digest").click()
    assert page.evaluate("navigator.clipboard.readText()") == WHEEL.sha256
    assert "Requires-Python: >=3.9" in page.get_by_label("Metadata", exact=True).text_content()
    copied = page.locator("[data-copy=sha256]")
    assert copied.text_content() == "Copied"
    # It then says again what it said, and shows no more of it than before.
    page.get_by_role("button", name="Copy the SHA-256 digest").wait_for()
    assert copied.bounding_box()["width"] < 80
    visit.shoot("contents-wheel")


def test_looking_into_an_sdist(visit):
    visit.log_in("reader")
    page = visit.go(f"/project/{NAME}/1.4.2/{SDIST.filename}/")
    assert page.locator("table.members").get_by_text("PKG-INFO").is_visible()
    visit.shoot("contents-sdist")
