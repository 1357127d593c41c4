"""Lines 1 to 30, 94 and 95 of the interoperability checklist: the pages of the Simple API."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON, basic

HTML = "text/html"
V1_HTML = "application/vnd.pypi.simple.v1+html"
PIP = f"{JSON}, {V1_HTML}; q=0.1, text/html; q=0.01"
UV = f"{JSON}, {V1_HTML};q=0.2, text/html;q=0.01"
POETRY = f"{JSON}, */*;q=0.1"
VOID = {"meta", "br", "link", "hr", "img"}


class Page(HTMLParser):
    """A page's anchors and metas; every tag must be closed and no attribute given twice."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[tuple[dict[str, str | None], str]] = []
        self.metas: dict[str | None, str | None] = {}
        self.declaration = ""
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_decl(self, decl):
        self.declaration = decl

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "a":
            self.anchors.append((dict(attrs), ""))
        if tag == "meta":
            self.metas[dict(attrs).get("name")] = dict(attrs).get("content")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "a" in self.open:
            attributes, text = self.anchors[-1]
            self.anchors[-1] = (attributes, text + data)


def with_demo(world):
    world.upload(build_wheel("demo", "1.0", requires_python=">=3.8,<4"))
    world.upload(build_sdist("demo", "1.0"))
    world.upload(build_sdist("demo", "0.9"))
    world.upload(build_wheel("Foo.Bar", "1.0"))
    return world


@pytest.fixture(scope="module")
def demo(make_shared_world):
    """Only read."""
    return with_demo(make_shared_world())


@pytest.fixture
def mine(world):
    """Changed."""
    return with_demo(world)


def page_type(world, accept, path="/simple/demo/"):
    headers = {"Accept": accept} if accept is not None else {}
    return world.get(path, status=200, **headers).headers["Content-Type"]


@pytest.mark.parametrize("accept", [PIP, UV, POETRY, JSON])
@pytest.mark.parametrize("path", ["/simple/demo/", "/pypi/demo/", "/demo/", "/simple/"])
def test_01_json_with_exactly_that_content_type(demo, accept, path):
    assert page_type(demo, accept, path) == JSON


def test_02_html_by_either_of_its_types(demo):
    assert page_type(demo, HTML).split(";")[0] == HTML
    assert page_type(demo, V1_HTML) == V1_HTML


@pytest.mark.parametrize("accept", ["*/*", None, "text/*"])
def test_03_any_type_or_no_accept_is_html(demo, accept):
    for path in ("/simple/demo/", "/simple/"):
        assert page_type(demo, accept, path).split(";")[0] == HTML


def test_04_latest_is_answered_as_v1(demo):
    assert page_type(demo, "application/vnd.pypi.simple.latest+json") == JSON
    assert page_type(demo, "application/vnd.pypi.simple.latest+html") == V1_HTML


def test_05_the_higher_q_wins(demo):
    assert page_type(demo, f"{JSON};q=0.1, text/html;q=0.9").split(";")[0] == HTML
    assert page_type(demo, f"text/html;q=0.1, {JSON};q=0.9") == JSON


def test_06_nothing_acceptable_is_html(demo):
    assert page_type(demo, "image/png").split(";")[0] == HTML


def test_07_format_wins_over_accept_and_an_unknown_one_is_ignored(demo):
    assert page_type(demo, HTML, f"/simple/demo/?format={JSON.replace('+', '%2B')}") == JSON
    assert page_type(demo, HTML, f"/simple/demo/?format={JSON}") == JSON
    assert page_type(demo, HTML, "/simple/demo/?format=application/x-unknown").split(";")[0] == HTML


@pytest.mark.parametrize("path", ["/simple/demo/", "/simple/", "/pypi/demo/", "/demo/"])
def test_08_every_page_varies_and_has_a_strong_etag(demo, path):
    tags = set()
    for accept in (HTML, JSON):
        for encoding in ("identity", "gzip"):
            page = demo.get(path, status=200, Accept=accept, Accept_Encoding=encoding)
            assert {"Accept", "Accept-Encoding"} <= set(re.split(r",\s*", page.headers["Vary"]))
            assert re.fullmatch(r'"[^"]+"', page.headers["ETag"])
            tags.add((accept, page.headers["ETag"]))
    # A page that compression does not make smaller is the same bytes for both encodings.
    assert len({tag for _accept, tag in tags}) == len(tags) == (2 if path == "/simple/" else 4)


