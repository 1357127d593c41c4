"""``setup.py register`` and ``setup.py sdist upload`` with a ``.pypirc``: the distutils of old Pythons."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.world import PASSWORDS

_COMMANDS = "import distutils.command.register, distutils.command.upload, distutils.command.sdist"


@pytest.fixture(params=["3.11", "3.8", "2.7"])
def setup(request, find_python, missing, run, index, home, tmp_path):
    """``setup(name, *commands)``: run a project's setup.py; the server is ``private`` in the .pypirc."""
    python = find_python(request.param, _COMMANDS)
    if not python:
        missing(f"python{request.param}", f"no Python {request.param} with its distutils was found")
    folder = tmp_path / "project"
    folder.mkdir()

    def call(name, *commands, version="1.0", user="writer", password=None, path="/", summary=None, status=0):
        home.joinpath(".pypirc").write_text(
            f"[distutils]\nindex-servers =\n    private\n\n[private]\nrepository: {index.url}{path}\n"
            f"username: {user}\npassword: {password or PASSWORDS[user]}\n"
        )
        folder.joinpath("only.py").write_text("answer = 42\n")
        folder.joinpath("setup.py").write_text(
            "from distutils.core import setup\n"
            f"setup(name={name!r}, version={version!r}, py_modules=['only'], description={summary!r})\n"
        )
        environ = {"SETUPTOOLS_USE_DISTUTILS": "stdlib", "PYTHONWARNINGS": "ignore"}
        return run(python, "setup.py", *commands, cwd=folder, status=status, **environ)

    # A project of its own for each Python: the index is the module's.
    call.name = f"setup-{request.param.replace('.', '')}"
    return call


def posts(seen):
    return [request.status for request in seen if request.method == "POST"]


def test_51_80_setup_py_registers_and_uploads(setup, index):
    with index.watch() as seen:
        said = setup(setup.name, "register", "-r", "private", "sdist", "upload", "-r", "private").output
    assert posts(seen) == [200, 200]
    assert said.count("Server response (200): OK") == 2
    (file,) = index.page(setup.name)["files"]
    # The filename as distutils makes it, hyphens and all.
    assert file["filename"] == f"{setup.name}-1.0.tar.gz"


@pytest.mark.parametrize("path", ["", "/simple", "/simple/", "/pypi", "/pypi/", "/legacy/"])
def test_51_64_setup_py_uploads_at_every_address(setup, index, path):
    name = f"{setup.name}-at{path.replace('/', '-')}x"
    with index.watch() as seen:
        setup(name, "register", "-r", "private", "sdist", "upload", "-r", "private", path=path)
    assert posts(seen) == [200, 200]
    assert len(index.files(name)) == 1


def test_80_register_alone_makes_no_project(setup, index):
    name = f"{setup.name}-registered"
    with index.watch() as seen:
        said = setup(name, "register", "-r", "private").output
    assert posts(seen) == [200]
    assert "Server response (200): OK" in said
    assert index.files(name) == {}


def test_51_setup_py_uploads_what_is_not_ascii(setup, index):
    name = f"{setup.name}-utf8"
    summary = "smörgåsbord ❤" if "setup-3" in setup.name else "smorgasbord"
    with index.watch() as seen:
        setup(name, "register", "-r", "private", "sdist", "upload", "-r", "private", summary=summary)
    assert posts(seen) == [200, 200]
    assert len(index.files(name)) == 1


def test_57_60_setup_py_prints_file_already_exists(setup, index, tmp_path):
    name = f"{setup.name}-other"
    commands = ["sdist", "upload", "-r", "private"]
    setup(name, *commands)
    with index.watch() as seen:
        said = setup(name, *commands, summary="other bytes", status=1).output
    assert posts(seen) == [409]
    assert f"Upload failed (409): File already exists: {name}-1.0.tar.gz " in said
    assert len(index.files(name)) == 1


def test_60_setup_py_prints_why_a_password_is_refused(setup, index):
    name = f"{setup.name}-wrong"
    with index.watch() as seen:
        said = setup(name, "sdist", "upload", "-r", "private", password="not-it", status=1).output
    assert posts(seen) == [401]
    assert "password" in said.partition("Upload failed (401):")[2]
    assert index.files(name) == {}
