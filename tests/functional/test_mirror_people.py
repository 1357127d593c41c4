"""An upstream's projects and files in the pages for people: what is told, to whom, and what is asked for it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape

import pytest

from pypicloud_lite.journal.model import Author
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex, Fault
from pypicloud_lite.testing.world import MovingClock, World

README = "# Hello\n\nA *small* package."
MARKDOWN = [("Description-Content-Type", "text/markdown")]
DEMO = build_wheel(
    "demo",
    "1.0",
    summary="A small package",
    description=README,
    headers=[*MARKDOWN, ("Project-URL", "Home, https://example.com/demo")],
    requires_dist=("other>=1", "acme-tool"),
)
NEWER = build_wheel("demo", "2.0", summary="A better package")
SDIST = build_sdist("demo", "2.0")
HTML = "text/html,application/xhtml+xml"
MakeMirror = Callable[..., World]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """Two releases, one of them with an sdist."""
    upstream_index.add("demo", DEMO.filename, DEMO.data, upload_time="2024-01-02T03:04:05.678000Z")
    upstream_index.add("demo", NEWER.filename, NEWER.data, requires_python=">=3.9")
    upstream_index.add("demo", SDIST.filename, SDIST.data, yanked="broken")
    return upstream_index


def see(world: World, path: str, user: str | None = "reader", status: object = 200) -> object:
    return world.get(path, user, status, Accept=HTML)


def text(page: object) -> str:
    """What somebody reads of the page."""
    main = page.text.partition("<main")[2]
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", main.partition(">")[2]).split()))


def fetch(world: World, artifact: object, wait_for: Callable, is_kept: Callable) -> None:
    world.get(f"/packages/root/pypi/demo/{artifact.filename}")
    wait_for(lambda: is_kept(world, artifact.filename))


def test_project_of_the_upstream_has_a_page_as_ours_have(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror(pypi__fallback_base_url=index.url.replace("://", "://user:secret@"))
    assert see(world, "/project/Demo/1.0.0", status=301).headers["Location"] == "/project/demo/1.0.0/"
    page = see(world, "/project/demo/1.0.0/")
    told = text(page)
    assert "A small package" in told
    assert (
        f"From the index upstream. Not uploaded here, but listed by {index.url}/simple/ , last checked just now" in told
    )
    assert "A <em>small</em> package." in page.text
    assert "secret" not in page.text
    assert "pip install --index-url http://localhost/simple/ demo==1.0" in page.text
    digest = hashlib.sha256(DEMO.data).hexdigest()
    assert f'href="/packages/root/pypi/demo/{digest[:16]}/{DEMO.filename}"' in page.text
    assert 'href="https://example.com/demo"' in page.text
    assert "years ago" in told or "year ago" in told
    assert 'href="/project/other/"' in page.text
    assert page.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "Feed of releases" not in told
    latest = text(see(world, "/project/demo/"))
    assert "A better package" in latest
    assert ">=3.9" in latest
    assert f"{SDIST.filename} yanked" in latest
    assert latest.count("upstream") >= 2
    see(world, "/project/demo/9.0/", status=404)
    fetched = [one for one in index.asked if one.path.startswith("/files/")]
    assert all("Range" in one.headers for one in fetched)


def test_file_that_is_here_is_told_from_one_that_is_not(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror()
    assert "cached here" not in text(see(world, "/project/demo/1.0/"))
    page = text(see(world, f"/project/demo/1.0/{DEMO.filename}/"))
    assert "It is not here yet" in page
    assert "Download" in page
    assert hashlib.sha256(DEMO.data).hexdigest() in page
    fetch(world, DEMO, wait_for, is_kept)
    count = len(index.asked)
    assert "cached here" in text(see(world, "/project/demo/1.0/"))
    page = text(see(world, f"/project/demo/1.0/{DEMO.filename}/"))
    assert f"Fetched from {index.url}/simple/ , and kept by the index root/pypi" in page
    assert "METADATA" in page
    assert "by reader" not in page
    assert len(index.asked) == count
    see(world, f"/project/demo/2.0/{DEMO.filename}/", status=404)
    see(world, "/project/demo/1.0/demo-1.5.tar.gz/", status=404)
    yanked = text(see(world, f"/project/demo/2.0/{SDIST.filename}/"))
    assert "This file was yanked. broken" in yanked


def test_file_that_a_rule_keeps_back_says_so(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror(mirror__packagetypes="wheel")
    assert "mirror.packagetypes" in text(see(world, f"/project/demo/2.0/{SDIST.filename}/", status=403))
    assert SDIST.filename not in see(world, "/project/demo/2.0/").text


def test_project_of_which_the_rules_let_nothing_through_says_so(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror(mirror__packagetypes="egg")
    assert "no file of it that this index passes on" in text(see(world, "/project/demo/", status=404))


def test_quarantined_project_of_the_upstream_says_so(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.told = {"project-status": {"status": "quarantined", "reason": "malware"}}
    told = text(see(make_mirror(), "/project/demo/", status=404))
    assert "in quarantine at the index upstream, which lists no files: malware" in told


def test_status_of_the_upstreams_project_is_told(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.told = {"project-status": {"status": "archived", "reason": "no time"}}
    assert "This project is archived. no time" in text(see(make_mirror(), "/project/demo/"))


def test_old_page_says_that_it_is_old_and_why(make_mirror: MakeMirror, index: FakeIndex, clock: MovingClock) -> None:
    world = make_mirror()
    see(world, "/project/demo/")
    index.fault = lambda _path: Fault(status=503)
    clock.advance(days=3)
    told = text(see(world, "/project/demo/"))
    assert "It may be out of date, as the upstream gave no answer since" in told
    assert "503" in told


@pytest.mark.parametrize(
    ("fault", "status", "heading"),
    [
        (Fault(reset=True), 502, "The index upstream gave no answer"),
        (Fault(status=429, headers=(("Retry-After", "30"),)), 503, "Not available for the moment"),
        (Fault(silent=True), 504, "The index upstream took too long"),
    ],
)
@pytest.mark.parametrize("path", ["/project/demo/", f"/project/demo/1.0/{DEMO.filename}/"])
def test_upstream_that_gives_no_answer_is_a_page_with_the_way_on(
    make_mirror: MakeMirror, index: FakeIndex, fault: Fault, status: int, heading: str, path: str
) -> None:
    index.fault = lambda _path: fault
    world = make_mirror(upstream__timeout="0.5")
    page = see(world, path, status=status)
    assert heading in text(page)
    assert "This does not mean that there is no such project" in text(page)
    assert "/manage/mirror" not in page.text
    assert "/manage/mirror" in see(world, path, "admin", status=status).text
    assert ("Retry-After" in page.headers) == (status == 503)


def test_description_that_cannot_be_read_is_no_error(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.fault = lambda path: Fault(reset=True) if path.startswith("/files/") else None
    told = text(see(make_mirror(), "/project/demo/1.0/"))
    assert "Its description could not be read:" in told
    assert DEMO.filename in told


def test_release_without_metadata_is_a_page_without_readme(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.has_ranges = False
    told = text(see(make_mirror(), "/project/demo/1.0/"))
    assert "Its description is not known" in told


def test_merged_project_tells_where_each_file_is(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror("mirror")
    world.upload(build_wheel("demo", "2.0", summary="Ours", platform_tag="win_amd64"))
    page = see(world, "/project/demo/")
    told = text(page)
    assert "From the index upstream, and from here." in told
    assert "uploaded here" in told
    assert "Ours" in told
    assert page.text.count('<span class="badge">upstream</span>') == 2


def test_merged_project_shows_ours_alone_when_the_upstream_is_down(make_mirror: MakeMirror, index: FakeIndex) -> None:
    index.fault = lambda _path: Fault(reset=True)
    world = make_mirror("mirror")
    world.upload(DEMO)
    told = text(see(world, "/project/demo/"))
    assert "Our own files only." in told
    assert "A small package" in told


def test_files_of_a_merged_project_lead_to_the_upstream_where_it_is_a_redirect(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    world = make_mirror("redirect", mirror__merge="demo")
    world.upload(DEMO)
    page = see(world, "/project/demo/2.0/")
    assert f'href="{index.url}/files/demo/{NEWER.filename}" rel="nofollow noopener noreferrer"' in page.text
    assert "It is downloaded from there" in text(see(world, f"/project/demo/2.0/{NEWER.filename}/"))


def test_redirect_is_a_link_that_asks_nobody(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror("redirect", pypi__fallback_base_url=index.url.replace("://", "://user:secret@"))
    page = see(world, "/project/demo/", status=404)
    assert f'href="{index.url}/simple/demo/"' in page.text
    assert "secret" not in page.text
    see(world, f"/project/demo/1.0/{DEMO.filename}/", status=404)
    assert index.url not in see(world, "/project/demo/", "outsider", 404).text
    assert see(world, "/project/demo/", None, 302).headers["Location"].startswith("/login")
    assert index.paths() == []


@pytest.mark.parametrize("fallback", ["redirect", "cache"])
def test_T20_no_page_asks_for_a_name_that_is_denied_or_ours(
    make_mirror: MakeMirror, index: FakeIndex, fallback: str
) -> None:
    world = make_mirror(fallback, pypi__disallow_fallback="acme-*", package__hidden__user__somebody="rw")
    world.upload(DEMO)
    world.upload(build_wheel("mine", "1.0"))
    world.delete("/api/package/mine/mine-1.0-py3-none-any.whl")
    for user in ("reader", "admin"):
        for name in ("acme-tool", "hidden", "mine"):
            for path in (f"/project/{name}/", f"/project/{name}/1.0/", f"/project/{name}/1.0/{name}-1.0.tar.gz/"):
                if (user, name) != ("admin", "hidden"):
                    assert index.url not in see(world, path, user, 404).text
            page = see(world, f"/search?q={name}", user)
            assert ("Look for" in page.text) == ((user, name) == ("admin", "hidden"))
        told = text(see(world, "/project/demo/", user))
        assert NEWER.filename not in told
        assert "It hides" not in told
        see(world, f"/project/demo/2.0/{NEWER.filename}/", user, 404)
        assert 'href="/project/acme-tool/"' not in see(world, "/project/demo/", user).text
    assert index.paths() == []


def test_administrators_are_told_what_ours_hides_where_that_is_known(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    see(world, "/project/demo/")
    world.upload(DEMO)
    count = len(index.asked)
    told = text(see(world, "/project/demo/", "admin"))
    assert f"One of this name is at {index.url}/simple/ , seen just now" in told
    assert "It hides" not in text(see(world, "/project/demo/"))
    assert NEWER.filename not in told
    assert len(index.asked) == count


def test_search_offers_the_upstreams_project_and_asks_nobody(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror(pypi__cache_update="developers")
    world.upload(build_wheel("demo-tools", "1.0"))
    for user in ("writer", "admin"):
        for query in ("demo", "Demo", "requests"):
            page = see(world, f"/search?q={query}&part=results", user)
            assert f'<a href="/project/{query.lower()}/" rel="nofollow">' in page.text
    for query in ("demo-tools", "two words", "", "..", "%3Cb%3E"):
        assert "Look for" not in see(world, f"/search?q={query}", "writer").text
    for user in ("reader", "outsider", None):
        assert "Look for" not in see(world, "/search?q=demo", user).text
    assert index.paths() == []


def test_search_offers_what_is_here_to_those_who_may_not_have_it_fetched(
    make_mirror: MakeMirror, index: FakeIndex, wait_for: Callable, is_kept: Callable
) -> None:
    world = make_mirror(pypi__cache_update="developers")
    world.get(f"/packages/root/pypi/demo/{DEMO.filename}", "writer")
    wait_for(lambda: is_kept(world, DEMO.filename))
    count = len(index.asked)
    assert "Look for demo" in text(see(world, "/search?q=demo"))
    page = see(world, "/project/demo/")
    assert "cached here" in text(page)
    assert NEWER.filename not in page.text
    see(world, f"/project/demo/1.0/{DEMO.filename}/")
    see(world, f"/project/demo/2.0/{NEWER.filename}/", status=404)
    see(world, "/project/demo/", "outsider", 404)
    assert len(index.asked) == count


def test_without_a_fallback_nothing_of_it_shows(make_mirror: MakeMirror, index: FakeIndex) -> None:
    for settings in ({}, {"mirror__enabled": "true"}):
        world = make_mirror("none", **settings)
        see(world, "/project/demo/", status=404)
        assert "Look for" not in see(world, "/search?q=demo").text
    assert index.paths() == []


def test_request_that_came_round_asks_nobody(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    via = f"1.1 {world.services.mirror.server()}"
    world.get("/project/demo/", status=404, Accept=HTML, Via=via)
    world.get("/pypi/demo/json", status=404, Via=via)
    assert index.paths() == []


def test_own_projects_cost_as_many_queries_with_a_mirror(
    make_mirror: MakeMirror, index: FakeIndex, queries: Callable
) -> None:
    counts = []
    for fallback in ("none", "cache"):
        world = make_mirror(fallback)
        world.upload(build_wheel("mine", "1.0"), status=(200, 409))
        see(world, "/project/mine/")
        with queries(world) as asked:
            see(world, "/project/mine/")
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert index.paths() == []


def test_anonymous_visitor_is_sent_to_log_in_and_has_nothing_asked_for(
    make_mirror: MakeMirror, index: FakeIndex
) -> None:
    world = make_mirror(pypi__default_read="everyone")
    for path in ("/project/demo/", f"/project/demo/1.0/{DEMO.filename}/"):
        assert see(world, path, None, 302).headers["Location"].startswith("/login")
    assert index.paths() == []


def test_nothing_is_asked_for_while_the_first_rebuild_runs(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror()
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.set_rebuilding(datetime.now(UTC))
    for path in ("/project/demo/", f"/project/demo/1.0/{DEMO.filename}/", "/pypi/demo/json"):
        see(world, path, status=503)
    assert index.paths() == []


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "%2e%2e",
        "a%00b",
        "a%0d%0ab",
        "-",
        "a" * 3000,
        "caf%C3%A9",
        "%ff",
        "x;y",
        "x?y",
        "CON",
        "%E2%80%AEx",
        "%3Cb%3E",
    ],
)
def test_T15_no_bad_name_reaches_the_upstream_or_fails_here(
    make_mirror: MakeMirror, index: FakeIndex, name: str
) -> None:
    world = make_mirror()
    for user in ("reader", "admin"):
        for path in (
            f"/project/{name}/",
            f"/project/demo/{name}/",
            f"/project/demo/1.0/{name}/",
            f"/pypi/{name}/json",
            f"/pypi/demo/{name}/json",
            f"/search?q={name}",
            f"/manage/mirror?project={name}",
        ):
            assert world.get(path, user, "*", Accept=HTML).status_int < 500, path
    asked = {path for path in index.paths() if not path.startswith("/files/demo/")}
    assert asked <= {"/simple/demo/", "/simple/con/"}


def test_warm_page_of_the_upstreams_project_costs_a_fixed_number_of_queries(
    make_mirror: MakeMirror, index: FakeIndex, queries: Callable
) -> None:
    world = make_mirror()
    for number in range(200):
        index.add("large", f"large-1.0-py3-none-plat{number}.whl", b"x", metadata=b"")
    counts = []
    for name in ("demo", "large"):
        see(world, f"/project/{name}/")
        with queries(world) as asked:
            see(world, f"/project/{name}/")
        counts.append(len(asked))
    assert max(counts) <= 8, counts
