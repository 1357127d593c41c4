"""Yanked, archived, quarantined, deleted (PEP 592, 792): what pip and uv make of it, before and after a rebuild."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import PASSWORDS

REASON = "its tables are upside down"


@pytest.fixture(params=["pip", "uv"])
def install(request, tools, run, index, target):
    """``install(*arguments)`` as the reader, with either client."""
    options = {
        "pip": [tools / "python", "-m", "pip", "--python", target.python, "install", "--index-url"],
        "uv": [tools / "uv", "pip", "install", "--python", target.python, "--default-index"],
    }[request.param]

    def call(*arguments, status=0):
        return run(*options, index.url_for("reader"), *arguments, status=status).output

    call.client = request.param
    return call


@pytest.fixture
def api(index):
    """``api(method, path, body)`` of the REST API, as an administrator."""

    def call(method, path, body=None):
        headers = urllib3.make_headers(basic_auth=f"admin:{PASSWORDS['admin']}")
        with urllib3.PoolManager() as http:
            answer = http.request(method, f"{index.url}/api/package/{path}", json=body or {}, headers=headers)
        assert answer.status == 200, answer.data

    return call


@pytest.fixture(params=["kept", "rebuilt"])
def settled(request, index):
    """``settled()``: nothing, or the database is lost and the catalog rebuilt while the server runs."""

    def rebuild():
        config = index.server.config
        index.server.stop()
        for path in (config.parent / "data").glob("catalog.sqlite*"):
            path.unlink()
        command = [str(Path(sys.executable).with_name("ppc-resync")), str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert " 0 no longer there, 0 remarks" in done.stdout
        index.server.start()

    def settle():
        if request.param == "rebuilt":
            before = index.get("/api/package/?verbose=true", "admin").data
            rebuild()
            assert index.get("/api/package/?verbose=true", "admin").data == before

    settle.kind = request.param
    return settle


def test_24_yank_and_unyank(index, install, target, api, settled):
    name = f"yanked-{install.client}-{settled.kind}"
    good, bad = build_wheel(name, "1.0"), build_wheel(name, "2.0")
    index.put(good, bad)
    api("PUT", f"{name}/version/2.0/yank", {"reason": REASON})
    settled()
    said = install(f"{name}>=1")
    assert target.installed() == {name.replace("-", "_"): "1.0"}
    assert REASON not in said
    said = install(f"{name}==2.0")
    assert target.installed() == {name.replace("-", "_"): "2.0"}
    assert "yanked" in said
    assert REASON in said
    install(f"{name}==1.0")
    api("DELETE", f"{name}/{bad.filename}/yank")
    settled()
    # Neither client keeps the page as it was.
    said = install("--upgrade", name)
    assert target.installed() == {name.replace("-", "_"): "2.0"}
    assert REASON not in said


def test_a_deleted_release_is_gone(index, install, target, api, settled):
    name = f"deleted-{install.client}-{settled.kind}"
    index.put(build_wheel(name, "1.0"), build_wheel(name, "2.0"))
    install(name)
    assert target.installed() == {name.replace("-", "_"): "2.0"}
    api("DELETE", f"{name}/version/2.0")
    settled()
    install("--reinstall" if install.client == "uv" else "--force-reinstall", name)
    assert target.installed() == {name.replace("-", "_"): "1.0"}
    said = install(f"{name}==2.0", status=1)
    assert "2.0" in said
    api("DELETE", f"{name}/")
    settled()
    said = install("--reinstall" if install.client == "uv" else "--force-reinstall", name, status=1)
    assert name in said


def test_25_26_81_statuses(index, tools, run, dist, install, target, api, settled):
    name = f"status-{install.client}-{settled.kind}"
    old, new = build_wheel(name, "1.0"), build_wheel(name, "2.0")
    index.put(old)

    def publish(status):
        (path,) = dist(new)
        options = {
            "pip": [tools / "twine", "upload", "--non-interactive", "--repository-url"],
            "uv": [tools / "uv", "publish", "--publish-url"],
        }[install.client]
        login = ["--username", "writer", "--password", PASSWORDS["writer"]]
        return run(*options, f"{index.url}/", *login, path, status=status).output

    api("PUT", f"{name}/status", {"status": "archived", "reason": "drink tea"})
    settled()
    said = publish(2 if install.client == "uv" else 1)
    assert f"Project {name} is archived (drink tea) and takes no uploads" in said
    install(name)
    assert target.installed() == {name.replace("-", "_"): "1.0"}
    api("PUT", f"{name}/status", {"status": "quarantined"})
    settled()
    install("--reinstall" if install.client == "uv" else "--force-reinstall", name, status=1)
    assert index.page(name)["project-status"] == {"status": "quarantined"}
    api("PUT", f"{name}/status", {"status": "active"})
    settled()
    publish(0)
    install("--upgrade", name)
    assert target.installed() == {name.replace("-", "_"): "2.0"}
