"""Documentation: uploaded as a ZIP file, served as a site that can do nothing to this server's pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypicloud_lite.app import make_app
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.indexes.copying_attached import AttachedChoice
from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.serve.docs.settings import DocsSettings
from pypicloud_lite.serve.docs.views import content_type
from pypicloud_lite.testing.artifacts import RawMember, build_sdist, build_wheel, raw_zip, zip_bytes
from pypicloud_lite.testing.bad_zips import bad_zips
from pypicloud_lite.testing.world import basic

PAGES = {
    "index.html": b"<title>demo</title>",
    "api/index.html": b"<title>api</title>",
    "api/a page.html": b"a page",
    "style.css": b"body {}",
    "unreadable.unknown": b"<html>",
}
ZIP = zip_bytes(PAGES)
AUTHOR = Author("admin")
DEMO = ProjectName("demo")
ROOT = "/root/main/demo/1.0/+doc/"


def post(world, data=ZIP, user="writer", status=200, path="/", **fields):
    form = {":action": "doc_upload", "name": "demo", "version": "1.0", **fields}
    headers = {} if user is None else {"Authorization": basic(user)}
    return world.app.post(
        path,
        params=[(key, value) for key, value in form.items() if value is not None],
        upload_files=[("content", "demo.zip", data)],
        headers=headers,
        status=status,
    )


def attached(world, index=None):
    return list(world.services.attachments.of([index or world.services.index], DEMO))


def stored(world):
    return [info.key.value for info in world.services.storage.list()]


def make_index(world, name, **options):
    services = world.services
    identity = services.authenticator.identify("admin", "admin-pw")
    given = {"acl_upload": ["writer"], **options}
    services.indexes.create(IndexName.parse(name), Kind.STAGE, given, identity, AUTHOR)
    return IndexName.parse(name)


def add(world, index, version="1.0", data=ZIP, user="writer"):
    services = world.services
    identity = services.authenticator.identify(user, f"{user}-pw")
    with services.storage.spool() as spool:
        spool.write(data)
        return services.attachments.add_docs(index, DEMO, version, spool, identity, Author(user))


def test_upload_and_read(world):
    answer = post(world)
    assert answer.body == b""
    page = world.get(ROOT)
    assert page.body == PAGES["index.html"]
    assert page.headers["Content-Type"] == "text/html"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "private, max-age=60"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts allow-popups allow-forms;")
    assert "allow-same-origin" not in policy
    assert "Access-Control-Allow-Origin" not in page.headers
    for path, kind in {
        "style.css": "text/css; charset=utf-8",
        "api/": "text/html",
        "api/a%20page.html": "text/html",
        "unreadable.unknown": "application/octet-stream",
    }.items():
        name = "api/index.html" if path == "api/" else path.replace("%20", " ")
        for address in (ROOT + path, ROOT.replace("+doc", "%2Bdoc") + path, ROOT.replace("+doc", "+d") + path):
            found = world.get(address, status=200)
            assert (found.body, found.headers["Content-Type"]) == (PAGES[name], kind)
            assert found.headers["Content-Security-Policy"] == policy
            head = world.head(address, status=200)
            assert (head.body, head.headers["Content-Length"]) == (b"", str(len(PAGES[name])))


def test_what_is_not_there(world):
    post(world)
    for path in ("nothing.html", "api/nothing/", "..%2Findex.html", "../../1.0/+doc/x", "%00", "api//index.html", "/"):
        world.get(ROOT + path, status=[400, 404])
    for address in (
        "/root/main/demo/2.0/+doc/",
        "/root/main/demo/nonsense/+doc/",
        "/root/main/other/1.0/+doc/",
        "/root/other/demo/1.0/+doc/",
        "/ROOT/main/demo/1.0/+doc/",
        "/root/main/-/1.0/+doc/",
    ):
        world.get(address, status=404)


def test_folders_get_a_slash(world):
    post(world)
    assert world.get(ROOT + "api?x=1", status=302).headers["Location"] == "./api/?x=1"
    for word in ("+doc", "+d"):
        assert world.get(f"/root/main/demo/1.0/{word}", status=302).headers["Location"] == f"./%2B{word[1:]}/"


def test_etag(world):
    post(world)
    first = world.get(ROOT)
    etag = first.headers["ETag"]
    assert etag != world.get(ROOT + "style.css").headers["ETag"]
    again = world.get(ROOT, If_None_Match=etag, status=304)
    for name in ("ETag", "Content-Security-Policy", "X-Frame-Options", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    world.get(ROOT + "nothing", If_None_Match="*", status=404)
    post(world, zip_bytes({"index.html": b"new"}), "admin")
    assert world.get(ROOT, If_None_Match=etag, status=200).body == b"new"


def test_latest_and_stable(world):
    for version in ("1.0", "0.9", "2.0rc1"):
        post(world, zip_bytes({"index.html": version.encode()}), version=version)
    # A release without documentation counts for nothing.
    world.upload(build_sdist("demo", "3.0"))
    assert world.get("/root/main/demo/latest/+doc/").body == b"2.0rc1"
    assert world.get("/root/main/demo/stable/+doc/").body == b"1.0"
    assert world.get("/root/main/Demo/2.0-RC1/+doc/").body == b"2.0rc1"
    post(world, version="1.0a1", name="other")
    world.get("/root/main/other/stable/+doc/", status=404)


def test_who_reads(world):
    post(world)
    for address in (ROOT, "/root/main/nothing/1.0/+doc/"):
        world.get(address, None, 401)
        world.get(address, "outsider", 404)
    assert world.get(ROOT, "outsider", 404).text.replace("demo", "nothing") == (
        world.get("/root/main/nothing/1.0/+doc/", "outsider", 404).text
    )


def test_what_anyone_reads(make_world):
    world = make_world({"pypi.default_read": "everyone"})
    post(world)
    page = world.get(ROOT, None)
    assert page.headers["Cache-Control"] == "public, max-age=60"
    assert page.headers["Access-Control-Allow-Origin"] == "*"
    secret = make_index(world, "root/secret", acl_read=["writer"])
    add(world, secret)
    address = "/root/secret/demo/1.0/+doc/"
    world.get(address, None, 401)
    world.get(address, "reader", 404)
    assert world.get(address, "writer").headers["Cache-Control"] == "private, max-age=60"


def test_a_quarantined_project_shows_none(world, set_status):
    post(world)
    set_status(world, "demo", ProjectStatus.QUARANTINED)
    world.get(ROOT, status=404)
    post(world, status=403)


def test_who_uploads(world):
    post(world, user=None, status=401)
    post(world, user="reader", status=403)
    assert attached(world) == []
    assert [key for key in stored(world) if "attached" in key] == []


def test_what_an_upload_needs(world):
    for fields in ({"name": None}, {"name": "-"}, {"version": "not a version"}):
        post(world, **fields, status=400)
    assert "without a version" in post(world, version=None, status=400).status
    headers = {"Authorization": basic("writer")}
    world.app.post("/", {":action": "doc_upload", "name": "demo", "version": "1.0"}, headers=headers, status=400)
    assert stored(world) == []


def test_without_a_version_it_is_the_newest(world):
    for version in ("1.0", "1.10", "1.9"):
        world.upload(build_sdist("demo", version))
    post(world, version=None)
    assert [one.version for one in attached(world)] == ["1.10"]


def test_documentation_may_precede_a_release(world):
    """And the name is private from then on."""
    post(world, name="Demo", version="1.0.0-RC1")
    with world.services.catalog.read() as catalog:
        project = catalog.project(world.services.index, DEMO)
    assert (project.display_name, project.file_count) == ("Demo", 0)
    assert "root/main/demo/project.json" in stored(world)
    assert world.get("/root/main/demo/1.0.0rc1/+doc/").body == PAGES["index.html"]
    world.delete("/api/package/demo", status=200)
    assert attached(world) == []
    world.delete("/api/package/demo", status=404)
    world.send("POST", "/admin/package/demo/free", "admin")
    assert stored(world) == []


def test_a_name_with_documentation_is_not_freed(world):
    post(world)
    answer = world.send("POST", "/admin/package/demo/free", "admin", 409)
    assert "documentation" in answer.text


def test_the_same_again_and_other_bytes(world):
    post(world)
    before = attached(world), stored(world)
    post(world)
    assert (attached(world), stored(world)) == before
    other = zip_bytes({"index.html": b"other"})
    post(world, other, status=409)
    assert (attached(world), stored(world)) == before
    post(world, other, "admin")
    assert world.get(ROOT).body == b"other"
    assert len([key for key in stored(world) if "+attached" in key]) == 2
    with world.services.catalog.read() as catalog:
        actions = [entry.action for entry in catalog.journal()]
    assert actions == ["add documentation", "replace documentation"]


@pytest.mark.parametrize("volatile", [True, False])
def test_a_volatile_index_takes_other_bytes(world, volatile):
    index = make_index(world, "root/dev", volatile=volatile)
    assert add(world, index).created
    assert not add(world, index).created
    if volatile:
        assert add(world, index, data=zip_bytes({"index.html": b"other"})).created
    else:
        with pytest.raises(Exception, match="with other content"):
            add(world, index, data=zip_bytes({"index.html": b"other"}))


def test_an_index_that_is_removed_keeps_none(world):
    index = make_index(world, "root/dev")
    add(world, index)
    identity = world.services.authenticator.identify("admin", "admin-pw")
    world.services.indexes.remove(index, identity, AUTHOR)
    assert attached(world, index) == []
    assert [key for key in stored(world) if key.startswith("root/dev/")] == []
    with pytest.raises(Exception, match="There is no index root/dev"):
        add(world, index)


def test_a_release_takes_its_documentation_with_it(world):
    world.upload(build_wheel("demo", "1.0"))
    world.upload(build_sdist("demo", "1.0"))
    world.upload(build_sdist("demo", "2.0"))
    post(world)
    post(world, version="2.0")
    world.delete("/api/package/demo/demo-1.0.tar.gz", status=200)
    assert len(attached(world)) == 2
    world.delete("/api/package/demo/version/1.0", status=200)
    assert [one.version for one in attached(world)] == ["2.0"]
    assert len([key for key in stored(world) if "+attached" in key]) == 2
    world.delete("/api/package/demo", status=200)
    assert [key for key in stored(world) if "+attached" in key] == []


@pytest.mark.parametrize(("key", "words", "data"), [pytest.param(*shape, id=shape[0]) for shape in bad_zips()])
def test_hostile_archives_are_refused(hostile, key, words, data):
    answer = post(hostile, data, status=400)
    assert answer.status.startswith("400 demo-1.0.doc.zip")
    # Where a wheel's metadata or RECORD would be missed or contradicted, it is a page that is wrong, or missing.
    assert words in answer.text or key in {"end_record_only", "longer_than_it_says", "shorter_than_it_says"}
    assert attached(hostile) == []
    assert stored(hostile) == []


@pytest.fixture(scope="module")
def hostile(make_shared_world):
    return make_shared_world()


def test_a_member_may_be_too_large(world, monkeypatch):
    monkeypatch.setattr("pypicloud_lite.publish.attachments.LARGEST_PAGE", 18)
    assert "larger than 18 bytes" in post(world, status=400).status
    monkeypatch.undo()
    post(world)
    monkeypatch.setattr("pypicloud_lite.serve.docs.sites.LARGEST_PAGE", 18)
    world.get(ROOT, status=413)
    world.get(ROOT + "style.css", status=200)


def test_a_large_member_comes_piece_by_piece(world):
    large = bytes(range(256)) * 20_000
    post(world, raw_zip([RawMember(b"video.mp4", large), RawMember(b"stored.mp4", large, method=0)]))
    for name in ("video.mp4", "stored.mp4"):
        answer = world.get(ROOT + name)
        assert (answer.content_length, answer.headers["Content-Type"]) == (len(large), "video/mp4")
        assert answer.body == large


@pytest.mark.parametrize("size", [1000, 5_000_000])
def test_damaged_bytes_are_an_error_and_no_half_page(world, size):
    """What lies in the storage is not what was uploaded: of a member, then of the directory."""
    post(world, raw_zip([RawMember(b"index.html", b"x" * size, method=0), RawMember(b"other.html", b"fine", method=0)]))
    [record] = attached(world)
    with world.services.storage.open(record.key) as blob:
        data = b"".join(blob)
    broken = data.replace(b"x" * 10, b"x" * 9 + b"y", 1)
    rewrite(world, record, broken)
    world.get(ROOT, status=503)
    assert world.get(ROOT + "other.html").body == b"fine"


def rewrite(world, record, data):
    world.services.storage.delete(record.key)
    with world.services.storage.spool() as spool:
        spool.write(data)
        world.services.storage.put(record.key, spool)


def test_missing_bytes(world):
    post(world)
    [record] = attached(world)
    world.services.storage.delete(record.key)
    world.get(ROOT, status=503)
    post(world)
    assert world.get(ROOT).body == PAGES["index.html"]


def test_a_page_costs_few_queries_and_reads(world, queries):
    post(world)
    world.get(ROOT)
    opened = []
    storage = world.services.storage
    world.services.documentation._storage = Counting(storage, opened)
    with queries(world) as statements:
        world.get(ROOT)
    selects = [one for one in statements if "FROM projects" in one or "FROM attachments" in one]
    assert len(selects) == 2
    assert len(opened) == 1


class Counting:
    def __init__(self, storage, opened):
        self._storage = storage
        self._opened = opened

    def open(self, key, span=None):
        self._opened.append(span)
        return self._storage.open(key, span)


def test_copying_to_another_index(world):
    services, version = world.services, "1.0"
    dev, stable = make_index(world, "root/dev"), make_index(world, "root/stable", volatile=False)
    add(world, dev)
    [source] = attached(world, dev)

    def copy(may_overwrite=None, **more):
        choice = AttachedChoice(dev, stable, DEMO, {version}, **more)
        return services.attachments.copying(choice, may_overwrite).carry(AUTHOR, lambda _catalog: None)

    assert copy(docs=False) == []
    [copied] = copy()
    assert replace(copied, id=source.id, serial=source.serial, key=source.key, index=dev) == source
    assert copy() == [copied]
    add(world, dev, data=zip_bytes({"index.html": b"other"}))
    with pytest.raises(Exception, match="with other content"):
        copy()
    assert attached(world, stable) == [copied]
    [replaced] = copy(may_overwrite=lambda: True)
    assert attached(world, stable) == [replaced]
    # A copy outlives its source.
    identity = services.authenticator.identify("admin", "admin-pw")
    services.indexes.remove(dev, identity, AUTHOR)
    assert world.get("/root/stable/demo/latest/+doc/").body == b"other"


class TestASeparateHost:
    @pytest.fixture
    def world(self, make_world):
        return make_world({"docs.base_url": "https://Docs.Example.com", "pypi.default_read": "everyone"})

    def test_the_main_host_sends_there(self, world):
        post(world)
        answer = world.get(ROOT + "api/a%20page.html?q=%C3%A4", None, 302)
        assert answer.headers["Location"] == f"https://docs.example.com{ROOT}api/a%20page.html?q=%C3%A4"
        answer = world.get(ROOT.rstrip("/"), None, 302)
        assert answer.headers["Location"] == f"https://docs.example.com{ROOT}".rstrip("/")

    @pytest.mark.parametrize("host", ["docs.example.com", "DOCS.example.com:443"])
    def test_it_has_documentation_alone(self, world, host):
        post(world)
        page = world.get(ROOT, None, 200, Host=host)
        assert page.body == PAGES["index.html"]
        assert "allow-same-origin" in page.headers["Content-Security-Policy"]
        assert world.get(ROOT.rstrip("/"), None, 302, Host=host).headers["Location"] == "./%2Bdoc/"
        for path in (
            "/",
            "/simple/",
            "/simple/demo/",
            "/login",
            "/api/",
            "/health",
            "/root/main/demo/1.0/",
            "/static/x",
        ):
            answer = world.get(path, "admin", 404, Host=host)
            assert "only documentation" in answer.text
        world.app.post("/", headers={"Host": host, "Authorization": basic("writer")}, status=404)
        world.get("/simple/", None, 200, Host="packages.example.com")

    def test_it_knows_no_session(self, make_world):
        world = make_world({"docs.base_url": "https://docs.example.com"})
        post(world)
        cookie = log_in(world)
        world.app.get(ROOT, headers={"Host": "docs.example.com", "Cookie": cookie}, status=401)
        assert world.get(ROOT, "reader", 200, Host="docs.example.com").body == PAGES["index.html"]
        # On the main host it is the same cookie that lets in.
        world.app.get("/simple/", headers={"Cookie": cookie}, status=200)

    def test_it_is_another_host(self, make_world):
        world = make_world({"docs.base_url": "https://a.example.com:8443", "pypi.base_url": "https://b.example.com"})
        same = replace(world.services, settings=_Settings(world.services.settings, "https://b.example.com:8443"))
        with pytest.raises(ConfigError, match="a host of its own"):
            make_app(same)

    @pytest.mark.parametrize("text", ["docs.example.com", "https://docs.example.com/path", "ftp://docs.example.com"])
    def test_what_it_may_be(self, text):
        with pytest.raises(ValueError, match="host of its own"):
            DocsSettings.model_validate({"docs.base_url": text})


class _Settings:
    def __init__(self, settings, base_url):
        self._settings = settings
        self._docs = DocsSettings.model_validate({"docs.base_url": base_url})

    def get(self, model):
        return self._docs if model is DocsSettings else self._settings.get(model)


def log_in(world):
    answer = world.app.post("/login", {"username": "reader", "password": "reader-pw"}, status="*")
    return answer.headers["Set-Cookie"].partition(";")[0]


def test_types_come_from_names():
    assert content_type("a/b.JS") == "text/javascript; charset=utf-8"
    assert content_type("b.woff2") == "font/woff2"
    assert content_type("b.svg") == "image/svg+xml"
    assert content_type("b.tar.gz") == content_type("README") == "application/octet-stream"
