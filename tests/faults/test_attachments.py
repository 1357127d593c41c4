"""Documentation and results of tests: rebuilt from storage, and never half there, whenever a process dies."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from pypicloud_lite.catalog.model import AttachmentKind
from pypicloud_lite.indexes.attaching import Attaching, NewAttachment
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.indexes.layout import new_attached
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.testing.artifacts import zip_bytes
from pypicloud_lite.testing.world import World

AUTHOR = Author("writer")
DEMO, LONELY = ProjectName("demo"), ProjectName("lonely")
OLD, NEW = (zip_bytes({"index.html": text}) for text in (b"old", b"new"))
DAY = timedelta(days=2)


def put(services, attaching, new, data):
    with services.storage.spool() as spool:
        spool.write(data)
        return attaching.add(new, spool, AUTHOR, lambda: True).record


def documentation(index, project=DEMO, version="1.0"):
    return NewAttachment.documentation(index, project, version, system_clock(), "wríter", "Demo")


def result(index, filename, number=0):
    name = f"{filename}.toxresult-20260102030405-{number}"
    return NewAttachment(index, DEMO, "1.0", AttachmentKind.TOXRESULT, name, system_clock(), filename, None)


def attach(site, wheel):
    """Documentation that was replaced, of a project of its own too, and results; in two indexes."""
    services = site.world.services
    attaching = services.ingest.changes.attached
    for index in (services.index, IndexName("alice", "dev")):
        for data in (OLD, NEW):
            put(services, attaching, documentation(index), data)
        put(services, attaching, documentation(index, LONELY, "2.0rc1"), OLD)
    for number in range(2):
        put(services, attaching, result(services.index, wheel.filename, number), b'{"number": %d}' % number)


def rows(site):
    with site.world.services.catalog.read() as catalog:
        found = [replace(one, id=0) for one in catalog.all_attachments()]
        names = {(str(one.index), one.project) for one in found}
        projects = [catalog.project(IndexName.parse(index), project) for index, project in sorted(names)]
    return sorted(found, key=str), [replace(one, id=0, revision=0) for one in projects]


def lie(site):
    return sorted(key for key in site.stored() if "+attached" in key)


def test_a_lost_database_comes_back_the_same(any_site, wheel):
    site = any_site
    site.fill()
    attach(site, wheel)
    before = rows(site), site.everything(), lie(site)
    assert len(before[0][0]) == 6
    assert len(lie(site)) == 12
    site.lose_database()
    report = site.resync()
    assert (rows(site), site.everything(), lie(site)) == before
    assert (report.restored, report.imported, report.remarks) == (10, 0, [])
    with site.world.services.catalog.read() as catalog:
        state = catalog.state()
        assert state.serial >= max(one.serial for one in before[0][0])
    again = site.resync()
    assert (again.restored, again.remarks) == (0, [])
    with site.world.services.catalog.read() as catalog:
        assert catalog.state() == state
    assert site.world.services.leftovers().find(timedelta(0)) == []


def test_yesterdays_database(site, wheel):
    site.fill()
    attach(site, wheel)
    services = site.world.services
    site.close()
    copy = site.folder / "yesterday"
    copy.write_bytes(site.database.read_bytes())
    site.world = site.open()
    services = site.world.services
    attaching = services.ingest.changes.attached
    put(services, attaching, documentation(services.index), OLD)
    put(services, attaching, result(services.index, wheel.filename, 7), b'{"seven": 7}')
    services.ingest.changes.remove(Selection(services.index, LONELY), AUTHOR)
    before = rows(site)[0]
    site.lose_database(copy)
    assert rows(site)[0] != before
    site.resync()
    assert rows(site)[0] == before


def test_what_is_gone_and_what_is_left(site, wheel):
    site.fill()
    attach(site, wheel)
    services = site.world.services
    storage = services.storage
    with services.catalog.read() as catalog:
        lost, untold, *_ = catalog.attachments(services.index, DEMO)
    storage.delete(lost.key)
    storage.delete(untold.manifest_key)
    report = site.resync()
    assert [one for one in report.remarks if lost.key.value in one]
    assert [one for one in report.remarks if untold.manifest_key.value in one]
    with services.catalog.read() as catalog:
        assert catalog.attachment(services.index, lost.filename) is None
        assert catalog.attachment(services.index, untold.filename) == untold
    before = rows(site)
    assert site.resync().remarks == []
    site.lose_database()
    site.resync()
    assert rows(site) == before


def test_damaged_and_foreign_manifests(site, wheel):
    site.fill()
    attach(site, wheel)
    services = site.world.services
    with services.catalog.read() as catalog:
        found = list(catalog.attachments(services.index, DEMO))
    told = services.storage.read(found[0].manifest_key)
    evil = [
        b"",
        b"[]",
        b'{"format": 1}',
        told.replace(b'"sha256": "', b'"sha256": "x'),
        told.replace(b'"version": "1.0"', b'"version": "x y"'),
        told.replace(found[0].filename.encode(), b"other.doc.zip"),
        told.replace(b'"project": "demo"', b'"project": "other"'),
    ]
    for data in evil:
        key = new_attached(services.index, DEMO, found[0].filename, "0" * 64)
        services.storage.write(key, b"bytes")
        services.storage.write(key.sibling(".manifest.json"), data)
    before = rows(site)
    site.lose_database()
    report = site.resync()
    assert rows(site) == before
    assert len(report.remarks) == len(evil)
    assert report.imported == 0


def test_a_result_does_not_outlive_its_file(site, wheel):
    """Its removal could not delete it, as somebody wrote its manifest once more."""
    site.fill()
    services = site.world.services
    record = put(services, services.ingest.changes.attached, result(services.index, wheel.filename), b"{}")
    kept = {key: services.storage.read(key) for key in (record.key, record.manifest_key)}
    site.world.delete(f"/api/package/demo/{wheel.filename}")
    assert lie(site) == []
    for key, data in kept.items():
        services.storage.write(key, data)
    site.resync()
    assert rows(site)[0] == []
    leftovers = services.leftovers()
    found = leftovers.find(timedelta(seconds=-5))
    assert {info.key.value for info in found} == {key.value for key in kept}
    leftovers.remove(found)
    assert lie(site) == []


def test_archives_are_no_packages(site):
    """Wherever they are called as one: what is attached is never taken over as a file."""
    name = "demo-1.0.zip"
    key = StorageKey(f"root/main/demo/+attached/00000000-{'0' * 16}/{name}")
    site.world.services.storage.write(key, zip_bytes({"demo-1.0/PKG-INFO": b"Name: demo\nVersion: 1.0\n"}))
    report = site.resync()
    assert (report.imported, report.remarks, site.rows()) == (0, [], {})


class Died(BaseException):
    pass


class Steps:
    def __init__(self, left):
        self.left = left

    def done(self):
        self.left -= 1
        if self.left == 0:
            raise Died


class Mortal:
    """A storage or catalog after one of whose changes nothing happens any more."""

    def __init__(self, real, steps):
        self._real = real
        self._steps = steps

    def __getattr__(self, name):
        does = getattr(self._real, name)
        if self._steps.left <= 0:
            raise Died
        if name not in {"put", "write", "delete"}:
            return does

        def change(*arguments):
            if name == "write" and isinstance(arguments[0], Author):
                return self._scope(*arguments)
            done = does(*arguments)
            self._steps.done()
            return done

        return change

    def _scope(self, author):
        from contextlib import contextmanager

        @contextmanager
        def scope():
            with self._real.write(author) as writer:
                yield writer
            self._steps.done()

        return scope()


ACTIONS = {"add": 5, "replace": 5, "remove": 4}


@pytest.mark.parametrize("action", ACTIONS)
def test_dying_at_each_step(tmp_path, action):
    """The old state or the new one, the same after a rebuild from nothing, and a sweep leaves no garbage."""
    for step in range(1, 20):
        folder = tmp_path / str(step)
        folder.mkdir()
        if survives(folder, action, step):
            assert step > ACTIONS[action]
            return
    pytest.fail("it never ends")


def survives(folder, action, step):
    settings = {"db.url": f"sqlite:///{folder}/c.sqlite", "storage.dir": f"{folder}/packages"}
    world = World(folder, settings)
    services = world.services
    index = services.index
    if action != "add":
        put(services, services.ingest.changes.attached, documentation(index), OLD)
    steps = Steps(step)
    attaching = Attaching(Mortal(services.storage, steps), Mortal(services.catalog, steps))
    finished = True
    try:
        if action == "remove":
            attaching.remove_of_release(index, DEMO, "1.0", AUTHOR)
        else:
            put(services, attaching, documentation(index), NEW)
    except Died:
        finished = False
    seen = content(services)
    assert seen in {"add": (None, NEW), "replace": (OLD, NEW), "remove": (OLD, None)}[action]
    if finished:
        assert seen == {"remove": None}.get(action, NEW)
    services.resync()
    assert content(services) == seen
    sweep(services)
    assert content(services) == seen
    assert len(list(services.storage.list("root/main/demo/+attached/"))) == (0 if seen is None else 2)
    world.close()
    for path in folder.glob("c.sqlite*"):
        path.unlink()
    world = World(folder, settings)
    world.services.resync()
    assert content(world.services) == seen
    world.close()
    return finished


def sweep(services):
    services.leftovers().remove(services.leftovers().find(timedelta(seconds=-5)))


def content(services):
    with services.catalog.read() as catalog:
        found = list(catalog.attachments(services.index, DEMO))
    if not found:
        return None
    with services.storage.open(found[0].key) as blob:
        return b"".join(blob)


def test_a_sweep_waits(site):
    """For the grace period: bytes may be on their way to a row."""
    services = site.world.services
    key = new_attached(services.index, DEMO, "demo-1.0.doc.zip", "0" * 64)
    services.storage.write(key, b"bytes")
    assert services.leftovers().find() == []
    path = site.packages / key.value
    os.utime(path, (0, 0))
    assert [info.key for info in services.leftovers().find()] == [key]


def test_whoever_comes_between(site):
    """A manifest that is written while its row goes does not outlive it."""
    services = site.world.services
    attaching = services.ingest.changes.attached

    class Storage:
        def __getattr__(self, name):
            return getattr(services.storage, name)

        def write(self, key, data):
            with services.catalog.read() as catalog:
                rows = catalog.attachments(services.index, DEMO)
            if key.value.endswith(".doc.zip.manifest.json"):
                attaching.remove(rows, AUTHOR)
            services.storage.write(key, data)

    with pytest.raises(Exception, match="removed while it was being uploaded"):
        put(services, Attaching(Storage(), services.catalog), documentation(services.index), NEW)
    assert lie(site) == []
