"""``config.ini.sample`` is what the declarations say, and a file that can be used."""

from __future__ import annotations

from pathlib import Path

from pypicloud_lite.wiring import load_settings
from pypicloud_lite.wiring.sample import config_sample

SAMPLE = Path(__file__).parents[2] / "config.ini.sample"


def test_the_sample_is_up_to_date():
    assert SAMPLE.read_text("utf-8") == config_sample(), "run: make sample"


def test_the_sample_starts_with_the_defaults():
    assert load_settings(SAMPLE, {}).warnings == ()


def test_every_line_of_the_sample_that_is_switched_on_is_accepted(tmp_path):
    """Keys of the S3 backend are leftovers beside ``pypi.storage = file``, the rest is read and valid."""
    lines = []
    for line in SAMPLE.read_text("utf-8").splitlines():
        switched_on = line.removeprefix("# ")
        is_key = line.startswith("# ") and " = " in line and switched_on.split(" = ")[0].replace(".", "").isidentifier()
        lines.append(switched_on if is_key else line)
    path = tmp_path / "config.ini"
    path.write_text("\n".join(lines), "utf-8")
    load_settings(path, {})
