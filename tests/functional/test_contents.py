"""The page of one file: what it says, to whom, what reading it costs, and what a file can do to it."""

from __future__ import annotations

import html
import io
import random
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from webtest import TestApp

from pypicloud_lite.app import make_app
from pypicloud_lite.browse.files.contents import Contents
from pypicloud_lite.catalog.model import Origin, ProjectStatus
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.port import BlobNotFound
from pypicloud_lite.testing.artifacts import build_egg, build_sdist, build_wheel, core_metadata, wheel_files, zip_bytes
from pypicloud_lite.testing.bad_archives import bad_archives
from pypicloud_lite.testing.world import PASSWORDS

HTML = "text/html,application/xhtml+xml"
MIB = 1024 * 1024
WHEEL = build_wheel(
    "demo",
    "1.0",
    requires_python=">=3.9",
    description="All <b>about</b> it.",
    extra_files=[("demo/sub/inner.py", b"x" * 1500), ("demo/<script>.py", b"")],
)


class CountedStorage:
    """Tells how many requests were made of a storage and how many bytes came; ``act`` is called before each."""

    def __init__(self, storage):
        self._storage = storage
        self.requests = self.bytes_read = 0
        self.act = lambda: None

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def open(self, key, span=None):
        self.act()
        self.requests += 1
        return CountedReader(self, self._storage.open(key, span))

    def read(self, key, limit=8 * MIB):
        self.act()
        self.requests += 1
        data = self._storage.read(key, limit)
        self.bytes_read += len(data)
        return data


class CountedReader:
    def __init__(self, storage, reader):
        self._storage = storage
        self._reader = reader
        self.size = reader.size

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._reader.close()

    def __iter__(self):
        for chunk in self._reader:
            self._storage.bytes_read += len(chunk)
            yield chunk


def see(world, artifact, user="reader", status=200, project="demo", version="1.0", more=""):
    return world.get(f"/project/{project}/{version}/{artifact.filename}/{more}", user, status, Accept=HTML)


def words(answer):
    return html.unescape(answer.text)


def watched(world, **options):
    """The application over a storage that counts."""
    storage = CountedStorage(world.services.storage)
    world.services = replace(world.services, contents=Contents(storage, **options))
    world.app = TestApp(make_app(world.services), extra_environ={"REMOTE_ADDR": "192.0.2.1"})
    return storage


def row_of(world, filename):
    with world.services.catalog.read() as catalog:
        return catalog.file(world.services.index, filename)


def plant(world, add_rows, filename, data, **changes):
    """A row and its bytes that no upload has looked at, as a folder of another server has them."""
    parsed = Filename.parse(filename)
    key = StorageKey(f"elsewhere/{filename}")
    storage = world.services.storage
    storage.delete(key)
    with storage.spool() as spool:
        spool.write(data)
        storage.put(key, spool)
    template = row_of(world, WHEEL.filename)
    row = replace(
        template,
        project=parsed.project,
        filename=parsed,
        size=len(data),
        digests=digests_of(data),
        key=key,
        home=key,
        metadata_sha256=None,
        requires_python=None,
        origin=Origin.IMPORT,
        id=0,
        serial=0,
    )
    add_rows(world, str(parsed.project), [replace(row, **changes)])


