"""Folders that people touch: what is dropped in is listed, what is taken out is not, and nothing else happens."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.storage.backends.local_turns import turn_in_folder
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON

INTERVAL = 60


class Clock:
    """The server's clock, put forward at will; files keep the system's."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return system_clock() + self.ahead

    def forward(self, seconds=INTERVAL):
        self.ahead += timedelta(seconds=seconds)


class Folder:
    """A site whose folder is looked after."""

    def __init__(self, make_site):
        self.site = make_site({"storage.rescan": f"{INTERVAL} s"})
        self.clock = Clock()
        self.waited = []
        self.site.world.services.first_rebuild().settle_trivial()
        self.rescan = self.another()

    def another(self, clock=None):
        """As another worker process has it."""
        services = self.site.world.services
        object.__setattr__(services, "clock", clock or self.clock)
        return services.rescan()[0]

    def put(self, path, data, age=10.0):
        """By hand, some seconds ago."""
        self.site.put_foreign(path, data)
        moment = system_clock().timestamp() - age
        os.utime(self.site.packages / path, (moment, moment))

    def take_out(self, path):
        (self.site.packages / path).unlink()

    def look(self, rescan=None, *, wait=None):
        """One turn later."""
        self.clock.forward()
        return (rescan or self.rescan).look(wait or self.waited.append)

    def listed(self, project="demo"):
        return self.site.listed(project)


@pytest.fixture
def folder(make_site):
    return Folder(make_site)


WHEEL = build_wheel("demo", "1.0")
OTHER = build_wheel("demo", "1.0", body=b"other")
SDIST = build_sdist("demo", "2.0")


def test_dropped_in_and_taken_out(folder):
    folder.put(WHEEL.filename, WHEEL.data)
    folder.put(f"deep/er/{SDIST.filename}", SDIST.data)
    report = folder.look()
    assert (report.imported, report.removed, report.remarks) == (2, 0, [])
    assert folder.listed() == {WHEEL.filename: WHEEL.sha256, SDIST.filename: SDIST.sha256}
    folder.take_out(WHEEL.filename)
    report = folder.look()
    assert (report.imported, report.removed) == (0, 1)
    assert folder.listed() == {SDIST.filename: SDIST.sha256}
    assert folder.site.world.get(f"/packages/root/main/demo/{WHEEL.filename}", status=404)
    assert folder.waited == []


@pytest.mark.parametrize("artifact", [WHEEL, OTHER])
def test_taken_out_and_put_back(folder, artifact):
    """Whoever may touch the folder decides: also other bytes come in, under the name that was free meanwhile."""
    folder.put(WHEEL.filename, WHEEL.data)
    folder.put(SDIST.filename, SDIST.data)
    folder.look()
    folder.take_out(WHEEL.filename)
    assert folder.look().removed == 1
    folder.put(WHEEL.filename, artifact.data)
    assert folder.look().imported == 1
    assert folder.listed() == {WHEEL.filename: artifact.sha256, SDIST.filename: SDIST.sha256}
    folder.site.lose_database()
    folder.site.resync()
    assert folder.listed() == {WHEEL.filename: artifact.sha256, SDIST.filename: SDIST.sha256}


def test_replaced_by_hand(folder):
    """Other bytes at the same place are listed with their own digest, and the yank stays."""
    folder.put(WHEEL.filename, WHEEL.data)
    folder.look()
    folder.site.world.send("PUT", "/api/package/demo/version/1.0/yank", "admin", json={"reason": "bad"})
    old = folder.site.world.project("demo")["files"][0]["url"]
    folder.put(WHEEL.filename, OTHER.data, age=5)
    report = folder.look()
    assert (report.imported, report.replaced) == (0, 1)
    assert "other content" in report.remarks[0]
    (file,) = folder.site.world.project("demo")["files"]
    assert (file["hashes"]["sha256"], file["yanked"]) == (OTHER.sha256, "bad")
    folder.site.world.get(old.removeprefix("../.."), status=404)
    assert folder.site.world.get(file["url"].removeprefix("../..")).body == OTHER.data
    # Only the documents of what is there are left beside it.
    homes = {key.split("/")[3] for key in folder.site.stored() if key.startswith("root/main/demo/")}
    assert len(homes) == 1
    before = folder.site.page()
    folder.site.lose_database()
    folder.site.resync()
    assert folder.site.page() == before


def test_touched_only(folder):
    folder.put(WHEEL.filename, WHEEL.data)
    folder.look()
    folder.put(WHEEL.filename, WHEEL.data, age=5)
    assert folder.look().replaced == 1
    assert folder.listed() == {WHEEL.filename: WHEEL.sha256}
    assert folder.look().counts() == {"files": 1, "restored": 0, "imported": 0, "replaced": 0, "removed": 0}


