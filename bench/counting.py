"""``python -m bench.counting``: what it costs a download that it is counted.

A small file is downloaded in this process, without a server around it, in turns with and without its counting. CPU is
this process's own, the median over the rounds; then what a thousand counted releases take to write down.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.data import small_wheel, upload_form
from bench.lines import LOGIN
from bench.load import request
from bench.profiling import call
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.app import make_app
from pypicloud_lite.wiring import Services, build, load_raw, prepare

_ROWS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.counting", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=200, help="downloads of a turn")
    options = parser.parse_args()
    settings = {"user.ci": hash_password("secret"), "auth.admins": "ci", "storage.reserve": "0"}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        loaded = load_raw(settings, Path(folder), {})
        prepare(loaded)
        services = build(loaded)
        services.first_rebuild().settle_trivial()
        try:
            _measure(services, options.rounds, options.requests)
        finally:
            services.database.dispose()


def _measure(services: Services, rounds: int, requests: int) -> None:
    app, wheel, counter = make_app(services), small_wheel(), services.counter
    headers, body = upload_form(wheel)
    call(app, request("POST", "/", {**LOGIN, **headers}, body))
    message = request("GET", f"/api/package/small/{wheel.filename}", LOGIN)
    note, turns = counter.note, {"with": counter.note, "without": _nothing}
    spent: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        # Each goes first as often as the other.
        for name in turns if number % 2 else reversed(turns):
            counter.note = turns[name]  # type: ignore[method-assign]
            seconds = _cpu(lambda: call(app, message), requests)
            if number:
                spent[name].append(seconds)
    counter.note = note  # type: ignore[method-assign]
    counted = counter.write()
    assert counted == 1, counted
    _print(spent, _cpu(lambda: note(1, "1.0"), 100_000))
    _write(services)


def _print(spent: dict[str, list[float]], one: float) -> None:
    with_it, without = (statistics.median(spent[name]) for name in ("with", "without"))
    ratios = sorted(a / b for a, b in zip(spent["with"], spent["without"], strict=True))
    print(f"CPU of a download: {with_it * 1e6:.0f} us counted, {without * 1e6:.0f} us not counted")
    print(f"ratio, median of the rounds: {statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})")
    print(f"counting alone: {one * 1e6:.2f} us, {one / without:.2%} of a download")


def _write(services: Services) -> None:
    for what in ("new", "known"):
        for number in range(_ROWS):
            services.counter.note(number % 100 + 1, f"1.{number}")
        started = time.perf_counter()
        rows = services.counter.write()
        print(f"writing {rows} {what} rows down: {(time.perf_counter() - started) * 1000:.0f} ms")


def _cpu(do: Callable[[], Any], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        do()
    return (time.process_time() - started) / times


def _nothing(_project_id: int, _version: str) -> None:
    """Not counted."""


if __name__ == "__main__":
    main()
