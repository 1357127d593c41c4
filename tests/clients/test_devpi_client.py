"""The real devpi client, unmodified: every command about indexes, what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.index_drivers import DevpiClient, RestCalls, password_of, people_settings
from pypicloud_lite.testing.index_scenarios import ONE, SCENARIOS, TWO
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.upstream_server import FakeIndex, upstream_server

PUBLIC = build_wheel("labpkg", "9.9")


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeIndex]:
    with upstream_server() as index:
        index.add("labpkg", PUBLIC.filename, PUBLIC.data)
        yield index


@pytest.fixture
def server(tmp_path: Path, upstream: FakeIndex) -> Iterator[LiveServer]:
    settings = {
        **people_settings(),
        "mirror.enabled": "true",
        "pypi.fallback_base_url": upstream.url,
        "db.url": f"sqlite:///{tmp_path}/db.sqlite",
        "storage.dir": str(tmp_path / "packages"),
    }
    with LiveServer(tmp_path / "server", settings) as live:
        yield live


@pytest.fixture
def devpi(environment: Callable[[str], Path], server: LiveServer, tmp_path: Path) -> DevpiClient:
    programs = environment("devpi")
    environ = {
        "HOME": str(tmp_path),
        "PATH": f"{programs}:{os.defpath}",
        "LANG": "C.UTF-8",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "no_proxy": "127.0.0.1",
    }
    return DevpiClient(programs / "devpi", server.url, tmp_path / "clients", environ)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_by_the_client(devpi: DevpiClient, scenario: str) -> None:
    SCENARIOS[scenario](devpi)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_by_the_rest_api(server: LiveServer, scenario: str) -> None:
    with urllib3.PoolManager() as http:

        def call(_who: str, method: str, path: str, body: bytes, headers: Any) -> tuple[int, bytes]:
            answer = http.request(method, server.url + path, body=body, headers=headers, redirect=False)
            return answer.status, answer.data

        SCENARIOS[scenario](RestCalls(call))


def says(devpi: DevpiClient, *arguments: str, status: int = 0, who: str = "ann") -> str:
    """What a command of ann's prints, as it ends in that way."""
    code, output = devpi.run(who, *arguments)
    assert code == status, output
    return output


def test_use(devpi: DevpiClient, server: LiveServer, tmp_path: Path) -> None:
    assert "(logged in as ann)" in says(devpi, "use", server.url)
    says(devpi, "index", "-c", "dev", "bases=root/pypi")
    output = says(devpi, "use", "ann/dev")
    assert f"current devpi index: {server.url}/ann/dev (logged in as ann)" in output
    assert "supported features: push-no-docs, push-only-docs" in output
    listed = says(devpi, "use", "-l")
    assert "ann/dev" in listed
    assert "bases=root/pypi" in listed
    output = says(devpi, "use", "--set-cfg", "--pip-set-trusted", "yes", "ann/dev")
    config = (tmp_path / ".config" / "pip" / "pip.conf").read_text()
    assert f"index-url = {server.url}/ann/dev/+simple/" in config.replace("index_url", "index-url")
    assert "trusted-host" in config
    assert "404" in says(devpi, "use", "ann/nowhere", status=1)