def test_a_file_that_is_being_copied_is_left_until_it_is_whole(folder):
    half = WHEEL.data[: len(WHEEL.data) // 2]
    folder.put(WHEEL.filename, half, age=600)
    report = folder.look()
    assert (report.imported, folder.listed()) == (0, {})
    assert "not taken over" in report.remarks[0]
    # Half of a tar is found out too, and neither is told of again while it stays so.
    folder.put(SDIST.filename, SDIST.data[:-20], age=600)
    assert [one for one in folder.look().remarks if SDIST.filename in one]
    assert folder.look().remarks == []
    folder.put(WHEEL.filename, WHEEL.data)
    folder.put(SDIST.filename, SDIST.data)
    assert folder.look().imported == 2


def test_what_was_written_just_now_waits_and_is_taken_in_the_same_look(folder):
    folder.clock.ahead = timedelta(seconds=-INTERVAL)
    folder.put(WHEEL.filename, WHEEL.data[:100], age=0)

    def wait(seconds):
        folder.waited.append(seconds)
        folder.put(WHEEL.filename, WHEEL.data, age=0)
        folder.clock.forward(seconds + 1)
        return False

    assert folder.look(wait=wait).imported == 1
    assert folder.waited == [2.0]
    assert folder.listed() == {WHEEL.filename: WHEEL.sha256}


def test_a_server_that_ends_does_not_wait(folder):
    folder.clock.ahead = timedelta(seconds=-INTERVAL)
    folder.put(WHEEL.filename, WHEEL.data, age=0)
    assert folder.look(wait=lambda _seconds: True).imported == 0
    assert folder.look().imported == 1


def test_a_file_from_the_future_is_taken(folder):
    folder.put(WHEEL.filename, WHEEL.data, age=-86400)
    assert folder.look().imported == 1


@pytest.mark.parametrize(
    "name", [".demo-1.0-py3-none-any.whl.Xy12", "demo-1.0-py3-none-any.whl.part", "demo.crdownload", "notes.txt"]
)
def test_what_is_no_distribution_is_left_alone(folder, name):
    folder.put(name, WHEEL.data)
    report = folder.look()
    assert (report.imported, folder.listed()) == (0, {})
    assert (folder.site.packages / name).read_bytes() == WHEEL.data


def test_a_name_that_is_taken_is_told_once(folder, caplog):
    folder.site.world.upload(WHEEL)
    folder.put(OTHER.filename, OTHER.data)
    assert "is there already" in folder.look().remarks[0]
    assert folder.look().remarks == []
    assert folder.listed() == {WHEEL.filename: WHEEL.sha256}


def test_a_deletion_over_http_stays_one(folder):
    folder.put(WHEEL.filename, WHEEL.data)
    folder.look()
    folder.site.world.delete(f"/api/package/demo/{WHEEL.filename}")
    assert not (folder.site.packages / WHEEL.filename).exists()
    folder.put(WHEEL.filename, WHEEL.data)
    assert "was deleted here" in folder.look().remarks[0]
    assert folder.listed() == {}


def test_uploaded_files_that_were_taken_out_are_not_listed_any_more(folder):
    folder.site.world.upload(WHEEL)
    folder.site.world.upload(SDIST)
    row = folder.site.rows()[WHEEL.filename]
    folder.take_out(row.key.value)
    # Newer than the look began, by the server's clock.
    folder.clock.forward()
    assert folder.look().removed == 1
    assert folder.listed() == {SDIST.filename: SDIST.sha256}
    folder.site.world.upload(OTHER, status=409)
    folder.site.world.upload(WHEEL)


def test_an_empty_folder_empties_no_index(folder):
    """As when a disk is not mounted."""
    for number in range(14):
        artifact = build_wheel("demo", f"{number}.0")
        folder.put(artifact.filename, artifact.data)
    folder.look()
    away = folder.site.folder / "away"
    shutil.move(folder.site.packages, away)
    with pytest.raises(StorageUnavailable):
        folder.look()
    folder.site.packages.mkdir()
    report = folder.look()
    assert report.removed == 0
    assert "right folder" in report.remarks[0]
    assert folder.look().removed == 0
    assert len(folder.listed()) == 14
    # Nor one in which a few are left.
    shutil.rmtree(folder.site.packages)
    shutil.move(away, folder.site.packages)
    for number in range(12):
        folder.take_out(f"demo-{number}.0-py3-none-any.whl")
    assert folder.look().removed == 0
    assert folder.site.resync().removed == 12


def test_nothing_is_compared_while_nothing_changes(folder):
    for number in range(5):
        folder.put(f"demo-{number}.0.tar.gz", build_sdist("demo", f"{number}.0").data)
    folder.look()
    folder.look()
    with counted(folder) as statements:
        folder.look()
    assert len(statements) == 1


def counted(folder):
    from pypicloud_lite.testing.databases import counted_statements

    return counted_statements(folder.site.world.services.database)


def test_one_process_looks_in_an_interval(folder):
    """The same file tells all of them, also on several hosts over one folder."""
    second = folder.another()
    looks = []
    for _ in range(6):
        looks.append([one.look(folder.waited.append) is not None for one in (folder.rescan, second)])
        folder.clock.forward(INTERVAL / 2)
    assert [sum(both) for both in looks] == [1, 0, 1, 0, 1, 0]


def test_while_one_looks_nobody_else_does(folder):
    with turn_in_folder(folder.site.packages, 60, folder.clock) as mine:
        assert mine
        folder.clock.forward(600)
        assert folder.rescan.look(folder.waited.append) is None
    folder.clock.forward(600)
    assert folder.rescan.look(folder.waited.append) is not None


def test_a_look_that_failed_is_no_look(folder):
    with pytest.raises(RuntimeError), turn_in_folder(folder.site.packages, 60, folder.clock):
        raise RuntimeError
    with turn_in_folder(folder.site.packages, 60, folder.clock) as mine:
        assert mine


def test_nothing_before_the_first_rebuild(make_site):
    folder = Folder(make_site)
    folder.site.lose_database()
    folder.rescan = folder.another()
    folder.put(WHEEL.filename, WHEEL.data)
    assert folder.look() is None
    folder.site.world.services.resync_or_first()
    assert folder.look().imported == 0
    assert folder.listed() == {WHEEL.filename: WHEEL.sha256}


def test_uploads_deletions_and_dropped_files_while_it_looks(folder):
    """Back to back: nothing is lost, nothing is listed twice, every manifest is there."""
    site, over = folder.site, threading.Event()
    uploaded = [build_wheel("up", f"{number}.0") for number in range(40)]
    dropped = [build_sdist("drop", f"{number}.0") for number in range(40)]

    def look_around():
        looks = 0
        while not over.is_set():
            folder.look()
            looks += 1
        return looks

    def upload(numbers):
        for number in numbers:
            site.world.upload(uploaded[number])
            if number % 4 == 3:
                site.world.delete(f"/api/package/up/{uploaded[number].filename}")

    def drop():
        for artifact in dropped:
            folder.put(artifact.filename, artifact.data)

    with ThreadPoolExecutor(4) as pool:
        looking = pool.submit(look_around)
        changing = [pool.submit(upload, range(20)), pool.submit(upload, range(20, 40)), pool.submit(drop)]
        for future in changing:
            future.result()
        over.set()
        assert looking.result() > 0
    folder.look()
    kept = {one.filename: one.sha256 for number, one in enumerate(uploaded) if number % 4 != 3}
    assert site.listed("up") == kept
    assert site.listed("drop") == {one.filename: one.sha256 for one in dropped}
    before = [site.world.get(f"/simple/{name}/", Accept=JSON).json["files"] for name in ("up", "drop")]
    site.lose_database()
    assert site.resync().remarks == []
    assert [site.world.get(f"/simple/{name}/", Accept=JSON).json["files"] for name in ("up", "drop")] == before


@pytest.mark.parametrize("known", [True, False], ids=["replaced", "new"])
def test_a_deletion_that_comes_between_wins(folder, monkeypatch, known):
    """The file was read already, and its name is deleted over HTTP before it can be entered."""
    world, enter = folder.site.world, folder.site.world.services.ingest._enter_adopted
    folder.put(SDIST.filename, SDIST.data)
    if known:
        folder.put(WHEEL.filename, WHEEL.data)
    folder.look()
    folder.put(WHEEL.filename, OTHER.data, age=5)

    def late(*arguments):
        if not known:
            world.upload(WHEEL)
        world.delete(f"/api/package/demo/{WHEEL.filename}")
        return enter(*arguments)

    monkeypatch.setattr(world.services.ingest, "_enter_adopted", late)
    report = folder.look()
    assert (report.imported, report.replaced) == (0, 0)
    assert "came first" in report.remarks[0]
    assert folder.listed() == {SDIST.filename: SDIST.sha256}
    assert [each.filename for each in folder.site.reservations()] == [WHEEL.filename]
    before = folder.site.page()
    folder.site.lose_database()
    folder.site.resync()
    assert folder.site.page() == before


def test_a_file_that_could_not_be_read_is_tried_again(folder, monkeypatch):
    """Its owner mends the rights, which changes neither its size nor its time."""
    folder.put(WHEEL.filename, WHEEL.data)
    storage = folder.site.world.services.storage

    def refuse(_key, _span=None):
        raise StorageUnavailable("Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "open", refuse)
        report = folder.look()
        assert report.imported == 0
        assert "cannot be read" in report.remarks[0]
    assert folder.look().imported == 1
