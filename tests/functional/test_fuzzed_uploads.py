"""T15 to T19: whatever is uploaded, the answer is no 5xx, comes soon and in little memory, and only what was taken stays.

Here a few of each kind; tests/faults/test_fuzzed_uploads.py posts 50,000.
"""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.fuzzed_archives import fuzzed_seeds
from pypicloud_lite.testing.fuzzed_forms import upload
from pypicloud_lite.testing.fuzzing import KINDS, Target, run


@pytest.mark.parametrize("kind", KINDS)
def test_t15_t16_t17_t18_t19_fuzzed_uploads_are_taken_or_refused(kind, tmp_path):
    target = Target(tmp_path)
    run(target, kind, 150, 0)
    target.close()
    assert target.statuses.total() >= 150
    # Some get through: fuzz that is always refused at the door tests the door.
    assert target.statuses[200] > 0


def test_what_fuzzing_starts_from_is_taken(tmp_path):
    target = Target(tmp_path)
    assert {target.post(upload(archive)) for archive in fuzzed_seeds()} == {200}
    target.close()


def test_a_file_that_nobody_acknowledged_is_noticed(tmp_path):
    target = Target(tmp_path)
    (tmp_path / "data" / "packages" / "stray").touch()
    with pytest.raises(AssertionError, match="stray"):
        target.post(upload(fuzzed_seeds()[0]))
    (tmp_path / "evil.py").touch()
    with pytest.raises(AssertionError, match=r"evil\.py"):
        target.close()
