"""poetry: publish, add, lock and install."""

from __future__ import annotations

import tomllib

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def poetry(environment, run, tmp_path):
    """``poetry(*arguments)`` in the folder of the project."""
    program = environment("poetry") / "poetry"
    folder = tmp_path / "project"
    folder.mkdir()

    def call(*arguments, **how):
        return run(program, "--no-ansi", *arguments, cwd=folder, **how)

    return call


@pytest.fixture
def publish(poetry, index, tmp_path):
    """``publish(name, *artifacts)``: a project of that name, whose ``dist`` holds these, is published."""
    folder = tmp_path / "project"

    def upload(name, *artifacts, path="/", user="writer", password=None, options=(), status=0):
        folder.joinpath("pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "1.0"\n')
        folder.joinpath("poetry.toml").write_text(f'[repositories.private]\nurl = "{index.url}{path}"\n')
        dist = folder / "dist"
        dist.mkdir(exist_ok=True)
        for artifact in artifacts:
            dist.joinpath(artifact.filename).write_bytes(artifact.data)
        credentials = ["--username", user, "--password", password or PASSWORDS[user]]
        return poetry("publish", "--repository", "private", *credentials, *options, status=status)

    return upload


@pytest.fixture
def consumer(index, tmp_path):
    """``consumer(url)``: a project whose only source is this index."""

    def write(url):
        tmp_path.joinpath("project", "pyproject.toml").write_text(
            '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n'
            "[tool.poetry]\npackage-mode = false\n"
            f'[[tool.poetry.source]]\nname = "private"\nurl = "{url}"\npriority = "primary"\n'
        )

    return write


@pytest.fixture
def installed(tmp_path):
    """``installed()``: what lies in the project's environment."""

    def read():
        found = tmp_path.glob("project/.venv/lib/*/site-packages/*.dist-info")
        versions = dict(path.name.removesuffix(".dist-info").split("-") for path in found)
        versions.pop("pip", None)
        return versions

    return read


def uploads(seen):
    return [request.status for request in seen if request.method == "POST"]


@pytest.mark.parametrize("path", ["/", "/simple", "/pypi/", "/legacy"])
def test_50_64_poetry_publishes_wheel_and_sdist_at_every_address(publish, index, path):
    name = f"poetry-at{path.replace('/', '-')}x"
    wheel, sdist = build_wheel(name, "1.0"), build_sdist(name, "1.0")
    with index.watch() as seen:
        publish(name, wheel, sdist, path=path)
    assert uploads(seen) == [200, 200]
    assert {name: file["hashes"]["sha256"] for name, file in index.files(name).items()} == {
        wheel.filename: wheel.sha256,
        sdist.filename: sdist.sha256,
    }


def test_50_poetry_publishes_what_it_builds(poetry, index, tmp_path):
    folder = tmp_path / "project"
    folder.joinpath("made_by_poetry.py").write_text("answer = 42\n")
    folder.joinpath("pyproject.toml").write_text(
        '[project]\nname = "Made.By_Poetry"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
        'authors = [{ name = "Zoë", email = "zoe@example.com" }]\ndescription = "Größe"\n'
        'dependencies = ["packaging (>=20)"]\n'
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
    )
    folder.joinpath("poetry.toml").write_text(f'[repositories.private]\nurl = "{index.url}/"\n')
    environ = {
        "POETRY_HTTP_BASIC_PRIVATE_USERNAME": "writer",
        "POETRY_HTTP_BASIC_PRIVATE_PASSWORD": PASSWORDS["writer"],
    }
    with index.watch() as seen:
        poetry("publish", "--build", "--repository", "private", **environ)
    assert uploads(seen) == [200, 200]
    page = index.page("made-by-poetry")
    assert {file["requires-python"] for file in page["files"]} == {">=3.11"}
    assert page["versions"] == ["1.0"]


def test_56_poetry_may_publish_the_same_bytes_again(publish, index):
    publish("poetry-again", build_wheel("poetry-again", "1.0"))
    before = index.page("poetry-again")
    with index.watch() as seen:
        publish("poetry-again")
    assert uploads(seen) == [200]
    assert index.page("poetry-again") == before


def test_57_60_poetry_prints_file_already_exists(publish, index):
    first = build_wheel("poetry-other", "1.0")
    publish("poetry-other", first)
    with index.watch() as seen:
        said = publish("poetry-other", build_wheel("poetry-other", "1.0", body=b"other"), status=1).output
    assert uploads(seen) == [409]
    # The reason phrase, and then the body as it came.
    assert said.count(f"File already exists: {first.filename} ") == 2
    assert index.files("poetry-other")[first.filename]["hashes"]["sha256"] == first.sha256


def test_58_poetry_skips_existing_files(publish, index):
    first = build_wheel("poetry-skip", "1.0")
    publish("poetry-skip", first)
    others = build_wheel("poetry-skip", "1.0", body=b"other"), build_sdist("poetry-skip", "1.0")
    with index.watch() as seen:
        said = publish("poetry-skip", *others, options=["--skip-existing"]).output
    assert sorted(uploads(seen)) == [200, 409]
    assert "File exists. Skipping" in said
    assert len(index.files("poetry-skip")) == 2


def test_60_63_poetry_prints_why_a_file_is_refused(publish, index):
    wrong = build_wheel("poetry-refused", "1.0", metadata=b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n\n")
    with index.watch() as seen:
        said = publish("poetry-refused", wrong, status=1).output
    # Once: poetry does not take the refusal for a project that wants to be registered.
    assert uploads(seen) == [400]
    assert "HTTP Error 400" in said
    assert wrong.filename in said.partition("HTTP Error 400")[2]
    assert index.files("poetry-refused") == {}


def test_60_poetry_prints_why_a_password_is_refused(publish, index):
    with index.watch() as seen:
        said = publish("poetry-wrong", build_wheel("poetry-wrong", "1.0"), password="not-it", status=1).output
    assert set(uploads(seen)) == {401}
    assert "HTTP Error 401" in said
    assert "password" in said.partition("HTTP Error 401")[2]
    assert "not-it" not in said


def test_60_poetry_prints_why_a_reader_may_not_write(publish, index):
    with index.watch() as seen:
        said = publish("poetry-forbidden", build_wheel("poetry-forbidden", "1.0"), user="reader", status=1).output
    assert uploads(seen) == [403]
    assert "HTTP Error 403" in said
    assert "User reader may not upload" in said.partition("HTTP Error 403")[2]
    assert index.files("poetry-forbidden") == {}


@pytest.mark.parametrize("path", ["/simple/", "/pypi", ""])
def test_28_44_poetry_adds_a_dependency_from_every_address(poetry, consumer, installed, index, path):
    leaf = build_wheel("poetry-leaf", "1.5")
    root = build_wheel("poetry-root", "1.0", requires_dist=["poetry-leaf>=1"])
    index.put(leaf, root)
    consumer(index.url_for("reader", path))
    poetry("add", "poetry-root")
    assert installed() == {"poetry_root": "1.0", "poetry_leaf": "1.5"}


def test_28_poetry_installs_what_it_locked(poetry, consumer, installed, index, tmp_path):
    wheel = build_wheel("poetry-locked", "1!2.0+cpu.1")
    sdist = build_sdist("poetry-locked", "1!2.0+cpu.1")
    index.put(wheel, sdist)
    consumer(f"{index.url}/simple/")
    environ = {
        "POETRY_HTTP_BASIC_PRIVATE_USERNAME": "reader",
        "POETRY_HTTP_BASIC_PRIVATE_PASSWORD": PASSWORDS["reader"],
    }
    poetry("add", "--lock", "poetry-locked", **environ)
    (package,) = tomllib.loads(tmp_path.joinpath("project", "poetry.lock").read_text())["package"]
    assert {file["file"]: file["hash"] for file in package["files"]} == {
        wheel.filename: f"sha256:{wheel.sha256}",
        sdist.filename: f"sha256:{sdist.sha256}",
    }
    poetry("install", **environ)
    # Checklist 37 with it: an epoch and a local version.
    assert installed() == {"poetry_locked": "1!2.0+cpu.1"}


def test_poetry_says_that_credentials_are_wrong(poetry, consumer, installed, index):
    index.put(build_wheel("poetry-unread", "1.0"))
    consumer(f"http://reader:not-it@127.0.0.1:{index.server.port}/simple/")
    with index.watch() as seen:
        said = poetry("add", "poetry-unread", status=1).output
    assert {request.status for request in seen} == {401}
    assert "private" in said
    assert installed() == {}
