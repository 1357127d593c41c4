"""A mirror under load and in trouble, as real workers have it: large files, slow upstreams, sudden ends."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import upload_form
from pypicloud_lite.testing.upstream_server import JSON as JSON_PAGE
from pypicloud_lite.testing.upstream_server import FakeIndex, Fault, upstream_server
from pypicloud_lite.testing.world import JSON, basic, user_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MIB = 1024 * 1024
LARGE_SIZE = 500 * MIB
MAY_GROW = 64 * MIB
BLOCK = random.Random(1).randbytes(MIB)
OURS = build_wheel("ours", "1.0")
LARGE = "large-1.0.tar.gz"


def blocks(size: int) -> Iterator[bytes]:
    for number in range(size // MIB):
        yield number.to_bytes(8, "big") + BLOCK[8:]


@pytest.fixture(scope="module")
def sha256() -> str:
    """Of the large file."""
    digest = hashlib.sha256()
    for block in blocks(LARGE_SIZE):
        digest.update(block)
    return digest.hexdigest()


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with upstream_server() as index:
        yield index


@pytest.fixture
def server(index: FakeIndex, tmp_path: Path) -> Iterator[LiveServer]:
    settings = {**user_settings(), "pypi.fallback": "cache", "pypi.fallback_base_url": index.url}
    with LiveServer(tmp_path / "server", settings, workers=2, threads=24) as server:
        body, kind = upload_form(OURS)
        with closing(connect(server)) as connection:
            connection.request("POST", "/", body, {"Authorization": basic("writer"), "Content-Type": kind})
            assert connection.getresponse().status == 200
        yield server


def connect(server: LiveServer, timeout: float = 120) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)


def get(server: LiveServer, path: str, timeout: float = 120) -> tuple[int, bytes]:
    with closing(connect(server, timeout)) as connection:
        connection.request("GET", path, headers={"Authorization": basic("reader"), "Accept": JSON})
        answer = connection.getresponse()
        return answer.status, answer.read()


def path_of(server: LiveServer, project: str, filename: str) -> str:
    status, page = get(server, f"/simple/{project}/")
    assert status == 200
    return next(file["url"] for file in json.loads(page)["files"] if file["filename"] == filename).removeprefix("../..")


def peak(server: LiveServer) -> dict[int, int]:
    """The most memory that each worker had, in bytes."""
    found = {}
    for pid in server.worker_pids():
        status = Path(f"/proc/{pid}/status").read_text("ascii")
        found[pid] = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return found


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what


def temporaries(server: LiveServer) -> list[Path]:
    return [path for path in server.folder.rglob("*") if ".tmp" in path.parts and path.is_file()]


def stored(server: LiveServer, filename: str) -> list[Path]:
    return [path for path in server.folder.rglob(filename) if path.is_file()]


def fetches(index: FakeIndex) -> list[str]:
    return [path for path in index.paths() if path.startswith("/files/")]


class Download(threading.Thread):
    """Reads a file on a connection of its own."""

    def __init__(self, server: LiveServer, path: str) -> None:
        super().__init__(daemon=True)
        self.server, self.path = server, path
        self.first, self.digest, self.size = threading.Event(), hashlib.sha256(), 0
        self.start()

    def run(self) -> None:
        with closing(connect(self.server)) as connection:
            connection.request("GET", self.path, headers={"Authorization": basic("reader")})
            answer = connection.getresponse()
            while chunk := answer.read(256 * 1024):
                self.first.set()
                self.digest.update(chunk)
                self.size += len(chunk)


def test_500_MiB_pass_through_two_workers_while_they_come_and_memory_hardly_grows(
    server: LiveServer, index: FakeIndex, sha256: str
) -> None:
    index.add("large", LARGE, b"", hashes={"sha256": sha256}, size=LARGE_SIZE)
    path = path_of(server, "large", LARGE)
    before = peak(server)
    going = threading.Event()

    def slowly() -> Iterator[bytes]:
        for number, block in enumerate(blocks(LARGE_SIZE)):
            if number == 40:
                going.wait(60)
            yield block

    index.fault = lambda path: Fault(stream=slowly) if path.startswith("/files/") else None
    downloads = [Download(server, path) for _ in range(6)]
    for download in downloads:
        assert download.first.wait(60), "its first byte comes before the upstream has sent a tenth"
    with closing(connect(server)) as leaving:
        leaving.request("GET", path, headers={"Authorization": basic("reader")})
        assert leaving.getresponse().read(MIB)
    assert not going.is_set()
    going.set()
    for download in downloads:
        download.join(120)
        assert (download.size, download.digest.hexdigest()) == (LARGE_SIZE, sha256)
    assert len(fetches(index)) == 1
    after = peak(server)
    assert after.keys() == before.keys()
    assert max(after[pid] - before[pid] for pid in after) <= MAY_GROW
    wait_for(lambda: stored(server, LARGE), "it is kept")
    wait_for(lambda: not temporaries(server), "nothing else stays")


def test_F24_a_hundred_clients_of_two_workers_cost_one_fetch(server: LiveServer, index: FakeIndex) -> None:
    data = b"".join(blocks(8 * MIB))
    index.add("large", LARGE, data)
    path = path_of(server, "large", LARGE)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _number: get(server, path), range(100)))
    assert all(answer == (200, data) for answer in answers)
    assert len(fetches(index)) == 1


def test_F24_killed_in_the_middle_of_a_fetch_nothing_partial_is_kept(server: LiveServer, index: FakeIndex) -> None:
    data = b"".join(blocks(8 * MIB))
    index.add("large", LARGE, data)
    path = path_of(server, "large", LARGE)
    dying = threading.Event()

    def half() -> Iterator[bytes]:
        yield data[: len(data) // 2]
        dying.wait(60)

    index.fault = lambda path: Fault(stream=half) if path.startswith("/files/") else None
    with closing(connect(server)) as connection:
        connection.request("GET", path, headers={"Authorization": basic("reader")})
        answer = connection.getresponse()
        assert answer.read(MIB)
        server.kill()
        with pytest.raises((http.client.HTTPException, OSError)):
            answer.read()
    dying.set()
    assert stored(server, LARGE) == []
    index.fault = lambda _path: None
    server.start()
    assert get(server, path) == (200, data)
    wait_for(lambda: stored(server, LARGE), "it is kept")


@pytest.mark.parametrize("kind", ["head", "body"])
def test_F21_private_projects_are_answered_while_fifty_wait_for_a_dripping_upstream(
    server: LiveServer, index: FakeIndex, kind: str
) -> None:
    index.fault = lambda _path: Fault(200, dripping=kind)
    answers: list[int] = []
    waiting = [
        threading.Thread(target=lambda n=number: answers.append(get(server, f"/simple/public-{n}/")[0]), daemon=True)
        for number in range(50)
    ]
    for thread in waiting:
        thread.start()
    wait_for(lambda: len(index.asked) >= 8, "they wait for the upstream")
    hanging = 0
    for _ in range(40):
        hanging += any(thread.is_alive() for thread in waiting)
        assert get(server, "/simple/ours/", timeout=8)[0] == 200
    assert hanging >= 10, "the upstream hung all the while"
    for thread in waiting:
        thread.join(60)
    assert len(answers) == 50
    assert set(answers) <= {502, 503, 504}


def test_F22_page_without_an_end_is_cut_off_and_costs_little_memory(server: LiveServer, index: FakeIndex) -> None:
    get(server, "/simple/nothing/")
    before = peak(server)
    page = Fault(200, stream=lambda: blocks(1024 * MIB), headers=(("Content-Type", JSON_PAGE),))
    index.fault = lambda _path: page
    assert get(server, "/simple/endless/")[0] == 502
    after = peak(server)
    assert max(after[pid] - before.get(pid, 0) for pid in after) <= 2 * MAY_GROW
    index.fault = lambda _path: None
    assert get(server, "/simple/ours/")[0] == 200


def test_page_of_20_000_files_is_shown_in_bounded_memory(server: LiveServer, index: FakeIndex) -> None:
    for number in range(20_000):
        filename = f"many-{number // 100}.{number % 100}-py3-none-any.whl"
        index.add(
            "many", filename, b"", hashes={"sha256": f"{number:064x}"}, size=1, upload_time="2024-01-01T00:00:00Z"
        )
    get(server, "/simple/nothing/")
    before = peak(server)
    status, page = get(server, "/simple/many/")
    assert status == 200
    assert len(json.loads(page)["files"]) == 20_000
    after = peak(server)
    assert max(after[pid] - before[pid] for pid in after if pid in before) <= 4 * MAY_GROW
