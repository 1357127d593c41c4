"""What a mirror keeps in the database, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pypicloud_lite.catalog.model import Amount, Origin
from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.indexes.changes import Changes
from pypicloud_lite.kernel.errors import UpstreamTimedOut
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.codec import Known, KnownPage, decode
from pypicloud_lite.mirror.eviction import Eviction
from pypicloud_lite.mirror.fetch_store import FetchStore
from pypicloud_lite.mirror.forgetting import forget_mirror
from pypicloud_lite.mirror.identity import ServerName
from pypicloud_lite.mirror.page_store import GONE, PageStore
from pypicloud_lite.mirror.pinning import Pinning
from pypicloud_lite.mirror.showing import MIRROR_INDEX
from pypicloud_lite.mirror.usage import Usage, What
from pypicloud_lite.storage.backends.local import LocalSettings, LocalStorage
from pypicloud_lite.testing.catalog_values import add, file_record
from pypicloud_lite.testing.databases import KINDS, DatabaseMissing, empty_tables, new_database, open_database
from pypicloud_lite.upstream.port import Link, Validator

DEMO = ProjectName("demo")
NOW = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
NOTHING = Validator()


@pytest.fixture(scope="module", params=KINDS)
def migrated(request, tmp_path_factory, missing: Callable[[str, str], None]) -> Iterator[Database]:
    with ExitStack() as stack:
        try:
            url = stack.enter_context(new_database(request.param, tmp_path_factory.mktemp("mirror")))
        except DatabaseMissing as error:
            missing(request.param, str(error))
        database = open_database(url)
        stack.callback(database.dispose)
        upgrade(database)
        yield database


@pytest.fixture
def database(migrated: Database) -> Database:
    empty_tables(migrated)
    return migrated


@pytest.fixture
def pages(database: Database) -> PageStore:
    return PageStore(database, MIRROR_INDEX)


def page(*filenames: str, size: int = 1) -> KnownPage:
    links = [
        Link(Filename.parse(name), f"https://example.com/{name}", {"sha256": "a" * 64}, size=size) for name in filenames
    ]
    return KnownPage(DEMO, tuple(Known(link, NOW) for link in links))


def test_one_of_many_takes_the_turn_and_an_old_turn_ends_by_itself(pages: PageStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(lambda _number: pages.claim(DEMO, NOW, 30), range(8)))
    assert sum(turn is not None for turn in turns) == 1
    assert pages.claim(DEMO, NOW + timedelta(seconds=29), 30) is None
    assert pages.claim(DEMO, NOW + timedelta(seconds=31), 30) is not None


def test_turn_that_is_given_back_is_free_and_only_its_holder_gives_it_back(pages: PageStore) -> None:
    turn = pages.claim(DEMO, NOW, 30)
    pages.release(DEMO, "somebody else's")
    assert pages.claim(DEMO, NOW, 30) is None
    pages.release(DEMO, turn)
    assert pages.claim(DEMO, NOW, 30) is not None


def test_page_comes_back_as_it_was_and_its_revision_changes_with_it(pages: PageStore) -> None:
    assert pages.look(DEMO) is None
    pages.claim(DEMO, NOW, 30)
    large = page(*(f"demo-{number}.0.tar.gz" for number in range(20_000)))
    pages.settle_page(DEMO, large, "https://example.com/simple/", Validator('"1"', "yesterday"), NOW, 600)
    row = pages.look(DEMO)
    assert row.is_shown
    assert (row.validator, row.upstream) == (Validator('"1"', "yesterday"), "https://example.com/simple/")
    assert (row.checked_at, row.fresh_until, row.newest_at) == (NOW, NOW + timedelta(seconds=600), NOW)
    content, revision = pages.content(row)
    assert (decode(DEMO, content), revision) == (large, row.revision)
    assert pages.claim(DEMO, NOW, 30) is not None, "the turn has ended with its answer"
    pages.settle_unchanged(DEMO, Validator('"1"'), NOW + timedelta(hours=1), 600)
    assert pages.look(DEMO).revision == row.revision
    pages.settle_page(DEMO, page("demo-1.0.tar.gz"), "https://example.com/simple/", NOTHING, NOW, 600)
    assert pages.look(DEMO).revision != row.revision


def test_error_leaves_the_page_standing_and_an_answer_takes_the_error_away(pages: PageStore) -> None:
    pages.claim(DEMO, NOW, 30)
    pages.settle_page(DEMO, page("demo-1.0.tar.gz"), "here", NOTHING, NOW, 600)
    pages.settle_error(DEMO, UpstreamTimedOut("It took \0 too long \ud800"), NOW + timedelta(hours=1), 30)
    row = pages.look(DEMO)
    assert row.is_shown
    assert (row.error_kind, row.checked_at) == ("upstream-timed-out", NOW)
    assert pages.last_error() == (row.error, NOW + timedelta(hours=1))
    pages.settle_unchanged(DEMO, NOTHING, NOW, 600)
    assert (pages.look(DEMO).error, pages.last_error()) == (None, None)


def test_what_was_known_of_a_project_outlives_its_absence(pages: PageStore) -> None:
    pages.claim(DEMO, NOW, 30)
    pages.settle_page(DEMO, page("demo-1.0.tar.gz"), "here", NOTHING, NOW, 600)
    pages.settle_absent(DEMO, NOW, 60)
    row = pages.look(DEMO)
    assert (row.is_shown, row.absent, row.has_content) == (False, True, True)
    assert pages.prune(NOW + timedelta(days=365)) == 0


def test_project_that_is_gone_is_shown_on_and_is_no_failure(pages: PageStore) -> None:
    pages.claim(DEMO, NOW, 30)
    pages.settle_page(DEMO, page("demo-1.0.tar.gz"), "here", Validator('"1"'), NOW, 600)
    pages.settle_gone(DEMO, NOW + timedelta(hours=1), 600)
    row = pages.look(DEMO)
    assert (row.is_shown, row.error_kind, row.checked_at) == (True, GONE, NOW)
    assert (row.validator, row.fresh_until) == (Validator('"1"'), NOW + timedelta(hours=1, seconds=600))
    assert (pages.last_error(), pages.totals(NOW)["stale"]) == (None, 1)
    pages.settle_unchanged(DEMO, NOTHING, NOW, 600)
    assert pages.look(DEMO).error is None


def test_page_is_rewritten_only_as_it_was_read(pages: PageStore) -> None:
    pages.claim(DEMO, NOW, 30)
    pages.settle_page(DEMO, page("demo-1.0.tar.gz"), "here", NOTHING, NOW, 600)
    row = pages.look(DEMO)
    assert pages.rewrite(row.id, row.revision, page("demo-1.0.tar.gz", size=2))
    after = pages.look(DEMO)
    assert after.revision != row.revision
    assert not pages.rewrite(row.id, row.revision, page("demo-1.0.tar.gz", size=3))
    content, _ = pages.content(after)
    assert decode(DEMO, content) == page("demo-1.0.tar.gz", size=2)


def test_digest_of_a_file_that_had_none_is_pinned(pages: PageStore) -> None:
    bare, other = (Filename.parse(name) for name in ("demo-1.0.tar.gz", "demo-2.0.tar.gz"))
    Pinning(pages).pin(bare, "b" * 64)
    pages.claim(DEMO, NOW, 30)
    links = [Link(one, f"https://example.com/{one}") for one in (bare, other)]
    pages.settle_page(DEMO, KnownPage(DEMO, tuple(Known(link, NOW) for link in links)), "here", NOTHING, NOW, 600)
    Pinning(pages).pin(bare, "b" * 64)
    content, _ = pages.content(pages.look(DEMO))
    assert [file.link.hashes for file in decode(DEMO, content).files] == [{"sha256": "b" * 64}, {}]


def test_names_that_nobody_has_are_forgotten_after_a_while(pages: PageStore) -> None:
    later = NOW + timedelta(days=2)
    names = {name: ProjectName(name) for name in ("missing", "failing", "died", "gave-back", "recent", "asking")}
    tokens = {
        name: pages.claim(project, later if name in {"recent", "asking"} else NOW, 30)
        for name, project in names.items()
    }
    pages.settle_absent(names["missing"], NOW, 60)
    pages.settle_absent(names["recent"], later, 60)
    pages.settle_error(names["failing"], UpstreamTimedOut("no answer"), NOW, 2)
    pages.release(names["gave-back"], tokens["gave-back"])
    assert pages.totals(NOW) == {"pages": 0, "stale": 0, "missing": 2}
    assert pages.prune(NOW + timedelta(days=1)) == 4
    assert [name for name, project in names.items() if pages.look(project) is not None] == ["recent", "asking"]


def test_totals_tell_old_pages_from_fresh_ones(pages: PageStore) -> None:
    for name, fresh in (("demo", 600), ("old", 0)):
        pages.claim(ProjectName(name), NOW, 30)
        pages.settle_page(ProjectName(name), replace(page(), project=ProjectName(name)), "here", NOTHING, NOW, fresh)
    assert pages.totals(NOW + timedelta(seconds=1)) == {"pages": 2, "stale": 1, "missing": 0}
    assert pages.projects() == [DEMO, ProjectName("old")]
    assert pages.expire(DEMO) == 1
    assert pages.look(DEMO).fresh_until is None


@pytest.fixture
def fetches(database: Database) -> FetchStore:
    return FetchStore(database, MIRROR_INDEX)


@pytest.fixture
def storage(tmp_path) -> LocalStorage:
    storage = LocalStorage(LocalSettings.model_validate({"storage.dir": str(tmp_path / "files")}))
    storage.prepare()
    return storage


def test_one_of_many_fetches_a_file(fetches: FetchStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(lambda _number: fetches.claim("demo-1.0.tar.gz", NOW, 30), range(8)))
    (token,) = filter(None, turns)
    assert fetches.claim("demo-2.0.tar.gz", NOW, 30) is not None
    fetches.tell("demo-1.0.tar.gz", token, NOW + timedelta(minutes=5))
    assert fetches.claim("demo-1.0.tar.gz", NOW + timedelta(minutes=4), 30) is None
    assert fetches.claim("demo-1.0.tar.gz", NOW + timedelta(minutes=6), 30) is not None
    fetches.release("demo-1.0.tar.gz", token)
    assert fetches.look("demo-1.0.tar.gz") is not None, "it was not that one's any more"


def test_another_process_reads_the_bytes_that_came_and_a_dead_ones_turn_is_free(
    fetches: FetchStore, storage: LocalStorage
) -> None:
    token = fetches.claim("demo-1.0.tar.gz", NOW, 30)
    with storage.spool() as spool:
        spool.write(b"some bytes")
        with_tail = spool.tail()
        fetches.tell("demo-1.0.tar.gz", token, NOW + timedelta(seconds=30), with_tail)
        seen = fetches.look("demo-1.0.tar.gz")
        tail = seen.tail()
        assert tail.read_at(5, 100) == b"bytes"
        spool.write(b" and more")
        assert tail.read_at(0, 100) == b"some bytes and more"
        with_tail.close()
        assert seen.tail() is None, "the descriptor is closed, or another file's"
        tail.close()
    assert not seen.is_over
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone = replace(seen, place=f"{int(process.stdout)}:3:1:1")
    assert gone.is_over
    assert not replace(gone, host="elsewhere").is_over
    assert replace(gone, host="elsewhere").tail() is None


def test_a_dead_processs_turn_is_taken_at_once(fetches: FetchStore, storage: LocalStorage) -> None:
    if (child := os.fork()) == 0:
        # The child's connections are its own; it ends without any goodbye.
        token = fetches.claim("demo-1.0.tar.gz", NOW, 600)
        with storage.spool() as spool:
            fetches.tell("demo-1.0.tar.gz", token, NOW + timedelta(seconds=600), spool.tail())
            os._exit(0)
    os.waitpid(child, 0)
    assert fetches.claim("demo-1.0.tar.gz", NOW, 30) is not None


def test_turns_of_long_ago_are_forgotten(fetches: FetchStore) -> None:
    fetches.claim("demo-1.0.tar.gz", NOW, 30)
    assert fetches.prune(NOW) == 0
    assert fetches.prune(NOW + timedelta(days=1)) == 1


def test_uses_and_counts_add_up(database: Database) -> None:
    now = [NOW]
    usage = Usage(database, MIRROR_INDEX, lambda: now[0])
    usage.count(What.HIT)
    usage.count(What.BYTES, 2**40)
    usage.write()
    usage.count(What.HIT, 2)
    now[0] += timedelta(days=1)
    usage.count(What.HIT, 4)
    usage.write()
    usage.write()
    assert usage.totals(1)[What.HIT] == 4
    assert usage.totals(7) == {**dict.fromkeys(What, 0), What.HIT: 7, What.BYTES: 2**40}
    now[0] += timedelta(days=100)
    usage.prune()
    assert usage.totals(365)[What.HIT] == 0


def test_those_that_nobody_asked_for_the_longest_go_first_and_uploads_never(
    database: Database, storage: LocalStorage
) -> None:
    now = [NOW]
    catalog, usage = SqlCatalog(database, lambda: now[0]), Usage(database, MIRROR_INDEX, lambda: now[0])
    eviction = Eviction(database, Changes(storage, catalog), lambda: [MIRROR_INDEX])
    for name in ("new", "old", "older", "oldest"):
        add(catalog, replace(file_record(f"{name}-1.0.tar.gz"), index=MIRROR_INDEX, origin=Origin.CACHE, size=100))
    add(catalog, replace(file_record("uploaded-1.0.tar.gz"), size=1000))
    for name in ("oldest", "older", "old"):
        usage.used(f"{name}-1.0.tar.gz")
        usage.write()
        now[0] += timedelta(hours=1)
    assert eviction.space() == Amount(4, 400)
    assert [one.filename for one in eviction.evict(250)] == ["oldest-1.0.tar.gz", "older-1.0.tar.gz"]
    assert eviction.evict(250) == []
    assert [one.filename for one in eviction.evict(0)] == ["old-1.0.tar.gz", "new-1.0.tar.gz"]
    assert eviction.space() == Amount(0, 0)
    with catalog.read() as reader:
        assert reader.reserved(MIRROR_INDEX).filenames == 0


def test_mirrors_make_room_together_and_one_is_forgotten_alone(database: Database, storage: LocalStorage) -> None:
    catalog, other = SqlCatalog(database, lambda: NOW), IndexName("acme", "other")
    both = Eviction(database, Changes(storage, catalog), lambda: [MIRROR_INDEX, other])
    for number, index in enumerate((MIRROR_INDEX, other)):
        add(catalog, replace(file_record("demo-1.0.tar.gz"), index=index, origin=Origin.CACHE, size=100))
        usage = Usage(database, index, lambda number=number: NOW + timedelta(hours=number))
        usage.used("demo-1.0.tar.gz")
        usage.used("gone-1.0.tar.gz")
        usage.count(What.HIT)
        usage.write()
        pages = PageStore(database, index)
        pages.claim(DEMO, NOW, 30)
        pages.settle_page(DEMO, page("demo-1.0.tar.gz"), "here", NOTHING, NOW, 600)
    assert both.forget_uses() == 2
    assert (both.space(), both.of(other).space()) == (Amount(2, 200), Amount(1, 100))
    assert [(one.index, one.filename) for one in both.evict(150)] == [(MIRROR_INDEX, "demo-1.0.tar.gz")]
    assert both.of(MIRROR_INDEX).files() == []
    forget_mirror(database, other)
    assert PageStore(database, other).look(DEMO) is None
    assert Usage(database, other, lambda: NOW).totals(7)[What.HIT] == 0
    assert both.unused_since(NOW + timedelta(days=1)) == []
    assert PageStore(database, MIRROR_INDEX).look(DEMO) is not None
    assert [one.index for one in both.files()] == [other]


def test_server_has_one_name_whoever_asks_first(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda _number: ServerName(database)(), range(16)))
    assert len(names) == 1
