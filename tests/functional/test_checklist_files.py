"""Lines 31 to 40 of the interoperability checklist: files, ranges, conditions, and every address of a file."""

from __future__ import annotations

from urllib.parse import quote, urljoin

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON

WHEEL = build_wheel("demo", "1.0", body=bytes(range(256)) * 8)
SDIST = build_sdist("demo", "1.0", body=b"x" * 3000)
LOCAL = build_wheel("demo", "1!2.0+local.1")
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n"
ADDRESSES = ("digest", "name", "api")


@pytest.fixture(scope="module")
def demo(make_shared_world):
    world = make_shared_world()
    world.upload(WHEEL)
    world.upload(SDIST, signature=SIGNATURE)
    world.upload(LOCAL, version="1!2.0+local.1")
    return world


def address(kind, artifact):
    name = quote(artifact.filename, safe="")
    return {
        "digest": f"/packages/root/main/demo/{artifact.sha256[:16]}/{name}",
        "name": f"/packages/root/main/demo/{name}",
        "api": f"/api/package/demo/{name}",
    }[kind]


def said(answer):
    """Its headers, but for the number of the request."""
    return {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("artifact", [WHEEL, SDIST], ids=["wheel", "sdist"])
def test_31_get_gives_the_exact_bytes_and_what_caches_need(demo, kind, artifact):
    answer = demo.get(address(kind, artifact), status=200, Accept_Encoding="gzip, deflate, zstd")
    assert answer.body == artifact.data
    assert answer.headers["Content-Length"] == str(len(artifact.data))
    assert answer.headers["ETag"] == f'"{artifact.sha256}"'
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Encoding" not in answer.headers
    kept = "private, max-age=31536000, immutable" if kind == "digest" else "private, no-cache"
    assert answer.headers["Cache-Control"] == kept


def test_31_what_anyone_may_read_is_public(make_world):
    world = make_world({"pypi.default_read": "everyone", "pypi.package_max_age": "60"})
    world.upload(WHEEL)
    assert world.get(address("digest", WHEEL), None, 200).headers["Cache-Control"].startswith("public, max-age=3153")
    assert world.get(address("name", WHEEL), None, 200).headers["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("suffix", ["", ".metadata"])
def test_32_head_has_the_same_headers_and_no_body(demo, kind, suffix):
    url = address(kind, WHEEL) + suffix
    get, head = demo.get(url, status=200), demo.head(url, status=200)
    assert head.body == b""
    assert said(head) == said(get)


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, None),
        ("bytes=-100", -100, None),
        ("bytes=0-0", 0, 1),
        ("bytes=5-99999999", 5, None),
        ("bytes=-99999999", 0, None),
    ],
)
def test_33_ranges_are_partial_content(demo, kind, asked, start, stop):
    answer = demo.get(address(kind, WHEEL), status=206, Range=asked)
    size = len(WHEEL.data)
    first, last = slice(start, stop).indices(size)[:2]
    assert answer.body == WHEEL.data[first:last]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{size}"
    assert answer.headers["Content-Length"] == str(last - first)
    assert answer.headers["ETag"] == f'"{WHEEL.sha256}"'


@pytest.mark.parametrize("asked", [f"bytes={len(WHEEL.data)}-", "bytes=9999999-10000000", "bytes=-0"])
def test_33_a_range_beyond_the_end_cannot_be_satisfied(demo, asked):
    answer = demo.get(address("digest", WHEEL), status=416, Range=asked)
    assert answer.headers["Content-Range"] == f"bytes */{len(WHEEL.data)}"


@pytest.mark.parametrize("asked", ["bytes=5-2", "items=0-1", "bytes=0-1,3-4", "bytes=", "nonsense", "bytes=a-b"])
def test_33_what_is_no_single_range_of_bytes_gets_the_whole_file(demo, asked):
    assert demo.get(address("digest", WHEEL), status=200, Range=asked).body == WHEEL.data