def test_the_page_says_what_a_file_is_and_what_it_contains(world):
    world.upload(WHEEL, signature=b"-----BEGIN PGP SIGNATURE-----")
    page = see(world, WHEEL)
    text = words(page)
    digests = digests_of(WHEEL.data)
    for said in (
        "Wheel for any Python 3",
        "py3-none-any",
        f"{len(WHEEL.data):,} bytes",
        digests.sha256,
        digests.blake2b_256,
        digests.md5,
        ">=3.9",
        "writer",
        "Uploaded to the index root/main",
        "demo/sub/",
        "inner.py",
        "1.5 kB",
        "6 members",
        "All <b>about</b> it.",
        "Metadata-Version: 2.1",
        f"{WHEEL.filename}.asc",
    ):
        assert said in text, said
    assert "<script>.py" not in page.text
    assert page.headers["X-Robots-Tag"] == "noindex, nofollow"
    download = f"/packages/root/main/demo/{WHEEL.sha256[:16]}/{WHEEL.filename}"
    assert f'href="{download}"' in page.text
    assert world.get(download).body == WHEEL.data
    assert f'href="/project/demo/1.0/{WHEEL.filename}/"' in world.get("/project/demo/", Accept=HTML).text


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_sdists_and_eggs(world, suffix):
    sdist, egg = build_sdist("demo", "1.0", suffix=suffix, description="In the sdist."), build_egg("demo", "1.0")
    world.upload(sdist)
    world.upload(egg, name="demo", version="1.0")
    text = words(see(world, sdist))
    assert "Source, a file of" in text
    assert "In the sdist." in text
    assert "demo-1.0/" in text
    assert "EGG-INFO/" in words(see(world, egg))


def test_yanked_and_archived_files_say_so(world, set_status):
    world.upload(WHEEL)
    world.send("PUT", f"/api/package/demo/{WHEEL.filename}/yank", json={"reason": "broken & burnt"})
    set_status(world, "demo", ProjectStatus.ARCHIVED, "moved on")
    text = words(see(world, WHEEL))
    assert "This file was yanked." in text
    assert "broken & burnt" in text
    assert "This project is archived." in text


def test_every_spelling_is_the_same_page(world):
    world.upload(WHEEL)
    canonical = f"/project/demo/1.0/{WHEEL.filename}/"
    for path in (f"/project/demo/1.0/{WHEEL.filename}", f"/project/DeMo/1.0/{WHEEL.filename}/"):
        answer = world.get(path, status=301, Accept=HTML)
        assert answer.headers["Location"] == canonical
    for version in ("1.0", "1", "v1.0.0", "1.0.0"):
        assert WHEEL.sha256 in see(world, WHEEL, version=version).text


@pytest.mark.parametrize(
    "path",
    [
        f"/project/demo/2.0/{WHEEL.filename}/",
        f"/project/demo/nonsense/{WHEEL.filename}/",
        f"/project/other/1.0/{WHEEL.filename}/",
        "/project/demo/1.0/demo-1.0.tar.gz/",
        f"/project/demo/1.0/{WHEEL.filename.upper()}/",
        f"/project/demo/1.0/{WHEEL.filename}.metadata/",
        "/project/demo/1.0/d%C3%A9mo/",
        "/project/-/1.0/x/",
    ],
)
def test_anything_else_is_not_found(world, path):
    world.upload(WHEEL)
    world.upload(build_wheel("other", "1.0"))
    world.get(path, status=404, Accept=HTML)


def test_hidden_files_are_as_unknown_as_those_that_never_were(make_world, queries, set_status):
    world = make_world({"package.secret-tool.group.developers": "rw"})
    secret = build_wheel("secret-tool", "1.0")
    world.upload(secret)
    world.upload(WHEEL)
    see(world, secret, "writer", project="secret-tool")
    costs, texts = [], []
    for project in ("secret-tool", "unknown-tool"):
        with queries(world) as statements:
            answer = world.get(f"/project/{project}/1.0/{secret.filename}/", status=404, Accept=HTML)
        costs.append(len(statements))
        texts.append(answer.text.replace(project, "X").replace(secret.filename, "F"))
        login = world.get(f"/project/{project}/1.0/{secret.filename}/", None, 302, Accept=HTML)
        assert login.headers["Location"].startswith("/login?next=")
        world.get(f"/project/{project}/1.0/{secret.filename}/", None, 401, Accept="*/*")
    assert len(set(costs)) == len(set(texts)) == 1
    # By the address of a project that may be read, nothing of another one is.
    told = world.get(f"/project/demo/1.0/{secret.filename}/", status=404, Accept=HTML).text
    never = world.get("/project/demo/1.0/never-1.0-py3-none-any.whl/", status=404, Accept=HTML).text
    assert told.replace(secret.filename, "F") == never.replace("never-1.0-py3-none-any.whl", "F")
    set_status(world, "demo", ProjectStatus.QUARANTINED, "malware")
    see(world, WHEEL, status=404)
    assert "malware" in see(world, WHEEL, "admin").text


