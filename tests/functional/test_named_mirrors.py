"""Mirror indexes by their definitions: each one is a mirror like the built-in one, and none knows of another."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from structlog.testing import capture_logs

from pypicloud_lite.kernel.moment import one_moment
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import HTML, FakeIndex, Fault, upstream_server
from pypicloud_lite.testing.world import JSON, MovingClock, World, basic

DEMO, OTHER = build_wheel("demo", "1.0"), build_wheel("demo", "1.0", summary="another one")
NEWER, SOURCE = build_wheel("demo", "2.0"), build_sdist("demo", "1.0")
PRIVATE = "index.mirror_hosts"

MakeMirrors = Callable[..., World]
Queries = Callable[..., Any]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """With one wheel."""
    upstream_index.add("demo", DEMO.filename, DEMO.data)
    return upstream_index


@pytest.fixture
def second() -> Iterator[FakeIndex]:
    """Another one, which has another wheel of the same name."""
    with upstream_server() as other:
        other.add("demo", OTHER.filename, OTHER.data)
        yield other


@pytest.fixture
def make_mirrors(make_world: Callable[..., World], index: FakeIndex, clock: MovingClock) -> MakeMirrors:
    """A world with the index ``root/one`` over the first upstream; the built-in mirror is off."""

    def make(settings: dict[str, str] | None = None, **options: Any) -> World:
        raw = {PRIVATE: place(index), **(settings or {})}
        world = make_world({key: text for key, text in raw.items() if text}, clock=clock)
        world.services.first_rebuild().settle_trivial()
        define(world, "root/one", index, **options)
        return world

    return make


def place(*indexes: FakeIndex) -> str:
    return " ".join(one.url.partition("://")[2] for one in indexes)


def define(
    world: World, name: str, index: FakeIndex | str, status: int = 200, user: str = "admin", **options: Any
) -> Any:
    given = {"type": "mirror", "mirror_url": index if isinstance(index, str) else index.index, **options}
    return world.send("PUT", f"/{name}", user, status, given, Accept="application/json")


def change(world: World, name: str, status: int = 200, **options: Any) -> Any:
    lines = [f"{key}={value}" for key, value in options.items()]
    return world.send("PATCH", f"/{name}", "admin", status, lines, Accept="application/json")


def page(world: World, name: str = "root/one", project: str = "demo", user: str | None = "reader", **how: Any) -> Any:
    return world.get(f"/{name}/+simple/{project}/", user, Accept=JSON, **how)


def files(world: World, name: str = "root/one", project: str = "demo", user: str = "reader") -> list[str]:
    return [one["filename"] for one in page(world, name, project, user).json["files"]]


def address(world: World, name: str = "root/one", filename: str = DEMO.filename, project: str = "demo") -> str:
    found = next(one for one in page(world, name, project).json["files"] if one["filename"] == filename)
    url: str = found["url"]
    return "/" + url.removeprefix("../../../../") if "://" not in url else url


def kept(world: World, name: str = "root/one") -> dict[str, str]:
    owner, _, index = name.partition("/")
    with world.services.catalog.read() as catalog:
        records = catalog.files(IndexName(owner, index), ProjectName("demo"))
    return {str(one.filename): one.digests.sha256 for one in records if one.is_listed}


def asked_for_page(index: FakeIndex) -> int:
    return index.paths().count("/simple/demo/")


def test_a_mirror_shows_lists_and_keeps(
    make_mirrors: MakeMirrors, index: FakeIndex, wait_for: Callable[..., None]
) -> None:
    world = make_mirrors()
    digest = hashlib.sha256(DEMO.data).hexdigest()
    assert address(world) == f"/packages/root/one/demo/{digest[:16]}/{DEMO.filename}"
    assert world.get(address(world)).body == DEMO.data
    wait_for(lambda: kept(world) == {DEMO.filename: digest})
    index.fault = lambda _path: Fault(503)
    assert world.get(address(world)).body == DEMO.data
    listed = world.get("/root/one/+simple/", Accept=JSON, status="*")
    assert listed.status_int in {502, 503, 504}
    index.fault = lambda _path: None
    # The built-in one is off, and the default index has nothing of it.
    world.get("/root/pypi/+simple/demo/", status=404)
    world.get("/simple/demo/", status=404)


def test_list_of_names(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    index.add("other", build_wheel("other", "1.0").filename, b"")
    world = make_mirrors()
    found = world.get("/root/one/+simple/", Accept=JSON).json["projects"]
    assert [one["name"] for one in found] == ["demo", "other"]


def test_two_mirrors_never_mix(
    make_mirrors: MakeMirrors, index: FakeIndex, second: FakeIndex, wait_for: Callable[..., None]
) -> None:
    world = make_mirrors({PRIVATE: place(index, second)})
    define(world, "root/two", second)
    for name, artifact in (("root/one", DEMO), ("root/two", OTHER)):
        assert world.get(address(world, name)).body == artifact.data
        wait_for(
            lambda name=name, data=artifact.data: list(kept(world, name).values()) == [hashlib.sha256(data).hexdigest()]
        )
        assert world.get(address(world, name) + ".metadata").status_int == 200
    assert world.get(address(world, "root/one")).body == DEMO.data
    for mirror, artifact in (("root/one", DEMO), ("root/two", OTHER)):
        found = page(world, mirror).json["files"]
        assert [one["hashes"]["sha256"] for one in found] == [hashlib.sha256(artifact.data).hexdigest()]
    # A digest of one is no address in the other.
    world.get(address(world, "root/two").replace("root/two", "root/one"), status=404)


def test_a_stage_shows_its_mirrors_and_private_hides_public(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    world = make_mirrors()
    world.send("PUT", "/writer/dev", "writer", 200, {"bases": "root/one"}, Accept="application/json")
    assert files(world, "writer/dev") == [DEMO.filename]
    own = build_wheel("demo", "0.1")
    world.upload(own, path="/writer/dev/")
    assert files(world, "writer/dev") == [own.filename]


def test_name_of_the_default_index_is_not_asked_for(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    world = make_mirrors()
    world.upload(build_wheel("demo", "0.1"))
    page(world, status=404)
    assert asked_for_page(index) == 0


def test_nothing_is_asked_before_it_is_known_what_is_ours(
    make_world: Callable[..., World], index: FakeIndex, clock: MovingClock
) -> None:
    world = make_world({PRIVATE: place(index)}, clock=clock)
    define(world, "root/one", index)
    page(world, status=503)
    assert index.paths() == []


def test_rules_of_the_configuration_hold(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    index.add("demo", SOURCE.filename, SOURCE.data)
    index.add("secret", "secret-1.0.tar.gz", b"x")
    world = make_mirrors({"mirror.packagetypes": "sdist", "pypi.disallow_fallback": "secret"})
    assert files(world) == [SOURCE.filename]
    page(world, project="secret", status=404)
    assert "/simple/secret/" not in index.paths()


def test_who_may_read(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    world = make_mirrors(acl_read="reader")
    path = address(world)
    assert world.get(path).body == DEMO.data
    for user, status in (("outsider", 404), (None, 401)):
        page(world, user=user, status=status)
        world.get(path, user, status=status)
        world.get("/root/one/+simple/", user, status=status)


def test_login_is_sent_and_never_shown(make_mirrors: MakeMirrors, index: FakeIndex, second: FakeIndex) -> None:
    index.credentials = ("user", "s3cr%t")
    index.file_server = second.url
    url = index.index.replace("://", "://user:s3cr%25t@")
    world = make_mirrors({PRIVATE: place(index, second)})
    with capture_logs() as logs:
        define(world, "root/two", url)
        shown = world.get("/root/two", "admin", Accept="application/json").json["result"]
        assert shown["mirror_url"] == index.index.replace("://", "://***@")
        path = address(world, "root/two")
        second.add("demo", DEMO.filename, DEMO.data)
        assert world.get(path).body == DEMO.data
        index.fault = lambda _path: Fault(500)
        failed = page(world, "root/two", "missing", status="*").text
    # To the index's own server, and to nobody else.
    assert index.asked[-1].headers["Authorization"].startswith("Basic ")
    assert [one.headers["Authorization"] for one in second.asked] == [None] * len(second.asked)
    for text in (str(logs), failed, str(world.get("/manage/mirror?index=root/two", "admin").text), str(shown)):
        assert "s3cr" not in text
    with world.services.database.read() as connection:
        told = [str(row) for row in connection.exec_driver_sql("SELECT * FROM journal")]
    assert told
    assert not any("s3cr" in line for line in told)


def test_what_was_shown_may_be_sent_back(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    index.credentials = ("user", "pw")
    world = make_mirrors()
    define(world, "root/two", index.index.replace("://", "://user:pw@"))
    shown = world.get("/root/two", "admin", Accept="application/json").json["result"]["mirror_url"]
    change(world, "root/two", mirror_url=shown, title="Two")
    assert files(world, "root/two") == [DEMO.filename]
    change(world, "root/two", 400, mirror_url="http://***@127.0.0.1:1/simple/")
    define(world, "root/three", "http://***@127.0.0.1:1/simple/", 400)


@pytest.mark.parametrize(
    "url",
    ["http://[::1/", "ftp://x/", "https://host:99999/", "https://host/simple/?a=b", "https://host/a b/", "simple"],
)
def test_what_is_no_address(make_mirrors: MakeMirrors, url: str) -> None:
    define(make_mirrors(), "root/two", url, 400)


def test_private_addresses_are_not_asked(make_mirrors: MakeMirrors, index: FakeIndex, second: FakeIndex) -> None:
    world = make_mirrors()
    define(world, "root/two", second)
    answer = page(world, "root/two", status=502)
    assert "not a public one" in answer.text
    assert second.paths() == []


def test_hosts_of_the_upstreams_files_are_no_hosts_of_mirrors(make_mirrors: MakeMirrors, second: FakeIndex) -> None:
    world = make_mirrors({"upstream.file_hosts": place(second)})
    define(world, "root/two", second)
    page(world, "root/two", status=502)
    assert second.paths() == []


def test_what_the_operator_wrote_is_asked(make_mirrors: MakeMirrors, index: FakeIndex, second: FakeIndex) -> None:
    world = make_mirrors({"index.acme/two.type": "mirror", "index.acme/two.mirror_url": second.index})
    assert world.get(address(world, "acme/two")).body == OTHER.data


def test_login_of_the_configuration_is_not_for_others(
    make_world: Callable[..., World], index: FakeIndex, clock: MovingClock
) -> None:
    index.credentials = ("user", "pw")
    settings = {
        "pypi.fallback": "cache",
        "pypi.fallback_base_url": index.url,
        "upstream.credentials": f"{index.url} user:pw",
        PRIVATE: place(index),
    }
    world = make_world(settings, clock=clock)
    world.services.first_rebuild().settle_trivial()
    define(world, "root/one", index)
    assert files(world, "root/pypi") == [DEMO.filename]
    page(world, status=502)


def test_freshness_of_its_own(make_mirrors: MakeMirrors, index: FakeIndex, clock: MovingClock) -> None:
    world = make_mirrors(mirror_cache_expiry=3600)
    files(world)
    clock.advance(seconds=1800)
    index.add("demo", NEWER.filename, NEWER.data)
    assert (files(world), asked_for_page(index)) == ([DEMO.filename], 1)
    # A change of its options holds at once, and what is known stays.
    change(world, "root/one", mirror_cache_expiry=5)
    clock.advance(seconds=1801)
    assert files(world) == [DEMO.filename, NEWER.filename]


def test_asked_every_time_with_what_it_was_named_by(
    make_mirrors: MakeMirrors, index: FakeIndex, clock: MovingClock
) -> None:
    world = make_mirrors(mirror_cache_expiry=0)
    for _ in range(3):
        answer = page(world)
        assert answer.headers["X-Mirror"].startswith("fresh")
    conditions = [one.headers["If-None-Match"] for one in index.asked]
    assert len(conditions) == 3
    assert conditions[0] is None
    assert None not in conditions[1:]
    index.add("demo", NEWER.filename, NEWER.data)
    assert files(world) == [DEMO.filename, NEWER.filename]
    # A name that is not there is asked for each time, too.
    page(world, project="new", status=404)
    index.add("new", "new-1.0.tar.gz", b"x")
    assert files(world, project="new") == ["new-1.0.tar.gz"]


def test_without_the_list_of_projects(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    index.add("other", "other-1.0.tar.gz", b"x")
    world = make_mirrors(mirror_no_project_list=True)
    assert world.get("/root/one/+simple/", Accept=JSON).json["projects"] == []
    files(world)
    answer = world.get("/root/one/+simple/", Accept=JSON)
    assert [one["name"] for one in answer.json["projects"]] == ["demo"]
    assert "/simple/" not in index.paths()


def test_links_that_lead_to_the_upstream(
    make_mirrors: MakeMirrors, index: FakeIndex, wait_for: Callable[..., None]
) -> None:
    index.add("demo", NEWER.filename, NEWER.data)
    world = make_mirrors()
    ours = address(world, filename=NEWER.filename)
    world.get(address(world))
    wait_for(lambda: DEMO.filename in kept(world))
    change(world, "root/one", mirror_use_external_urls=True)
    assert address(world).startswith("/packages/root/one/demo/")
    assert address(world, filename=NEWER.filename) == f"{index.url}/files/demo/{NEWER.filename}"
    # An address that somebody wrote down before leads there.
    answer = world.get(ours, status=302)
    assert answer.headers["Location"] == f"{index.url}/files/demo/{NEWER.filename}"
    assert NEWER.filename not in kept(world)


def test_METADATA_of_the_upstream_is_not_taken(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    wrong = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: something\n"
    index.add("demo", DEMO.filename, DEMO.data, wrong)
    world = make_mirrors(mirror_provides_core_metadata=False)
    (file,) = page(world).json["files"]
    assert file["core-metadata"] is True
    # It is read from the wheel itself.
    assert b"something" not in world.get(address(world) + ".metadata").body
    assert not [path for path in index.paths() if path.endswith(".metadata")]
    define(world, "root/two", index, mirror_use_external_urls=True)
    assert "core-metadata" in page(world, "root/two").json["files"][0]
    change(world, "root/two", mirror_provides_core_metadata=False)
    assert "core-metadata" not in page(world, "root/two").json["files"][0]


@pytest.mark.parametrize("ignores", [True, False])
def test_serial_that_goes_backwards(
    make_mirrors: MakeMirrors, index: FakeIndex, clock: MovingClock, ignores: bool
) -> None:
    index.headers = (("X-PyPI-Last-Serial", "10"),)
    world = make_mirrors(mirror_ignore_serial_header=ignores, mirror_web_url_fmt="https://example.com/{name}")
    files(world)
    index.headers = (("X-PyPI-Last-Serial", "5"),)
    index.add("demo", NEWER.filename, NEWER.data)
    clock.advance(days=1)
    assert files(world) == [DEMO.filename, NEWER.filename]


def test_project_that_is_gone_keeps_its_last_links(
    make_mirrors: MakeMirrors, index: FakeIndex, clock: MovingClock
) -> None:
    world = make_mirrors()
    files(world)
    gone = index.projects.pop("demo")
    clock.advance(days=1)
    for _ in range(2):
        answer = page(world)
        assert answer.headers["X-Mirror"].startswith("stale")
        assert [one["filename"] for one in answer.json["files"]] == [DEMO.filename]
    # Not at every request.
    assert asked_for_page(index) == 2
    assert world.services.mirrors.require(IndexName("root", "one")).pages.last_error() is None
    index.projects["demo"] = gone
    clock.advance(days=1)
    assert page(world).headers["X-Mirror"].startswith("fresh")
    page(world, project="never", status=404)


def test_files_without_a_digest(
    make_mirrors: MakeMirrors, index: FakeIndex, clock: MovingClock, wait_for: Callable[..., None]
) -> None:
    index.kinds = (HTML,)
    index.add("demo", DEMO.filename, DEMO.data, hashes={})
    index.add("demo", SOURCE.filename, SOURCE.data, hashes={})
    world = make_mirrors()
    (wheel, _source) = page(world).json["files"]
    assert (wheel["hashes"], "core-metadata" in wheel) == ({}, False)
    # What breaks off is not kept.
    index.fault = lambda path: Fault(cut=10) if path.endswith(".gz") else None
    with pytest.raises(Exception, match=r".*"):
        world.get(address(world, filename=SOURCE.filename)).body  # noqa: B018
    # And what has no length could break off unseen.
    index.fault = lambda path: Fault(stream=lambda: iter([SOURCE.data])) if path.endswith(".gz") else None
    world.get(address(world, filename=SOURCE.filename), status=502)
    index.fault = lambda _path: None
    assert world.get(address(world)).body == DEMO.data
    digest = hashlib.sha256(DEMO.data).hexdigest()
    wait_for(lambda: kept(world) == {DEMO.filename: digest})
    wait_for(lambda: page(world).json["files"][0]["hashes"] == {"sha256": digest})
    assert address(world) == f"/packages/root/one/demo/{digest[:16]}/{DEMO.filename}"
    # From now on it is this file or none.
    world.services.eviction.evict(0)
    index.add("demo", DEMO.filename, OTHER.data, hashes={})
    clock.advance(days=1)
    with pytest.raises(Exception, match=r".*"):
        world.get(address(world)).body  # noqa: B018
    assert kept(world) == {}


def test_built_in_mirror_lists_no_files_without_a_digest(make_mirror: Callable[..., World], index: FakeIndex) -> None:
    index.add("demo", SOURCE.filename, SOURCE.data, hashes={})
    assert files(make_mirror(), "root/pypi") == [DEMO.filename]


class _Old(BaseHTTPRequestHandler):
    """Tells neither type nor length: the end of the connection is the end of the page."""

    pages: Mapping[str, bytes]

    def do_GET(self) -> None:
        found = self.pages.get(self.path)
        self.wfile.write(b"HTTP/1.0 %s\r\n\r\n" % (b"200 OK" if found is not None else b"404 Not Found"))
        self.wfile.write(found or b"")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def old_server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The place of an old server, and its pages by path."""
    pages: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Old,), {"pages": pages}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"127.0.0.1:{server.server_port}", pages
    server.shutdown()
    thread.join()
    server.server_close()


