"""uv sync: a project's environment, and what happens to it as newer versions are uploaded."""

from __future__ import annotations

import tomllib

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS

_CREDENTIALS = {"UV_INDEX_PRIVATE_USERNAME": "reader", "UV_INDEX_PRIVATE_PASSWORD": PASSWORDS["reader"]}


@pytest.fixture
def sync(index, run, tools, tmp_path):
    """``sync(*options)`` in a project that requires ``sync.requires`` from this index alone; what is installed then."""
    folder = tmp_path / "project"
    folder.mkdir()

    def call(*options, requires, status=0, url=f"{index.url}/simple/", credentials=_CREDENTIALS):
        folder.joinpath("pyproject.toml").write_text(
            '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["{requires}"]\n[tool.uv]\npackage = false\n'
            f'[[tool.uv.index]]\nname = "private"\nurl = "{url}"\ndefault = true\n'
        )
        # A project is configured by its own file, and by no other here: there is none above it or in the home.
        call.said = run(
            tools / "uv", "sync", *options, cwd=folder, status=status, UV_NO_CONFIG="0", **credentials
        ).output
        found = folder.glob(".venv/lib/*/site-packages/*.dist-info")
        return dict(path.name.removesuffix(".dist-info").split("-") for path in found)

    call.lock = folder / "uv.lock"
    return call


def wheels(seen):
    return [request.path.rpartition("/")[2] for request in seen if request.path.endswith(".whl")]


@pytest.mark.parametrize("path", ["/simple", "/pypi/", ""])
def test_28_uv_sync_locks_and_installs_a_dependency(index, sync, path):
    leaf = build_wheel("sync-leaf", "1.5")
    root = build_wheel("sync-root", "1.0", requires_dist=["sync-leaf>=1"])
    index.put(leaf, root)
    with index.watch() as seen:
        installed = sync(requires="sync-root", url=index.url + path)
    assert installed == {"sync_root": "1.0", "sync_leaf": "1.5"}
    answered = [request for request in seen if request.status == 200]
    assert sorted(wheels(answered)) == [leaf.filename, root.filename]
    # uv sends an index's credentials at once to what lies below the index's address, where that ends in "simple" to
    # what lies beside it too; to other files of this server only after a 401.
    refused = {request.path for request in seen if request.status != 200}
    assert refused == (
        {request.path for request in answered if "/packages/" in request.path} if path == "/pypi/" else set()
    )
    assert PASSWORDS["reader"] not in sync.lock.read_text()


def test_28_uv_sync_stays_with_the_lock_until_it_is_told_to_upgrade(index, sync):
    index.put(build_wheel("sync-later", "1.0"))
    assert sync(requires="sync-later") == {"sync_later": "1.0"}
    index.put(build_wheel("sync-later", "1.1"), build_sdist("sync-later", "1.1"))
    with index.watch() as seen:
        assert sync("--frozen", requires="sync-later") == {"sync_later": "1.0"}
    assert seen == []
    assert sync(requires="sync-later") == {"sync_later": "1.0"}
    with index.watch() as seen:
        assert sync("--upgrade", requires="sync-later") == {"sync_later": "1.1"}
    # What was uploaded a moment ago is there: the page is asked for anew.
    assert wheels(seen) == ["sync_later-1.1-py3-none-any.whl"]
    locked = {package["name"]: package["version"] for package in tomllib.loads(sync.lock.read_text())["package"]}
    assert locked["sync-later"] == "1.1"


def test_28_uv_sync_frozen_asks_for_the_files_alone(index, sync, tmp_path):
    wheel = build_wheel("sync-frozen", "1.0")
    index.put(wheel)
    sync(requires="sync-frozen")
    index.put(build_wheel("sync-frozen", "2.0"))
    with index.watch() as seen:
        installed = sync("--frozen", "--reinstall", "--no-cache", requires="sync-frozen")
    assert installed == {"sync_frozen": "1.0"}
    assert {(request.method, request.status) for request in seen} == {("GET", 200)}
    assert {request.path.rpartition("/")[2] for request in seen} == {wheel.filename}


def test_uv_sync_says_that_credentials_are_wrong(index, sync):
    index.put(build_wheel("sync-refused", "1.0"))
    wrong = {"UV_INDEX_PRIVATE_USERNAME": "reader", "UV_INDEX_PRIVATE_PASSWORD": "not-it"}
    with index.watch() as seen:
        sync(requires="sync-refused", status=1, credentials=wrong)
    assert {request.status for request in seen} == {401}
    assert "401 Unauthorized" in sync.said
    assert "not-it" not in sync.said
    assert not sync.lock.exists()


def test_47_uv_sync_finds_nothing_that_it_may_not_read(index, sync):
    index.put(build_wheel("sync-hidden", "1.0"))
    outsider = {"UV_INDEX_PRIVATE_USERNAME": "outsider", "UV_INDEX_PRIVATE_PASSWORD": PASSWORDS["outsider"]}
    with index.watch() as seen:
        sync(requires="sync-hidden", status=1, credentials=outsider)
    assert {request.status for request in seen} == {404}
    assert "sync-hidden was not found" in sync.said
    assert not sync.lock.exists()