def test_upload_list_and_remove(devpi: DevpiClient, server: LiveServer, tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    for artifact in (ONE, TWO, build_sdist("labpkg", "1.0")):
        (folder / artifact.filename).write_bytes(artifact.data)
    says(devpi, "index", "-c", "dev")
    says(devpi, "use", "ann/dev")
    output = says(devpi, "upload", "--from-dir", "--only-latest", str(folder))
    assert "labpkg-1.1" in output
    assert "labpkg-1.0" not in output
    says(devpi, "upload", "--from-dir", str(folder))
    assert says(devpi, "list").split() == ["labpkg"]
    assert "labpkg==1.1" in says(devpi, "list", "-v")
    listed = says(devpi, "list", "labpkg")
    assert f"{server.url}/ann/dev/+f/" in listed
    address = next(word.partition("#")[0] for word in listed.split() if word.endswith("1.0.tar.gz"))
    says(devpi, "remove", "-y", address)
    listed = says(devpi, "list", "labpkg")
    assert "labpkg-1.0.tar.gz" not in listed
    assert ONE.filename in listed
    says(devpi, "remove", "-y", "labpkg==1.0")
    says(devpi, "remove", "-y", "labpkg")
    assert says(devpi, "list").strip() == ""
    assert "404" in says(devpi, "list", "labpkg", status=1)
    answer = says(devpi, "remove", "-y", "labpkg", status=1)
    assert "404" in answer


def test_force(devpi: DevpiClient) -> None:
    devpi.create("ann", "ann/prod", volatile="False")
    devpi.upload("ann", "ann/prod", ONE)
    assert "403" in says(devpi, "remove", "-y", "--index", "ann/prod", "labpkg", status=1)
    assert "403" in says(devpi, "remove", "-y", "-f", "--index", "ann/prod", "labpkg", status=1)
    devpi.modify("ann", "ann/prod", "acl_force=ann")
    says(devpi, "remove", "-y", "-f", "--index", "ann/prod", "labpkg")


def test_documents_of_the_server(devpi: DevpiClient, tmp_path: Path) -> None:
    devpi.create("ann", "ann/dev", title="Dev")
    told = json.loads(says(devpi, "getjson", "/ann/dev"))
    assert told["type"] == "indexconfig"
    assert json.loads(says(devpi, "getjson", "/ann"))["result"]["indexes"]["dev"]["title"] == "Dev"
    told["result"]["title"] = "Other"
    file = tmp_path / "patch.json"
    file.write_text(json.dumps(told))
    says(devpi, "use", "ann/dev")
    says(devpi, "patchjson", "/ann/dev", str(file))
    assert devpi.options("ann", "ann/dev")["title"] == "Other"
    assert "404" in says(devpi, "getjson", "/ann/nowhere", status=1)


def test_refresh_asks_the_upstream_anew(devpi: DevpiClient, upstream: FakeIndex) -> None:
    devpi.create("ann", "ann/dev", bases="root/pypi")
    assert PUBLIC.filename in devpi.files("ann", "ann/dev", "labpkg")
    devpi.files("ann", "ann/dev", "labpkg")
    before = upstream.paths().count("/simple/labpkg/")
    says(devpi, "use", "ann/dev")
    assert "Refreshed labpkg" in says(devpi, "refresh", "labpkg")
    devpi.files("ann", "ann/dev", "labpkg")
    assert upstream.paths().count("/simple/labpkg/") == before + 1


def test_install(devpi: DevpiClient, environment: Callable[[str], Path], tmp_path: Path) -> None:
    import subprocess
    import sys

    devpi.create("ann", "ann/dev")
    devpi.upload("ann", "ann/dev", ONE)
    says(devpi, "use", "ann/dev")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    says(devpi, "install", "--venv", str(venv), "labpkg")
    assert list(venv.glob("lib/*/site-packages/labpkg-1.0.dist-info"))


def test_two_at_once(devpi: DevpiClient) -> None:
    from concurrent.futures import ThreadPoolExecutor

    devpi.create("ann", "ann/dev", acl_upload="ann,bob")
    artifacts = [build_wheel("labpkg", f"1.{number}") for number in range(6)]
    with ThreadPoolExecutor(2) as pool:
        done = [
            pool.submit(devpi.upload, ("ann", "bob")[number % 2], "ann/dev", artifact)
            for number, artifact in enumerate(artifacts)
        ]
        assert all(one.result() for one in done)
    assert devpi.files("ann", "ann/dev", "labpkg") == {one.filename for one in artifacts}


def test_logoff_and_wrong_logins(devpi: DevpiClient) -> None:
    assert "login information deleted" in says(devpi, "logoff")
    assert "401" in says(devpi, "login", "ann", "--password", "wrong", status=1)
    assert "credentials valid for 10.00 hours" in says(devpi, "login", "ann", "--password", password_of("ann"))


def docs_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.html", "<h1>labpkg</h1>")
    return buffer.getvalue()


def test_documentation_and_push(devpi: DevpiClient, server: LiveServer, tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / ONE.filename).write_bytes(ONE.data)
    (folder / "labpkg-1.0.doc.zip").write_bytes(docs_zip())
    for name in ("dev", "prod", "other"):
        devpi.create("ann", f"ann/{name}")
    says(devpi, "use", "ann/dev")
    output = says(devpi, "upload", "--from-dir", str(folder))
    assert "doc_upload of labpkg-1.0.doc.zip" in output
    says(devpi, "upload", "--only-docs", "--from-dir", str(folder))
    assert '"rel": "doczip"' in says(devpi, "getjson", "/ann/dev/labpkg/1.0")
    output = says(devpi, "push", "labpkg==1.0", "ann/prod")
    assert "store_releasefile" in output
    assert "store_doczip" in output
    output = says(devpi, "push", "--no-docs", "labpkg==1.0", "ann/other")
    assert "store_doczip" not in output
    says(devpi, "push", "--only-docs", "labpkg==1.0", "ann/other")
    with urllib3.PoolManager() as http:
        login = urllib3.make_headers(basic_auth=f"ann:{password_of('ann')}")
        page = http.request("GET", f"{server.url}/ann/other/labpkg/1.0/+doc/index.html", headers=login)
        assert page.data == b"<h1>labpkg</h1>"


def test_push_to_another_server(devpi: DevpiClient, tmp_path: Path, server: LiveServer) -> None:
    devpi.create("ann", "ann/dev")
    devpi.upload("ann", "ann/dev", ONE)
    (tmp_path / ".pypirc").write_text(
        "[distutils]\nindex-servers = other\n[other]\nrepository: http://127.0.0.1:9/\nusername: x\npassword: y\n"
    )
    says(devpi, "use", "ann/dev")
    # nobody let this server go there
    output = says(devpi, "push", "labpkg==1.0", "pypi:other", status=1)
    assert "502" in output


def test_tests_and_their_results(devpi: DevpiClient, server: LiveServer, tmp_path: Path) -> None:
    tox = "[tox]\nskipsdist=true\nenvlist=py\n[testenv]\nskip_install=true\ncommands=python -c pass\n"
    sdist = build_sdist("labpkg", "1.0", extra_files=[("tox.ini", tox.encode())])
    devpi.create("ann", "ann/dev")
    devpi.upload("ann", "ann/dev", sdist)
    says(devpi, "use", "ann/dev")
    output = says(devpi, "test", "labpkg==1.0")
    assert "success" in output.splitlines()
    links = json.loads(says(devpi, "getjson", "/ann/dev/labpkg/1.0"))["result"]["+links"]
    result = next(link for link in links if link["rel"] == "toxresult")
    release = next(link for link in links if link["rel"] == "releasefile")
    assert result["for_href"] == release["href"]
    with urllib3.PoolManager() as http:
        login = urllib3.make_headers(basic_auth=f"ann:{password_of('ann')}")
        assert "testenvs" in http.request("GET", result["href"], headers=login).json()
