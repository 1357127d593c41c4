"""T15 to T19: 50,000 fuzzed archives and forms through the real upload, in parts that take half a minute each."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pypicloud_lite.testing.fuzzing import KINDS, MAX_GROWTH_MIB, MAX_SECONDS

EXAMPLES = 5000
PARTS = range(1, 6)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("number", PARTS)
def test_t15_t16_t17_t18_t19_fuzzed_uploads_are_taken_or_refused(number):
    """Both kinds at once, each in a process of its own, whose examples its seed decides."""
    command = [sys.executable, "-W", "ignore", "-m", "pypicloud_lite.testing.fuzzing"]
    parts = [
        subprocess.Popen(
            [*command, kind, str(EXAMPLES), str(number)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for kind in KINDS
    ]
    try:
        for part in parts:
            output = part.communicate()[0]
            assert part.returncode == 0, output[-5000:]
            figures = json.loads(output.splitlines()[-1])
            assert sum(figures["statuses"].values()) >= EXAMPLES
            assert {status for status in figures["statuses"] if status >= "5"} == set()
            assert figures["slowest"] < MAX_SECONDS
            assert figures["growth_mib"] < MAX_GROWTH_MIB
    finally:
        for part in parts:
            part.kill()
            part.wait()