def test_old_server_without_types_and_lengths(
    make_mirrors: MakeMirrors, old_server: tuple[str, dict[str, bytes]]
) -> None:
    where, pages = old_server
    digest = hashlib.sha256(SOURCE.data).hexdigest()
    pages["/idx/demo/"] = f'<a href="/f/{SOURCE.filename}#sha256={digest}">x</a>'.encode()
    pages["/idx/bare/"] = b"<html><body></body></html>"
    pages["/idx/broken/"] = b""
    pages["/idx/"] = b'<a href="demo/">demo</a><a href="bare/">bare</a>'
    pages[f"/f/{SOURCE.filename}"] = SOURCE.data
    world = make_mirrors({PRIVATE: where})
    define(world, "root/old", f"http://{where}/idx")
    assert world.get(address(world, "root/old", SOURCE.filename)).body == SOURCE.data
    assert files(world, "root/old", "bare") == []
    page(world, "root/old", "broken", status=502)
    listed = world.get("/root/old/+simple/", Accept=JSON).json["projects"]
    assert [one["name"] for one in listed] == ["bare", "demo"]


def test_another_address(make_mirrors: MakeMirrors, index: FakeIndex, second: FakeIndex) -> None:
    second.add("demo", NEWER.filename, NEWER.data)
    world = make_mirrors({PRIVATE: place(index, second)})
    files(world)
    change(world, "root/one", mirror_url=second.index)
    # At once; and the digest that was seen first holds.
    assert files(world) == [NEWER.filename]
    assert world.get(address(world, filename=NEWER.filename)).body == NEWER.data


