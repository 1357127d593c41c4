"""CPU per request of project pages against a bare Pyramid view under the same gunicorn, in one run.

``python bench/pages.py [--requests 3000] [--rounds 5]`` prints, per case, CPU milliseconds a request (the
worker's own accounting, user and system) and the ratio to the bare view, as the median over rounds that take
turns. One worker, one keep-alive connection: differences of scheduling drop out.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.catalog.model import Author, FileRecord
from pypicloud_lite.indexes.layout import new_home
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.live import LiveServer, free_port
from pypicloud_lite.wiring import build, load_settings, prepare

_TICK = os.sysconf("SC_CLK_TCK")
_PIP_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
_BARE = """
from pyramid.config import Configurator
from pyramid.response import Response
def view(request):
    return Response(b"ok")
def application():
    config = Configurator()
    config.add_route("page", "/simple/{project}/")
    config.add_view(view, route_name="page")
    return config.make_wsgi_app()
"""


@dataclass(frozen=True)
class Case:
    """One URL with its headers."""

    name: str
    port: int
    pid: int
    path: str
    headers: Mapping[str, str]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def measure(case: Case, requests: int) -> float:
    """CPU milliseconds a request."""
    connection = http.client.HTTPConnection("127.0.0.1", case.port)
    before = cpu_seconds(case.pid)
    for _ in range(requests):
        connection.request("GET", case.path, headers=case.headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status in {200, 304}, answer.status
    spent = cpu_seconds(case.pid) - before
    connection.close()
    return spent / requests * 1000


def fill(config: Path, sizes: Mapping[str, int]) -> None:
    """Catalogue projects of so many files; their bytes are never asked for here."""
    settings = load_settings(config)
    prepare(settings)
    services = build(settings)
    with services.catalog.write(Author("bench")) as catalog:
        for name, count in sizes.items():
            for number in range(count):
                filename = Filename.parse(f"{name}-{number // 2}.{number % 2}.0-py3-none-any.whl")
                digests = digests_of(str(filename).encode())
                home = new_home(services.index, filename.project, str(filename), digests.sha256)
                record = FileRecord(
                    index=services.index,
                    project=filename.project,
                    filename=filename,
                    size=1000 + number,
                    digests=digests,
                    key=home,
                    home=home,
                    uploaded_at=datetime.now(UTC),
                    uploader="bench",
                    requires_python=">=3.9",
                    metadata_sha256=digests.sha256,
                )
                catalog.mark_manifest(catalog.add_file(record, {}, name).id, done=True)
    services.database.dispose()


@contextmanager
def bare_view(folder: Path) -> Iterator[tuple[int, int]]:
    """A bare view under gunicorn with this server's settings: port and the worker's process id."""
    (folder / "bare_view.py").write_text(_BARE)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:pypicloud_lite.cli.gunicorn_settings"]
    command += [f"--bind=127.0.0.1:{port}", "--workers=1", "--threads=8", "bare_view:application()"]
    with (folder / "bare.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        for _ in range(500):
            try:
                http.client.HTTPConnection("127.0.0.1", port).request("GET", "/simple/x/")
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        yield port, int(children.split()[0])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"auth.admins": "ci", "user.ci": hash_password("secret")}
        server = LiveServer(folder / "server", settings, workers=1)
        fill(server.config, {"ten": 10, "fat": 2000})
        with server, bare_view(folder) as (bare_port, bare_pid):
            run(cases(server, bare_port, bare_pid), options.requests, options.rounds)


def cases(server: LiveServer, bare_port: int, bare_pid: int) -> list[Case]:
    """The bare view first."""
    login = {"Authorization": "Basic " + base64.b64encode(b"ci:secret").decode()}
    pip = {**login, "Accept": _PIP_ACCEPT, "Accept-Encoding": "gzip, deflate"}
    html = {**login, "Accept": "text/html"}
    pid = server.worker_pids()[0]

    def etag(path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", path, headers=pip)
        answer = connection.getresponse()
        answer.read()
        return answer.getheader("ETag") or ""

    return [
        Case("bare Pyramid view", bare_port, bare_pid, "/simple/ten/", pip),
        Case("10 files, pip's headers", server.port, pid, "/simple/ten/", pip),
        Case("10 files, HTML", server.port, pid, "/simple/ten/", html),
        Case("10 files, 304", server.port, pid, "/simple/ten/", {**pip, "If-None-Match": etag("/simple/ten/")}),
        Case("2,000 files, pip's headers", server.port, pid, "/simple/fat/", pip),
        Case("2,000 files, HTML, identity", server.port, pid, "/simple/fat/", html),
    ]


def run(todo: list[Case], requests: int, rounds: int) -> None:
    """Take turns, so that a noisy moment hits every case."""
    figures: dict[str, list[float]] = {case.name: [] for case in todo}
    for case in todo:
        measure(case, 100)
    for _ in range(rounds):
        for case in todo:
            figures[case.name].append(measure(case, requests))
    bare = figures[todo[0].name]
    print(f"{'case':32} {'CPU ms':>8} {'ratio':>7}  (min to max)")
    for case in todo:
        mine = figures[case.name]
        ratios = [value / base for value, base in zip(mine, bare, strict=True)]
        print(
            f"{case.name:32} {statistics.median(mine):8.3f} {statistics.median(ratios):7.2f}  "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
