"""A named index on top of a private one: pip, uv, twine, poetry and pdm upload to it and install through it."""

from __future__ import annotations

import os
import sys

import pytest
import urllib3

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS

READ_AT = ["/writer/dev/+simple/", "/writer/dev/simple/", "/writer/dev/"]
UPLOAD_AT = ["/writer/dev/", "/writer/dev"]
LIBRARY = build_wheel("library", "2.0")


@pytest.fixture(scope="module")
def index(make_index):
    """``writer/dev`` on top of ``acme/stable``, which only members of the staff may read."""
    settings = {
        "index.acme/stable.acl_upload": "writer",
        "index.acme/stable.acl_read": ":staff",
        "index.writer/dev.bases": "acme/stable",
        "index.writer/dev.acl_read": ":staff",
    }
    with make_index(settings) as made:
        upload(made, LIBRARY, "/acme/stable/")
        yield made


def upload(index, artifact, path):
    fields = [(":action", "file_upload"), ("content", (artifact.filename, artifact.data))]
    headers = urllib3.make_headers(basic_auth=f"writer:{PASSWORDS['writer']}")
    with urllib3.PoolManager() as http:
        answer = http.request("POST", index.url + path, fields=fields, headers=headers)
    assert answer.status == 200, answer.data


def listed(index, project):
    answer = index.get(f"/writer/dev/+simple/{project}/", Accept="application/vnd.pypi.simple.v1+json")
    assert answer.status == 200, answer.data
    return {file["filename"]: file["hashes"]["sha256"] for file in answer.json()["files"]}


@pytest.mark.parametrize("path", READ_AT)
@pytest.mark.parametrize("client", ["pip", "uv"])
def test_installs_what_it_has_and_what_its_base_has(index, tools, run, target, client, path):
    own = build_wheel(f"own-{client}", "1.0", requires_dist=["library"])
    upload(index, own, "/writer/dev/")
    url = index.url_for("reader", path)
    if client == "pip":
        pip = [tools / "python", "-m", "pip", "--python", target.python, "install", "--no-cache-dir"]
        run(*pip, "--index-url", url, f"own-{client}")
    else:
        uv = [tools / "uv", "pip", "install", "--python", target.python, "--no-cache"]
        run(*uv, "--default-index", url, f"own-{client}")
    assert target.installed() == {f"own_{client}": "1.0", "library": "2.0"}


@pytest.mark.parametrize("path", UPLOAD_AT)
def test_uv_publishes(index, tools, run, dist, path):
    artifacts = build_wheel("by-uv", "1.0"), build_sdist("by-uv", "1.0")
    credentials = ["--username", "writer", "--password", PASSWORDS["writer"]]
    options = ["--trusted-publishing", "never", "--publish-url", index.url + path, *credentials]
    run(tools / "uv", "publish", *options, *dist(*artifacts))
    assert listed(index, "by-uv") == {one.filename: one.sha256 for one in artifacts}
    said = run(
        tools / "uv", "publish", *options, "--check-url", index.url_for("reader", READ_AT[0]), *dist(*artifacts)
    ).output
    assert "already exists, skipping" in said


@pytest.mark.parametrize("path", UPLOAD_AT)
def test_twine_uploads(index, tools, run, dist, path):
    artifacts = build_wheel("by-twine", "1.0"), build_sdist("by-twine", "1.0")
    credentials = ["--username", "writer", "--password", PASSWORDS["writer"], "--disable-progress-bar"]
    run(tools / "twine", "upload", "--repository-url", index.url + path, *credentials, *dist(*artifacts))
    assert listed(index, "by-twine") == {one.filename: one.sha256 for one in artifacts}


@pytest.mark.parametrize("path", READ_AT)
def test_poetry_publishes_locks_and_installs(index, environment, run, tmp_path, path):
    program, folder = environment("poetry") / "poetry", tmp_path / "project"
    folder.joinpath("dist").mkdir(parents=True)
    artifact = build_wheel("by-poetry", "1.0", requires_dist=["library"])
    folder.joinpath("dist", artifact.filename).write_bytes(artifact.data)
    folder.joinpath("pyproject.toml").write_text('[project]\nname = "by-poetry"\nversion = "1.0"\n')
    folder.joinpath("poetry.toml").write_text(f'[repositories.private]\nurl = "{index.url}/writer/dev/"\n')
    credentials = ["--username", "writer", "--password", PASSWORDS["writer"]]
    run(program, "--no-ansi", "publish", "--repository", "private", *credentials, cwd=folder)
    assert listed(index, "by-poetry") == {artifact.filename: artifact.sha256}
    folder.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n'
        "[tool.poetry]\npackage-mode = false\n"
        f'[[tool.poetry.source]]\nname = "private"\nurl = "{index.url_for("reader", path)}"\npriority = "primary"\n'
    )
    run(program, "--no-ansi", "add", "by-poetry", cwd=folder)
    lock = folder.joinpath("poetry.lock").read_text()
    assert f"sha256:{artifact.sha256}" in lock
    assert f"sha256:{LIBRARY.sha256}" in lock
    assert list(folder.glob(".venv/lib/*/site-packages/library-2.0.dist-info"))


@pytest.mark.parametrize("path", READ_AT)
def test_pdm_publishes_locks_and_installs(index, environment, run, tmp_path, path):
    program, folder = environment("pdm") / "pdm", tmp_path / "project"
    folder.joinpath("dist").mkdir(parents=True)
    environ = {"PDM_CHECK_UPDATE": "0", "PATH": f"{sys.base_prefix}/bin{os.pathsep}{os.defpath}"}
    artifact = build_wheel("by-pdm", "1.0", requires_dist=["library"])
    folder.joinpath("dist", artifact.filename).write_bytes(artifact.data)
    folder.joinpath("pyproject.toml").write_text('[project]\nname = "by-pdm"\nversion = "1.0"\n')
    where = ["--no-build", "--repository", f"{index.url}/writer/dev/"]
    credentials = ["--username", "writer", "--password", PASSWORDS["writer"]]
    run(program, "publish", *where, *credentials, cwd=folder, **environ)
    assert listed(index, "by-pdm") == {artifact.filename: artifact.sha256}
    folder.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["by-pdm"]\n[tool.pdm]\ndistribution = false\n'
        f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{index.url_for("reader", path)}"\nverify_ssl = false\n'
    )
    run(program, "install", cwd=folder, **environ)
    lock = folder.joinpath("pdm.lock").read_text()
    assert f"sha256:{artifact.sha256}" in lock
    assert f"sha256:{LIBRARY.sha256}" in lock
    assert list(folder.glob(".venv/lib/*/site-packages/library-2.0.dist-info"))


def test_who_may_not_read_is_told_of_no_index(index, tools, run, target):
    pip = [tools / "python", "-m", "pip", "--python", target.python, "install", "--no-cache-dir"]
    said = run(*pip, "--index-url", index.url_for("outsider", READ_AT[0]), "library", status=1).output
    assert "No matching distribution found for library" in said
    assert target.installed() == {}