def test_definition_of_the_built_in_one_wins(
    make_mirror: Callable[..., World], index: FakeIndex, second: FakeIndex
) -> None:
    world = make_mirror(index__mirror_hosts=place(second))
    change(world, "root/pypi", mirror_url=second.index)
    assert world.get(address(world, "root/pypi")).body == OTHER.data
    assert world.get("/simple/demo/", Accept=JSON).json["files"][0]["hashes"] == {
        "sha256": hashlib.sha256(OTHER.data).hexdigest()
    }
    assert index.paths() == []


def test_removed_with_all_that_was_known(
    make_mirrors: MakeMirrors, index: FakeIndex, second: FakeIndex, wait_for: Callable[..., None]
) -> None:
    world = make_mirrors({PRIVATE: place(index, second)}, volatile=True)
    define(world, "root/two", second, volatile=True)
    for name in ("root/one", "root/two"):
        world.get(f"/{name}/+simple/")
        world.get(address(world, name) + ".metadata")
        world.get(address(world, name))
        wait_for(lambda name=name: len(kept(world, name)) == 1)
    world.services.housekeeping().do_chores()
    assert rows(world, "root/one") == {"pages": 1, "names": 1, "metadata": 1, "uses": 1, "counts": 4, "fetches": 0}
    path = address(world)
    world.send("DELETE", "/root/one", "admin", (200, 201), Accept="application/json")
    assert set(rows(world, "root/one").values()) == {0}
    assert rows(world, "root/two")["pages"] == 1
    assert (kept(world), len(kept(world, "root/two"))) == ({}, 1)
    world.get(path, status=404)
    # Another one of that name begins anew: no digest of the first one holds.
    define(world, "root/one", second)
    assert world.get(address(world)).body == OTHER.data


