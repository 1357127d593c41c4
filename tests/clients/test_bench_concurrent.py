"""The comparison with a real devpi-server is run, so that it cannot rot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_clients_log_in_and_upload_at_both_servers(environment: Callable[[str], Path]) -> None:
    options = ["--rounds=1", "--clients=2", "--files=2", f"--programs={environment('peers')}"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.concurrent", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.count("devpi-server") == 2
    assert "this server / devpi-server: " in done.stdout
