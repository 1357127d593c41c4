"""pipenv: install, lock and sync, through the pip that it brings."""

from __future__ import annotations

import json
import sys

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def pipenv(environment, run, tmp_path):
    """``pipenv(*arguments)`` in the folder of the project."""
    program = environment("pipenv") / "pipenv"
    folder = tmp_path / "project"
    folder.mkdir()
    environ = {
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_NOSPIN": "1",
        "PIPENV_YES": "1",
        "PIPENV_DEFAULT_PYTHON_VERSION": sys.executable,
    }

    def call(*arguments, **how):
        return run(program, *arguments, cwd=folder, **environ, **how)

    return call


@pytest.fixture
def consumer(tmp_path):
    """``consumer(url)``: a project whose only source is this index."""

    def write(url):
        tmp_path.joinpath("project", "Pipfile").write_text(
            f'[[source]]\nurl = "{url}"\nverify_ssl = false\nname = "private"\n[packages]\n'
        )

    return write


@pytest.fixture
def installed(tmp_path):
    """``installed()``: what lies in the project's environment."""

    def read():
        found = tmp_path.glob("project/.venv/lib/*/site-packages/*.dist-info")
        versions = dict(path.name.removesuffix(".dist-info").split("-") for path in found)
        return {name: version for name, version in versions.items() if name.startswith("pipenv_")}

    return read


@pytest.mark.parametrize("path", ["/simple", "/simple/", "/pypi/", ""])
def test_28_44_pipenv_installs_a_dependency_from_every_address(pipenv, consumer, installed, index, tmp_path, path):
    leaf = build_wheel("pipenv-leaf", "1.5")
    root = build_wheel("pipenv-root", "1.0", requires_dist=["pipenv-leaf>=1"])
    index.put(leaf, root)
    consumer(index.url_for("reader", path))
    with index.watch() as seen:
        pipenv("install", "pipenv-root")
    assert installed() == {"pipenv_root": "1.0", "pipenv_leaf": "1.5"}
    # It puts a slash behind that of the source to ask for hashes, and asks again where it finds nothing there.
    twice = {request.path for request in seen if request.status == 404}
    assert twice == ({f"{path}/pipenv-root/", f"{path}/pipenv-leaf/"} if path.endswith("/") else set())
    assert {request.status for request in seen} - {404} == {200, 304}
    lock = json.loads(tmp_path.joinpath("project", "Pipfile.lock").read_text())["default"]
    assert {name: package["hashes"] for name, package in lock.items()} == {
        "pipenv-root": [f"sha256:{root.sha256}"],
        "pipenv-leaf": [f"sha256:{leaf.sha256}"],
    }


def test_28_pipenv_syncs_what_it_locked(pipenv, consumer, installed, index, tmp_path):
    wheel = build_wheel("pipenv-locked", "1!2.0+cpu.1")
    sdist = build_sdist("pipenv-locked", "1!2.0+cpu.1")
    index.put(wheel, sdist)
    consumer("http://${READER}:${SECRET}@" + f"127.0.0.1:{index.server.port}/simple/")
    folder = tmp_path / "project"
    with folder.joinpath("Pipfile").open("a") as file:
        file.write('pipenv-locked = "*"\n')
    credentials = {"READER": "reader", "SECRET": PASSWORDS["reader"]}
    pipenv("lock", **credentials)
    lock = folder.joinpath("Pipfile.lock").read_text()
    assert PASSWORDS["reader"] not in lock
    package = json.loads(lock)["default"]["pipenv-locked"]
    assert sorted(package["hashes"]) == sorted([f"sha256:{wheel.sha256}", f"sha256:{sdist.sha256}"])
    index.put(build_wheel("pipenv-locked", "1!3.0"))
    pipenv("sync", **credentials)
    assert installed() == {"pipenv_locked": "1!2.0+cpu.1"}
    pipenv("update", **credentials)
    assert installed() == {"pipenv_locked": "1!3.0"}


def test_45_pipenv_reads_netrc(pipenv, consumer, installed, index, home):
    index.put(build_wheel("pipenv-netrc", "1.0"))
    netrc = home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login reader password {PASSWORDS['reader']}\n")
    netrc.chmod(0o600)
    consumer(f"{index.url}/simple")
    pipenv("install", "pipenv-netrc")
    assert installed() == {"pipenv_netrc": "1.0"}


def test_pipenv_says_that_credentials_are_wrong(pipenv, consumer, installed, index):
    index.put(build_wheel("pipenv-unread", "1.0"))
    consumer(f"http://reader:not-it@127.0.0.1:{index.server.port}/simple")
    with index.watch() as seen:
        said = pipenv("install", "pipenv-unread", status=1).output
    assert {request.status for request in seen} == {401}
    assert "No matching distribution found for pipenv-unread" in said
    assert "not-it" not in said
    assert installed() == {}


def test_47_pipenv_finds_nothing_that_it_may_not_read(pipenv, consumer, installed, index):
    index.put(build_wheel("pipenv-hidden", "1.0"))
    consumer(index.url_for("outsider"))
    with index.watch() as seen:
        said = pipenv("install", "pipenv-hidden", status=1).output
    assert {request.status for request in seen} == {404}
    assert "No matching distribution found for pipenv-hidden" in said
    assert installed() == {}