def rows(world: World, name: str) -> dict[str, int]:
    tables = ("pages", "names", "metadata", "uses", "counts", "fetches")
    with world.services.database.read() as connection:
        return {
            table: connection.exec_driver_sql(
                f"SELECT COUNT(*) FROM mirror_{table} WHERE index_name = ?", (name,)
            ).scalar_one()
            for table in tables
        }


def test_file_that_comes_for_a_mirror_that_went(
    make_mirrors: MakeMirrors, index: FakeIndex, wait_for: Callable[..., None]
) -> None:
    world = make_mirrors(volatile=True)
    path, begun, going = address(world), threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield DEMO.data[:100]
        begun.set()
        assert going.wait(20)
        yield DEMO.data[100:]

    index.fault = lambda _path: Fault(stream=slowly)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(world.get, path)
        try:
            assert begun.wait(20)
            world.send("DELETE", "/root/one", "admin", (200, 201), Accept="application/json")
        finally:
            going.set()
        assert coming.result().body == DEMO.data
    wait_for(lambda: not [one for one in threading.enumerate() if one.name.startswith("mirror ")])
    assert kept(world) == {}


def test_quota_is_for_all_of_them(
    make_mirrors: MakeMirrors, index: FakeIndex, second: FakeIndex, clock: MovingClock, wait_for: Callable[..., None]
) -> None:
    world = make_mirrors({PRIVATE: place(index, second), "mirror.quota": str(len(OTHER.data) + 10)})
    define(world, "root/two", second)
    for name in ("root/one", "root/two"):
        world.get(address(world, name))
        wait_for(lambda name=name: len(kept(world, name)) == 1)
        clock.advance(minutes=1)
    world.services.housekeeping().do_chores()
    assert (kept(world), len(kept(world, "root/two"))) == ({}, 1)


