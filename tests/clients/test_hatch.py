"""hatch: build and publish. Before it uploads, it reads which files are there, below the upload's address."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def publish(environment, run, index, dist):
    """``publish(*artifacts)`` as the writer, at the root of the server."""
    program = environment("hatch") / "hatch"

    def upload(*artifacts, to=index, path="/", user="writer", password=None, status=0):
        credentials = ["--user", user, "--auth", password or PASSWORDS[user]]
        options = ["--no-prompt", "--repo", to.url + path, *credentials]
        return run(program, "publish", *options, *dist(*artifacts), status=status)

    return upload


@pytest.fixture
def blind_index(make_index):
    """An index where the writer may write and not read."""
    with make_index({"package.hatch-blind.user.writer": "w"}) as made:
        yield made


def uploads(seen):
    return [request.status for request in seen if request.method == "POST"]


@pytest.mark.parametrize("path", ["", "/", "/simple", "/simple/", "/pypi", "/pypi/", "/legacy", "/legacy/"])
def test_50_64_hatch_publishes_wheel_and_sdist_at_every_address(publish, index, path):
    name = f"hatch-at{path.replace('/', '-')}x"
    wheel, sdist = build_wheel(name, "1.0"), build_sdist(name, "1.0")
    with index.watch() as seen:
        said = publish(wheel, sdist, path=path).output
    assert uploads(seen) == [200, 200]
    assert said.count("success") == 2
    assert {name: file["hashes"]["sha256"] for name, file in index.files(name).items()} == {
        wheel.filename: wheel.sha256,
        sdist.filename: sdist.sha256,
    }


def test_50_hatch_publishes_what_hatchling_builds(environment, run, index, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    project.joinpath("made_by_hatch.py").write_text("answer = 42\n")
    project.joinpath("pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "Made.By_Hatch"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
        'dependencies = ["packaging>=20"]\nlicense = "MIT"\ndescription = "Größe"\n'
    )
    # Without an environment for the build, whose hatchling would come from an index.
    run(environment("hatch") / "hatchling", "build", cwd=project)
    environ = {
        "HATCH_INDEX_REPO": f"{index.url}/",
        "HATCH_INDEX_USER": "writer",
        "HATCH_INDEX_AUTH": PASSWORDS["writer"],
    }
    with index.watch() as seen:
        run(environment("hatch") / "hatch", "publish", "--no-prompt", cwd=project, **environ)
    assert uploads(seen) == [200, 200]
    page = index.page("made-by-hatch")
    assert {file["requires-python"] for file in page["files"]} == {">=3.11"}
    assert page["versions"] == ["1.0"]


@pytest.mark.parametrize("path", ["", "/simple/", "/pypi", "/legacy/"])
def test_hatch_leaves_out_files_that_are_listed(publish, index, path):
    name = f"hatch-listed{path.replace('/', '-')}x"
    first = build_wheel(name, "1.0")
    publish(first, path=path)
    sdist = build_sdist(name, "1.0")
    with index.watch() as seen:
        # It goes by the name alone: other bytes are not told apart, and end with success.
        said = publish(build_wheel(name, "1.0", body=b"other"), sdist, path=path).output
    checked = f"{path.rstrip('/')}/%2Bsimple/{name}/"
    assert [(request.method, request.status) for request in seen] == [("GET", 200), ("POST", 200)]
    assert seen[0].path == checked
    assert f"{first.filename} ... already exists" in said
    assert f"{sdist.filename} ... success" in said
    assert index.files(name)[first.filename]["hashes"]["sha256"] == first.sha256


def test_56_57_hatch_that_may_not_read_is_told_by_the_upload(publish, blind_index):
    first = build_wheel("hatch-blind", "1.0")
    for artifact, status, post in (
        (first, 0, 200),
        (first, 0, 200),
        (build_wheel("hatch-blind", "1.0", body=b"other"), 1, 409),
    ):
        with blind_index.watch() as seen:
            said = publish(artifact, to=blind_index, status=status).output
        assert [(request.method, request.status) for request in seen] == [("GET", 404), ("POST", post)]
    assert f"File already exists: {first.filename} " in said.partition("409")[2]


def test_60_hatch_prints_why_a_password_is_refused(publish, index):
    with index.watch() as seen:
        said = publish(build_wheel("hatch-wrong", "1.0"), password="not-it", status=1).output
    assert uploads(seen) == [401]
    assert "password" in said.partition("401")[2].splitlines()[0]
    assert "not-it" not in said
    assert index.files("hatch-wrong") == {}


def test_60_hatch_prints_why_a_reader_may_not_write(publish, index):
    with index.watch() as seen:
        said = publish(build_wheel("hatch-forbidden", "1.0"), user="reader", status=1).output
    assert uploads(seen) == [403]
    assert "User reader may not upload" in said.partition("403")[2]
    assert index.files("hatch-forbidden") == {}


def test_60_hatch_prints_what_is_wrong_with_a_file(publish, index):
    wrong = build_wheel("hatch-refused", "1.0", metadata=b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n\n")
    with index.watch() as seen:
        said = publish(wrong, status=1).output
    assert uploads(seen) == [400]
    assert wrong.filename in said.partition("400")[2]
    assert index.files("other") == {}
    assert index.files("hatch-refused") == {}
