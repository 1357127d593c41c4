"""A folder of 1,000 files as pypiserver serves it: one ppc-resync, and its clients' old addresses work."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.world import user_settings

RESCAN = 5


def artifacts():
    """As they gather over the years: wheels, sdists, eggs' time, names in every spelling, some in folders."""
    for number in range(100):
        name = ("Acme.Tool", "acme_lib", "acme-app", "ACME")[number % 4] + str(number)
        for minor in range(4):
            yield "", build_wheel(name.replace("-", "_").replace(".", "_"), f"1.{minor}", requires_python=">=3.6")
        for minor in range(4):
            yield "old/", build_sdist(name, f"0.{minor}", stem=f"{name}-0.{minor}")
        for minor in range(2):
            yield "zips/", build_sdist(name, f"0.0.{minor}", suffix=".zip", stem=f"{name}-0.0.{minor}")


@pytest.fixture(scope="module")
def index(make_index, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pypiserver") / "packages"
    for place, artifact in artifacts():
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place / artifact.filename).write_bytes(artifact.data)
    needs = build_wheel("needs_tool", "1.0", requires_dist=["acme-app2==1.3"])
    (folder / needs.filename).write_bytes(needs.data)
    database = folder.parent / "catalog.sqlite"
    settings = {"storage.dir": str(folder), "db.url": f"sqlite:///{database}", "storage.rescan": f"{RESCAN} s"}
    config = folder.parent / "config.ini"
    write_config(config, {**user_settings(), **settings})
    command = [str(Path(sys.executable).with_name("ppc-resync")), str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1001 files in storage: 0 restored, 1001 taken over, 0 no longer there, 0 remarks")
    with make_index(settings) as made:
        made.folder = folder
        yield made


def test_pip_installs_by_the_bare_root_and_by_simple(index, tools, run, target):
    pip = [tools / "python", "-m", "pip", "--python", target.python, "install", "--index-url"]
    run(*pip, index.url_for("reader", "/"), "needs-tool")
    assert target.installed() == {"needs_tool": "1.0", "acme_app2": "1.3"}
    run(*pip, index.url_for("reader", "/simple/"), "acme_lib1")
    assert target.installed()["acme_lib1"] == "1.3"


def test_old_lock_files_name_files_directly(index, tools, run, target, tmp_path):
    wheel = build_wheel("Acme_Tool0", "1.2", requires_python=">=3.6")
    base = index.url_for("reader", "/packages/")
    (tmp_path / "requirements.txt").write_text(f"{base}{wheel.filename}#sha256={wheel.sha256}\n")
    pip = [tools / "python", "-m", "pip", "--python", target.python, "install", "--no-index", "--no-deps"]
    run(*pip, "-r", tmp_path / "requirements.txt")
    assert target.installed() == {"acme_tool0": "1.2"}
    sdist = build_sdist("acme-app2", "0.3", stem="acme-app2-0.3")
    answer = index.get(f"/packages/old/{sdist.filename}")
    assert (answer.status, answer.data) == (200, sdist.data)


def test_pip_finds_links_on_the_page_of_everything(index, tools, run, target):
    pip = [tools / "python", "-m", "pip", "--python", target.python, "install", "--no-index", "--no-deps"]
    run(*pip, "--find-links", index.url_for("reader", "/packages/"), "ACME3")
    assert target.installed() == {"acme3": "1.3"}


def test_dropped_in_replaced_and_taken_out(index, tools, run, target):
    """Each is noticed within the rescan time; two seconds more for a file that was written just now."""
    wheel, other = build_wheel("dropped", "1.0"), build_wheel("dropped", "1.0", body=b"built again")
    pip = [tools / "python", "-m", "pip", "--python", target.python, "install", "--force-reinstall", "--no-cache-dir"]
    index_url = ["--index-url", index.url_for("reader")]
    for artifact in (wheel, other):
        (index.folder / wheel.filename).write_bytes(artifact.data)
        seconds = wait_for(index, artifact)
        assert seconds < RESCAN + 2 + 10
        run(*pip, *index_url, "dropped")
    (index.folder / wheel.filename).unlink()
    wait_for(index, None)
    run(*pip, *index_url, "dropped", status=1)


def wait_for(index, artifact):
    """How long it takes until the page says so."""
    wanted = {} if artifact is None else {artifact.filename: artifact.sha256}
    began = time.monotonic()
    while {name: file["hashes"]["sha256"] for name, file in index.files("dropped").items()} != wanted:
        assert time.monotonic() - began < 60
        # There is nothing to wait on: the page is what people ask for.
        time.sleep(0.1)
    return time.monotonic() - began
