"""``python -m bench.concurrent``: clients that log in and upload at once, here and at a real devpi-server.

Both run with their usual settings, what a password costs included, on the same machine, and take turns. Each client
has a user, an index and a project of its own, which nobody has used before; it logs in (``POST /+login``) and uploads
wheels of 3 kB over one connection. A turn lasts until the last client is through.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.accounting import Meter
from bench.data import upload_form
from bench.load import Connection, request
from bench.report import NOISY
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.peers import DevpiServer

_CHECKOUT = Path(__file__).parents[1]
_REQUIREMENTS = _CHECKOUT / "requirements" / "peers.txt"
# Answers of a server that knows no such login: the password does for all.
_NO_LOGIN = {404, 405}
_ADMIN = "boss"
_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


@dataclass(frozen=True)
class Turn:
    """Seconds until every client's first upload is answered, which takes a login, and until every last one is.

    ``cpu`` is what the server has used of the processors, ``foreign`` what other programs used meanwhile, in cores.
    """

    first: float
    whole: float
    cpu: float
    foreign: float


@dataclass(frozen=True)
class Place:
    """One of the two servers."""

    name: str
    port: int
    pids: Sequence[int]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.concurrent", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--files", type=int, default=10, help="uploads of each client")
    parser.add_argument("--programs", type=Path, help="the folder with devpi-server, instead of one made here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        users = [f"u{number}" for number in range(options.rounds * options.clients)]
        there = _start_devpi(stack, Path(folder) / "devpi", options.programs or programs(), users)
        here = _start_ours(stack, Path(folder) / "ours", users)
        turns: dict[str, list[Turn]] = {here.name: [], there.name: []}
        print(f"{options.clients} clients at once, each logs in and uploads {options.files} files; seconds")
        print(f"{'':4}{'server':>16} {'first':>8} {'all':>8} {'CPU':>8} {'others':>8}")
        for start in range(0, len(users), options.clients):
            for place in (there, here):
                turn = _turn(place, users[start : start + options.clients], options.files)
                turns[place.name].append(turn)
                figures = " ".join(f"{one:8.2f}" for one in (turn.first, turn.whole, turn.cpu, turn.foreign))
                print(f"{start // options.clients + 1:3} {place.name:>16} {figures}", flush=True)
        print(summary(turns[here.name], turns[there.name]))


def summary(ours: Sequence[Turn], theirs: Sequence[Turn]) -> str:
    """This server's time divided by the other's, round by round; of the quiet rounds where there are any."""
    rounds = list(zip(ours, theirs, strict=True))
    quiet = [(mine, other) for mine, other in rounds if max(mine.foreign, other.foreign) < NOISY]
    ratios = [mine.whole / other.whole for mine, other in quiet or rounds]
    told = f"this server / devpi-server: {statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
    return f"{told}, {len(quiet)} of {len(rounds)} rounds undisturbed"


def programs() -> Path:
    """The folder with ``devpi-server``: the environment of the client tests, made where it is not there."""
    python = f"{sys.implementation.cache_tag} {sys.base_prefix}"
    digest = hashlib.sha256(_REQUIREMENTS.read_bytes() + python.encode()).hexdigest()[:16]
    folder = _CHECKOUT / ".cache" / "clients" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            subprocess.run([*pip, "--only-binary=:all:", "--requirement", str(_REQUIREMENTS)], check=True)
            (folder / "complete").touch()
    return folder / "bin"


def _start_ours(stack: ExitStack, folder: Path, users: Sequence[str]) -> Place:
    given = {"pypi.default_read": "everyone", "auth.admins": _ADMIN, "storage.reserve": "0"}
    logins = {f"user.{user}": hash_password(_password(user)) for user in [_ADMIN, *users]}
    # As many threads as ppc-serve has of itself.
    server = stack.enter_context(LiveServer(folder, {**given, **logins}, threads=24))
    place = Place("this server", server.port, server.worker_pids())
    for user in users:
        # Not by the user, whose password would then be known to be right before its turn.
        _must(place.port, "PUT", f"/{user}/dev", _auth(_ADMIN, _password(_ADMIN)), {"bases": [], "volatile": True})
    return place


def _start_devpi(stack: ExitStack, folder: Path, where: Path, users: Sequence[str]) -> Place:
    server = stack.enter_context(DevpiServer(folder, where, hashing=()))
    place = Place("devpi-server", int(server.url.rpartition(":")[2]), [server.pid])
    for user in users:
        _must(place.port, "PUT", f"/{user}", {}, {"password": _password(user)})
        secret = _log_in(Connection(place.port), user)
        _must(place.port, "PUT", f"/{user}/dev", _auth(user, secret), {"bases": [], "volatile": True})
    return place


def _turn(place: Place, users: Sequence[str], files: int) -> Turn:
    """Each user a thread; built before the clock runs, and all begin together."""
    work = [(user, _messages(user, files)) for user in users]
    ready = threading.Barrier(len(users))

    def act(user: str, messages: Callable[[str], list[bytes]]) -> tuple[float, float, float]:
        connection = Connection(place.port)
        ready.wait()
        began = time.monotonic()
        secret, answered = _log_in(connection, user), []
        for message in messages(secret):
            status, _, answer, _ = connection.ask(message, keep=True)
            assert status == 200, answer
            answered.append(time.monotonic())
        connection.close()
        return began, answered[0], answered[-1]

    with Meter(place.pids) as meter, ThreadPoolExecutor(len(users)) as pool:
        times = list(pool.map(lambda one: act(*one), work))
    began = min(one[0] for one in times)
    return Turn(
        max(one[1] for one in times) - began,
        max(one[2] for one in times) - began,
        meter.spent.cpu,
        meter.spent.foreign,
    )


def _messages(user: str, files: int) -> Callable[[str], list[bytes]]:
    """The uploads of a user, given the secret that the login brought."""
    forms = [upload_form(build_wheel(f"of-{user}", f"1.{number}", body=b"x" * 2000)) for number in range(files)]

    def with_secret(secret: str) -> list[bytes]:
        return [request("POST", f"/{user}/dev/", {**_auth(user, secret), **headers}, body) for headers, body in forms]

    return with_secret


def _log_in(connection: Connection, user: str) -> str:
    """The token; the password itself where the server has no such login."""
    body = json.dumps({"user": user, "password": _password(user)}).encode()
    status, _, answer, _ = connection.ask(request("POST", "/+login", _JSON, body), keep=True)
    if status in _NO_LOGIN:
        return _password(user)
    assert status == 200, answer
    return str(json.loads(answer)["result"]["password"])


def _must(port: int, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
    connection = Connection(port)
    message = request(method, path, {**_JSON, **headers}, json.dumps(body).encode())
    status, _, answer, _ = connection.ask(message, keep=True)
    connection.close()
    assert status in {200, 201}, (path, status, answer)


def _password(user: str) -> str:
    return f"secret of {user}"


def _auth(user: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


if __name__ == "__main__":
    main()