def test_a_file_that_is_being_removed_is_not_shown(world):
    world.upload(WHEEL)
    see(world, WHEEL)
    world.delete(f"/api/package/demo/{WHEEL.filename}")
    see(world, WHEEL, status=404)


def test_the_page_costs_few_queries_logged_in(make_world, queries):
    world = make_world({"pypi.auth": "config sql"})
    world.upload(WHEEL, "admin")
    world.app.post("/login", {"username": "reader", "password": PASSWORDS["reader"]}, status=303)
    with queries(world) as statements:
        world.app.get(f"/project/demo/1.0/{WHEEL.filename}/", status=200)
    assert len(statements) <= 6, statements


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_of_a_large_wheel_little_is_read_and_once(make_world, request, add_rows, kind):
    settings = {"pypi.storage": "s3", **request.getfixturevalue("s3_options")} if kind == "s3" else {}
    world = make_world(settings)
    world.upload(WHEEL)
    many = [("acme/large.bin", bytes(30 * MIB)), *((f"acme/{number}.bin", bytes(1024)) for number in range(200))]
    members = wheel_files("acme", "1.0", core_metadata("acme", "1.0", description="Inside."), extra_files=many)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in members.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    name = "acme-1.0-py3-none-any.whl"
    plant(world, add_rows, name, target.getvalue())
    storage = watched(world)
    text = words(world.get(f"/project/acme/1.0/{name}/", Accept=HTML))
    assert "205 members, 31.7 MB unpacked" in text
    assert "Inside." in text
    assert 0 < storage.bytes_read < 200_000
    assert storage.requests <= 3
    before = storage.requests
    world.get(f"/project/acme/1.0/{name}/", Accept=HTML)
    assert storage.requests == before


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_an_sdist_is_read_through_in_few_requests(make_world, request, kind):
    settings = {"pypi.storage": "s3", **request.getfixturevalue("s3_options")} if kind == "s3" else {}
    world = make_world(settings)
    sdist = build_sdist("demo", "1.0", body=random.Random(1).randbytes(5 * MIB))
    world.upload(sdist)
    storage = watched(world)
    assert "5.2 MB unpacked" in words(see(world, sdist))
    assert storage.requests <= 12
    assert storage.bytes_read < len(sdist.data) + 300_000


@pytest.mark.parametrize(
    ("filename", "data", "reason"),
    [
        ("acme-1.0-py3-none-any.whl", b"", "too short to be a ZIP file"),
        ("acme-1.0-py3-none-any.whl", b"PK\5\6" + bytes(18), "There is nothing in it."),
        ("acme-1.0-py3-none-any.whl", WHEEL.data[:-30], "does not end with a ZIP end record"),
        ("acme-1.0-py3-none-any.whl", build_sdist("acme", "1.0").data, "does not end with a ZIP end record"),
        ("acme-1.0.zip", zip_bytes({"../evil": b""}), "holds '..'"),
        ("acme-1.0-py3-none-any.whl", zip_bytes({"<b>/\u202e": b""}), "rename it"),
        ("acme-1.0.tar.gz", b"", "stream is cut short"),
        ("acme-1.0.tar.gz", WHEEL.data, "read as a ZIP file too"),
        ("acme-1.0.tar.gz", build_sdist("acme", "1.0").data[:-40], "stream is cut short"),
        ("acme-1.0.tar.bz2", b"BZh9" + bytes(100), "is not bzip2, or it is damaged"),
    ],
)
def test_a_broken_or_hostile_file_gets_a_page_in_words(world, add_rows, filename, data, reason):
    world.upload(WHEEL)
    plant(world, add_rows, filename, data)
    text = words(world.get(f"/project/acme/1.0/{filename}/", status=200, Accept=HTML))
    assert reason in text
    assert digests_of(data).sha256 in text


