"""T15, T21, T26, T27 and F28: what an attacker writes into names, paths, headers and fields."""

from __future__ import annotations

import itertools
import re
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

import pytest

from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON, basic

WHEEL = build_wheel("demo", "1.0")
SDIST = build_sdist("demo", "1.0")

DOTS = [
    "..",
    "../..",
    "../../../../etc/passwd",
    "....//....//",
    ".",
    "./.",
    "...",
    "../",
    "..;/",
    ".%2e",
    "..%c0%af",
    "~root",
]
ABSOLUTE = ["/etc/passwd", "//etc/passwd", "C:\\windows\\x", "\\\\host\\share", "file:///etc/passwd", "C:x", "/", "//"]
ODD_BYTES = ["a\0b", "\0", "a\nb", "a\rb", "a\tb", "\x7f", "\x1b[31m", " ", "a b", "\x0b", "\u2028", "\ufeff"]
UNICODE = [
    "\u2024\u2024/",
    "\uff0e\uff0e\uff0f",
    "\u2215etc",
    "caf\u00e9",
    "\u0130stanbul",
    "\u202egpj",
    "\U0001f600",
    "\uff44emo",
]
WINDOWS = ["CON", "nul", "con.tar.gz", "aux", "COM1", "demo.", "demo ", "demo::$DATA", ".tmp", ".htaccess"]
LONG = ["a" * 200, "a" * 300, "a" * 5000, "../" * 100, "%2e" * 100]
ENCODED = ["%2e%2e", "%2e%2e%2f", "%252e%252e%252f", "..%2f..%2f", "..%5c..%5c", "%00", "%2f", "%5c", "%c0%ae%c0%ae/"]
PAYLOADS = [*DOTS, *ABSOLUTE, *ODD_BYTES, *UNICODE, *WINDOWS, *LONG, *ENCODED]


@pytest.fixture(scope="module")
def demo(make_shared_world):
    world = make_shared_world({"pypi.default_read": "everyone"})
    world.upload(WHEEL)
    return world


def raw(world, path, method="GET", user="writer", body=b"", content_type=None, query="", **environ):
    """One request with a raw path (percent-decoded as gunicorn does), past WebTest's own checks."""
    request = world.app.RequestClass.blank("/", method=method, body=body)
    request.environ.update(
        {
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": "192.0.2.9",
            "HTTP_AUTHORIZATION": basic(user),
            **environ,
        }
    )
    if content_type:
        request.environ["CONTENT_TYPE"] = content_type
    answer = request.get_response(world.app.app)
    assert answer.body is not None  # which also closes the file behind it
    return answer


def form(fields, filename="demo-2.0-py3-none-any.whl", data=WHEEL.data):
    """A multipart body whose bytes nothing has cleaned; ``filename`` goes into its header as it is."""
    body = b""
    for name, value in fields:
        head = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        body += head.encode("utf-8", "surrogatepass") + value.encode("utf-8", "surrogatepass") + b"\r\n"
    head = f'--b\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n\r\n'
    return body + head.encode("utf-8", "surrogatepass") + data + b"\r\n--b--\r\n"


def post(world, fields, filename="demo-2.0-py3-none-any.whl", data=WHEEL.data):
    return raw(world, "/", "POST", body=form(fields, filename, data), content_type="multipart/form-data; boundary=b")


