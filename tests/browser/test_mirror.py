"""An index upstream in the pages: its projects and files, search, errors, and the page about the mirror."""

from __future__ import annotations

import time
import urllib.request

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.upstream_server import Fault, upstream_server
from pypicloud_lite.testing.world import basic, user_settings

README = """# numerics

Arrays and **what one does with them**.

```python
import numerics
numerics.zeros(3)
```

| what | how |
| ---- | --- |
| fast | yes |
"""
FACTS = [
    ("Description-Content-Type", "text/markdown"),
    ("Author", "The numerics people"),
    ("License-Expression", "BSD-3-Clause"),
    ("Project-URL", "Documentation, https://docs.example.com/numerics"),
    ("Classifier", "Programming Language :: Python :: 3"),
]
PLATFORMS = ("manylinux_2_17_x86_64.manylinux2014_x86_64", "macosx_11_0_arm64", "win_amd64", "musllinux_1_2_aarch64")


WHEN = {"upload_time": "2024-05-06T07:08:09Z"}


@pytest.fixture(scope="module")
def upstream():
    """A project with some releases, and one whose name we have too."""
    with upstream_server() as index:
        for version in ("2.0.0", "2.1.0", "2.2.0rc1"):
            told = {**WHEN, "requires_python": ">=3.9"}
            if version == "2.0.0":
                told["yanked"] = "wrong results on Windows"
            for tag in PLATFORMS:
                wheel = build_wheel(
                    "numerics",
                    version,
                    python_tag="cp312",
                    platform_tag=tag,
                    summary="Arrays and what one does with them",
                    description=README,
                    headers=FACTS,
                    requires_dist=("shared>=1", "somewhere; extra == 'docs'"),
                )
                index.add("numerics", wheel.filename, wheel.data, **told)
            sdist = build_sdist("numerics", version)
            index.add("numerics", sdist.filename, sdist.data, **told)
        newer = build_wheel("shared", "1.1", summary="Both of us have it", platform_tag="win_amd64")
        index.add("shared", newer.filename, newer.data, **WHEN)
        hidden = build_wheel("mine", "9.0")
        index.add("mine", hidden.filename, hidden.data, **WHEN)
        yield index


@pytest.fixture(scope="module")
def server(tmp_path_factory, upstream):
    settings = {
        **user_settings(),
        "pypi.auth": "config sql",
        "pypi.fallback": "cache",
        "pypi.fallback_base_url": upstream.url,
        "pypi.disallow_fallback": "acme-* internal-tool",
        "mirror.merge": "shared also-ours",
        "mirror.min_age": "3 days",
        "mirror.quota": "5 GiB",
        "mirror.deny": "evil\n  numerics ==1.*",
    }
    with LiveServer(tmp_path_factory.mktemp("server"), settings, workers=1) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    publish(build_wheel("shared", "1.1", summary="Both of us have it"))
    publish(build_wheel("numerics-extras", "0.1", summary="More of it", requires_dist=("numerics",)))


def get(url):
    request = urllib.request.Request(url, headers={"Authorization": basic("reader")})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def until(page, text):
    """Load the page again until it says so."""
    ends = time.monotonic() + 30
    while not page.get_by_text(text).count():
        assert time.monotonic() < ends
        page.reload()


def test_a_project_is_searched_for_found_upstream_and_downloaded(visit, upstream):
    visit.log_in("reader")
    count = len(upstream.asked)
    page = visit.go("/search?q=numerics")
    visit.shoot("mirror-search")
    assert len(upstream.asked) == count
    page.get_by_role("link", name="Look for numerics in the index upstream").click()
    page.get_by_role("heading", name="numerics 2.1.0").wait_for()
    assert page.get_by_text("From the index upstream.").is_visible()
    assert page.get_by_role("heading", name="numerics", exact=True).is_visible()
    wheel = f"numerics-2.1.0-cp312-none-{PLATFORMS[2]}.whl"
    page.get_by_role("link", name=f"details of {wheel}").click()
    page.get_by_text("It is not here yet.").wait_for()
    visit.shoot("mirror-file-not-here")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == wheel
    page.get_by_role("link", name="numerics 2.1.0").click()
    until(page, "cached here")
    visit.shoot("mirror-project")
    page.get_by_role("link", name=f"contents of {wheel}").click()
    page.get_by_text("and kept by the index root/pypi").wait_for()
    visit.shoot("mirror-file-kept")