def test_33_if_range_gives_the_part_only_of_the_same_file(demo):
    url, same = address("digest", WHEEL), f'"{WHEEL.sha256}"'
    assert demo.get(url, status=206, Range="bytes=0-9", If_Range=same).body == WHEEL.data[:10]
    for other in ('"other"', f"W/{same}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert demo.get(url, status=200, Range="bytes=0-9", If_Range=other).body == WHEEL.data


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=-5", "bytes=9999999-", "nonsense"])
def test_32_head_takes_no_notice_of_a_range(demo, kind, asked):
    """RFC 9110, section 14.2: a range means something to GET alone."""
    for path in (address(kind, WHEEL), address(kind, WHEEL) + ".metadata"):
        answer = demo.head(path, status=200, Range=asked)
        assert said(answer) == said(demo.head(path, status=200))
        assert "Content-Range" not in answer.headers


def test_33_a_range_of_what_the_caller_has_is_not_modified(demo):
    """RFC 9110, section 13.2.2: the condition comes before the range."""
    url, tag = address("digest", WHEEL), f'"{WHEEL.sha256}"'
    assert demo.get(url, status=304, Range="bytes=0-9", If_None_Match=tag).body == b""
    assert demo.get(url, status=206, Range="bytes=0-9", If_None_Match='"other"').body == WHEEL.data[:10]


@pytest.mark.parametrize("kind", ADDRESSES)
def test_33_what_lies_beside_a_file_comes_whole(demo, kind):
    for artifact, suffix, whole in ((WHEEL, ".metadata", WHEEL.metadata), (SDIST, ".asc", SIGNATURE)):
        for asked in ("bytes=0-3", "bytes=-3", "bytes=9999999-"):
            answer = demo.get(address(kind, artifact) + suffix, status=200, Range=asked)
            assert answer.body == whole
            assert "Content-Range" not in answer.headers
            # It promises nothing that it does not do.
            assert "Accept-Ranges" not in answer.headers


@pytest.mark.parametrize("kind", ADDRESSES)
def test_33_no_range_is_answered_to_who_may_not_read(demo, kind):
    for user, status in (("outsider", 404), (None, 401)):
        answer = demo.get(address(kind, WHEEL), user, status, Range="bytes=0-9")
        assert "Content-Range" not in answer.headers
        assert WHEEL.data[:10] not in answer.body


def test_33_ranges_are_read_through_this_server_where_that_was_asked_for(make_world):
    world = make_world({"storage.accel_prefix": "/protected/", "pypi.stream_files": "true"})
    world.upload(WHEEL)
    for kind in ADDRESSES:
        answer = world.get(address(kind, WHEEL), status=206, Range="bytes=100-199")
        assert answer.body == WHEEL.data[100:200]
        assert "X-Accel-Redirect" not in answer.headers


def test_33_ranges_of_objects_in_s3_too(make_world, s3_options):
    world = make_world({"pypi.storage": "s3", "pypi.stream_files": "true", **s3_options})
    world.upload(WHEEL)
    for kind in ADDRESSES:
        url = address(kind, WHEEL)
        for asked, part in (("bytes=100-199", slice(100, 200)), ("bytes=-50", slice(-50, None))):
            answer = world.get(url, status=206, Range=asked)
            assert answer.body == WHEEL.data[part]
            assert "Location" not in answer.headers
        world.get(url, status=416, Range=f"bytes={len(WHEEL.data)}-")
        assert world.get(url, status=200, Range="bytes=0-9", If_Range='"other"').body == WHEEL.data


def test_34_head_and_get_accept_ranges(demo):
    for kind in ADDRESSES:
        for ask in (demo.get, demo.head):
            assert ask(address(kind, WHEEL), status=200).headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("kind", ADDRESSES)
def test_34_a_known_etag_is_not_modified(demo, kind):
    url = address(kind, WHEEL)
    answer = demo.get(url, status=304, If_None_Match=f'"{WHEEL.sha256}"')
    assert answer.body == b""
    assert answer.headers["ETag"] == f'"{WHEEL.sha256}"'
    assert "Content-Length" not in answer.headers
    assert demo.head(url, status=304, If_None_Match="*")
    assert demo.get(url, status=200, If_None_Match='"other"').body == WHEEL.data
    metadata = demo.get(url + ".metadata", status=200)
    assert demo.get(url + ".metadata", status=304, If_None_Match=metadata.headers["ETag"])


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("raw", [True, False])
def test_37_plus_and_exclamation_mark_raw_and_percent_encoded(demo, kind, raw):
    url = address(kind, LOCAL)
    assert "%2B" in url
    assert "%21" in url
    if raw:
        url = url.replace("%2B", "+").replace("%21", "!")
    assert demo.get(url, status=200).body == LOCAL.data
    assert demo.get(url + ".metadata", status=200).body == LOCAL.metadata
    listed = [file for file in demo.project("demo")["files"] if "local" in file["filename"]]
    assert demo.get(urljoin("/simple/demo/", listed[0]["url"]), status=200).body == LOCAL.data


def test_40_a_signature_lies_beside_its_file(demo):
    files = {file["filename"]: file for file in demo.project("demo")["files"]}
    assert files[SDIST.filename]["gpg-sig"] is True
    assert files[WHEEL.filename]["gpg-sig"] is False
    for kind in ADDRESSES:
        assert demo.get(address(kind, SDIST) + ".asc", status=200).body == SIGNATURE
        demo.get(address(kind, WHEEL) + ".asc", status=404)
    html = demo.get("/simple/demo/", status=200, Accept="text/html").text
    assert html.count('data-gpg-sig="true"') == 1
    assert html.count('data-gpg-sig="false"') == 2


def test_a_digest_that_is_not_this_file_is_not_found(demo):
    url = address("digest", WHEEL).replace(WHEEL.sha256[:16], "0" * 16)
    demo.get(url, status=404)
    demo.get(url + ".metadata", status=404)
    demo.get(address("digest", WHEEL).replace("/root/main/", "/root/other/"), status=404)
    demo.get(address("name", WHEEL).replace("/demo/", "/demo2/"), status=404)


def test_a_replaced_file_is_gone_under_its_old_digest(make_world):
    world = make_world({"pypi.allow_overwrite_groups": "developers"})
    old, new = build_wheel("demo", "1.0"), build_wheel("demo", "1.0", body=b"new")
    world.upload(old)
    tag = world.get(address("name", old), status=200).headers["ETag"]
    world.upload(new)
    world.get(address("digest", old), status=404)
    assert world.get(address("digest", new), status=200).body == new.data
    assert world.get(address("name", old), status=200, If_None_Match=tag).body == new.data
    assert world.get(address("name", old) + ".metadata", status=200).body == new.metadata


def test_nginx_sends_the_bytes_where_that_is_configured(make_world):
    world = make_world({"storage.accel_prefix": "/protected/"})
    world.upload(WHEEL)
    for kind in ADDRESSES:
        answer = world.get(address(kind, WHEEL), status=200)
        inside = answer.headers["X-Accel-Redirect"].removeprefix("/protected/")
        assert (world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir / inside).read_bytes() == WHEEL.data
        assert answer.headers["ETag"] == f'"{WHEEL.sha256}"'
        assert "Cache-Control" in answer.headers
        assert answer.body == b""
        head = world.head(address(kind, WHEEL), status=200)
        assert head.headers["Content-Length"] == str(len(WHEEL.data))
    world.get(address("digest", WHEEL), "outsider", 404)
    world.get(address("digest", WHEEL), None, 401)
    assert world.get(address("digest", WHEEL) + ".metadata", status=200).body == WHEEL.metadata


def test_streaming_wins_over_nginx_where_it_was_asked_for(make_world):
    world = make_world({"storage.accel_prefix": "/protected/", "pypi.stream_files": "true"})
    world.upload(WHEEL)
    assert world.get(address("name", WHEEL), status=200).body == WHEEL.data


def test_only_reading_methods_are_allowed_on_files(demo):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = demo.app.request(address("digest", WHEEL), method=method, status=405)
        assert answer.headers["Allow"] == "GET, HEAD"


def test_what_is_missing_in_the_storage_is_not_a_success(world):
    world.upload(WHEEL)
    folder = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    (path,) = folder.rglob(WHEEL.filename)
    path.unlink()
    answer = world.get(address("digest", WHEEL), status="*")
    assert answer.status_int in {404, 503}
    assert "immutable" not in answer.headers["Cache-Control"]


def test_the_page_names_addresses_that_serve_their_files(demo):
    for file in demo.get("/simple/demo/", status=200, Accept=JSON).json["files"]:
        answer = demo.get(urljoin("/simple/demo/", file["url"]), status=200)
        assert len(answer.body) == file["size"]
        assert answer.headers["ETag"].strip('"') == file["hashes"]["sha256"]
