"""A real devpi-server, exported by its own command and taken over into a live server of ours."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.devpi_client import DevpiClient
from pypicloud_lite.testing.peers import DevpiServer

USERS = {"alice": "pw-alice", "bob": "päss:wörd"}
WHEEL, SDIST = build_wheel("demo", "1.0"), build_sdist("demo", "1.0")
FIRST, SECOND = (build_wheel("Dev_Tool", "2.0", requires_dist=["demo==1.0"], body=body) for body in (b"1", b"2"))
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


def basic(user, password=None):
    login = f"{user}:{password or USERS[user]}"
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


class Devpi:
    """What its people do there."""

    def __init__(self, server):
        self.server = server

    def send(self, method, path, user=None, *, status=(200, 201), **more):
        headers = {"Accept": "application/json", **(basic(user) if user else {})}
        answer = urllib3.request(method, self.server.url + path, headers=headers, retries=False, **more)
        assert answer.status in status, (method, path, answer.status, answer.data)
        return answer

    def upload(self, index, user, artifact, **fields):
        name, version = artifact.filename.split("-")[:2]
        form = {":action": "file_upload", "name": name, "version": version.removesuffix(".tar.gz"), **fields}
        form["content"] = (artifact.filename, artifact.data)
        self.send("POST", f"/{index}/", user, fields=list(form.items()))


@pytest.fixture(scope="module")
def export(environment, tmp_path_factory):
    """The folder that devpi-export wrote."""
    folder = tmp_path_factory.mktemp("devpi")
    with DevpiServer(folder / "server", environment("peers")) as server:
        devpi = Devpi(server)
        for user, password in USERS.items():
            devpi.send("PUT", f"/{user}", json={"password": password})
        devpi.send("PUT", "/alice/base", "alice", json={"volatile": False, "bases": []})
        options = {"volatile": True, "bases": ["alice/base"], "acl_upload": ["alice", "bob"], "title": "In the making"}
        devpi.send("PUT", "/alice/dev", "alice", json=options)
        devpi.upload("alice/base", "alice", WHEEL)
        devpi.upload("alice/base", "alice", SDIST)
        devpi.upload("alice/dev", "bob", FIRST)
        devpi.upload("alice/dev", "bob", SECOND)
        docs = type(WHEEL)("Dev_Tool-2.0.doc.zip", build_wheel("docs", "1").data, b"")
        devpi.upload("alice/dev", "bob", docs, **{":action": "doc_upload", "version": "2.0"})
        (release,) = devpi.send("GET", "/alice/dev/dev-tool").json()["result"].values()
        tested = next(link["href"] for link in release["+links"] if link["rel"] == "releasefile")
        devpi.send("POST", tested.removeprefix(server.url), "bob", json={"testenvs": {}, "toxversion": "4"})
        planned = {":action": "submit", "name": "planned", "version": "0.1"}
        devpi.send("POST", "/alice/dev/", "alice", fields=list(planned.items()))
        bob = DevpiClient(environment("devpi"), folder / "bob")
        bob("use", f"{server.url}/alice/dev")
        bob("login", "bob", "--password", USERS["bob"])
        server.export(folder / "export")
    return folder / "export"


def ppc_import(index, export, *options):
    command = [str(Path(sys.executable).with_name("ppc-import")), "devpi", str(export), "--json", *options]
    done = subprocess.run(
        [*command, "--config", str(index.server.config)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def moved(make_index, export):
    """Our server, into which the export was taken while it ran."""
    settings = {"pypi.auth": "sql config", "pypi.default_read": "authenticated"}
    with make_index(settings) as index:
        index.report = ppc_import(index, export)
        yield index


def test_what_was_carried_over_and_what_was_not(moved, export):
    report = moved.report
    assert {key: report[key] for key in ("users", "indexes", "files", "names", "docs", "results")} == {
        "users": 4,  # root and the peer's own one too
        "indexes": 3,
        "files": 3,
        "names": 1,
        "docs": 1,
        "results": 1,
    }
    assert report["not_carried_over"] == []
    assert any("user root had the empty password" in note for note in report["notes"])
    assert any("planned '0.1' was registered without a file" in note for note in report["notes"])
    again = ppc_import(moved, export)
    there = [again[f"{key}_there"] for key in ("users", "indexes", "files", "names", "docs", "results")]
    assert there == [4, 3, 3, 1, 1, 1]
    assert (again["users"], again["indexes"], again["files"]) == (0, 0, 0)


@pytest.mark.parametrize("user", USERS)
def test_people_log_in_with_the_passwords_that_they_had(moved, user):
    for headers, status in ((basic(user), 200), (basic(user, "wrong"), 401)):
        assert urllib3.request("GET", moved.url + "/api/user", headers=headers, retries=False).status == status


def test_pip_installs_by_the_old_address_and_the_old_hashes(moved, tools, run, target, tmp_path):
    root = moved.server.url_with("alice", USERS["alice"])
    lines = [f"Dev.Tool==2.0 --hash=sha256:{SECOND.sha256}", f"demo==1.0 --hash=sha256:{WHEEL.sha256}"]
    (tmp_path / "requirements.txt").write_text("\n".join(lines))
    pip = [tools / "python", "-m", "pip", "--python", target.python, "install", "--no-cache-dir", "--require-hashes"]
    run(*pip, "-r", tmp_path / "requirements.txt", "--index-url", f"{root}/alice/dev/+simple/")
    assert {name.lower(): version for name, version in target.installed().items()} == {"dev_tool": "2.0", "demo": "1.0"}


def test_pages_have_the_files_as_they_were_uploaded(moved, export):
    listed = {}
    for project in ("demo", "dev-tool"):
        address = f"{moved.url}/alice/dev/+simple/{project}/"
        page = urllib3.request("GET", address, headers={**basic("bob"), "Accept": SIMPLE_JSON}, retries=False).json()
        listed |= {file["filename"]: (file["hashes"]["sha256"], file["upload-time"][:19]) for file in page["files"]}
    indexes = json.loads((export / "dataindex.json").read_text())["indexes"].values()
    for artifact in (WHEEL, SDIST, SECOND):
        (entry,) = (file for index in indexes for file in index["files"] if file["relpath"].endswith(artifact.filename))
        when = [line["when"] for line in entry["log"] if line["what"] == "upload"][-1]
        assert listed.pop(artifact.filename) == (artifact.sha256, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*when))
    assert listed == {}


def test_who_might_upload_still_may_and_nobody_else(moved):
    for user, index, status in (("bob", "dev", 200), ("bob", "base", 403), ("alice", "base", 200)):
        artifact = build_wheel("later", "1.0", body=index.encode())
        fields = [(":action", "file_upload"), ("content", (artifact.filename, artifact.data))]
        address = f"{moved.url}/alice/{index}/"
        answer = urllib3.request("POST", address, fields=fields, headers=basic(user), retries=False)
        assert answer.status == status, answer.data


def test_what_was_not_volatile_still_is_not(moved):
    other = build_wheel("demo", "1.0", body=b"other")
    fields = [(":action", "file_upload"), ("content", (other.filename, other.data))]
    answer = urllib3.request("POST", f"{moved.url}/alice/base/", fields=fields, headers=basic("alice"), retries=False)
    assert answer.status == 409


def test_the_same_client_goes_on_at_the_same_address(make_index, environment, export, tmp_path):
    """Nothing is told to it but the password once more: its login was the other server's."""
    bob = DevpiClient(environment("devpi"), export.parent / "bob")
    port = int(bob.remembered()["index"].split(":")[2].partition("/")[0])
    settings = {"pypi.auth": "sql config", "pypi.default_read": "authenticated"}
    with make_index(settings, port=port) as index:
        ppc_import(index, export)
        assert "401" in bob("list", status=None).output
        bob("login", "bob", "--password", USERS["bob"])
        lines = bob("list", "--all", "dev-tool").lines
        assert f"{index.url}/alice/dev/+f/{SECOND.sha256[:3]}/{SECOND.sha256[3:16]}/{SECOND.filename}" in lines
        newer = build_wheel("Dev_Tool", "3.0", requires_dist=["demo==1.0"])
        tmp_path.joinpath(newer.filename).write_bytes(newer.data)
        bob("upload", tmp_path / newer.filename)
        subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
        bob("install", "--venv", tmp_path / "venv", "dev-tool")
        assert list(tmp_path.glob("venv/lib/*/site-packages/dev_tool-3.0.dist-info"))
        assert list(tmp_path.glob("venv/lib/*/site-packages/demo-1.0.dist-info"))
        assert "403" in bob("upload", "--index", "alice/base", tmp_path / newer.filename, status=None).output