def test_files_of_both_are_told_apart(visit):
    visit.log_in("reader")
    page = visit.go("/project/shared/")
    assert page.get_by_text("From the index upstream, and from here.").is_visible()
    assert page.get_by_role("cell", name="uploaded here").count() == 1
    assert page.get_by_role("cell", name="upstream", exact=True).count() == 1
    visit.shoot("mirror-merged")


def test_administrators_see_how_the_mirror_is_and_act(visit, server, upstream):
    for tag in PLATFORMS:
        get(f"{server.url}/packages/root/pypi/numerics/numerics-2.1.0-cp312-none-{tag}.whl")
    visit.log_in("admin")
    page = visit.go("/manage/users")
    page.get_by_role("link", name="Mirror").click()
    page.get_by_role("cell", name="numerics").wait_for()
    assert page.get_by_text("asked as needed").is_visible()
    page.get_by_label("Name").fill("Numerics")
    page.get_by_role("button", name="Look").click()
    page.get_by_role("button", name="Remove its kept files").wait_for()
    visit.shoot("mirror-manage")
    page.get_by_role("button", name="Ask the upstream now").click()
    page.get_by_text("known, just now").wait_for()
    visit.go("/manage/storage")
    assert page.get_by_role("link", name="kept by the mirror").is_visible()
    visit.shoot("mirror-storage")
    page = visit.go("/manage/mirror?project=numerics")
    page.get_by_role("button", name="Remove its kept files").click()
    until(page, "of numerics")
    page.get_by_label("Name").fill("shared")
    page.get_by_role("button", name="Look").click()
    page.get_by_role("link", name="shared", exact=True).first.wait_for()
    page.get_by_role("button", name="Ask the upstream now").click()
    page.get_by_text("known, just now").wait_for()


def test_an_upstream_that_gives_no_answer_is_told(visit, upstream, publish):
    upstream.fault = lambda _path: Fault(status=500)
    visit.log_in("admin")
    page = visit.go("/project/never-asked-for/")
    page.get_by_role("heading", name="The index upstream gave no answer").wait_for()
    visit.shoot("mirror-no-answer")
    assert visit.statuses() == ["502"]
    page.get_by_role("link", name="How the mirror is").click()
    page.get_by_text("The last failure that was not made good since").wait_for()
    visit.shoot("mirror-manage-failing")
    publish(build_wheel("also-ours", "1.0", summary="Ours, and perhaps theirs"))
    page = visit.go("/project/also-ours/")
    assert page.get_by_text("Our own files only.").is_visible()
    visit.shoot("mirror-ours-alone")
    upstream.fault = lambda _path: None


def test_administrators_are_told_what_ours_hides(visit, publish):
    visit.log_in("admin")
    page = visit.go("/project/mine/")
    page.get_by_role("heading", name="mine 9.0").wait_for()
    publish(build_wheel("mine", "0.1", summary="A tool of ours"))
    page = visit.go("/project/mine/")
    page.get_by_role("heading", name="mine 0.1").wait_for()
    assert page.get_by_text("It hides a project of the index upstream.").is_visible()
    visit.shoot("mirror-hidden")


def test_a_redirect_is_a_link(visit, tmp_path, upstream):
    settings = {**user_settings(), "pypi.auth": "config sql"}
    settings |= {"pypi.fallback": "redirect", "pypi.fallback_base_url": upstream.url}
    with LiveServer(tmp_path, settings, workers=1) as server:
        visit.url = server.url
        visit.log_in("admin")
        page = visit.go("/project/numerics/")
        link = page.get_by_role("link", name="Look there")
        assert link.get_attribute("href") == f"{upstream.url}/simple/numerics/"
        visit.shoot("mirror-elsewhere")
        assert visit.statuses() == ["404"]
        visit.go("/manage/mirror").get_by_text("installers are sent to the upstream").wait_for()
