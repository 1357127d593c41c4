"""T15 to T19: 50,000 fuzzed archives and forms through the real upload, in parts that take half a minute each."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.testing.fuzzing import KINDS, MAX_GROWTH_MIB, MAX_SECONDS

EXAMPLES = 5000
PARTS = range(1, 6)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def fuzz(kind, number):
    """One part, in a process of its own; its seed decides the examples."""
    command = [sys.executable, "-W", "ignore", "-m", "pypicloud_lite.testing.fuzzing", kind, str(EXAMPLES), str(number)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=800, check=False
    )


@pytest.mark.parametrize("number", PARTS)
def test_t15_t16_t17_t18_t19_fuzzed_uploads_are_taken_or_refused(number):
    with ThreadPoolExecutor() as pool:
        parts = list(pool.map(lambda kind: fuzz(kind, number), KINDS))
    for part in parts:
        assert part.returncode == 0, part.stdout[-5000:]
        figures = json.loads(part.stdout.splitlines()[-1])
        assert sum(figures["statuses"].values()) >= EXAMPLES
        assert all(status < "5" for status in figures["statuses"]), figures
        assert figures["slowest"] < MAX_SECONDS
        assert figures["growth_mib"] < MAX_GROWTH_MIB
