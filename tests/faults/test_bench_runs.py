"""The benchmark is run, so that it cannot rot: one tiny turn of each line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.lines import NAMES
from bench.servers import Nginx

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_turn_of_each_line(tmp_path, missing):
    if Nginx.program() is None:
        missing("nginx", "there is no command nginx; on Debian: apt-get install nginx-light")
    options = ["--rounds=1", "--seconds=0.1", "--uploads=4", "--starts=1", f"--json={tmp_path}/rounds.json"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    document = json.loads((tmp_path / "rounds.json").read_text())
    lines = document["lines"]
    assert len(document["starts"]) == 4
    assert len(document["memory"]) == 2
    assert [one["name"] for one in lines] == list(NAMES)
    for one in lines:
        servers = {"pypicloud_lite", "bare view"} | (set() if one["name"].startswith("upload") else {"nginx"})
        assert set(one["rounds"]) == servers
    assert "first answer of /simple/p0/, 5,000 projects" in done.stdout
    assert "profile of " in done.stdout
    assert "ncalls" in done.stdout


@pytest.mark.slow
def test_what_counting_costs():
    options = ["--rounds=1", "--requests=3"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.counting", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "counting alone: " in done.stdout
    assert "writing 1000 known rows down: " in done.stdout
