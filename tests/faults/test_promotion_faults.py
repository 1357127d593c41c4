"""Promotion where processes die, storage fails, and others change the same files: all of a release, or nothing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.catalog.model import AttachmentKind, ManifestState
from pypicloud_lite.indexes.attaching import NewAttachment
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.indexes.copying import Copying, How
from pypicloud_lite.indexes.incoming import FileExists
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.indexes.manifest import decode_manifest
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.errors import BackendUnavailable, Conflict, NotFound, PpcError, StorageUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.publish.attachments import Attachments
from pypicloud_lite.publish.promotion import Promotion, PromotionRequest
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import World

SCRIPT = Path(__file__).with_name("dying_process.py")
DEMO = ProjectName("demo")
DEV, STABLE = IndexName("root", "dev"), IndexName("root", "stable")
INDEXES = {f"index.{DEV}.title": "dev", f"index.{STABLE}.volatile": "false"}
ADMIN = Identity("admin", roles=frozenset({Role.ADMIN}))
AUTHOR = Author("admin")
WHEEL, SDIST = build_wheel("demo", "1.0"), build_sdist("demo", "1.0")
OTHER = build_wheel("demo", "1.0", body=b"other")
BOTH = {WHEEL.filename: WHEEL.sha256, SDIST.filename: SDIST.sha256}


@pytest.fixture(scope="module")
def dying():
    """The names of the dying process."""
    spec = importlib.util.spec_from_file_location("dying_process", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed(services, index):
    """Digest by filename."""
    with services.catalog.read() as catalog:
        return {row.filename.value: row.digests.sha256 for row in catalog.files(index, DEMO) if row.is_listed}


def documented(services, index):
    with services.catalog.read() as catalog:
        return {one.sha256 for one in catalog.attachments(index, DEMO)}


def settle(services):
    services.ingest.changes.settle_pending(system_clock() + timedelta(hours=1))


def assert_tidy(services, *indexes):
    """Each row has its bytes and its manifest, and nothing else lies there."""
    named = set()
    for index in indexes:
        with services.catalog.read() as catalog:
            rows = catalog.files(index, DEMO)
            for one in catalog.attachments(index, DEMO):
                named |= {one.key, one.manifest_key}
        for row in rows:
            assert row.manifest is ManifestState.DONE
            told = decode_manifest(row.home, services.storage.read(row.manifest_key)).record
            assert (told.digests, told.serial, told.history) == (row.digests, row.serial, row.history)
            assert services.storage.stat(row.key).size == row.size
            named |= {row.key, row.manifest_key}
            named |= {row.metadata_key} if row.metadata_sha256 else set()
            named |= {row.signature_key} if row.signed else set()
    lying = {info.key for info in services.storage.list() if info.key.filename != "project.json"}
    assert lying == named


@pytest.mark.parametrize(("action", "least"), [("promote", 14), ("move", 24)])
def test_a_process_dies_after_each_step(tmp_path, dying, note, action, least):
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path), action], check=True, timeout=300)
    folders = sorted(tmp_path.iterdir(), key=lambda folder: int(folder.name))
    assert len(folders) > least
    release = {one.filename: one.sha256 for one in (dying.NEW, dying.SECOND)}
    before = {one.filename: one.sha256 for one in (dying.KEPT, dying.OLD)}
    after = {dying.KEPT.filename: dying.KEPT.sha256, **release}
    seen = []
    for folder in folders:
        note(f"{action}: died after {(folder / 'steps').read_text().splitlines()[-1]}")
        for settled in (False, True):
            with_database(folder, lambda services: seen.append(state(services, settled=settled)))  # noqa: B023
            target, source = seen[-1]
            assert target in (before, after)
            assert source == release or (action == "move" and (target, source) == (after, {}))
        for path in (folder / "data").glob("catalog.sqlite*"):
            path.unlink()
        with_database(folder, lambda services: rebuilt(services, seen[-1]))
        with_database(folder, lambda services: once_more(services, action, after, release))
    assert seen[0][0] == before
    assert seen[-1] == (after, {} if action == "move" else release)


def with_database(folder, look):
    settings = {"db.url": f"sqlite:///{folder}/data/catalog.sqlite", "storage.dir": f"{folder}/data/packages"}
    world = World(folder, {**settings, f"index.{DEV}.title": "dev"})
    try:
        look(world.services)
    finally:
        world.close()


def state(services, *, settled):
    """What the target and the source list. Documentation is in the target with its release, and in one of the two."""
    if settled:
        settle(services)
    target, source = listed(services, services.index), listed(services, DEV)
    there, left = documented(services, services.index), documented(services, DEV)
    assert there or left
    assert source or not left
    assert not there or SDIST.filename in target
    return target, source


def rebuilt(services, before):
    services.resync()
    assert state(services, settled=False) == before
    leftovers = services.leftovers()
    leftovers.remove(leftovers.find(timedelta(hours=-1)))
    assert_tidy(services, services.index, DEV)


def once_more(services, action, after, release):
    """Whoever got no answer asks again."""
    wanted = PromotionRequest(DEV, services.index, DEMO, "1.0", move=action == "move")
    if listed(services, DEV):
        services.promotion.promote(wanted, ADMIN, AUTHOR)
    assert state(services, settled=False) == (after, {} if action == "move" else release)
    assert len(documented(services, services.index)) == 1
    assert len(documented(services, DEV)) == (action == "promote")
    assert_tidy(services, services.index, DEV)


class Meanwhile:
    """A storage that does something else before, or after, the copy of the file that is named."""

    def __init__(self, storage):
        self._storage = storage
        self.before = self.after = self.fails = None
        self.filename = WHEEL.filename

    def __getattr__(self, name):
        method = getattr(self._storage, name)

        def call(*arguments, **more):
            if self.fails is not None and self.fails(name, str(arguments[0])):
                raise StorageUnavailable("The storage did not answer")
            if name != "copy" or not arguments[0].value.endswith(self.filename):
                return method(*arguments, **more)
            before, self.before = self.before, None
            after, self.after = self.after, None
            if before is not None:
                before()
            result = method(*arguments, **more)
            if after is not None:
                after()
            return result

        return call


@pytest.fixture
def services(tmp_path, dying):
    world = World(tmp_path, INDEXES)
    for one in (WHEEL, SDIST):
        dying.add(world.services.storage, world.services.ingest, DEV, one)
    yield world.services
    world.close()


@pytest.fixture
def meanwhile(services):
    return Meanwhile(services.storage)


@pytest.fixture
def promote(services, meanwhile):
    """``promote()``: over that storage."""
    ingest = Ingest(meanwhile, services.catalog, system_clock)
    promotion = Promotion(
        services.catalog,
        services.gate,
        services.registry,
        Copying(meanwhile, services.catalog, ingest.changes, system_clock),
        services.uploads,
        Attachments(
            meanwhile,
            services.catalog,
            services.gate,
            services.registry,
            services.indexes,
            ingest.changes.attached,
            system_clock,
        ),
        Removals(services.catalog, services.gate, ingest.changes),
        services.sources,
    )

    def run(**more):
        done = promotion.promote(PromotionRequest(DEV, STABLE, DEMO, "1.0", **more), ADMIN, AUTHOR)
        return {one.filename: one.how for one in done}

    return run


def upload(services, dying, artifact, index=STABLE):
    dying.add(services.storage, services.ingest, index, artifact)


def remove(services, index, filename=None):
    services.ingest.changes.remove(Selection(index, DEMO, filename), AUTHOR)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("filename", [WHEEL.filename, SDIST.filename])
def test_other_bytes_come_meanwhile(services, meanwhile, promote, dying, when, filename):
    meanwhile.filename = filename
    setattr(meanwhile, when, lambda: upload(services, dying, OTHER))
    with pytest.raises(FileExists, match=WHEEL.filename):
        promote(move=True)
    assert listed(services, STABLE) == {OTHER.filename: OTHER.sha256}
    assert listed(services, DEV) == BOTH
    assert_tidy(services, DEV, STABLE)


def test_the_same_bytes_come_meanwhile(services, meanwhile, promote, dying):
    meanwhile.after = lambda: upload(services, dying, WHEEL)
    assert promote() == {WHEEL.filename: How.THERE, SDIST.filename: How.COPY}
    assert listed(services, STABLE) == BOTH
    assert_tidy(services, DEV, STABLE)


def test_another_promotion_comes_meanwhile(services, meanwhile, promote):
    meanwhile.after = promote
    assert promote() == dict.fromkeys(BOTH, How.THERE)
    assert listed(services, STABLE) == BOTH
    assert_tidy(services, DEV, STABLE)


def test_what_was_there_is_deleted_meanwhile(services, meanwhile, promote, dying):
    upload(services, dying, SDIST)
    meanwhile.after = lambda: remove(services, STABLE, SDIST.filename)
    assert promote() == dict.fromkeys(BOTH, How.COPY)
    assert listed(services, STABLE) == BOTH
    assert_tidy(services, DEV, STABLE)


def test_a_removal_that_nobody_finished_is_finished_first(services, promote, dying):
    upload(services, dying, SDIST)
    with services.catalog.write(AUTHOR) as catalog:
        assert catalog.begin_removal(catalog.file(STABLE, SDIST.filename))
    assert promote() == dict.fromkeys(BOTH, How.COPY)
    assert listed(services, STABLE) == BOTH
    assert_tidy(services, DEV, STABLE)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_source_is_deleted_meanwhile(services, meanwhile, promote, when):
    setattr(meanwhile, when, lambda: remove(services, DEV, WHEEL.filename))
    with pytest.raises(Conflict, match="deleted"):
        promote()
    assert listed(services, STABLE) == {}
    assert_tidy(services, DEV, STABLE)


def test_the_source_is_replaced_meanwhile(services, meanwhile, promote, dying):
    meanwhile.filename = SDIST.filename
    meanwhile.after = lambda: upload(services, dying, OTHER, DEV)
    with pytest.raises(Conflict, match="replaced"):
        promote(move=True)
    assert listed(services, DEV) == {**BOTH, OTHER.filename: OTHER.sha256}
    assert_tidy(services, DEV, STABLE)


def test_the_source_is_yanked_meanwhile(services, meanwhile, promote):
    yank = Selection(DEV, DEMO, WHEEL.filename)
    meanwhile.after = lambda: services.ingest.changes.yank(yank, AUTHOR, "broken", yanked=True)
    promote()
    with services.catalog.read() as catalog:
        row = catalog.file(STABLE, WHEEL.filename)
    assert (row.yanked, row.yanked_reason) == (True, "broken")
    assert_tidy(services, DEV, STABLE)


def test_a_move_takes_only_what_it_copied(services, meanwhile, promote, dying):
    third = build_sdist("demo", "1.0", suffix=".zip")
    meanwhile.after = lambda: upload(services, dying, third, DEV)
    promote(move=True)
    assert listed(services, DEV) == {third.filename: third.sha256}
    assert listed(services, STABLE) == BOTH
    assert_tidy(services, DEV, STABLE)


@pytest.mark.parametrize("name", ["copy", "write", "read"])
def test_the_storage_fails_before_the_rows(services, meanwhile, promote, name):
    last = {"copy": SDIST.filename, "write": ".metadata", "read": ".metadata"}[name]
    meanwhile.fails = lambda method, key: method == name and key.endswith(last)
    with pytest.raises(StorageUnavailable):
        promote(move=True)
    assert (listed(services, DEV), listed(services, STABLE)) == (BOTH, {})
    assert_tidy(services, DEV, STABLE)


def test_the_storage_fails_after_the_rows(services, meanwhile, promote):
    meanwhile.fails = lambda method, key: method == "write" and key.endswith(".manifest.json")
    with pytest.raises(StorageUnavailable):
        promote(move=True)
    assert (listed(services, DEV), listed(services, STABLE)) == (BOTH, BOTH)
    settle(services)
    assert_tidy(services, DEV, STABLE)
    meanwhile.fails = None
    assert promote(move=True) == dict.fromkeys(BOTH, How.THERE)
    assert listed(services, DEV) == {}


def rebuilding(services, since=system_clock):
    with services.catalog.write(AUTHOR) as catalog:
        catalog.set_rebuilding(since and since())


@pytest.mark.parametrize("when", [None, "after"])
def test_a_name_that_a_rebuild_may_still_bring_is_not_taken(services, meanwhile, promote, when):
    if when:
        setattr(meanwhile, when, lambda: rebuilding(services))
    else:
        rebuilding(services)
        with pytest.raises(BackendUnavailable, match="being rebuilt"):
            services.promotion.plan(PromotionRequest(DEV, STABLE, DEMO, "1.0"), ADMIN, AUTHOR)
    with pytest.raises(BackendUnavailable, match="being rebuilt"):
        promote(move=True)
    assert (listed(services, DEV), listed(services, STABLE)) == (BOTH, {})
    rebuilding(services, None)
    assert_tidy(services, DEV, STABLE)
    promote()


def test_what_is_there_goes_along_while_the_catalog_is_rebuilt(services, promote):
    promote()
    rebuilding(services)
    assert promote(move=True) == dict.fromkeys(BOTH, How.THERE)
    assert listed(services, DEV) == {}


def test_other_bytes_come_and_are_deleted_meanwhile(services, meanwhile, promote, dying):
    """Their name stays reserved, and the files before it in the plan are not copied either."""

    def come_and_go():
        upload(services, dying, OTHER)
        remove(services, STABLE, OTHER.filename)

    meanwhile.filename = SDIST.filename
    meanwhile.after = come_and_go
    with pytest.raises(FileExists, match="stays reserved"):
        promote(move=True)
    assert (listed(services, DEV), listed(services, STABLE)) == (BOTH, {})
    assert_tidy(services, DEV, STABLE)


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_what_the_target_lost_is_brought_back_before_a_move(services, promote, damage):
    promote()
    with services.catalog.read() as catalog:
        row = catalog.file(STABLE, WHEEL.filename)
    services.storage.delete(row.key)
    if damage == "cut":
        services.storage.write(row.key, b"cut")
    plan = services.promotion.plan(PromotionRequest(DEV, STABLE, DEMO, "1.0"), ADMIN, AUTHOR)
    assert {one.filename: one.how for one in plan} == {WHEEL.filename: How.REPLACE, SDIST.filename: How.THERE}
    assert promote(move=True) == {WHEEL.filename: How.REPLACE, SDIST.filename: How.THERE}
    assert (listed(services, DEV), listed(services, STABLE)) == ({}, BOTH)
    with services.catalog.read() as catalog:
        row = catalog.file(STABLE, WHEEL.filename)
    assert services.storage.read(row.key) == WHEEL.data
    assert "overwrite" not in row.history
    assert_tidy(services, DEV, STABLE)


@pytest.fixture
def release(services, dying):
    """Documentation of the release, and a result of testing each of its files."""
    attaching = services.ingest.changes.attached
    docs = dying.document(services.storage, attaching, DEV)
    for number, artifact in enumerate((WHEEL, SDIST)):
        name = f"{artifact.filename}.toxresult-20260102030405-{number}"
        new = NewAttachment(
            DEV, DEMO, "1.0", AttachmentKind.TOXRESULT, name, system_clock(), artifact.filename, "writer"
        )
        with services.storage.spool() as spool:
            spool.write(f'{{"number": {number}}}'.encode())
            attaching.add(new, spool, AUTHOR, lambda: False)
    return docs


def is_attached(key):
    return "+attached" in key and "stable" in key


@pytest.mark.parametrize("method", ["put", "open"])
def test_the_storage_fails_at_what_is_attached(services, meanwhile, promote, release, method):
    meanwhile.fails = lambda name, key: name == method and "+attached" in key
    with pytest.raises(StorageUnavailable):
        promote(move=True)
    assert (listed(services, DEV), listed(services, STABLE)) == (BOTH, {})
    assert (len(documented(services, DEV)), documented(services, STABLE)) == (3, set())
    assert_tidy(services, DEV, STABLE)
    meanwhile.fails = None
    promote(move=True)
    assert (documented(services, DEV), len(documented(services, STABLE))) == (set(), 3)
    assert_tidy(services, DEV, STABLE)


def test_the_storage_fails_at_manifests_of_what_is_attached(services, meanwhile, promote, release):
    """It is there by then, and nothing of the source goes before the manifests are written."""
    meanwhile.fails = lambda name, key: name == "write" and is_attached(key)
    with pytest.raises(StorageUnavailable):
        promote(move=True)
    assert (listed(services, DEV), listed(services, STABLE)) == (BOTH, BOTH)
    assert (len(documented(services, DEV)), len(documented(services, STABLE))) == (3, 3)
    meanwhile.fails = None
    assert promote(move=True) == dict.fromkeys(BOTH, How.THERE)
    assert (listed(services, DEV), documented(services, DEV)) == ({}, set())
    assert_tidy(services, DEV, STABLE)


def test_documentation_is_replaced_meanwhile(services, meanwhile, promote, release, dying):
    other = dying.zip_bytes({"index.html": b"other"})
    meanwhile.fails = lambda name, key: name == "put" and is_attached(key) and come()

    def come():
        meanwhile.fails = None
        dying.document(services.storage, services.ingest.changes.attached, DEV, other)

    with pytest.raises(Conflict, match="removed or replaced"):
        promote(move=True)
    assert (listed(services, DEV), listed(services, STABLE)) == (BOTH, {})
    assert_tidy(services, DEV, STABLE)
    promote(move=True)
    assert documented(services, DEV) == set()
    assert_tidy(services, DEV, STABLE)


def test_other_documentation_comes_to_the_target_meanwhile(services, meanwhile, promote, release, dying):
    other = dying.zip_bytes({"index.html": b"other"})

    def come():
        meanwhile.fails = None
        dying.document(services.storage, services.ingest.changes.attached, STABLE, other)

    meanwhile.fails = lambda name, key: name == "put" and is_attached(key) and come()
    with pytest.raises(FileExists, match="with other content"):
        promote(move=True)
    assert (listed(services, DEV), listed(services, STABLE)) == (BOTH, {})
    assert (len(documented(services, DEV)), len(documented(services, STABLE))) == (3, 1)
    assert_tidy(services, DEV, STABLE)
    assert promote(move=True, docs=False) == dict.fromkeys(BOTH, How.COPY)
    assert (documented(services, DEV), len(documented(services, STABLE))) == ({release.sha256}, 3)


def test_a_file_of_the_release_comes_meanwhile(services, meanwhile, promote, release, dying):
    """It stays in the source, with the documentation."""
    third = build_sdist("demo", "1.0", suffix=".zip")
    meanwhile.after = lambda: upload(services, dying, third, DEV)
    promote(move=True)
    assert listed(services, DEV) == {third.filename: third.sha256}
    assert documented(services, DEV) == {release.sha256}
    assert len(documented(services, STABLE)) == 3
    assert_tidy(services, DEV, STABLE)


def test_in_a_bucket(tmp_path, s3_options, dying):
    world = World(tmp_path, {**INDEXES, "pypi.storage": "s3", "storage.prefix": "pkgs/", **s3_options})
    services = world.services
    for one in (WHEEL, SDIST):
        upload(services, dying, one, DEV)
    docs = dying.document(services.storage, services.ingest.changes.attached, DEV)
    services.promotion.promote(PromotionRequest(DEV, STABLE, DEMO, "1.0", move=True), ADMIN, AUTHOR)
    assert (listed(services, DEV), listed(services, STABLE)) == ({}, BOTH)
    assert (documented(services, DEV), documented(services, STABLE)) == (set(), {docs.sha256})
    assert_tidy(services, DEV, STABLE)
    world.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_many_at_once(tmp_path, new_url, dying, kind):
    """Of promotions, uploads of other bytes and deletions of the source at once, all or nothing is in the target."""
    world = World(tmp_path, {**INDEXES, "db.url": new_url(kind)})
    services, target = world.services, {}
    with ThreadPoolExecutor(4) as pool:
        for number in range(6):
            version = f"{number}.0"
            release = [build_wheel("demo", version), build_sdist("demo", version)]
            for one in release:
                upload(services, dying, one, DEV)
            pages = dying.zip_bytes({"index.html": version.encode()})
            docs = dying.document(services.storage, services.ingest.changes.attached, DEV, pages, version)
            other = build_wheel("demo", version, body=b"other")
            wanted = PromotionRequest(DEV, STABLE, DEMO, version, move=number % 3 == 2)
            actions = [lambda: services.promotion.promote(wanted, ADMIN, AUTHOR)] * 2  # noqa: B023
            if number % 2:
                actions.append(lambda: dying.add(services.storage, Frozen(services.ingest), STABLE, other))  # noqa: B023
            if number % 3 == 1:
                actions.append(lambda: services.ingest.changes.remove(Selection(DEV, DEMO, None, version), AUTHOR))  # noqa: B023
            together = threading.Barrier(len(actions))
            outcomes = list(pool.map(lambda action: attempt(action, together), actions))  # noqa: B023
            whole = {one.filename: one.sha256 for one in release}
            found = {name: sha for name, sha in listed(services, STABLE).items() if name in whole}
            assert found in ({}, whole, {other.filename: other.sha256}), outcomes
            if not number % 2 and number % 3 != 1:
                assert found == whole
            if number % 3 != 1:
                assert (docs.sha256 in documented(services, STABLE)) == (found == whole)
            target |= found
    settle(services)
    assert listed(services, STABLE) == target
    assert_tidy(services, DEV, STABLE)
    world.close()


class Frozen:
    """Ingest for an index that is not volatile."""

    def __init__(self, ingest):
        self._ingest = ingest

    def add(self, new, spool, author, _may_overwrite):
        return self._ingest.add(new, spool, author, lambda: False)


def attempt(action, together):
    together.wait(30)
    try:
        return action()
    except (FileExists, Conflict, NotFound) as error:
        return error.message
    except PpcError as error:
        return f"{error.code}: {error.message}"