def test_a_bomb_is_left_when_it_shows(world, add_rows):
    world.upload(WHEEL)
    plant(world, add_rows, "acme-1.0.tar.gz", build_sdist("acme", "1.0", body=bytes(66 * MIB)).data)
    text = words(world.get("/project/acme/1.0/acme-1.0.tar.gz/", status=200, Accept=HTML))
    assert "expands to more than 200 times its size" in text


@pytest.mark.slow
def test_bad_archives_get_a_page_in_words(make_world, add_rows):
    """Whatever lies in a folder that was taken over: refused in words, or listed; never a 500."""
    world = make_world()
    world.upload(WHEEL)
    refused = 0
    for bad in bad_archives():
        plant(world, add_rows, bad.filename, bad.data)
        text = words(see(world, bad, project="acme-widget"))
        is_refused = "What it contains cannot be shown." in text
        assert is_refused != ("members, " in text or "1 member, " in text), bad.id
        refused += is_refused
        with world.services.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM files WHERE filename LIKE 'acme%%'")
    assert refused > 150


def test_bytes_that_are_gone_or_other_than_catalogued_are_said_to_be(world, add_rows):
    world.upload(WHEEL)
    storage = world.services.storage
    sdist = build_sdist("demo", "1.0")
    world.upload(sdist)
    storage.delete(row_of(world, sdist.filename).key)
    assert "Its bytes are not in the storage" in see(world, sdist)
    for number, change in enumerate((-10, 10, 100_000)):
        name = f"acme{number}-1.0-py3-none-any.whl"
        plant(world, add_rows, name, WHEEL.data, size=len(WHEEL.data) + change)
        page = world.get(f"/project/acme{number}/1.0/{name}/", Accept=HTML)
        assert "not those that were catalogued" in page


def test_metadata_comes_from_inside_where_there_is_none_beside_it(world, add_rows):
    world.upload(WHEEL)
    row = row_of(world, WHEEL.filename)
    world.services.storage.delete(row.metadata_key)
    assert "All <b>about</b> it." in words(see(world, WHEEL))
    plant(world, add_rows, "acme-1.0-py3-none-any.whl", WHEEL.data)
    text = words(world.get("/project/acme/1.0/acme-1.0-py3-none-any.whl/", Accept=HTML))
    assert "All <b>about</b> it." in text
    assert "taken over by the index root/main" in text


def test_very_many_members_are_shown_in_part(world):
    wheel = build_wheel("demo", "1.0", extra_files=[(f"demo/m{number:05}.py", b"") for number in range(2500)])
    world.upload(wheel)
    some, every = see(world, wheel).text, see(world, wheel, more="?members=all").text
    assert some.count('<td class="in">') + some.count("<td><bdi>") == 2000
    assert "The first 2,000 members are shown" in some
    assert 'href="?members=all#contents"' in some
    assert "m02499.py" in every
    assert "The first" not in every


def test_a_storage_that_does_not_answer_is_503_and_is_asked_again(world):
    world.upload(WHEEL)
    storage = watched(world)

    def fail():
        raise StorageUnavailable("The storage does not answer")

    storage.act = fail
    answer = see(world, WHEEL, status=503)
    assert int(answer.headers["Retry-After"]) > 0
    storage.act = lambda: None
    see(world, WHEEL)


def test_what_failed_is_read_again_after_a_while(world):
    world.upload(WHEEL)
    now = [0.0]
    storage = watched(world, monotonic=lambda: now[0])
    key = row_of(world, WHEEL.filename).key

    def gone():
        raise BlobNotFound(str(key))

    storage.act = gone
    # Its sidecar is gone too then: the page still says what is the matter.
    assert "Its bytes are not in the storage" in see(world, WHEEL)
    storage.act = lambda: None
    now[0] = 59.0
    assert "Its bytes are not in the storage" in see(world, WHEEL)
    now[0] = 61.0
    assert "inner.py" in see(world, WHEEL)


