"""Lines 90 and 91 of the interoperability checklist: odd addresses, and backends that are down. 92 is in test_raw_http."""

from __future__ import annotations

import shutil
import sqlite3
from urllib.parse import unquote_to_bytes

import pytest
from webtest import TestApp

from pypicloud_lite.app import make_app
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import free_port
from pypicloud_lite.testing.world import basic, user_settings
from pypicloud_lite.wiring import build, load_raw

WHEEL = build_wheel("demo", "1.0")
FILE = f"/packages/root/main/demo/{WHEEL.sha256[:16]}/{WHEEL.filename}"
NAMED = f"/packages/root/main/demo/{WHEEL.filename}"

ODD = [
    "%ff", "%00", "%0a", "%0d%0a", "%c3%a9", "%e2%80%ae", "%ed%a0%80", "%f0%9f%98%80", "%2e%2e", "..%2f..", "%5c",
    "%25", "%", "%zz", "a%20b", "~", "'", '"', "<script>", "{project}", "a" * 300, "a" * 5000, "-", ".", "..", "...",
    "_", "%c0%ae%c0%ae", "%u2215", "caf%E9", "con", "nul.txt",
]  # fmt: skip


@pytest.fixture(scope="module")
def demo(make_shared_world):
    world = make_shared_world()
    world.upload(WHEEL)
    return world


def ask(world, path, method="GET", user="reader", query="", **headers):
    """A request whose path is decoded as gunicorn does, without WebTest's own checks of it."""
    environ = {
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "RAW_URI": path,
    }
    request = world.app.RequestClass.blank("/", headers={"Authorization": basic(user), **headers})
    request.environ.update(environ)
    request.environ["REMOTE_ADDR"] = "192.0.2.1"
    answer = request.get_response(world.app.app)
    assert answer.body is not None  # which also closes the file behind it
    return answer


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "pattern",
    ["/{}", "/{}/", "/simple/{}/", "/simple/{}", "/pypi/{}/", "/packages/{}/main/demo/x.whl", "/packages/root/{}/demo/x.whl",
     "/packages/root/main/{}/x.whl", "/packages/root/main/demo/{}", "/packages/root/main/demo/0123456789abcdef/{}",
     "/api/package/{}/x.whl", "/api/package/demo/{}"],
)  # fmt: skip
def test_90_malformed_addresses_are_never_an_error_of_the_server(demo, odd, pattern):
    for method in ("GET", "HEAD"):
        answer = ask(demo, pattern.format(odd), method)
        assert answer.status_int in {301, 400, 404}, answer.status
    if "/api/" in pattern:
        assert ask(demo, pattern.format(odd), "DELETE", "writer").status_int in {400, 403, 404}


@pytest.mark.parametrize(
    "query",
    [
        "format=%ff",
        "format=%00",
        "%ff=%ff",
        "format=" + "x" * 5000,
        "&&&==",
        ":action=%ff",
        "a=%ed%a0%80",
        "a=\xff",
        "%",
    ],
)
def test_90_malformed_queries_are_never_an_error_of_the_server(demo, query):
    assert ask(demo, "/simple/demo/", query=query).status_int in {200, 400}
    assert ask(demo, "/simple/demo", query=query).status_int in {301, 400}
    assert ask(demo, "/", query=query).status_int in {200, 400}
    posted = demo.app.post(
        f"/?{query}",
        params={"content": "x"},
        upload_files=[("content", WHEEL.filename, WHEEL.data)],
        headers={"Authorization": basic("writer")},
        status="*",
    )
    assert posted.status_int in {200, 400}


def retry_after(answer):
    assert answer.status_int == 503
    assert answer.headers["Retry-After"].isdigit()
    assert int(answer.headers["Retry-After"]) > 0
    assert "no-store" in answer.headers["Cache-Control"]
    assert "WWW-Authenticate" not in answer.headers


