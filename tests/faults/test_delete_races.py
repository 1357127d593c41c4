"""A deletion and uploads of the same bytes at the same moment."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from pypicloud_lite.catalog.model import ManifestState
from pypicloud_lite.indexes.changes import Changes, Selection
from pypicloud_lite.indexes.manifest import decode_manifest
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import RawClient
from pypicloud_lite.testing.world import JSON, World, user_settings

UPLOADERS, UPLOADS_EACH = 3, 3
WHEEL = build_wheel("race", "1.0", body=b"always the same")
PROJECT = ProjectName("race")


@dataclass(frozen=True)
class Act:
    status: int
    began: float
    ended: float


def timed(request):
    began = time.monotonic()
    answer = request()
    return Act(answer.status, began, time.monotonic())


@pytest.fixture
def world(tmp_path):
    """The same folder and database as the server's, looked at from within."""
    made = World(
        tmp_path, {"db.url": f"sqlite:///{tmp_path}/catalog.sqlite", "storage.dir": str(tmp_path / "packages")}
    )
    yield made
    made.close()


class Poller:
    """Reads page and file over and over: a listed file always has its bytes."""

    def __init__(self, port):
        self._over = threading.Event()
        self._client = RawClient(port, "reader")
        self.whole = 0
        self.gone = 0

    def run(self):
        with self._client:
            while not self._over.is_set():
                self.look()
        return self.whole

    def stop(self):
        self._over.set()

    def look(self):
        before = self._client.page("race")
        assert before.status in {200, 404}
        if before.status == 404 or not json.loads(before.body)["files"]:
            return
        file = self._client.listed("race").get(WHEEL.filename)
        if file is None:
            return
        served = [self._client.download(file["url"] + suffix) for suffix in ("", ".metadata")]
        after = self._client.page("race")
        if all(answer.status == 200 for answer in served):
            assert [answer.body for answer in served] == [WHEEL.data, WHEEL.metadata]
            self.whole += 1
            return
        assert {answer.status for answer in served} <= {200, 404}
        # The serial rises with every change: had it been listed all the time, it would be the same.
        assert after.headers.get("x-pypi-last-serial") != before.headers["x-pypi-last-serial"]
        self.gone += 1


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rounds", [pytest.param(15, id="quick"), pytest.param(200, id="full", marks=pytest.mark.slow)])
def test_f04_f15_a_deletion_races_uploads_of_the_same_bytes(world, tmp_path, rounds):
    settings = {**user_settings(), "db.url": f"sqlite:///{tmp_path}/catalog.sqlite"}
    settings["storage.dir"] = str(tmp_path / "packages")
    barrier = threading.Barrier(UPLOADERS + 1)
    outcomes = Counter()
    with ExitStack() as stack:
        server = stack.enter_context(LiveServer(tmp_path / "server", settings))
        deleter = stack.enter_context(closing(RawClient(server.port, "writer")))
        uploaders = [stack.enter_context(closing(RawClient(server.port, "writer"))) for _ in range(UPLOADERS)]
        pool = stack.enter_context(ThreadPoolExecutor(UPLOADERS + 2))
        poller = Poller(server.port)
        stack.callback(poller.stop)
        polling = pool.submit(poller.run)

        def delete(pause):
            barrier.wait(60)
            # Not a wait for something to happen: it only moves the deletion through the uploads.
            threading.Event().wait(pause)
            return timed(lambda: deleter.delete("race", WHEEL.filename))

        def upload(client):
            barrier.wait(60)
            return [timed(lambda: client.upload(WHEEL)) for _ in range(UPLOADS_EACH)]

        for number in range(rounds):
            assert uploaders[0].upload(WHEEL).status == 200
            deletion = pool.submit(delete, number % 10 / 100)
            uploads = [act for acts in pool.map(upload, uploaders) for act in acts]
            outcomes["listed" if check_round(world, deletion.result(), uploads) else "gone"] += 1
            assert polling.running(), polling.result()
        poller.stop()
        assert polling.result() > 0
    assert outcomes["listed"]
    before = page(world)
    world.services.resync()
    assert page(world) == before


