"""Many clients upload the same filename at the same moment (F14, F15, T35)."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import RawClient
from pypicloud_lite.testing.world import user_settings

CLIENTS = 16
# Processes of one server, or a server each on two hosts that share folder and database.
PROCESSES, HOSTS = [2], [1, 1]


def case(kind, hosts, rounds, **more):
    return pytest.param(kind, hosts, rounds, id=f"{kind} {'hosts' if hosts is HOSTS else 'processes'} {rounds}", **more)


CASES = [
    case("sqlite", PROCESSES, 6),
    case("postgres", HOSTS, 6),
    *(
        case(kind, hosts, 200, marks=[pytest.mark.slow, pytest.mark.long])
        for kind, hosts in [("sqlite", PROCESSES), ("postgres", PROCESSES), ("postgres", HOSTS)]
    ),
]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def race(new_url, tmp_path):
    """``race(kind, hosts)`` starts the servers: the clients, and what uploads one artifact per client, all at once."""
    with ExitStack() as stack:

        def start(kind, hosts):
            settings = {**user_settings(), "db.url": new_url(kind), "storage.dir": str(tmp_path / "packages")}
            servers = [
                stack.enter_context(LiveServer(tmp_path / f"host{number}", settings, workers=workers))
                for number, workers in enumerate(hosts)
            ]
            ports = [servers[number % len(servers)].port for number in range(CLIENTS)]
            clients = [stack.enter_context(closing(RawClient(port, "writer"))) for port in ports]
            pool = stack.enter_context(ThreadPoolExecutor(CLIENTS))
            barrier = threading.Barrier(CLIENTS)

            def upload(client, artifact):
                barrier.wait(60)
                return client.upload(artifact)

            def run(artifacts):
                return list(pool.map(upload, clients, artifacts))

            return clients, run

        yield start


def different(number):
    """The artifacts of one round: one filename, different bytes; wheels in every other round."""
    build = build_wheel if number % 2 else build_sdist
    return [build("race", f"1.{number}", body=b"%d" % client) for client in range(CLIENTS)]


@pytest.mark.parametrize(("kind", "hosts", "rounds"), CASES)
def test_f14_f15_one_winner(race, kind, hosts, rounds, tmp_path, blobs):
    clients, run = race(kind, hosts)
    for number in range(rounds):
        artifacts = different(number)
        answers = run(artifacts)
        assert Counter(answer.status for answer in answers) == {200: 1, 409: CLIENTS - 1}, number
        for answer in answers:
            assert answer.status == 200 or answer.reason.startswith("File already exists")
        winner = next(a for a, answer in zip(artifacts, answers, strict=True) if answer.status == 200)
        assert_served(clients, winner)
    same = range(rounds, rounds + max(3, rounds // 4))
    for number in same:
        artifact = different(number)[0]
        answers = run([artifact] * CLIENTS)
        assert [answer.status for answer in answers] == [200] * CLIENTS, number
        assert_served(clients, artifact)
    assert_nothing_but_winners(blobs(tmp_path / "packages"), same.stop)


def assert_served(clients, winner):
    """Asked of both servers, at once: read your writes."""
    for client in clients[:2]:
        file = client.listed("race")[winner.filename]
        assert file["hashes"]["sha256"] == winner.sha256
        served = client.download(file["url"])
        assert (served.status, hashlib.sha256(served.body).hexdigest()) == (200, winner.sha256)


def assert_nothing_but_winners(found, rounds):
    """One attempt's folder per round: the file, its manifest, and ``.metadata`` for a wheel; no temporary."""
    attempts = {path.rpartition("/")[0] for path in found}
    assert len(attempts) == rounds
    assert not [path for path in found if not path.startswith("root/main/race/")]
    assert len(found) == 2 * rounds + rounds // 2
