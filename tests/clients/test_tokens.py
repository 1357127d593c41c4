"""API tokens through real clients, as ``docs/tokens.rst`` tells builds to: no keyring, nothing but the environment."""

from __future__ import annotations

import json

import pytest
import urllib3

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS

USERS = ("__token__", "writer")


@pytest.fixture(scope="module")
def index(make_index):
    with make_index({"pypi.auth": "config sql"}) as made:
        yield made


@pytest.fixture
def token(index):
    """``token("read", projects=[...])``: a token of the writer's, made by the API."""

    def make(*permissions, **more):
        body = json.dumps({"name": "build", "permissions": permissions, **more}).encode()
        headers = urllib3.make_headers(basic_auth=f"writer:{PASSWORDS['writer']}")
        headers["Content-Type"] = "application/json"
        with urllib3.PoolManager() as http:
            answer = http.request("POST", f"{index.url}/api/token", body=body, headers=headers)
        assert answer.status == 201, answer.data
        return answer.json()["token"]

    return make


def address(index, user, secret, path="/simple/"):
    return index.server.url_with(user, secret) + path


@pytest.mark.parametrize("user", USERS)
def test_pip_installs_with_a_token(tools, run, index, token, tmp_path, user):
    index.put(build_wheel("pip-token", "1.0"))
    url = address(index, user, token("read"))
    run(tools / "pip", "download", "pip-token", "-d", tmp_path / "got", PIP_INDEX_URL=url)
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["pip_token-1.0-py3-none-any.whl"]
    said = run(
        tools / "pip",
        "download",
        "pip-token",
        "-d",
        tmp_path,
        status=None,
        PIP_INDEX_URL=url.replace("ppcl_", "ppcl_x"),
    )
    assert said.status != 0


@pytest.mark.parametrize("user", USERS)
def test_uv_installs_and_publishes_with_a_token(tools, run, index, token, dist, tmp_path, user):
    name = f"uv-token-{user.strip('_')}"
    secret = token("read", "upload")
    publish = ["publish", "--trusted-publishing", "never", "--publish-url", f"{index.url}/"]
    environ = {"UV_PUBLISH_USERNAME": user, "UV_PUBLISH_PASSWORD": secret}
    run(tools / "uv", *publish, *dist(build_wheel(name, "1.0")), **environ)
    assert set(index.files(name)) == {build_wheel(name, "1.0").filename}
    where = ["--target", tmp_path / "lib", "--default-index", address(index, user, secret)]
    run(tools / "uv", "pip", "install", *where, name)
    assert (tmp_path / "lib").joinpath(f"{name.replace('-', '_')}-1.0.dist-info").is_dir()


def test_uv_publishes_with_a_token_alone(tools, run, index, token, dist):
    publish = ["publish", "--trusted-publishing", "never", "--publish-url", f"{index.url}/"]
    run(tools / "uv", *publish, *dist(build_wheel("uv-token-alone", "1.0")), UV_PUBLISH_TOKEN=token("upload"))
    assert set(index.files("uv-token-alone")) == {build_wheel("uv-token-alone", "1.0").filename}


def test_uv_reads_an_index_whose_credentials_are_in_the_environment(tools, run, index, token, tmp_path):
    index.put(build_wheel("uv-named", "1.0"))
    project = tmp_path / "project"
    project.mkdir()
    project.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["uv-named"]\n'
        f'[[tool.uv.index]]\nname = "private"\nurl = "{index.url}/simple/"\ndefault = true\n'
    )
    environ = {"UV_INDEX_PRIVATE_USERNAME": "__token__", "UV_INDEX_PRIVATE_PASSWORD": token("read")}
    run(tools / "uv", "sync", cwd=project, UV_NO_CONFIG="0", **environ)
    lock = project.joinpath("uv.lock").read_text()
    assert "uv_named-1.0-py3-none-any.whl" in lock
    assert "ppcl_" not in lock


@pytest.mark.parametrize("user", USERS)
def test_twine_uploads_with_a_token(tools, run, index, token, dist, user):
    name = f"twine-token-{user.strip('_')}"
    environ = {"TWINE_USERNAME": user, "TWINE_PASSWORD": token("upload"), "TWINE_REPOSITORY_URL": f"{index.url}/"}
    paths = dist(build_wheel(name, "1.0"), build_sdist(name, "1.0"))
    run(tools / "twine", "upload", "--non-interactive", *paths, **environ)
    assert len(index.files(name)) == 2


def test_twine_is_told_what_a_token_may_not(tools, run, index, token, dist):
    paths = dist(build_wheel("twine-limits", "1.0"))
    environ = {"TWINE_USERNAME": "__token__", "TWINE_REPOSITORY_URL": f"{index.url}/"}
    for secret, said in (
        (token("read"), "This token may not upload: use one with the scope upload"),
        (token("upload", projects=["team-*"]), "may not upload to project twine-limits"),
    ):
        ran = run(tools / "twine", "upload", "--non-interactive", *paths, status=1, TWINE_PASSWORD=secret, **environ)
        assert said in ran.output
        assert secret not in ran.output
    assert index.files("twine-limits") == {}


@pytest.mark.parametrize("user", USERS)
def test_poetry_publishes_and_installs_with_a_token(environment, run, index, token, tmp_path, user):
    name = f"poetry-token-{user.strip('_')}"
    secret, project = token("read", "upload"), tmp_path / "project"
    project.joinpath("dist").mkdir(parents=True)
    wheel = build_wheel(name, "1.0")
    project.joinpath("dist", wheel.filename).write_bytes(wheel.data)
    project.joinpath("pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
        f'[[tool.poetry.source]]\nname = "private"\nurl = "{index.url}/simple/"\npriority = "primary"\n'
    )
    project.joinpath("poetry.toml").write_text(f'[repositories.private]\nurl = "{index.url}/"\n')
    environ = {"POETRY_HTTP_BASIC_PRIVATE_USERNAME": user, "POETRY_HTTP_BASIC_PRIVATE_PASSWORD": secret}
    poetry = environment("poetry") / "poetry"
    run(poetry, "--no-ansi", "publish", "--repository", "private", cwd=project, **environ)
    assert set(index.files(name)) == {wheel.filename}
    project.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n'
        "[tool.poetry]\npackage-mode = false\n"
        f'[[tool.poetry.source]]\nname = "private"\nurl = "{index.url}/simple/"\npriority = "primary"\n'
    )
    run(poetry, "--no-ansi", "add", name, cwd=project, **environ)
    assert "ppcl_" not in project.joinpath("poetry.lock").read_text()
    assert list(project.glob(f".venv/lib/*/site-packages/{name.replace('-', '_')}-1.0.dist-info"))


def test_a_token_in_pypirc(tools, run, index, token, dist, home):
    secret = token("upload")
    home.joinpath(".pypirc").write_text(
        f"[distutils]\nindex-servers = private\n\n[private]\nrepository = {index.url}/\nusername = __token__\npassword = {secret}\n"
    )
    run(tools / "twine", "upload", "--non-interactive", "-r", "private", *dist(build_wheel("pypirc-token", "1.0")))
    assert set(index.files("pypirc-token")) == {build_wheel("pypirc-token", "1.0").filename}