def tree(folder):
    return sorted(
        (str(path), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if "data" not in path.parts
    )


def plain(answer):
    """No error of the server, and one line of printable Latin-1 as its reason."""
    assert answer.status_int < 500, answer.status
    assert re.fullmatch(r"\d{3} [\x20-\x7e\xa1-\xff]{1,200}", answer.status)
    for name, value in answer.headerlist:
        assert re.fullmatch(r"[\x20-\x7e\xa0-\xff]*", value), name


def test_T15_no_name_version_or_filename_leaves_the_storage(make_world, tmp_path):
    world = make_world()
    folder = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    before = tree(tmp_path), tree(tmp_path.parent) and sorted(path.name for path in tmp_path.parent.iterdir())
    sent = 0
    for payload in PAYLOADS:
        for fields, filename in (
            ([("name", payload), ("version", "1.0")], "demo-1.0.tar.gz"),
            ([("name", "demo"), ("version", payload)], "demo-1.0.tar.gz"),
            ([("name", "demo"), ("version", "1.0")], payload),
            ([("name", "demo"), ("version", "1.0")], f"{payload}/demo-1.0.tar.gz"),
            ([], f"{payload}-1.0.tar.gz"),
            ([("name", "demo")], f"demo-{payload}.tar.gz"),
        ):
            answer = post(world, fields, filename, SDIST.data)
            plain(answer)
            sent += 1
            assert answer.status_int in {200, 400}
            if answer.status_int == 200:
                assert answer.json["filename"] == SDIST.filename, (fields, filename)
    assert sent >= 200
    assert (tree(tmp_path), sorted(path.name for path in tmp_path.parent.iterdir())) == before
    for path in folder.rglob("*"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name)
        assert not path.is_symlink()


def test_T15_no_url_reads_outside_the_storage(demo, tmp_path):
    folder = demo.loaded.get(demo.loaded.plugin("pypi.storage").settings).dir
    (folder.parent / "catalog.sqlite").stat()
    targets = [
        *PAYLOADS,
        "../../catalog.sqlite",
        "..%2f..%2fcatalog.sqlite",
        "%2e%2e/catalog.sqlite",
        "../catalog.sqlite",
    ]
    bases = ("/{}", "/simple/{}", "/packages/{}", "/packages/root/main/{}", "/packages/root/main/demo/{}",
             "/packages/root/main/demo/0123456789abcdef/{}", "/api/package/{}", "/api/package/demo/{}", "/pypi/{}/")  # fmt: skip
    for base, target in itertools.product(bases, targets):
        for path in {base.format(target), base.format(quote(target, safe="%"))}:
            answer = raw(demo, path.encode("utf-8", "surrogatepass").decode("latin-1") if not path.isascii() else path)
            plain(answer)
            assert b"SQLite format" not in answer.body
            assert b"root:" not in answer.body
            assert answer.status_int in {200, 301, 400, 404}
            if answer.status_int == 200:
                listing = b'{"packages":[],"write":true}'
                assert answer.content_type == "text/html" or answer.body in {b"ok\n", listing}, path


def test_T15_a_symbolic_link_in_the_storage_leads_nowhere(world, tmp_path):
    world.upload(WHEEL)
    folder = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "root" / "main" / "other").symlink_to(outside)
    answer = world.upload(build_wheel("other", "1.0"), status="*")
    assert answer.status_int == 503
    assert list(outside.iterdir()) == []
    assert "outside" not in answer.text


@pytest.mark.parametrize("spelling", ["A_b", "a--b", "a.b", "A-B", "a_.-b"])
def test_T21_every_spelling_is_the_same_project(world, spelling):
    world.upload(build_sdist("a-b", "1.0"))
    other = build_sdist("a-b", "1.0", body=b"other")
    world.upload(other, status=409, name=spelling, version="1.0")
    world.upload(build_wheel("a-b", "2.0"), name=spelling, version="2.0")
    assert [p["name"] for p in world.get("/simple/", status=200, Accept=JSON).json["projects"]] == ["a-b"]
    assert len(world.project("a-b")["files"]) == 2


@pytest.mark.parametrize(
    "name", ["\uff41-\uff42", "d\u0435mo", "\u0130nfo", "demo\u200b", "\u00e0", "de\u0301mo", "-demo", "demo-", "_x"]
)
def test_T21_homoglyphs_and_other_alphabets_are_refused(world, name):
    for fields, filename in (
        ([("name", name), ("version", "1.0")], "demo-1.0.tar.gz"),
        ([("version", "1.0")], f"{name}-1.0.tar.gz"),
    ):
        assert post(world, fields, filename, SDIST.data).status_int == 400
    assert world.get("/simple/", status=200, Accept=JSON).json["projects"] == []


def test_T21_a_deleted_filename_stays_reserved_for_its_bytes(world):
    world.upload(WHEEL)
    world.delete(f"/api/package/demo/{WHEEL.filename}", status=200)
    other = build_wheel("demo", "1.0", body=b"other")
    for user in ("writer",):
        answer = world.upload(other, user, 409)
        assert "File already exists" in answer.text
    world.get("/simple/demo/", status=404)
    world.upload(WHEEL)
    assert world.project("demo")["files"][0]["hashes"]["sha256"] == WHEEL.sha256


REDIRECTS = [
    prefix + host
    for host in ("evil.example.com", "evil.example.com/%2f..", "evil.example.com%2f%2e%2e", "evil%2eexample%2ecom")
    for prefix in ("/", "//", "///", "%2f", "%2f%2f", "%5c", "%5c%5c", "/%5c", "%09/", "%0b/", "%20/", "%0c//", "https:",
                   "https:/", "https://", "http:%2f%2f", "@", "x@", "%23@")
]  # fmt: skip


