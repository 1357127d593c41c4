"""uv: publish, install, lock and sync."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def publish(tools, run, index):
    """``publish(*files)``: uv publish as the writer."""

    def upload(*arguments, user="writer", password=None, path="/", status=0):
        credentials = ["--username", user, "--password", password or PASSWORDS[user]]
        options = ["--trusted-publishing", "never", "--publish-url", index.url + path, *credentials]
        return run(tools / "uv", "publish", *options, *arguments, status=status)

    return upload


@pytest.fixture
def install(tools, run, index, target):
    """``install(*arguments)``: uv pip install as the reader."""

    def pip(*arguments, url=None, status=0, **env):
        where = ["--python", target.python, "--default-index", url or index.url_for("reader")]
        return run(tools / "uv", "pip", "install", *where, *arguments, status=status, **env)

    return pip


def uploads(seen):
    return [request.status for request in seen if request.method == "POST"]


@pytest.mark.parametrize("path", ["", "/", "/simple", "/simple/", "/pypi", "/pypi/", "/legacy", "/legacy/"])
def test_50_64_uv_publishes_wheel_and_sdist_at_every_address(publish, index, dist, path):
    name = f"uv-at{path.replace('/', '-')}x"
    wheel, sdist = build_wheel(name, "1.0"), build_sdist(name, "1.0")
    with index.watch() as seen:
        publish(*dist(wheel, sdist), path=path)
    assert uploads(seen) == [200, 200]
    assert {name: file["hashes"]["sha256"] for name, file in index.files(name).items()} == {
        wheel.filename: wheel.sha256,
        sdist.filename: sdist.sha256,
    }


def test_50_uv_takes_credentials_from_the_publish_url(run, tools, index, dist):
    wheel = build_wheel("uv-in-url", "1.0")
    with index.watch() as seen:
        run(tools / "uv", "publish", "--publish-url", index.url_for("writer", "/legacy/"), *dist(wheel))
    assert uploads(seen) == [200]
    assert list(index.files("uv-in-url")) == [wheel.filename]


def test_56_uv_may_publish_the_same_bytes_again(publish, index, dist):
    paths = dist(build_wheel("uv-again", "1.0"))
    publish(*paths)
    before = index.page("uv-again")
    with index.watch() as seen:
        publish(*paths)
    assert uploads(seen) == [200]
    assert index.page("uv-again") == before


def test_57_61_uv_prints_file_already_exists(publish, index, dist):
    first = build_wheel("uv-other", "1.0")
    publish(*dist(first))
    with index.watch() as seen:
        said = publish(*dist(build_wheel("uv-other", "1.0", body=b"other")), status=2).output
    assert uploads(seen) == [409]
    assert f"409 File already exists: {first.filename} " in said
    # One line, not the JSON around it.
    assert '"code"' not in said
    assert index.files("uv-other")[first.filename]["hashes"]["sha256"] == first.sha256


def test_59_uv_check_url_skips_a_matching_file(publish, index, dist):
    paths = dist(build_wheel("uv-check", "1.0"))
    publish(*paths)
    with index.watch() as seen:
        said = publish("--check-url", index.url_for("reader"), *paths).output
    assert uploads(seen) == []
    assert "already exists, skipping" in said


def test_59_uv_check_url_fails_on_a_different_file(publish, index, dist):
    publish(*dist(build_wheel("uv-differs", "1.0")))
    others = dist(build_wheel("uv-differs", "1.0", body=b"other"))
    with index.watch() as seen:
        said = publish("--check-url", index.url_for("reader"), *others, status=2).output
    assert 200 not in uploads(seen)
    assert "match" in said
    assert "uv_differs-1.0-py3-none-any.whl" in said


def test_59_uv_check_url_of_an_unknown_project_uploads(publish, index, dist):
    wheel = build_wheel("uv-first", "1.0")
    with index.watch() as seen:
        publish("--check-url", index.url_for("reader"), *dist(wheel))
    assert uploads(seen) == [200]
    assert list(index.files("uv-first")) == [wheel.filename]


def test_59_uv_check_url_without_credentials_uploads_and_is_told(publish, index, dist):
    """uv takes a 401 for a page without files; then the upload says what it would have seen there."""
    first = build_wheel("uv-unchecked", "1.0")
    for artifact, status, answers in (
        (first, 0, [200]),
        (first, 0, [200]),
        (build_wheel("uv-unchecked", "1.0", body=b"other"), 2, [409]),
    ):
        with index.watch() as seen:
            said = publish("--check-url", f"{index.url}/simple/", *dist(artifact), status=status).output
        assert uploads(seen) == answers
        assert {request.status for request in seen if request.method == "GET"} == {401}
    assert f"File already exists: {first.filename} " in said


def test_59_uv_publish_checks_at_a_named_index(run, tools, index, dist, tmp_path):
    project = tmp_path / "project"
    (path,) = dist(build_wheel("uv-named", "1.0"))
    project.joinpath("pyproject.toml").write_text(
        '[project]\nname = "uv-named"\nversion = "1.0"\n[[tool.uv.index]]\nname = "private"\n'
        f'url = "{index.url}/simple/"\npublish-url = "{index.url}/"\n'
    )
    environ = {
        "UV_NO_CONFIG": "0",
        "UV_PUBLISH_USERNAME": "writer",
        "UV_PUBLISH_PASSWORD": PASSWORDS["writer"],
        "UV_INDEX_PRIVATE_USERNAME": "reader",
        "UV_INDEX_PRIVATE_PASSWORD": PASSWORDS["reader"],
    }
    for expected in ([200], []):
        with index.watch() as seen:
            said = run(tools / "uv", "publish", "--index", "private", path, cwd=project, **environ).output
        assert uploads(seen) == expected
    assert "already exists, skipping" in said


def test_79_uv_sends_an_attestation_by_itself(publish, index, dist):
    wheel = build_wheel("uv-attested", "1.0")
    (path,) = dist(wheel)
    Path(f"{path}.publish.attestation").write_text('{"version": 1}')
    with index.watch() as seen:
        publish(path)
    assert uploads(seen) == [200]
    assert "provenance" not in index.files("uv-attested")[wheel.filename]


def test_60_61_uv_prints_why_a_password_is_refused(publish, index, dist):
    with index.watch() as seen:
        said = publish(*dist(build_wheel("uv-wrong", "1.0")), password="not-it", status=2).output
    assert uploads(seen) == [401]
    assert "401" in said
    assert "password" in said
    assert "not-it" not in said
    assert index.files("uv-wrong") == {}


def test_60_61_uv_prints_why_a_reader_may_not_write(publish, index, dist):
    with index.watch() as seen:
        said = publish(*dist(build_wheel("uv-forbidden", "1.0")), user="reader", status=2).output
    assert uploads(seen) == [403]
    assert "403" in said
    assert "User reader may not upload" in said.rpartition("403")[2]
    assert index.files("uv-forbidden") == {}


def test_60_61_uv_prints_what_is_wrong_with_a_file(publish, index, dist):
    wrong = build_wheel("uv-broken", "1.0", metadata=b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n\n")
    with index.watch() as seen:
        said = publish(*dist(wrong), status=2).output
    assert uploads(seen) == [400]
    assert wrong.filename in said.rpartition("400")[2]
    assert index.files("uv-broken") == {}


@pytest.mark.parametrize("path", ["/simple", "/simple/", "/pypi", "/pypi/", "", "/"])
def test_28_44_uv_installs_a_dependency_from_every_address(index, install, target, path):
    index.put(build_wheel("uv-leaf", "1.5"), build_wheel("uv-root", "1.0", requires_dist=["uv-leaf>=1"]))
    install("uv-root", url=index.url_for("reader", path))
    assert target.installed() == {"uv_root": "1.0", "uv_leaf": "1.5"}


def test_45_uv_reads_netrc(index, install, target, home):
    index.put(build_wheel("uv-netrc", "1.0"))
    netrc = home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login reader password {PASSWORDS['reader']}\n")
    netrc.chmod(0o600)
    with index.watch() as seen:
        install("uv-netrc", url=f"{index.url}/simple/")
    assert target.installed() == {"uv_netrc": "1.0"}
    assert {request.status for request in seen} == {200, 401}


def test_uv_says_that_credentials_are_wrong(index, install, target):
    index.put(build_wheel("uv-refused", "1.0"))
    url = f"http://reader:not-it@127.0.0.1:{index.server.port}/simple/"
    with index.watch() as seen:
        said = install("uv-refused", url=url, status=1).output
    assert {request.status for request in seen} == {401}
    assert "401 Unauthorized" in said
    assert target.installed() == {}


def test_47_uv_finds_nothing_that_it_may_not_read(index, install, target):
    index.put(build_wheel("uv-hidden", "1.0"))
    with index.watch() as seen:
        said = install("uv-hidden", url=index.url_for("outsider"), status=1).output
    assert {request.status for request in seen} == {404}
    assert "uv-hidden was not found" in said
    assert target.installed() == {}


def test_29_uv_excludes_newer_files(index, install, target):
    old = build_wheel("uv-dated", "1.0")
    new = build_wheel("uv-dated", "2.0")
    index.put(old)
    index.put(new)
    moment = index.files("uv-dated")[new.filename]["upload-time"]
    install("--exclude-newer", moment, "uv-dated")
    assert target.installed() == {"uv_dated": "1.0"}
    install("--upgrade", "uv-dated")
    assert target.installed() == {"uv_dated": "2.0"}


def test_37_uv_installs_epochs_and_local_versions(index, install, target):
    index.put(build_wheel("uv-local", "1!2.0+cpu.1"))
    install("uv-local==1!2.0+cpu.1")
    assert target.installed() == {"uv_local": "1!2.0+cpu.1"}


@pytest.fixture
def project(index, tmp_path):
    """A project whose only index is this one; credentials come from the environment."""
    folder = tmp_path / "project"
    folder.mkdir()
    folder.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["uv-locked"]\n[tool.uv]\npackage = false\n'
        f'[[tool.uv.index]]\nname = "private"\nurl = "{index.url}/simple/"\ndefault = true\n'
    )
    return folder


def in_milliseconds(moment):
    """As exact as uv's lock file is."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_28_uv_locks_and_syncs(index, project, run, tools):
    leaf = build_wheel("uv-lock-leaf", "1.0")
    wheel = build_wheel("uv-locked", "1.0", requires_dist=["uv-lock-leaf"])
    sdist = build_sdist("uv-locked", "1.0", requires_dist=["uv-lock-leaf"])
    index.put(leaf, wheel, sdist)
    # A project is configured by its own file, and by no other here: there is none above it or in the home.
    credentials = {"UV_INDEX_PRIVATE_USERNAME": "reader", "UV_INDEX_PRIVATE_PASSWORD": PASSWORDS["reader"]}
    environ = {**credentials, "UV_NO_CONFIG": "0"}
    with index.watch() as seen:
        run(tools / "uv", "lock", cwd=project, **environ)
    assert [request.path for request in seen if request.path.endswith((".whl", ".tar.gz"))] == []
    packages = {package["name"]: package for package in tomllib.loads((project / "uv.lock").read_text())["package"]}
    locked = packages["uv-locked"]
    listed = index.files("uv-locked")
    for entry, artifact in ((locked["wheels"][0], wheel), (locked["sdist"], sdist)):
        assert entry["hash"] == f"sha256:{artifact.sha256}"
        assert entry["size"] == len(artifact.data)
        uploaded = datetime.fromisoformat(listed[artifact.filename]["upload-time"])
        assert datetime.fromisoformat(entry["upload-time"]) == in_milliseconds(uploaded)
        assert "reader" not in entry["url"]
    with index.watch() as seen:
        run(tools / "uv", "sync", "--frozen", cwd=project, **environ)
    assert sorted(request.path.rpartition("/")[2] for request in seen if request.status == 200) == sorted(
        [leaf.filename, wheel.filename]
    )
    installed = [path.name for path in project.glob(".venv/lib/*/site-packages/*.dist-info")]
    assert sorted(installed) == ["uv_lock_leaf-1.0.dist-info", "uv_locked-1.0.dist-info"]