def every_use(app):
    """What a client may do, each with a right password."""
    reader, writer = ({"Authorization": basic(user)} for user in ("reader", "writer"))
    for path in (
        "/simple/",
        "/simple/demo/",
        "/demo/",
        FILE,
        NAMED,
        FILE + ".metadata",
        f"/api/package/demo/{WHEEL.filename}",
    ):
        yield path, app.get(path, headers=reader, status="*")
    fields = {":action": "file_upload", "name": "demo", "version": "2.0"}
    new = build_wheel("demo", "2.0")
    yield "upload", app.post("/", fields, writer, upload_files=[("content", new.filename, new.data)], status="*")
    yield "delete", app.delete(f"/api/package/demo/{WHEEL.filename}", headers=writer, status="*")


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://who:zzyzx@127.0.0.1:{}/ppc", "mysql+pymysql://who:zzyzx@127.0.0.1:{}/ppc"]
)
def test_91_a_database_that_is_down_is_503_with_retry_after(tmp_path, url):
    raw = {**user_settings(), "db.url": url.format(free_port())}
    services = build(load_raw(raw, tmp_path, {}))
    services.storage.prepare()
    app = TestApp(make_app(services))
    try:
        for _what, answer in every_use(app):
            retry_after(answer)
            assert "zzyzx" not in answer.text + str(answer.headers)
        ready = app.get("/health/ready", status=503)
        assert "cache" in ready.text
        assert "zzyzx" not in ready.text
        app.get("/health/live", status=200)
        assert app.get("/health", status=503).json["storage"] == ""
    finally:
        services.database.dispose()


def test_91_a_locked_database_is_503_for_writers_and_open_for_readers(world):
    world.services.database._lock_timeout = 0.2
    world.upload(WHEEL)
    with sqlite3.connect(world.services.database.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        retry_after(world.upload(build_wheel("demo", "2.0"), status="*"))
        retry_after(world.delete(f"/api/package/demo/{WHEEL.filename}", status="*"))
        world.get("/simple/demo/", status=200)
        assert world.get(FILE, status=200).body == WHEEL.data
        other.execute("ROLLBACK")
    other.close()
    world.upload(build_wheel("demo", "2.0"))


def test_91_a_storage_that_is_gone_is_503_and_nothing_is_lost(world):
    world.upload(WHEEL)
    folder = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    away = folder.with_name("away")
    shutil.move(folder, away)
    folder.write_text("not a folder")
    for path in (FILE, NAMED, FILE + ".metadata"):
        retry_after(world.get(path, status="*"))
    retry_after(world.upload(build_wheel("demo", "2.0"), status="*"))
    retry_after(world.delete(f"/api/package/demo/{WHEEL.filename}", status="*"))
    health = world.get("/health", status=503).json
    assert health["storage"]
    assert health["cache"] == ""
    folder.unlink()
    shutil.move(away, folder)
    # The deletion has begun, and whoever asks for it again learns that it is done.
    world.get(FILE, status=404)
    world.delete(f"/api/package/demo/{WHEEL.filename}", status=200)
    world.upload(WHEEL)
    assert world.get(FILE, status=200).body == WHEEL.data
    world.upload(build_wheel("demo", "2.0"))


def test_91_too_many_logins_are_429_with_whole_seconds(world):
    for number in range(10):
        world.app.get("/simple/", headers={"Authorization": basic("reader", f"x{number}")}, status=401)
    world.app.get("/", headers={"Authorization": basic("reader", "xx")}, status=200)
    for path in ("/simple/", FILE, f"/api/package/demo/{WHEEL.filename}"):
        answer = world.app.get(path, headers={"Authorization": basic("reader", "xx")}, status=429)
        assert answer.headers["Retry-After"].isdigit()
    answer = world.app.post("/", {":action": "submit"}, {"Authorization": basic("reader", "xx")}, status=429)
    assert answer.headers["Retry-After"].isdigit()