@pytest.mark.parametrize("base", ["/", "/simple/", "/pypi/"])
def test_T26_no_redirect_leaves_this_host(demo, base):
    assert len(REDIRECTS) >= 60
    followed = 0
    for payload, slash in itertools.product([*REDIRECTS, "Evil.Example.com", "EVIL_example", "e..v"], ("", "/")):
        path = f"{base}{payload}{slash}"
        for query in ("", "//evil.example.com", "next=//evil.example.com"):
            answer = raw(demo, path, query=query)
            plain(answer)
            location = answer.headers.get("Location")
            if location is None:
                assert answer.status_int in {200, 400, 404}
                continue
            followed += 1
            target = urlsplit(urljoin("https://packages.example.com" + path, location))
            assert (target.scheme, target.netloc) == ("https", "packages.example.com"), (path, location)
            assert re.match(r"(\.\./)?[a-z0-9][a-z0-9.-]*/", location), location
            assert not re.search(r"[\s\\\x00-\x1f]", location)
    assert followed >= 6


PLACEHOLDER = re.compile(r"\{(\w+)(?::(?:[^{}]|\{\d+\})+)?\}")
INJECTIONS = [
    "%0d%0aSet-Cookie:%20x=1",
    "%0aX-Bad:1",
    "%0d",
    "%0a",
    "a%0d%0a%0d%0a<html>",
    "%e5%98%8d%e5%98%8aX-Bad:1",
    "%85",
    "%c2%85",
]


@pytest.mark.parametrize("injection", INJECTIONS)
def test_T27_control_characters_in_a_path_never_reach_a_header(demo, routes, injection):
    for pattern in routes(demo):
        for place in range(len(PLACEHOLDER.findall(pattern))):
            path = fill(pattern, place, injection)
            for method in ("GET", "HEAD", "DELETE", "POST"):
                answer = raw(demo, path, method)
                plain(answer)
                # What an installer asks for without its last slash has it added to a name that is none of these.
                assert answer.status_int in {400, 403, 404, 405} or answer.headers["Location"] == "demo/"
                if "%0" in injection:
                    assert answer.status_int == 400
                assert "Set-Cookie" not in answer.headers
                assert "X-Bad" not in answer.headers


def fill(pattern, place, value):
    """The pattern with ``value`` in its nth placeholder and something valid in the others."""
    valid = {
        "owner": "root",
        "index": "main",
        "project": "demo",
        "version": "1.0",
        "digest": WHEEL.sha256[:16],
        "first": WHEEL.sha256[:3],
        "second": WHEEL.sha256[3:16],
        "filename": WHEEL.filename,
        "path": WHEEL.filename,
        "username": "reader",
        "group": "staff",
        "name": "reader",
        "token": "1",
        "role": "reader",
        "kind": "user",
        "right": "read",
        "asset": "page.js",
    }
    found = list(PLACEHOLDER.finditer(pattern))
    for number, match in reversed(list(enumerate(found))):
        text = value if number == place else valid[match[1]]
        pattern = pattern[: match.start()] + text + pattern[match.end() :]
    return pattern


@pytest.mark.parametrize(
    "payload", ["a\r\nX-Bad: 1", "a\nb", "a\rb", "\u560d\u560aX-Bad: 1", "a\x85b", "a\u2028b", "x" * 4000]
)
def test_T27_control_characters_in_fields_never_reach_a_header(demo, payload):
    for field in (
        "name",
        "version",
        "filetype",
        "protocol_version",
        ":action",
        "md5_digest",
        "sha256_digest",
        "summary",
    ):
        for fields in ([(field, payload)], [("name", "demo"), ("version", "2.0"), (field, payload)]):
            answer = post(demo, fields)
            plain(answer)
            assert "X-Bad" not in answer.headers
            assert len(answer.body.decode().splitlines()) == 1
    for filename in (payload, f"demo-{payload}.whl", f'demo-1.0.whl"; x="{payload}'):
        answer = post(demo, [("name", "demo")], filename)
        plain(answer)
        assert answer.status_int == 400
        assert "X-Bad" not in answer.headers


