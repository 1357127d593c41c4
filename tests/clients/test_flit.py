"""flit: it builds wheel and sdist, and publishes both."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def publish(environment, run, index, tmp_path):
    """``publish(name)``: a project of that name as the writer, at the root of the server."""
    program = environment("flit") / "flit"
    folder = tmp_path / "project"
    folder.mkdir()

    def upload(name, *options, more="", code="", path="/", user="writer", password=None, status=0, **env):
        module = name.lower().replace("-", "_").replace(".", "_")
        folder.joinpath(f"{module}.py").write_text(f"'''Größe'''\n{code}\n")
        folder.joinpath("pyproject.toml").write_text(
            '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
            f'[tool.flit.module]\nname = "{module}"\n'
            f'[project]\nname = "{name}"\nversion = "1.0"\ndynamic = ["description"]\n{more}\n'
        )
        # The same project makes the same bytes.
        environ = {"SOURCE_DATE_EPOCH": "1700000000", "FLIT_USERNAME": user, "FLIT_INDEX_URL": index.url + path}
        environ |= {"FLIT_PASSWORD": password or PASSWORDS[user], **env}
        return run(program, "publish", "--no-use-vcs", *options, cwd=folder, status=status, **environ)

    return upload


def uploads(seen):
    return [request.status for request in seen if request.method == "POST"]


@pytest.mark.parametrize("path", ["", "/", "/simple", "/simple/", "/pypi", "/pypi/", "/legacy", "/legacy/"])
def test_50_64_flit_publishes_wheel_and_sdist_at_every_address(publish, index, path):
    name = f"flit-at{path.replace('/', '-')}x"
    with index.watch() as seen:
        publish(name, path=path)
    assert uploads(seen) == [200, 200]
    module = name.replace("-", "_")
    assert set(index.files(name)) == {f"{module}-1.0-py2.py3-none-any.whl", f"{module}-1.0.tar.gz"}


def test_50_flit_publishes_metadata(publish, index):
    more = 'requires-python = ">=3.11"\ndependencies = ["packaging>=20"]\n[project.optional-dependencies]\nx = ["idna"]'
    publish("Made.By_Flit", more=more)
    page = index.page("made-by-flit")
    assert {file["requires-python"] for file in page["files"]} == {">=3.11"}
    assert page["versions"] == ["1.0"]
    wheel = next(file["url"] for file in page["files"] if file["filename"].endswith(".whl"))
    metadata = index.get(f"/packages/{wheel.partition('/packages/')[2]}.metadata").data.decode()
    assert "Summary: Größe\n" in metadata
    assert "Requires-Dist: packaging>=20\n" in metadata


def test_56_flit_may_publish_the_same_bytes_again(publish, index):
    publish("flit-again")
    before = index.page("flit-again")
    with index.watch() as seen:
        publish("flit-again")
    assert uploads(seen) == [200, 200]
    assert index.page("flit-again") == before


def test_57_flit_prints_file_already_exists(publish, index):
    publish("flit-other")
    before = index.page("flit-other")
    with index.watch() as seen:
        said = publish("flit-other", code="changed = True", status=1).output
    assert uploads(seen) == [409]
    # A traceback, for every status but 400; the server's line is its last.
    assert "409 Client Error: File already exists: flit_other-1.0-py2.py3-none-any.whl " in said.splitlines()[-1]
    assert index.page("flit-other") == before


def test_60_flit_prints_why_a_password_is_refused(publish, index):
    with index.watch() as seen:
        said = publish("flit-wrong", password="not-it", status=1).output
    assert uploads(seen) == [401]
    last = said.splitlines()[-1]
    assert "401 Client Error: " in last
    assert "password" in last
    assert "not-it" not in said
    assert index.files("flit-wrong") == {}


def test_60_flit_prints_why_a_reader_may_not_write(publish, index):
    with index.watch() as seen:
        said = publish("flit-forbidden", user="reader", status=1).output
    assert uploads(seen) == [403]
    assert "403 Client Error: User reader may not upload" in said.splitlines()[-1]
    assert index.files("flit-forbidden") == {}


def test_60_flit_prints_what_is_wrong_with_a_file(publish, index):
    with index.watch() as seen:
        said = publish("flit-refused", more='requires-python = "three"', status=1, FLIT_ALLOW_INVALID="1").output
    assert uploads(seen) == [400]
    assert "Traceback" not in said
    assert "three" in said.partition("400 Client Error: ")[2]
    assert index.files("flit-refused") == {}


def test_pypirc_names_the_server(publish, environment, run, index, home, tmp_path):
    publish("flit-pypirc", status=1, password="not-it")
    home.joinpath(".pypirc").write_text(
        f"[distutils]\nindex-servers = private\n[private]\nrepository = {index.url}/\n"
        f"username = writer\npassword = {PASSWORDS['writer']}\n"
    )
    command = ["publish", "--no-use-vcs", "--format", "sdist", "--repository", "private"]
    run(environment("flit") / "flit", *command, cwd=tmp_path / "project")
    assert list(index.files("flit-pypirc")) == ["flit_pypirc-1.0.tar.gz"]