@pytest.mark.parametrize("path", ["/simple/demo/", "/simple/"])
@pytest.mark.parametrize("accept", [HTML, JSON])
def test_09_not_modified_until_the_next_upload(mine, path, accept):
    first = mine.get(path, status=200, Accept=accept)
    for tag in (first.headers["ETag"], f'"other", {first.headers["ETag"]}', "*", f"W/{first.headers['ETag']}"):
        again = mine.get(path, status=304, Accept=accept, If_None_Match=tag)
        assert again.body == b""
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Vary"] == first.headers["Vary"]
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert "Content-Length" not in again.headers
    mine.upload(build_wheel("demo", "2.0"))
    mine.upload(build_wheel("demo-two", "2.0"))
    after = mine.get(path, status=200, Accept=accept, If_None_Match=first.headers["ETag"])
    assert after.headers["ETag"] != first.headers["ETag"]
    assert int(after.headers["X-PyPI-Last-Serial"]) > int(first.headers["X-PyPI-Last-Serial"])


def test_10_pages_are_revalidated_and_have_no_last_modified(make_world):
    world = make_world({"pypi.default_read": "everyone"})
    world.upload(build_wheel("demo", "1.0"))
    for path in ("/simple/demo/", "/simple/", "/demo/"):
        for user in (None, "reader"):
            page = world.get(path, user, 200)
            assert "no-cache" in page.headers["Cache-Control"]
            assert ("private" in page.headers["Cache-Control"]) == (user is not None)
            assert "Last-Modified" not in page.headers
            assert "Expires" not in page.headers


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/simple/demo", "/simple/demo/"),
        ("/pypi/demo", "/pypi/demo/"),
        ("/demo", "/demo/"),
        ("/simple", "/simple/"),
        ("/pypi", "/pypi/"),
        ("/simple/Foo_.Bar/", "/simple/foo-bar/"),
        ("/simple/Foo_.Bar", "/simple/foo-bar/"),
        ("/pypi/FOO--BAR/", "/pypi/foo-bar/"),
        ("/Foo.Bar/", "/foo-bar/"),
        ("/simple/demo?format=x&a=b", "/simple/demo/?format=x&a=b"),
    ],
)
def test_12_other_spellings_redirect_to_the_page(demo, path, target):
    answer = demo.get(path, status=301)
    assert urljoin(f"https://example.com{path}", answer.headers["Location"]) == f"https://example.com{target}"
    assert demo.get(target, status=200)


def test_12_a_redirect_is_for_reading_only(mine):
    for path in ("/simple", "/pypi", "/legacy"):
        assert mine.upload(build_wheel("posted", f"1.{len(path)}"), path=path).status_int == 200


@pytest.mark.parametrize("accept", ["*/*", JSON])
def test_13_a_double_slash_is_not_an_error_of_the_server(demo, accept):
    assert demo.get("/simple//demo/", status="*", Accept=accept).status_int in {200, 404}
    assert demo.get("//simple/demo/", status="*", Accept=accept).status_int in {200, 301, 404}


def test_14_an_unknown_project_is_a_short_text(demo):
    answer = demo.get("/simple/nothing-here/", status=404, Accept=PIP)
    assert answer.content_type == "text/plain"
    assert b"nothing-here" in answer.body[:300] == answer.body


def test_15_json_has_version_name_and_every_version_once(demo):
    page = demo.project("demo")
    assert page["meta"]["api-version"] == "1.4"
    assert page["name"] == "demo"
    assert page["versions"] == ["0.9", "1.0"]
    assert [file["filename"] for file in page["files"]] == [
        "demo-0.9.tar.gz",
        "demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
    ]


def test_16_each_json_file_has_what_clients_read(demo):
    sdist = build_sdist("demo", "1.0")
    for file in demo.project("demo")["files"]:
        assert re.fullmatch(r"[0-9a-f]{64}", file["hashes"]["sha256"])
        assert type(file["size"]) is int
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", file["upload-time"])
        assert urlsplit(file["url"]).path.endswith("/" + file["filename"])
    listed = {file["filename"]: file for file in demo.project("demo")["files"]}
    assert listed[sdist.filename]["hashes"] == {"sha256": sdist.sha256}
    assert listed[sdist.filename]["size"] == len(sdist.data)
    assert listed["demo-1.0-py3-none-any.whl"]["requires-python"] == ">=3.8,<4"