F28 = [
    "%ff%fe",
    "%00",
    "%ed%a0%80",
    "%e2%80%ae",
    "%c0%af",
    "a" * 70_000,
    "%F0%9F%98%80",
    "%",
    "%%",
    "\xe9",
    "{",
    "%7b",
    "%3f",
    "%23",
]
ODD_HEADERS = {
    "HTTP_X_DEVPI_AUTH": ["!!!", "/w==", "A" * 70_000, "\xff", "\0", "////", " "],
    "HTTP_AUTHORIZATION": ["Basic !!!", "Basic /w==", "Basic " + "A" * 70_000, "\xff", "Basic \0", "basic", "Negotiate x", "Basic ////"],
    "HTTP_ACCEPT": ["\xff", "*/*;q=x", ",,,,", "a" * 70_000, "application/json;q=", 'application/json;x="', "text/html;level", "*"],
    "HTTP_ACCEPT_ENCODING": ["\xff", "gzip;q=9", ",", "a" * 70_000, "identity;q=0"],
    "HTTP_IF_NONE_MATCH": ["\xff", '"', "W/", "," * 10_000, '"a' * 10_000],
    "HTTP_RANGE": ["bytes=" + "9" * 100 + "-", "bytes=\xb2-", "bytes=-", "bytes=1-2," * 5000, "\xff"],
    "HTTP_IF_RANGE": ["\xff", '"', "Mon"],
    "HTTP_HOST": ["", "\xff", "a b", '"><script>', "x" * 5000, "[::1", "example.com:99999999", "@", "a/b"],
    "HTTP_X_FORWARDED_FOR": ["\xff", "," * 1000, "::"],
    "CONTENT_TYPE": ["\xff", "multipart/form-data", "multipart/form-data; boundary=", "x" * 5000, "multipart/form-data; boundary=\xff",
                     "multipart/form-data; boundary=b; boundary=c", "text/xml", "application/json", ";", "multipart/mixed; boundary=b"],
    "CONTENT_LENGTH": ["", "0"],
    "REMOTE_ADDR": ["", "not an address", "::1", "unix:"],
}  # fmt: skip


@pytest.mark.parametrize("odd", F28, ids=range(len(F28)))
def test_F28_odd_paths_on_every_route(demo, routes, odd):
    for pattern in routes(demo):
        for place in range(max(1, len(PLACEHOLDER.findall(pattern)))):
            path = fill(pattern, place, odd) if "{" in pattern else pattern + odd
            for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
                answer = raw(demo, path, method)
                plain(answer)
                assert answer.status_int in {200, 301, 302, 400, 403, 404, 405, 414}, (method, path[:100])


@pytest.mark.parametrize("header", ODD_HEADERS)
def test_F28_odd_headers_on_every_route(demo, routes, header):
    for pattern in routes(demo):
        path = fill(pattern, -1, "")
        for value in ODD_HEADERS[header]:
            for method in ("GET", "POST"):
                body = form([("name", "demo"), ("version", "2.0")]) if method == "POST" else b""
                kind = "multipart/form-data; boundary=b" if method == "POST" else None
                answer = raw(demo, path, method, body=body, content_type=kind, **{header: value})
                plain(answer)
                assert answer.status_int in {200, 206, 301, 302, 304, 400, 401, 403, 404, 405, 411, 413, 416, 429}, (
                    method,
                    path,
                    value[:50],
                )


@pytest.mark.parametrize("size", [0, 1, 10, 100])
def test_F28_a_form_cut_anywhere_is_a_400(demo, size):
    whole = form([("name", "demo"), ("version", "2.0")], data=b"x" * 50)
    for end in range(size, len(whole) - 8, 11):
        answer = raw(demo, "/", "POST", body=whole[:end], content_type="multipart/form-data; boundary=b")
        plain(answer)
        assert answer.status_int == 400


def test_F28_lone_surrogates_and_nul_in_fields(demo):
    for value in ("\ud800", "a\0b", "\U0001f600" * 1000, "\u202e"):
        for field in ("name", "version", "summary", "uploader", "x" * 100):
            plain(post(demo, [(field, value)]))
            answer = post(demo, [("name", "demo"), ("version", "1.0"), (value, "x")])
            plain(answer)


def test_T15_T28_a_good_upload_is_unaffected_by_all_that(world):
    artifact = BuiltArtifact(WHEEL.filename, WHEEL.data, WHEEL.metadata)
    assert post(world, [("name", "demo"), ("version", "1.0")], artifact.filename, artifact.data).status_int == 200
    assert world.get(f"/packages/root/main/demo/{WHEEL.filename}", status=200).body == WHEEL.data