def check_round(world, deletion, uploads):
    """What everybody was told fits what is there, and page, row, manifest and bytes agree."""
    assert deletion.status == 200
    assert {act.status for act in uploads} <= {200, 503}
    with world.services.catalog.read() as catalog:
        rows = catalog.files(world.services.index, PROJECT)
        reserved = [each.filename for each in catalog.reservations(world.services.index, PROJECT)]
    acknowledged = [act for act in uploads if act.status == 200]
    if any(act.began > deletion.ended for act in acknowledged):
        assert rows, "an upload that began after the deletion's answer was acknowledged, and is not listed"
    if rows:
        assert any(act.ended > deletion.began for act in uploads), "deleted, and listed without an upload"
    assert_one_truth(world, rows)
    assert reserved == ([] if rows else [WHEEL.filename])
    return bool(rows)


def assert_one_truth(world, rows):
    """Storage has exactly what the rows name, and each manifest says what its row says."""
    storage = world.services.storage
    found = {info.key.value for info in storage.list() if info.key.filename != "project.json"}
    assert found == {key.value for row in rows for key in (row.key, row.manifest_key, row.metadata_key)}
    for row in rows:
        assert row.manifest is ManifestState.DONE
        told = decode_manifest(row.home, storage.read(row.manifest_key)).record
        assert (told.key, told.serial, told.digests) == (row.key, row.serial, row.digests)
        with storage.open(row.key) as reader:
            assert hashlib.sha256(b"".join(reader)).hexdigest() == WHEEL.sha256


def page(world):
    answer = world.get("/simple/race/", "reader", "*", Accept=JSON)
    return answer.status_int, answer.body


class Interrupted:
    """A storage in whose deletion of a manifest something else happens first; ``then`` is raised after it."""

    def __init__(self, storage, meanwhile, then=None):
        self._storage = storage
        self._meanwhile = meanwhile
        self._then = then

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def delete(self, key):
        if key.value.endswith(".manifest.json") and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
            self._storage.delete(key)
            if self._then is not None:
                raise self._then
        self._storage.delete(key)


class Died(BaseException):
    """The process is no more."""


def remove_interrupted(world, then):
    """Delete the file, while an upload of the same bytes comes in just before its manifest goes."""
    services = world.services
    with services.catalog.read() as catalog:
        row = catalog.file(services.index, WHEEL.filename)
    storage = Interrupted(services.storage, lambda: world.upload(WHEEL, status=200), then)
    return Changes(storage, services.catalog).remove(
        Selection(row.index, row.project, str(row.filename)), Author("writer")
    )


def test_an_upload_acknowledged_during_a_deletion_that_dies_keeps_its_manifest(world):
    world.upload(WHEEL)
    with pytest.raises(Died):
        remove_interrupted(world, Died())
    with world.services.catalog.read() as catalog:
        rows = catalog.files(world.services.index, PROJECT)
    assert len(rows) == 1
    assert_one_truth(world, rows)


def test_an_upload_acknowledged_during_a_deletion_stays(world):
    world.upload(WHEEL)
    assert remove_interrupted(world, None)
    with world.services.catalog.read() as catalog:
        rows = catalog.files(world.services.index, PROJECT)
    assert len(rows) == 1
    assert_one_truth(world, rows)


def test_a_deletion_that_met_an_outage_is_finished_later(world):
    def down():
        raise StorageUnavailable("the disk is away")

    services = world.services
    world.upload(WHEEL)
    with services.catalog.read() as catalog:
        row = catalog.file(services.index, WHEEL.filename)
    with pytest.raises(StorageUnavailable):
        Changes(Interrupted(services.storage, down), services.catalog).remove(
            Selection(row.index, row.project, str(row.filename)), Author("writer")
        )
    world.get(f"/packages/root/main/race/{WHEEL.filename}", status=404)
    assert services.ingest.changes.settle_pending(system_clock() + timedelta(hours=1)) == 1
    with services.catalog.read() as catalog:
        assert_one_truth(world, catalog.files(services.index, PROJECT))
        assert catalog.reservation(services.index, WHEEL.filename) is not None
    world.get(f"/packages/root/main/race/{WHEEL.filename}", status=404)
    world.upload(WHEEL, status=200)