def test_page_for_administrators(
    make_mirrors: MakeMirrors, index: FakeIndex, second: FakeIndex, wait_for: Callable[..., None]
) -> None:
    world = make_mirrors({PRIVATE: place(index, second)})
    define(world, "root/two", second)
    world.get(address(world, "root/two"))
    wait_for(lambda: len(kept(world, "root/two")) == 1)
    shown = world.get("/manage/mirror?index=root/two&project=demo", "admin")
    assert second.index in shown.text
    assert index.index not in shown.text
    assert 'href="/manage/mirror?index=root/one"' in shown.text or "manage/mirror?index=root/one" in shown.text
    world.get("/manage/mirror?index=root/none", "admin", status=404)
    world.get("/manage/mirror?index=a/b/c", "admin", status=404)
    form = {"action": "remove", "project": "demo", "index": "root/two"}
    headers = {"Authorization": basic("admin")}
    answer = world.app.post("/manage/mirror", form, headers=headers, status=303)
    assert "index=root%2Ftwo" in answer.headers["Location"]
    wait_for(lambda: kept(world, "root/two") == {})


def test_threads_that_wait_are_counted_over_all_mirrors(make_mirrors: MakeMirrors, index: FakeIndex) -> None:
    world = make_mirrors()
    define(world, "root/two", index)
    mirrors = [world.services.mirrors.require(IndexName("root", name)) for name in ("one", "two")]
    assert mirrors[0].room is mirrors[1].room is world.services.mirror.room


def test_same_mirror_until_its_options_change(make_mirrors: MakeMirrors, queries: Queries) -> None:
    world = make_mirrors()
    mirrors, name = world.services.mirrors, IndexName("root", "one")
    before = mirrors.of(name)
    change(world, "root/one", title="Something else")
    assert mirrors.of(name) is before
    change(world, "root/one", mirror_cache_expiry=5)
    after = mirrors.of(name)
    assert after is not None
    assert after is not before
    # What was counted and is on its way goes on.
    assert (after.usage, after.fetching) == (before.usage, before.fetching) if before else False
    with one_moment(), queries(world) as asked:
        for _ in range(3):
            mirrors.of(name)
    assert len(asked) == 1
    with queries(world) as asked:
        assert mirrors.built_in.index == IndexName("root", "pypi")
    assert asked == []
    assert mirrors.of(world.services.index) is None
    assert mirrors.of(IndexName("no", "where")) is None
