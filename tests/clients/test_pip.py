"""Today's pip."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def pip(tools, run, target):
    """``pip(*arguments)``: the newest pip, which installs into ``target``."""

    def call(*arguments, **how):
        return run(tools / "python", "-m", "pip", "--python", target.python, *arguments, **how)

    return call


@pytest.fixture
def install(pip, index):
    """``install(*arguments)`` as the reader."""

    def call(*arguments, url=None, **how):
        return pip("install", "--index-url", url or index.url_for("reader"), *arguments, **how)

    return call


@pytest.mark.parametrize("path", ["/simple", "/simple/", "/pypi", "/pypi/", "", "/"])
def test_28_44_pip_installs_a_dependency_from_every_address(index, install, target, path):
    index.put(build_wheel("pip-leaf", "1.5"), build_wheel("pip-root", "1.0", requires_dist=["pip-leaf>=1"]))
    install("pip-root", url=index.url_for("reader", path))
    assert target.installed() == {"pip_root": "1.0", "pip_leaf": "1.5"}


def test_12_pip_finds_every_spelling_of_a_name(index, install, target):
    index.put(build_wheel("pip-spelled", "1.0"))
    install("Pip_.Spelled")
    assert target.installed() == {"pip_spelled": "1.0"}


def test_45_pip_reads_netrc(index, install, target, home):
    index.put(build_wheel("pip-netrc", "1.0"))
    netrc = home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login reader password {PASSWORDS['reader']}\n")
    netrc.chmod(0o600)
    with index.watch() as seen:
        install("pip-netrc", url=f"{index.url}/simple/")
    assert {request.status for request in seen} == {200}
    assert target.installed() == {"pip_netrc": "1.0"}


def test_pip_conf_names_the_index(index, pip, target, home):
    index.put(build_wheel("pip-configured", "1.0"))
    config = home / "pip.conf"
    config.write_text(f"[global]\nindex-url = {index.url_for('reader', '/pypi')}\n")
    pip("install", "pip-configured", PIP_CONFIG_FILE=str(config))
    assert target.installed() == {"pip_configured": "1.0"}


def test_pip_installs_an_sdist(tools, run, index, tmp_path):
    index.put(build_sdist("pip-source", "1.0"))
    folder = tmp_path / "folder"
    # With the setuptools that is here, so that nothing but the sdist comes from the index.
    options = ["--no-build-isolation", "--index-url", index.url_for("reader"), "--target", folder]
    run(tools / "python", "-m", "pip", "install", *options, "pip-source")
    assert (folder / "pip_source.py").is_file()


def test_31_pip_downloads_what_the_hash_names(index, pip, tmp_path):
    leaf = build_wheel("pip-hashed-leaf", "1.0")
    root = build_wheel("pip-hashed", "1.0", requires_dist=["pip-hashed-leaf"])
    sdist = build_sdist("pip-hashed", "1.0")
    index.put(leaf, root, sdist)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        f"pip-hashed==1.0 --hash=sha256:{root.sha256} --hash=sha256:{sdist.sha256}\n"
        f"pip-hashed-leaf==1.0 --hash=sha256:{leaf.sha256}\n"
    )
    options = ["--require-hashes", "--requirement", requirements, "--index-url", index.url_for("reader")]
    pip("download", *options, "--dest", tmp_path / "got")
    assert {path.name: path.read_bytes() for path in tmp_path.glob("got/*")} == {
        root.filename: root.data,
        leaf.filename: leaf.data,
    }


def test_pip_refuses_what_no_hash_names(index, pip, tmp_path):
    index.put(build_wheel("pip-unhashed", "1.0"))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"pip-unhashed==1.0 --hash=sha256:{'0' * 64}\n")
    options = ["--require-hashes", "--requirement", requirements, "--index-url", index.url_for("reader")]
    said = pip("download", *options, "--dest", tmp_path / "got", status=1).output
    assert "DO NOT MATCH THE HASHES" in said
    assert list(tmp_path.glob("got/*")) == []


def test_29_pip_excludes_newer_files(index, install, target):
    old, new = build_wheel("pip-dated", "1.0"), build_wheel("pip-dated", "2.0")
    index.put(old)
    index.put(new)
    moment = index.files("pip-dated")[new.filename]["upload-time"]
    install("--uploaded-prior-to", moment, "pip-dated")
    assert target.installed() == {"pip_dated": "1.0"}
    install("--upgrade", "pip-dated")
    assert target.installed() == {"pip_dated": "2.0"}


def test_11_pip_with_a_warm_cache_sees_a_new_file(index, install, target):
    # pip keeps answers of plain http only from hosts that it trusts.
    options = ["--trusted-host", "127.0.0.1", "--upgrade", "pip-warm"]
    first = build_wheel("pip-warm", "1.0")
    index.put(first)
    install(*options)
    with index.watch() as seen:
        install(*options, "--force-reinstall")
    # It asks for the page anew and is told that it is still the same; it does not ask for the rest again.
    assert [(request.path, request.status) for request in seen] == [("/simple/pip-warm/", 304)]
    index.put(build_wheel("pip-warm", "1.1"))
    install(*options)
    assert target.installed() == {"pip_warm": "1.1"}


def test_37_pip_installs_epochs_and_local_versions(index, install, target):
    index.put(build_wheel("pip-local", "1!2.0+cpu.1"))
    install("pip-local==1!2.0+cpu.1")
    assert target.installed() == {"pip_local": "1!2.0+cpu.1"}


def test_pip_obeys_requires_python(index, install, target):
    index.put(build_wheel("pip-pythons", "1.0"), build_wheel("pip-pythons", "2.0", requires_python=">=99"))
    install("pip-pythons")
    assert target.installed() == {"pip_pythons": "1.0"}


def test_pip_says_that_credentials_are_wrong(index, install, target):
    index.put(build_wheel("pip-refused", "1.0"))
    url = f"http://reader:not-it@127.0.0.1:{index.server.port}/simple/"
    with index.watch() as seen:
        said = install("pip-refused", url=url, status=1).output
    assert {request.status for request in seen} == {401}
    assert "401 Error, Credentials not correct" in said
    assert "not-it" not in said
    assert target.installed() == {}


def test_47_pip_finds_nothing_that_it_may_not_read(index, install, target):
    index.put(build_wheel("pip-hidden", "1.0"))
    with index.watch() as seen:
        said = install("pip-hidden", url=index.url_for("outsider"), status=1).output
    assert [request.status for request in seen] == [404]
    assert "No matching distribution found for pip-hidden" in said
    assert target.installed() == {}
