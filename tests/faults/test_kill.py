"""F05, F16: kill -9 of the whole server at random moments of parallel uploads; then the database is lost too."""

from __future__ import annotations

import hashlib
import http.client
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from pypicloud_lite.catalog.model import ManifestState
from pypicloud_lite.indexes.manifest import decode_manifest
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import RawClient
from pypicloud_lite.testing.world import JSON, World, user_settings

THREADS = 4
EACH = 8
SMALLEST, LARGEST = 1024, 2 * 1024 * 1024
CASES = [
    pytest.param("file", 2, id="file 2"),
    pytest.param("file", 100, id="file 100", marks=[pytest.mark.slow, pytest.mark.long]),
    pytest.param("s3", 20, id="s3 20", marks=[pytest.mark.slow, pytest.mark.long]),
]


@pytest.fixture
def settings_of(request, tmp_path) -> Callable[[str], dict[str, str]]:
    def choose(storage):
        settings = {**user_settings(), "db.url": f"sqlite:///{tmp_path}/catalog.sqlite"}
        if storage == "s3":
            settings |= {"pypi.storage": "s3", "pypi.stream_files": "true"}
            return {**settings, **request.getfixturevalue("s3_options")}
        return {**settings, "storage.dir": str(tmp_path / "packages")}

    return choose


def artifacts(generator, number):
    """What each thread uploads in a round: 1 KiB to 2 MiB, small ones more often."""
    made = []
    for thread in range(THREADS):
        made.append([])
        for each in range(EACH):
            size = int(SMALLEST * (LARGEST / SMALLEST) ** generator.random())
            build = build_wheel if generator.random() < 0.5 else build_sdist
            made[-1].append(build(f"p{number}", f"{thread}.{each}", body=generator.randbytes(size)))
    return made


def upload_until_death(port, mine, acknowledged, count):
    """Upload one after the other until no answer comes; what was acknowledged is noted at once."""
    with RawClient(port, "writer") as client:
        for artifact in mine:
            try:
                answer = client.upload(artifact)
            except (OSError, http.client.HTTPException):
                return
            assert (answer.status, answer.reason) == (200, "OK")
            acknowledged[artifact.filename] = artifact.sha256
            count.release()


def one_life(server, made, generator):
    """Start, upload, and die a moment after so many were acknowledged, while others are on their way."""
    server.start()
    acknowledged: dict[str, str] = {}
    count = threading.Semaphore(0)
    with ThreadPoolExecutor(THREADS) as pool:
        uploading = [pool.submit(upload_until_death, server.port, mine, acknowledged, count) for mine in made]
        for _ in range(generator.randrange(THREADS * (EACH - 2))):
            count.acquire(timeout=60)
        # A moment that nothing in the server knows of is the point.
        threading.Event().wait(generator.uniform(0, 0.03))
        server.kill()
    for each in uploading:
        each.result()
    return acknowledged


def assert_whole(port, project, acknowledged):
    """What was acknowledged is listed, and whatever is listed is whole."""
    with RawClient(port, "reader") as client:
        listed = client.listed(project)
        assert {name: listed[name]["hashes"]["sha256"] for name in acknowledged} == acknowledged
        for file in listed.values():
            assert_served(client, file["url"], file["hashes"]["sha256"])
            if "core-metadata" in file:
                assert_served(client, file["url"] + ".metadata", file["core-metadata"]["sha256"])
    return len(listed)


def assert_served(client, url, sha256):
    answer = client.download(url)
    assert (answer.status, hashlib.sha256(answer.body).hexdigest()) == (200, sha256)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("storage", "rounds"), CASES)
def test_f05_f16_nothing_acknowledged_is_lost(settings_of, storage, rounds, tmp_path, note):
    seed = random.SystemRandom().randrange(1_000_000)
    note(f"seed {seed}")
    generator = random.Random(seed)
    settings = settings_of(storage)
    server = LiveServer(tmp_path / "server", settings)
    lives: dict[str, dict[str, str]] = {}
    listed = 0
    with ExitStack() as stack:
        stack.callback(server.kill)
        for number in range(rounds):
            made = artifacts(generator, number)
            lives[f"p{number}"] = one_life(server, made, generator)
        server.start()
        for project, acknowledged in lives.items():
            listed += assert_whole(server.port, project, acknowledged)
        server.stop()
    acknowledged = sum(map(len, lives.values()))
    note(f"{rounds} kills, {acknowledged} uploads acknowledged, {listed} listed, of {rounds * THREADS * EACH}")
    assert 0 < acknowledged <= listed < rounds * THREADS * EACH
    assert_rebuilt(tmp_path, settings, server.config, lives)


def assert_rebuilt(folder, settings, config, projects):
    """Settle, lose the database, run the command: the pages are the same bytes."""
    before = settled_pages(folder, settings, projects)
    for path in folder.glob("catalog.sqlite*"):
        path.unlink()
    command = [str(Path(sys.executable).with_name("ppc-resync")), str(config)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert " 0 taken over, 0 no longer there" in done.stdout
    world = World(folder, settings)
    assert pages(world, projects) == before
    world.close()


def settled_pages(folder, settings, projects):
    world = World(folder, settings, lambda: system_clock() + timedelta(hours=1))
    world.services.housekeeping().step()
    catalog, storage = world.services.catalog, world.services.storage
    with catalog.read() as reader:
        rows = list(reader.all_files(world.services.index))
    for row in rows:
        assert row.manifest is ManifestState.DONE
        assert decode_manifest(row.home, storage.read(row.manifest_key)).record.serial == row.serial
    found = pages(world, projects)
    world.close()
    return found


def pages(world, projects):
    """The JSON page of each project with its serial's header, and the list of all of them."""
    found = {}
    for project in projects:
        answer = world.get(f"/simple/{project}/", "reader", "*", Accept=JSON)
        found[project] = (answer.status_int, answer.body, answer.headers.get("X-PyPI-Last-Serial"))
    names = world.get("/simple/", "reader", 200, Accept=JSON).json["projects"]
    return found, names
