"""Servers of this kind that have each other as upstream: names are found, or not, in a bounded number of questions."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from pypicloud_lite.testing.artifacts import BuiltArtifact, build_wheel
from pypicloud_lite.testing.live import LiveServer, free_port
from pypicloud_lite.testing.raw_client import upload_form
from pypicloud_lite.testing.upstream_server import FakeIndex, upstream_server
from pypicloud_lite.testing.world import JSON, PASSWORDS, basic, user_settings

pytestmark = pytest.mark.slow

DEMO = build_wheel("demo", "1.0")
# Of servers for each other, for a name that none has: those of all ways on which nobody is met twice.
MOST_QUESTIONS = {3: 3 * 3, 4: 4 * 30}


class Ring:
    """Servers by number, each with the ``upstreams`` that ``links`` has for it: other numbers, or addresses."""

    def __init__(self, folder: Path, links: Sequence[Sequence[int | str]], **settings: str) -> None:
        ports = [free_port() for _ in links]
        self.servers = []
        for number, upstreams in enumerate(links):
            addresses = [self._address(ports[one]) if isinstance(one, int) else one for one in upstreams]
            own = {"pypi.fallback": "cache", "pypi.fallback_base_url": " ".join(addresses), **settings}
            place = folder / str(number)
            self.servers.append(
                LiveServer(place, {**user_settings(), **own}, workers=1, threads=24, port=ports[number])
            )

    @staticmethod
    def _address(port: int) -> str:
        return f"http://reader:{PASSWORDS['reader']}@127.0.0.1:{port}"

    def get(self, number: int, path: str) -> tuple[int, bytes]:
        with closing(self._connect(number)) as connection:
            connection.request("GET", path, headers={"Authorization": basic("reader"), "Accept": JSON})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def put(self, number: int, artifact: BuiltArtifact) -> None:
        body, kind = upload_form(artifact)
        with closing(self._connect(number)) as connection:
            connection.request("POST", "/", body, {"Authorization": basic("writer"), "Content-Type": kind})
            assert connection.getresponse().status == 200

    def send(self, number: int, user: str, method: str, path: str) -> None:
        with closing(self._connect(number)) as connection:
            connection.request(method, path, headers={"Authorization": basic(user)})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()

    def pages_asked(self, project: str) -> int:
        """By anybody, of any of them."""
        return sum(f"/simple/{project}/" in line for server in self.servers for line in server.requests())

    def _connect(self, number: int) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.servers[number].port, timeout=60)


@pytest.fixture
def make_ring(tmp_path: Path):
    with ExitStack() as stack:

        def make(*links: Sequence[int | str], **settings: str) -> Ring:
            ring = Ring(tmp_path, links, **settings)
            for server in ring.servers:
                stack.enter_context(server)
            return ring

        yield make


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with upstream_server() as index:
        yield index


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def at_once(ring: Ring, names: Sequence[str], clients: int = 3) -> list[int]:
    """Every name asked of every server by several clients at the same moment; what they are told."""
    jobs = [(number, name) for name in names for number in range(len(ring.servers)) for _ in range(clients)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [status for status, _ in pool.map(lambda job: ring.get(job[0], f"/simple/{job[1]}/"), jobs)]


def test_F25_names_that_both_are_asked_for_at_once_are_answered_soon(make_ring) -> None:
    """Each waits for the other then, and neither for ever: well before a page's ten seconds are over."""
    ring = make_ring([1], [0], **{"upstream.timeout": "10"})
    names = [f"nothing-{number}" for number in range(4)]
    ring.put(1, DEMO)
    assert set(at_once(ring, names)) == {404}
    assert set(at_once(ring, ["demo"])) == {200}
    for name in names:
        # Three clients of each; each server asks the other once, and asks back once at most.
        assert ring.pages_asked(name) <= 6 + 4


@pytest.mark.parametrize("links", [([1], [2], [0]), ([1, 2, 3], [2, 3, 0], [3, 0, 1], [0, 1, 2])], ids=["ring", "mesh"])
def test_F25_more_of_them_find_what_one_has_and_end_when_none_has(make_ring, links) -> None:
    ring = make_ring(*links)
    ring.put(2, DEMO)
    assert set(at_once(ring, ["demo"], clients=2)) == {200}
    assert set(at_once(ring, ["nothing"], clients=2)) == {404}
    count = len(links)
    assert ring.pages_asked("nothing") <= 2 * count + MOST_QUESTIONS[count]
    asked = ring.pages_asked("nothing")
    assert set(at_once(ring, ["nothing"], clients=1)) == {404}
    # Known by now, to all but those whose own question was answered with another's that was still under way.
    assert ring.pages_asked("nothing") <= asked + 2 * count


def test_F25_name_that_only_the_second_upstream_of_one_has(make_ring, index: FakeIndex) -> None:
    """The other one asked it on the way and was told that there is none here: that is no answer for its own users."""
    index.add("public", "public-1.0.tar.gz", b"x")
    ring = make_ring([1, index.url], [0])
    assert ring.get(0, "/simple/public/")[0] == 200
    assert ring.get(1, "/simple/public/")[0] == 200


@pytest.mark.parametrize("first", [0, 1])
def test_F25_page_never_moves_to_a_server_that_has_it_from_here(make_ring, index: FakeIndex, first: int) -> None:
    """Whoever is asked first, and asked again when it is old: the files stay where they can be had."""
    data = b"bytes"
    index.add("public", "public-1.0.tar.gz", data)
    ring = make_ring([1, index.url], [0], **{"mirror.freshness": "1 second"})
    for number in (first, 1 - first):
        end = time.monotonic() + 8
        # Longer than a page may be shown while somebody asks: after that its reader waits for the answer.
        while time.monotonic() < end:
            status, page = ring.get(number, "/simple/public/")
            assert status == 200
            time.sleep(0.2)
        path = json.loads(page)["files"][0]["url"].removeprefix("../..")
        assert ring.get(number, path) == (200, data)


def test_F25_project_that_nobody_has_any_more_ends(make_ring) -> None:
    """They do not keep telling each other of it."""
    ring = make_ring([1], [0], **{"mirror.freshness": "1 second", "mirror.missing_for": "1 second"})
    ring.put(0, DEMO)
    assert ring.get(1, "/simple/demo/")[0] == 200
    ring.send(0, "writer", "DELETE", f"/api/package/demo/{DEMO.filename}")
    ring.send(0, "admin", "POST", "/admin/package/demo/free")
    assert ring.get(0, "/simple/demo/")[0] == 404
    wait_for(lambda: ring.get(1, "/simple/demo/")[0] == 404, "the other one still lists it")
    assert ring.get(0, "/simple/demo/")[0] == 404