def test_reading_that_takes_too_long_ends_in_words(world):
    sdist = build_sdist("demo", "1.0")
    world.upload(sdist)
    contents = world.services.contents
    watched(world, limits=replace(contents._limits, seconds=-1.0))
    assert "takes longer than this page waits" in see(world, sdist)


class Gates:
    """Holds every reading back until it is opened, and counts who came."""

    def __init__(self):
        self.opened = threading.Event()
        self.came = threading.Semaphore(0)

    def __call__(self):
        self.came.release()
        assert self.opened.wait(20)


def test_many_readers_of_one_file_read_it_once_and_many_files_are_refused(world):
    sdists = [build_sdist("demo", f"{number}.0") for number in range(4)]
    for sdist in sdists:
        world.upload(sdist)
    storage = watched(world, reading=2, waiting=2, patience=15.0)
    storage.act = gates = Gates()
    rows = [row_of(world, sdist.filename) for sdist in sdists]
    contents = world.services.contents
    with ThreadPoolExecutor(8) as pool:
        first, second = pool.submit(contents.of, rows[0]), pool.submit(contents.of, rows[1])
        for _ in range(2):
            assert gates.came.acquire(timeout=10)
        same = pool.submit(contents.of, rows[0])
        third = pool.submit(contents.of, rows[2])
        # All places are taken once both wait; others are told to come back at once.
        while contents._queue.acquire(blocking=False):
            contents._queue.release()
        answer = see(world, sdists[3], version="3.0", status=503)
        assert answer.headers["Retry-After"] == "5"
        assert "Many files are being looked into" in words(answer)
        gates.opened.set()
        assert first.result(20) is same.result(20)
        assert second.result(20).members == third.result(20).members
    single = storage.requests
    watched_again = CountedStorage(world.services.storage)
    for row in rows[:3]:
        Contents(watched_again).of(row)
    assert single == watched_again.requests


def test_a_wait_ends(world):
    sdists = [build_sdist("demo", f"{number}.0") for number in range(2)]
    for sdist in sdists:
        world.upload(sdist)
    storage = watched(world, reading=1, waiting=2, patience=0.01)
    storage.act = gates = Gates()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(world.services.contents.of, row_of(world, sdists[0].filename))
        assert gates.came.acquire(timeout=10)
        for sdist, version in zip(sdists, ("0.0", "1.0"), strict=True):
            assert int(see(world, sdist, version=version, status=503).headers["Retry-After"]) > 0
        gates.opened.set()
        assert first.result(20).members
    see(world, sdists[1], version="1.0")


def test_the_cache_stays_within_its_size(world):
    wheels = [
        build_wheel("demo", f"{n}.0", extra_files=[(f"{'x' * 100}/{m}", b"") for m in range(50)]) for n in range(8)
    ]
    for wheel in wheels:
        world.upload(wheel)
    watched(world, cache_size=60_000)
    for wheel in wheels:
        see(world, wheel, version=wheel.filename.split("-")[1])
    assert 0 < world.services.contents._cache.weight <= 60_000


def test_two_projects_with_the_same_bytes_keep_their_own_words(make_world, add_rows):
    """What is kept of a hidden project's file is not told of another's."""
    world = make_world({"package.secret-tool.group.developers": "rw"})
    world.upload(WHEEL)
    plant(world, add_rows, "secret_tool-1.0.tar.gz", b"no archive")
    plant(world, add_rows, "open_tool-1.0.tar.gz", b"no archive")
    hidden = world.get("/project/secret-tool/1.0/secret_tool-1.0.tar.gz/", "writer", 200, Accept=HTML)
    assert "secret_tool-1.0.tar.gz: it is not gzip" in words(hidden)
    shown = world.get("/project/open-tool/1.0/open_tool-1.0.tar.gz/", status=200, Accept=HTML)
    assert "open_tool-1.0.tar.gz: it is not gzip" in words(shown)
    assert "secret" not in shown.text
