"""pdm: build and publish, add, lock and sync."""

from __future__ import annotations

import os
import sys
import tomllib

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS

# Of the interpreters that it finds it takes the first: the one that runs these tests.
_PATH = f"{sys.base_prefix}/bin{os.pathsep}{os.defpath}"


_BACKEND = """
import shutil, tarfile
def build_wheel(folder, *_):
    shutil.copy(WHEEL, folder)
    return WHEEL
def build_sdist(folder, *_):
    with tarfile.open(f"{folder}/made_by_pdm-1.0.tar.gz", "w:gz") as archive:
        for name in ("PKG-INFO", "backend.py", "pyproject.toml", WHEEL):
            archive.add(name, f"made_by_pdm-1.0/{name}")
    return "made_by_pdm-1.0.tar.gz"
"""


@pytest.fixture
def pdm(environment, run, tmp_path):
    """``pdm(*arguments)`` in the folder of the project."""
    program = environment("pdm") / "pdm"
    folder = tmp_path / "project"
    folder.mkdir()

    def call(*arguments, **how):
        return run(program, *arguments, cwd=folder, PDM_CHECK_UPDATE="0", PATH=_PATH, **how)

    return call


@pytest.fixture
def publish(pdm, index, tmp_path):
    """``publish(name, *artifacts)``: a project of that name, whose ``dist`` holds these, is published."""
    folder = tmp_path / "project"

    def upload(name, *artifacts, path="/", user="writer", password=None, options=(), status=0):
        folder.joinpath("pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "1.0"\n')
        dist = folder / "dist"
        dist.mkdir(exist_ok=True)
        for artifact in artifacts:
            dist.joinpath(artifact.filename).write_bytes(artifact.data)
        credentials = ["--username", user, "--password", password or PASSWORDS[user]]
        where = ["--no-build", "--repository", index.url + path]
        return pdm("publish", *where, *credentials, *options, status=status)

    return upload


@pytest.fixture
def consumer(index, tmp_path):
    """``consumer(url, *dependencies)``: a project whose only source is this index."""

    def write(url, *dependencies):
        tmp_path.joinpath("project", "pyproject.toml").write_text(
            '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\n'
            f"dependencies = {list(dependencies)}\n[tool.pdm]\ndistribution = false\n"
            f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\nverify_ssl = false\n'
        )

    return write


@pytest.fixture
def installed(tmp_path):
    """``installed()``: what lies in the project's environment."""

    def read():
        found = tmp_path.glob("project/.venv/lib/*/site-packages/*.dist-info")
        return dict(path.name.removesuffix(".dist-info").split("-") for path in found)

    return read


@pytest.fixture
def log(home):
    """``log("publish")``: what pdm wrote down when that failed; only there is what the server said."""

    def read(task):
        (file,) = home.glob(f".local/state/pdm/log/pdm-{task}-*.log")
        return file.read_text()

    return read


def uploads(seen):
    return [request.status for request in seen if request.method == "POST"]


@pytest.mark.parametrize("path", ["", "/", "/simple", "/simple/", "/pypi", "/pypi/", "/legacy", "/legacy/"])
def test_50_64_pdm_publishes_wheel_and_sdist_at_every_address(publish, index, path):
    name = f"pdm-at{path.replace('/', '-')}x"
    wheel, sdist = build_wheel(name, "1.0"), build_sdist(name, "1.0")
    with index.watch() as seen:
        publish(name, wheel, sdist, path=path)
    assert uploads(seen) == [200, 200]
    assert {name: file["hashes"]["sha256"] for name, file in index.files(name).items()} == {
        wheel.filename: wheel.sha256,
        sdist.filename: sdist.sha256,
    }


def test_50_pdm_publishes_what_it_builds(pdm, index, tmp_path):
    folder = tmp_path / "project"
    wheel = build_wheel("Made.By_Pdm", "1.0", requires_python=">=3.11")
    folder.joinpath(wheel.filename).write_bytes(wheel.data)
    folder.joinpath("PKG-INFO").write_text(
        "Metadata-Version: 2.1\nName: Made.By_Pdm\nVersion: 1.0\nRequires-Python: >=3.11\n"
    )
    # A backend in the project itself: the environment of the build needs nothing from an index.
    folder.joinpath("backend.py").write_text(f"WHEEL = '{wheel.filename}'\n{_BACKEND}")
    folder.joinpath("pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "Made.By_Pdm"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
    )
    environ = {"PDM_PUBLISH_USERNAME": "writer", "PDM_PUBLISH_PASSWORD": PASSWORDS["writer"]}
    with index.watch() as seen:
        pdm("publish", PDM_PUBLISH_REPO=f"{index.url}/", **environ)
    assert uploads(seen) == [200, 200]
    page = index.page("made-by-pdm")
    assert {file["requires-python"] for file in page["files"]} == {">=3.11"}
    assert page["versions"] == ["1.0"]


def test_56_pdm_may_publish_the_same_bytes_again(publish, index):
    publish("pdm-again", build_wheel("pdm-again", "1.0"))
    before = index.page("pdm-again")
    with index.watch() as seen:
        publish("pdm-again")
    assert uploads(seen) == [200]
    assert index.page("pdm-again") == before


def test_57_pdm_prints_a_conflict(publish, log, index):
    first = build_wheel("pdm-other", "1.0")
    publish("pdm-other", first)
    with index.watch() as seen:
        said = publish("pdm-other", build_wheel("pdm-other", "1.0", body=b"other"), status=1).output
    assert uploads(seen) == [409]
    assert "[PublishError]: Client error '409 Conflict'" in said
    assert f"File already exists: {first.filename} " in log("publish")
    assert index.files("pdm-other")[first.filename]["hashes"]["sha256"] == first.sha256


def test_58_pdm_skips_existing_files(publish, index):
    first = build_wheel("pdm-skip", "1.0")
    publish("pdm-skip", first)
    others = build_wheel("pdm-skip", "1.0", body=b"other"), build_sdist("pdm-skip", "1.0")
    with index.watch() as seen:
        said = publish("pdm-skip", *others, options=["--skip-existing"]).output
    assert uploads(seen) == [409, 200]
    assert f"Skipping {first.filename} because it appears to already exist" in said
    assert len(index.files("pdm-skip")) == 2


def test_60_pdm_prints_that_a_password_is_refused(publish, log, index):
    with index.watch() as seen:
        said = publish("pdm-wrong", build_wheel("pdm-wrong", "1.0"), password="not-it", status=1).output
    assert set(uploads(seen)) == {401}
    assert "[PublishError]: Client error '401 Unauthorized'" in said
    assert "password" in log("publish")
    assert "not-it" not in said
    assert index.files("pdm-wrong") == {}


def test_60_pdm_prints_that_a_reader_may_not_write(publish, log, index):
    with index.watch() as seen:
        said = publish("pdm-forbidden", build_wheel("pdm-forbidden", "1.0"), user="reader", status=1).output
    assert uploads(seen) == [403]
    assert "[PublishError]: Client error '403 Forbidden'" in said
    assert "User reader may not upload" in log("publish")
    assert index.files("pdm-forbidden") == {}


def test_60_pdm_prints_that_a_file_is_refused(publish, log, index):
    wrong = build_wheel("pdm-refused", "1.0", metadata=b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n\n")
    with index.watch() as seen:
        said = publish("pdm-refused", wrong, status=1).output
    assert uploads(seen) == [400]
    assert "[PublishError]: Client error '400 Bad Request'" in said
    assert wrong.filename in log("publish")
    assert index.files("pdm-refused") == {}


@pytest.mark.parametrize("path", ["/simple", "/simple/", "/pypi", "/pypi/", ""])
def test_28_44_pdm_adds_a_dependency_from_every_address(pdm, consumer, installed, index, path):
    leaf = build_wheel("pdm-leaf", "1.5")
    root = build_wheel("pdm-root", "1.0", requires_dist=["pdm-leaf>=1"])
    index.put(leaf, root)
    consumer(index.url_for("reader", path))
    pdm("add", "pdm-root")
    assert installed() == {"pdm_root": "1.0", "pdm_leaf": "1.5"}


def test_28_pdm_syncs_what_it_locked(pdm, consumer, installed, index, tmp_path):
    wheel = build_wheel("pdm-locked", "1!2.0+cpu.1")
    sdist = build_sdist("pdm-locked", "1!2.0+cpu.1")
    index.put(wheel, sdist)
    consumer("http://${READER}:${SECRET}@" + f"127.0.0.1:{index.server.port}/simple/", "pdm-locked")
    credentials = {"READER": "reader", "SECRET": PASSWORDS["reader"]}
    pdm("lock", **credentials)
    lock = tmp_path.joinpath("project", "pdm.lock").read_text()
    assert PASSWORDS["reader"] not in lock
    (package,) = tomllib.loads(lock)["package"]
    assert {file["file"]: file["hash"] for file in package["files"]} == {
        wheel.filename: f"sha256:{wheel.sha256}",
        sdist.filename: f"sha256:{sdist.sha256}",
    }
    newer = build_wheel("pdm-locked", "1!3.0")
    index.put(newer)
    with index.watch() as seen:
        pdm("sync", **credentials)
    assert installed() == {"pdm_locked": "1!2.0+cpu.1"}
    assert {request.status for request in seen} == {200}
    pdm("update", **credentials)
    assert installed() == {"pdm_locked": "1!3.0"}


def test_pdm_takes_credentials_from_its_configuration(pdm, consumer, installed, index):
    index.put(build_wheel("pdm-configured", "1.0"))
    consumer(f"{index.url}/simple/")
    for name, value in (("username", "reader"), ("password", PASSWORDS["reader"])):
        pdm("config", f"pypi.{name}", value)
    with index.watch() as seen:
        pdm("add", "pdm-configured")
    assert installed() == {"pdm_configured": "1.0"}
    assert {request.status for request in seen} == {200}


def test_45_pdm_reads_netrc(pdm, consumer, installed, index, home):
    index.put(build_wheel("pdm-netrc", "1.0"))
    netrc = home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login reader password {PASSWORDS['reader']}\n")
    netrc.chmod(0o600)
    consumer(f"{index.url}/simple/")
    pdm("add", "pdm-netrc")
    assert installed() == {"pdm_netrc": "1.0"}


def test_pdm_says_that_credentials_are_wrong(pdm, consumer, installed, index):
    index.put(build_wheel("pdm-unread", "1.0"))
    consumer(f"http://reader:not-it@127.0.0.1:{index.server.port}/simple/")
    with index.watch() as seen:
        said = pdm("add", "pdm-unread", status=1).output
    assert {request.status for request in seen} == {401}
    assert "[CandidateNotFound]: Unable to find candidates for pdm-unread" in said
    assert "not-it" not in said
    assert installed() == {}


def test_47_pdm_finds_nothing_that_it_may_not_read(pdm, consumer, installed, index):
    index.put(build_wheel("pdm-hidden", "1.0"))
    consumer(index.url_for("outsider"))
    with index.watch() as seen:
        said = pdm("add", "pdm-hidden", status=1).output
    assert {request.status for request in seen} == {404}
    assert "[CandidateNotFound]: Unable to find candidates for pdm-hidden" in said
    assert installed() == {}
