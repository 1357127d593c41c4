"""``pip index versions``: which versions today's pip says there are."""

from __future__ import annotations

import json

import pytest
import urllib3

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def versions(tools, run, index):
    """``versions(project, *options)`` as the reader: what ``--json`` says."""

    def ask(project, *options, user="reader", path="/simple/"):
        where = ["--index-url", index.url_for(user, path), "--json"]
        return json.loads(run(tools / "python", "-m", "pip", "index", "versions", *where, *options, project).output)

    return ask


@pytest.fixture
def refused(tools, run, index):
    """``refused(project)``: what pip prints when it finds nothing."""

    def ask(project, user="reader"):
        where = ["--index-url", index.url_for(user)]
        return run(tools / "python", "-m", "pip", "index", "versions", *where, project, status=1).output

    return ask


def yank(index, project, version):
    headers = {**urllib3.make_headers(basic_auth=f"admin:{PASSWORDS['admin']}"), "Content-Type": "application/json"}
    with urllib3.PoolManager() as http:
        url = f"{index.url}/api/package/{project}/version/{version}/yank"
        assert http.request("PUT", url, body=b'{"reason": "broken"}', headers=headers).status == 200


@pytest.mark.parametrize("path", ["/simple", "/pypi/", ""])
def test_pip_index_tells_versions_newest_first(index, versions, path):
    for version in ("1.9", "1.10", "1.2"):
        index.put(build_wheel("told-all", version))
    index.put(build_sdist("told-all", "1!0.1"))
    with index.watch() as seen:
        told = versions("told-all", path=path)
    assert told == {"name": "told-all", "versions": ["1!0.1", "1.10", "1.9", "1.2"], "latest": "1!0.1"}
    # One page, and no file.
    assert [(request.method, request.status) for request in seen] == [("GET", 200)]


def test_pip_index_tells_pre_releases_when_asked(index, versions):
    index.put(build_wheel("told-pre", "1.0"), build_wheel("told-pre", "2.0rc1"), build_wheel("told-pre", "2.0.dev3"))
    assert versions("told-pre")["versions"] == ["1.0"]
    assert versions("told-pre", "--pre")["versions"] == ["2.0rc1", "2.0.dev3", "1.0"]


def test_pip_index_tells_only_what_fits_this_python(index, versions):
    index.put(build_wheel("told-fit", "1.0"), build_wheel("told-fit", "2.0", requires_python=">=99"))
    assert versions("told-fit")["versions"] == ["1.0"]
    assert versions("told-fit", "--ignore-requires-python")["versions"] == ["2.0", "1.0"]


def test_24_pip_index_and_a_yanked_version(index, versions, refused):
    index.put(build_wheel("told-yanked", "1.0"), build_wheel("told-yanked", "2.0"))
    yank(index, "told-yanked", "2.0")
    assert versions("told-yanked") == {"name": "told-yanked", "versions": ["1.0"], "latest": "1.0"}
    yank(index, "told-yanked", "1.0")
    assert refused("told-yanked") == "ERROR: No matching distribution found for told-yanked\n"


@pytest.mark.parametrize("user", ["reader", "outsider"])
def test_47_pip_index_of_an_unknown_project_and_of_a_hidden_one(index, refused, user):
    index.put(build_wheel("told-hidden", "1.0"))
    project = "told-hidden" if user == "outsider" else "told-nothing"
    with index.watch() as seen:
        said = refused(project, user)
    assert {request.status for request in seen} == {404}
    assert said == f"ERROR: No matching distribution found for {project}\n"