def test_17_json_never_has_the_old_metadata_key(demo):
    assert "dist-info-metadata" not in demo.get("/simple/demo/", status=200, Accept=JSON).text


def test_18_html_is_well_formed_and_anchors_are_filenames(demo):
    page = Page(demo.get("/simple/demo/", status=200, Accept=HTML).text)
    assert page.declaration == "DOCTYPE html"
    assert page.seen[:2] == ["html", "head"]
    assert "title" in page.seen
    assert page.metas["pypi:repository-version"] == "1.4"
    assert page.metas["pypi:project-status"] == "active"
    for attributes, text in page.anchors:
        path = urlsplit(attributes["href"])
        assert text == path.path.rpartition("/")[2]
        assert re.fullmatch(r"sha256=[0-9a-f]{64}", path.fragment)
    listing = Page(demo.get("/simple/", status=200, Accept=HTML).text)
    assert listing.metas["pypi:repository-version"] == "1.4"
    assert [(attributes["href"], text) for attributes, text in listing.anchors] == [
        ("demo/", "demo"),
        ("foo-bar/", "foo-bar"),
    ]


def test_19_html_escapes_what_authors_write(mine, change_file, set_status):
    nasty = "a<b>&\"c'd"
    change_file(mine, "demo-1.0.tar.gz", yanked=True, yanked_reason=nasty, requires_python=nasty)
    set_status(mine, "demo", ProjectStatus.DEPRECATED, nasty)
    text = mine.get("/simple/demo/", status=200, Accept=HTML).text
    assert nasty not in text
    assert "a<b" not in text
    page = Page(text)
    found = {anchor: attributes for attributes, anchor in page.anchors}
    assert found["demo-1.0.tar.gz"]["data-yanked"] == nasty
    assert found["demo-1.0.tar.gz"]["data-requires-python"] == nasty
    assert page.metas["pypi:project-status-reason"] == nasty
    assert 'data-requires-python="&gt;=3.8,&lt;4"' in text


def test_20_both_forms_list_the_same_files(demo):
    json = {(file["filename"], file["url"], file["hashes"]["sha256"]) for file in demo.project("demo")["files"]}
    page = Page(demo.get("/simple/demo/", status=200, Accept=HTML).text)
    html = {
        (text, attributes["href"].partition("#")[0], attributes["href"].partition("#sha256=")[2])
        for attributes, text in page.anchors
    }
    assert json == html
    assert len(json) == 3


def test_21_core_metadata_is_the_hash_of_what_is_served(demo):
    wheel = build_wheel("demo", "1.0", requires_python=">=3.8,<4")
    files = {file["filename"]: file for file in demo.project("demo")["files"]}
    served = demo.get(urljoin("/simple/demo/", files[wheel.filename]["url"]) + ".metadata", status=200)
    assert served.body == wheel.metadata
    digest = hashlib.sha256(served.body).hexdigest()
    assert files[wheel.filename]["core-metadata"] == {"sha256": digest}
    page = Page(demo.get("/simple/demo/", status=200, Accept=HTML).text)
    found = {text: attributes for attributes, text in page.anchors}
    assert found[wheel.filename]["data-core-metadata"] == f"sha256={digest}"
    assert found[wheel.filename]["data-dist-info-metadata"] == f"sha256={digest}"


def test_22_no_metadata_is_advertised_that_is_not_there(demo):
    for file in demo.project("demo")["files"]:
        url = urljoin("/simple/demo/", file["url"]) + ".metadata"
        assert demo.get(url, status=200 if "core-metadata" in file else 404)
        assert ("core-metadata" in file) == file["filename"].endswith(".whl")


def test_23_yanked_is_a_flag_or_a_reason_and_can_be_taken_back(mine, change_file):
    def yanked():
        (json,) = (file["yanked"] for file in mine.project("demo")["files"] if file["filename"] == "demo-0.9.tar.gz")
        page = Page(mine.get("/simple/demo/", status=200, Accept=HTML).text)
        (html,) = (attributes.get("data-yanked", "absent") for attributes, text in page.anchors if "0.9" in text)
        return json, html

    assert yanked() == (False, "absent")
    change_file(mine, "demo-0.9.tar.gz", yanked=True)
    assert yanked() == (True, "")
    change_file(mine, "demo-0.9.tar.gz", yanked=True, yanked_reason="broken")
    assert yanked() == ("broken", "broken")
    change_file(mine, "demo-0.9.tar.gz", yanked=False, yanked_reason=None)
    assert yanked() == (False, "absent")


