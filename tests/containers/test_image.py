"""The image without an engine: its own steps in overlays over this machine, then what they made, started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import write_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
WHEEL = build_wheel("demo", "1.0")


@pytest.fixture(scope="module")
def image(tmp_path_factory, missing):
    """The folder of the image."""
    room = tmp_path_factory.mktemp("image")
    probe = room / "probe"
    for name in ("upper", "work", "merged"):
        (probe / name).mkdir(parents=True)
    options = f"lowerdir=/,upperdir={probe}/upper,workdir={probe}/work"
    mount = f"mount -t overlay overlay -o {options} {probe}/merged"
    able = (
        subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", mount], check=False)
        if shutil.which("unshare")
        else None
    )
    if able is None or able.returncode or os.geteuid():
        missing("namespaces", "mount namespaces and overlays need root and a Linux that allows them")
    command = ["unshare", "--mount", sys.executable, str(HERE / "replay.py"), str(CHECKOUT), str(room)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    (room / WHEEL.filename).write_bytes(WHEEL.data)
    settings = {"user.admin": hash_password("swordfish-42", "pbkdf2_sha256", 1000), "auth.admins": "admin"}
    write_config(room / "config.ini", settings)
    return room


def play(image, scenario):
    command = ["unshare", "--mount", "--net", sys.executable, str(HERE / "container.py"), str(CHECKOUT), str(image)]
    done = subprocess.run([*command, scenario], capture_output=True, text=True, check=False)
    seen = [line.removeprefix("SEEN ") for line in done.stdout.splitlines() if line.startswith("SEEN ")]
    logs = "".join(log.read_text() for log in image.glob("*.log"))
    assert seen, done.stdout[-3000:] + done.stderr[-3000:] + logs[-3000:]
    return json.loads(seen[0])


def test_what_the_image_holds(image):
    said = json.loads((image / "image.json").read_text())
    assert said["user"] == "10001:10001"
    assert said["volumes"] == [said["workdir"]] == ["/var/lib/pypicloud_lite"]
    assert said["ports"] == ["8080"]
    upper = image / said["name"] / "upper"
    installed = {
        path.name.partition("-")[0] for path in upper.glob("opt/pypicloud_lite/lib/*/site-packages/*.dist-info")
    }
    assert {"pypicloud_lite", "gunicorn", "boto3", "psycopg", "PyMySQL".lower()} <= {one.lower() for one in installed}
    assert not {"pip", "pytest", "hatchling"} & installed
    assert not (upper / "build").exists()
    # Nothing that runs may be changed by the one it runs as.
    writable = [path for path in upper.glob("opt/**/*") if not path.is_symlink() and path.stat().st_uid != 0]
    assert writable == []


def test_it_runs_on_two_variables(image):
    seen = play(image, "served")
    assert seen["started"]
    assert seen["uploaded"] == 200
    assert "demo-1.0.dist-info" in seen["installed"]
    assert seen["stopped"]["status"] == 0
    assert seen["stopped"]["seconds"] < 60
    assert (seen["again"], seen["same"], seen["stopped again"]["status"]) == (True, True, 0)
    assert seen["owners"] == [10001]
    assert seen["resync"]["status"] == 0
    assert seen["resync"]["output"].endswith("0 remarks\n")
    assert "1 files in storage" in seen["resync"]["output"]
    assert (seen["with a file"], seen["file's user"], seen["stopped with a file"]["status"]) == (True, True, 0)


def test_what_was_forgotten_is_said_on_one_screen(image):
    seen = play(image, "refused")
    for name, word in (
        (
            "foreign volume",
            "storage.dir = /var/lib/pypicloud_lite/data/packages cannot be used as a folder: Permission denied",
        ),
        ("wrong variable", "PPC_PYPI_DEFAULT_READ"),
        ("half an admin", "PPC_ADMIN_PASSWORD_FILE"),
    ):
        assert seen[name]["status"] == 2, seen[name]
        assert word in seen[name]["output"]
        assert "Traceback" not in seen[name]["output"]
        assert len(seen[name]["output"].splitlines()) < 10
    assert seen["nobody"]["status"] is True
    assert "There are no users" in seen["nobody"]["output"]
