"""Cold starts and memory."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from bench.accounting import pss_mib
from bench.data import fill
from bench.lines import LOGIN
from bench.load import fetch
from bench.servers import Bare
from pypicloud_lite.testing.live import LiveServer

PROJECTS = 5000


def seconds_to_answer(server: Bare | LiveServer, path: str) -> float:
    """From starting the process to its first answer."""
    began = time.monotonic()
    with server:
        while True:
            try:
                if fetch(server.port, path, LOGIN).status == 200:
                    return time.monotonic() - began
            except (ConnectionError, OSError):
                time.sleep(0.005)


Times = dict[str, tuple[float, float | None]]


def cold_starts(folder: Path, settings: dict[str, str], bare: Bare, times: int) -> Times:
    """Medians in seconds, with a catalog of one project and with one of 5,000 projects."""
    theirs = _median(bare, "/page10", times)
    rows: Times = {}
    for name, projects in (("1 project", 1), (f"{PROJECTS:,} projects", PROJECTS)):
        server = LiveServer(folder / f"cold-{projects}", settings, workers=1)
        fill(server.config, {f"p{number}": 1 for number in range(projects)})
        for path in ("/health/live", "/simple/p0/"):
            rows[f"first answer of {path}, {name}"] = (_median(server, path, times), theirs)
    return rows


def _median(server: Bare | LiveServer, path: str, times: int) -> float:
    return statistics.median(seconds_to_answer(server, path) for _ in range(times))


def memory(pids: list[int]) -> float:
    """MiB of master and workers together."""
    return sum(pss_mib(pid) for pid in pids)
