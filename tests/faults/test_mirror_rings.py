"""Servers of this kind that have each other as upstream: names are found, or not, in a bounded number of questions."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Sequence
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


def at_once(ring: Ring, names: Sequence[str], clients: int = 3) -> list[int]:
    """Every name asked of every server by several clients at the same moment; what they are told."""
    jobs = [(number, name) for name in names for number in range(len(ring.servers)) for _ in range(clients)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [status for status, _ in pool.map(lambda job: ring.get(job[0], f"/simple/{job[1]}/"), jobs)]


def test_F25_unknown_names_that_both_are_asked_for_at_once_are_404_soon(make_ring) -> None:
    ring = make_ring([1], [0])
    names = [f"nothing-{number}" for number in range(4)]
    begin = time.monotonic()
    assert set(at_once(ring, names)) == {404}
    print(time.monotonic() - begin, [ring.pages_asked(name) for name in names])
    for name in names:
        assert ring.pages_asked(name) <= 6 + 4


def test_F25_ring_of_three_finds_what_one_of_them_has(make_ring) -> None:
    ring = make_ring([1], [2], [0])
    ring.put(2, DEMO)
    assert set(at_once(ring, ["demo"])) == {200}
    print(ring.pages_asked("demo"))
    assert set(at_once(ring, ["nothing"])) == {404}
    print(ring.pages_asked("nothing"))


def test_F25_name_that_only_the_second_upstream_of_one_has(make_ring, index: FakeIndex) -> None:
    """The other one asked it on the way and was told that there is none here: that is no answer for its own users."""
    index.add("public", "public-1.0.tar.gz", b"x")
    ring = make_ring([1, index.url], [0])
    assert ring.get(0, "/simple/public/")[0] == 200
    assert ring.get(1, "/simple/public/")[0] == 200


def test_F25_asked_from_the_other_side_first(make_ring, index: FakeIndex) -> None:
    index.add("public", "public-1.0.tar.gz", b"x")
    ring = make_ring([1, index.url], [0])
    assert ring.get(1, "/simple/public/")[0] == 200
    assert ring.get(0, "/simple/public/")[0] == 200
    assert [path for path in index.paths() if path == "/simple/public/"] == ["/simple/public/"]
