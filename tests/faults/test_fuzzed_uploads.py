"""T15 to T19: 50,000 fuzzed archives and forms through the real upload: ten parts, two at once, each half a minute."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.testing.fuzzing import KINDS, MAX_GROWTH_MIB, MAX_SECONDS

EXAMPLES = 5000
PARTS = [(kind, number) for kind in KINDS for number in range(1, 6)]

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]


def fuzz(part):
    """A process of its own; its seed decides the examples."""
    kind, number = part
    command = [sys.executable, "-W", "ignore", "-m", "pypicloud_lite.testing.fuzzing", kind, str(EXAMPLES), str(number)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=800, check=False
    )


@pytest.mark.parametrize("pair", list(zip(PARTS[::2], PARTS[1::2], strict=True)), ids=str)
def test_t15_t16_t17_t18_t19_fuzzed_uploads_are_taken_or_refused(pair):
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(fuzz, pair))
    for part in ended:
        assert part.returncode == 0, part.stdout[-5000:]
        figures = json.loads(part.stdout.splitlines()[-1])
        assert sum(figures["statuses"].values()) >= EXAMPLES
        assert all(status < "5" for status in figures["statuses"]), figures
        assert figures["slowest"] < MAX_SECONDS
        assert figures["growth_mib"] < MAX_GROWTH_MIB
