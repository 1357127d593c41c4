"""Old versions of pip, which read the HTML page; on old Pythons, where there are some."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel


@pytest.fixture(params=[("9.0.3", "3.8"), ("9.0.3", "2.7"), ("20.3.4", "3.8"), ("20.3.4", "2.7")], ids="-py".join)
def pip(request, environment, find_python, missing, run, index, tmp_path):
    """``pip(*arguments)``: that pip on that Python, which installs into the folder ``got``."""
    version, python_version = request.param
    python = find_python(python_version)
    if not python:
        missing(f"python{python_version}", f"no Python {python_version} was found")
    # Only the files of that pip: the environment itself belongs to a newer Python.
    (packages,) = environment(f"pip-{version}").parent.glob("lib/*/site-packages")
    extra = tmp_path / "old-pip"
    extra.mkdir()
    extra.joinpath("pip").symlink_to(packages / "pip")

    def call(*arguments, user="reader", path="/simple/", status=0):
        where = ["--index-url", index.url_for(user, path), "--target", tmp_path / "got"]
        return run(python, "-m", "pip", "install", *where, *arguments, status=status, PYTHONPATH=str(extra))

    call.version = version
    call.name = f"pip{version}-py{python_version}".replace(".", "")
    call.python_tag = "py2.py3"
    return call


@pytest.mark.parametrize("path", ["/simple", "/pypi/", ""])
def test_27_44_old_pip_installs_a_dependency(pip, index, tmp_path, path):
    leaf, root = f"{pip.name}-leaf", f"{pip.name}-root"
    index.put(
        build_wheel(leaf, "1.5", python_tag=pip.python_tag),
        build_wheel(root, "1.0", python_tag=pip.python_tag, requires_dist=[f"{leaf}>=1"]),
        # What is not for this Python is left aside.
        build_wheel(root, "2.0", python_tag=pip.python_tag, requires_python=">=99"),
        build_sdist(root, "0.9"),
    )
    with index.watch() as seen:
        said = pip(root, path=path).output
    assert {path.name for path in tmp_path.glob("got/*.dist-info")} == {
        f"{leaf.replace('-', '_')}-1.5.dist-info",
        f"{root.replace('-', '_')}-1.0.dist-info",
    }, said
    assert {request.status for request in seen} == {200}
    assert all(f"pip/{pip.version}" in request.agent for request in seen)


def test_27_old_pip_sees_what_was_uploaded_a_moment_ago(pip, index, tmp_path):
    name = f"{pip.name}-newer"
    for version in ("1.0", "1.1"):
        index.put(build_wheel(name, version, python_tag=pip.python_tag))
        with index.watch() as seen:
            pip("--upgrade", name)
        # The page is asked for again, and only the newest file.
        assert [request.path.rpartition("/")[2] for request in seen] == [
            "",
            f"{name.replace('-', '_')}-{version}-{pip.python_tag}-none-any.whl",
        ]
        assert (tmp_path / "got" / f"{name.replace('-', '_')}-{version}.dist-info").is_dir()


def test_27_37_old_pip_installs_epochs_and_local_versions(pip, index, tmp_path):
    name = f"{pip.name}-local"
    wheel = build_wheel(name, "1!2.0+cpu.1", python_tag=pip.python_tag)
    index.put(wheel)
    with index.watch() as seen:
        pip(f"{name}==1!2.0+cpu.1")
    assert len(list(tmp_path.glob("got/*.dist-info"))) == 1
    assert [request.status for request in seen] == [200, 200]


def test_47_old_pip_finds_nothing_that_it_may_not_read(pip, index, tmp_path):
    name = f"{pip.name}-hidden"
    index.put(build_wheel(name, "1.0", python_tag=pip.python_tag))
    with index.watch() as seen:
        said = pip(name, user="outsider", status=1).output
    assert {request.status for request in seen} == {404}
    assert f"No matching distribution found for {name}" in said
    assert list(tmp_path.glob("got/*")) == []