def test_25_an_archived_project_keeps_its_files_and_says_so(mine, set_status):
    set_status(mine, "demo", ProjectStatus.ARCHIVED, "finished")
    page = mine.project("demo")
    assert page["project-status"] == {"status": "archived", "reason": "finished"}
    assert "project-status" not in page["meta"]
    assert len(page["files"]) == 3
    assert mine.get(urljoin("/simple/demo/", page["files"][0]["url"]), status=200)


def file_urls(world, name):
    for file in world.project(name)["files"]:
        yield urljoin(f"/simple/{name}/", file["url"])
        yield f"/packages/root/main/{name}/{file['filename']}"
        yield f"/api/package/{name}/{file['filename']}"
        if "core-metadata" in file:
            yield urljoin(f"/simple/{name}/", file["url"]) + ".metadata"


def test_26_a_quarantined_project_lists_nothing_and_serves_nothing(mine, set_status):
    urls = list(file_urls(mine, "demo"))
    for url in urls:
        mine.get(url, status=200)
    set_status(mine, "demo", ProjectStatus.QUARANTINED, "malware")
    page = mine.project("demo")
    assert page["files"] == page["versions"] == []
    assert page["project-status"] == {"status": "quarantined", "reason": "malware"}
    for url in urls:
        mine.get(url, status=404)
        mine.head(url, status=404)


def test_30_the_list_has_every_visible_project_in_both_forms(make_world):
    world = make_world({"package.secret.user.writer": "rw"})
    for name in ("Beta", "alpha", "secret"):
        world.upload(build_wheel(name, "1.0"))
    for user, names in (
        ("reader", ["alpha", "beta"]),
        ("writer", ["alpha", "beta", "secret"]),
        ("outsider", []),
        (None, []),
    ):
        json = world.get("/simple/", user, 200, Accept=JSON).json
        assert json["meta"]["api-version"] == "1.4"
        assert [project["name"] for project in json["projects"]] == names
        html = Page(world.get("/simple/", user, 200, Accept=HTML).text)
        assert [text for _attributes, text in html.anchors] == names


def test_94_a_quarantined_or_deleted_project_disappears_everywhere_at_once(mine, set_status):
    mine.upload(build_wheel("other", "1.0"))

    def listed():
        return [project["name"] for project in mine.get("/simple/", status=200, Accept=JSON).json["projects"]]

    urls = list(file_urls(mine, "other"))
    assert listed() == ["demo", "foo-bar", "other"]
    mine.delete("/api/package/other/other-1.0-py3-none-any.whl", status=200)
    assert listed() == ["demo", "foo-bar"]
    mine.get("/simple/other/", status=404)
    for url in urls:
        mine.get(url, status=404)
    set_status(mine, "demo", ProjectStatus.QUARANTINED, None)
    assert listed() == ["foo-bar"]
    assert mine.project("demo")["files"] == []


@pytest.mark.parametrize("path", ["/simple/demo/", "/pypi/demo/", "/demo/", "/+simple/demo/", "/legacy/+simple/demo/"])
@pytest.mark.parametrize("script_name", ["", "/index"])
def test_95_links_are_right_behind_any_prefix(demo, path, script_name):
    public = "https://packages.example.com/some/prefix"
    headers = {"Authorization": basic("reader"), "Accept": JSON}
    page = demo.app.get(path, headers=headers, extra_environ={"SCRIPT_NAME": script_name}).json
    for file in page["files"]:
        url = urljoin(public + path, file["url"])
        assert url.startswith(public + "/packages/root/main/demo/")
        demo.get(url.removeprefix(public), status=200)
    anchors = Page(demo.get(path, status=200, Accept=HTML).text).anchors
    assert {urljoin(public + path, a["href"]).partition("#")[0] for a, _text in anchors} == {
        urljoin(public + path, file["url"]) for file in page["files"]
    }
    for other, target in (
        ("/simple/Demo/", "/simple/demo/"),
        ("/simple/demo", "/simple/demo/"),
        ("/simple", "/simple/"),
    ):
        location = demo.get(other, status=301).headers["Location"]
        assert urljoin(public + other, location) == public + target
