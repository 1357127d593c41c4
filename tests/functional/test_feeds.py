"""RSS 2.0: what the feeds hold, for whom, and that any reader can read them."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from pypicloud_lite.catalog.model import FileRecord, ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName, StorageKey
from pypicloud_lite.serve.describe.feeds import Feed, Item, write
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import basic

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FEEDS = ("/rss/updates.xml", "/rss/packages.xml")
CHANNEL = {"title", "link", "description", "language", "lastBuildDate", "item", "{http://www.w3.org/2005/Atom}link"}
ITEM = {"title", "link", "guid", "description", "pubDate"}


def record(world, name, version, at=WHEN, **values):
    filename = f"{name}-{version}.tar.gz"
    sha256 = hashlib.sha256(filename.encode()).hexdigest()
    key = StorageKey(f"root/main/{name}/{sha256[:8]}-0123456789abcdef/{filename}")
    project = ProjectName(name)
    digests = Digests(sha256, sha256, sha256[:32])
    parsed = Filename.parse(filename, project)
    return FileRecord(world.services.index, project, parsed, 100, digests, key, key, at, **values)


def read(answer):
    """The items of a feed as dictionaries, once the document has what RSS 2.0 asks for and nothing unknown."""
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    root = ET.fromstring(answer.body)
    assert (root.tag, root.get("version"), len(root)) == ("rss", "2.0", 1)
    channel = root[0]
    assert {one.tag for one in channel} <= CHANNEL
    for tag in ("title", "link", "description", "language"):
        assert channel.findtext(tag)
    entries = [{one.tag: one.text for one in item} for item in channel.iter("item")]
    for entry, item in zip(entries, channel.iter("item"), strict=True):
        assert {"title", "link", "guid", "pubDate"} <= set(entry) <= ITEM
        assert len(entry) == len(item)
        assert entry["guid"] == entry["link"]
        assert parsedate_to_datetime(entry["pubDate"]).tzinfo is not None
        assert entry["pubDate"].endswith(" GMT")
    if entries:
        dates = [parsedate_to_datetime(entry["pubDate"]) for entry in entries]
        assert dates == sorted(dates, reverse=True)
        assert parsedate_to_datetime(channel.findtext("lastBuildDate")) == dates[0]
    assert len({entry["guid"] for entry in entries}) == len(entries)
    return entries


def titles(world, path, user="reader"):
    return [entry["title"] for entry in read(world.get(path, user, 200))]


def test_releases_and_projects_the_newest_first(world):
    for artifact in (
        *(build_wheel("Demo", "1.0", summary="A <b>demo</b> & more"), build_wheel("other", "1.0")),
        *(build_sdist("Demo", "2.0"), build_sdist("Demo", "1.0")),
    ):
        world.upload(artifact)
    entries = read(world.get("/rss/updates.xml", status=200))
    assert [entry["title"] for entry in entries] == ["Demo 2.0", "other 1.0", "Demo 1.0"]
    # HTML in HTML: the reader shows the summary as it was written.
    assert entries[2]["description"] == "A &lt;b&gt;demo&lt;/b&gt; &amp; more"
    assert unescape(entries[2]["description"]) == "A <b>demo</b> & more"
    assert "description" not in entries[1]
    assert entries[0]["link"] == "http://localhost/project/demo/2.0/"
    assert titles(world, "/rss/packages.xml") == ["other is new", "Demo is new"]
    assert titles(world, "/rss/project/DEMO/releases.xml") == ["Demo 2.0", "Demo 1.0"]


def test_a_link_leads_to_a_page_that_is_there(world):
    world.upload(build_wheel("demo", "1!1.0+x"))
    for path in (*FEEDS, "/rss/project/demo/releases.xml"):
        (entry,) = read(world.get(path))
        page = world.get(urlsplit(entry["link"]).path, status=200)
        assert "<h1>demo <span" in page.text


def test_a_hundred_releases_forty_projects(world, add_rows):
    for number in range(45):
        at = WHEN + timedelta(hours=number)
        rows = [record(world, f"p{number}", f"{minor}.0", at + timedelta(minutes=minor)) for minor in range(3)]
        add_rows(world, f"p{number}", rows)
    add_rows(
        world, "many", [record(world, "many", number, WHEN - timedelta(hours=50 - number)) for number in range(50)]
    )
    updates = titles(world, "/rss/updates.xml")
    assert updates[:4] == ["p44 2.0", "p44 1.0", "p44 0.0", "p43 2.0"]
    assert len(updates) == 100
    assert titles(world, "/rss/packages.xml") == [f"p{number} is new" for number in range(44, 4, -1)]
    assert titles(world, "/rss/project/many/releases.xml") == [f"many {number}" for number in range(49, 9, -1)]


@pytest.fixture
def guarded(make_world):
    """A world with a project for many and one for few, under the settings given."""

    def make(settings):
        world = make_world({"package.hidden.user.somebody": "rw", **settings})
        world.upload(build_wheel("demo", "1.0"), "admin")
        world.upload(build_wheel("hidden", "1.0"), "admin")
        world.upload(build_wheel("hidden", "2.0"), "admin")
        return world

    return make


def test_47_only_what_the_caller_may_read(guarded):
    world = guarded({})
    for path in FEEDS:
        mine, everything = world.get(path, "reader", 200), world.get(path, "admin", 200)
        assert "hidden" not in mine.text
        assert "hidden" in everything.text
        assert len(read(mine)) == 1
        assert mine.headers["Cache-Control"] == "private, no-cache"
        assert read(world.get(path, "outsider", 200)) == []
        # Again, now that each has been drawn and kept.
        assert world.get(path, "reader").body == mine.body
    hidden, unknown = (world.get(f"/rss/project/{name}/releases.xml", status=404) for name in ("hidden", "absent"))
    assert hidden.text.replace("hidden", "*") == unknown.text.replace("absent", "*")
    world.get("/rss/project/-bad-/releases.xml", status=404)


def test_41_readers_are_asked_to_log_in_where_reading_needs_it(guarded):
    """They send a password only after a 401: an empty feed would keep them from it."""
    world = guarded({"package.demo.group.everyone": "r"})
    for path in (*FEEDS, "/rss/project/hidden/releases.xml"):
        assert world.get(path, None, 401).headers["WWW-Authenticate"] == 'Basic realm="pypi"'
        world.app.get(path, headers={"Authorization": basic("reader", "wrong")}, status=401)
    assert len(read(world.get("/rss/project/demo/releases.xml", None, 200))) == 1


def test_48_where_anyone_may_read_anyone_may_follow(guarded):
    world = guarded({"pypi.default_read": "everyone"})
    for path in FEEDS:
        answer = world.get(path, None, 200)
        assert "hidden" not in answer.text
        assert len(read(answer)) == 1
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Vary"] == "Accept-Encoding, Authorization, Cookie"
    world.get("/rss/project/nothing/releases.xml", None, 404)
    world.get("/rss/project/hidden/releases.xml", None, 401)


def test_26_a_quarantined_project_is_in_no_feed(world, set_status):
    world.upload(build_wheel("demo", "1.0"))
    set_status(world, "demo", ProjectStatus.QUARANTINED)
    for path in FEEDS:
        assert read(world.get(path, "admin", 200)) == []
    world.get("/rss/project/demo/releases.xml", "admin", 404)


def test_94_what_is_being_removed_is_in_no_feed(world):
    wheel = build_wheel("demo", "1.0")
    world.upload(wheel)
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.begin_removal(catalog.file(world.services.index, wheel.filename))
    for path in FEEDS:
        assert read(world.get(path, "admin", 200)) == []
    world.get("/rss/project/demo/releases.xml", "admin", 404)


def test_09_not_modified_until_something_changes(world):
    world.upload(build_wheel("demo", "1.0"))
    for path in (*FEEDS, "/rss/project/demo/releases.xml"):
        first = world.get(path, status=200)
        assert world.get(path, status=304, If_None_Match=first.headers["ETag"]).body == b""
    tags = {path: world.get(path).headers["ETag"] for path in FEEDS}
    world.upload(build_wheel("other", "1.0"))
    for path in FEEDS:
        assert len(read(world.get(path, status=200, If_None_Match=tags[path]))) == 2


def test_an_empty_index_has_valid_feeds(world):
    for path in FEEDS:
        assert read(world.get(path, status=200)) == []


def test_updates_look_further_back_only_where_what_is_new_is_hidden(make_world, add_rows, queries):
    world = make_world({"package.hidden.user.somebody": "rw"})
    add_rows(world, "demo", [record(world, "demo", number, WHEN + timedelta(seconds=number)) for number in range(150)])
    with queries(world) as cold:
        assert len(titles(world, "/rss/updates.xml")) == 100
    with queries(world) as warm:
        world.get("/rss/updates.xml", status=200)
    assert (len(cold), len(warm)) == (2, 1)
    later = WHEN + timedelta(days=1)
    add_rows(world, "hidden", [record(world, "hidden", number, later) for number in range(1200)])
    with queries(world) as seen:
        found = titles(world, "/rss/updates.xml")
    assert found == [f"demo {number}" for number in range(149, 49, -1)]
    assert len(seen) == 1 + 3
    with queries(world) as seen:
        assert set(titles(world, "/rss/updates.xml", "admin")) <= {f"hidden {number}" for number in range(1200)}
    assert len(seen) == 2


def test_what_xml_has_no_place_for_is_left_out():
    nasty = "a\0b\x0b\x1b\ud800\ufffe\uffff ]]> <script> & ' \" \x85 𝄞 ☃\r\n"
    item = Item(nasty, "http://x/?a=1&b=2", nasty, WHEN)
    document = write(Feed(nasty, "http://x/", 'http://x/\0"<', nasty, [item]))
    channel = ET.fromstring(document)[0]
    cleaned = "ab ]]> <script> & ' \" \x85 𝄞 ☃\n"
    assert channel.findtext("title").replace("\r\n", "\n") == cleaned
    entry = channel.find("item")
    assert unescape(entry.findtext("description")).replace("\r\n", "\n") == cleaned
    assert entry.findtext("link") == "http://x/?a=1&b=2"
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", document)


def test_a_summary_from_the_artifact_breaks_nothing(world):
    raw = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: a\x0bb\x1b[31m ]]> <x> & \ufffe 𝄞\n\n"
    world.upload(build_wheel("demo", "1.0", metadata=raw.encode("utf-8", "surrogatepass")))
    for path in (*FEEDS, "/rss/project/demo/releases.xml"):
        (entry,) = read(world.get(path, status=200))
        assert "]]> <x> & " in unescape(entry["description"])
