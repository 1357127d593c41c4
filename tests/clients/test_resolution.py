"""Installers resolve from the ``.metadata`` beside each wheel, and fetch no wheel to do so: the access log says."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel


@pytest.fixture(scope="module")
def chain(index):
    """Three projects of which each requires the next, in two versions, with sdists beside the wheels."""
    requires = {"chain-a": ["chain-b>=1"], "chain-b": ["chain-c<2"], "chain-c": []}
    for name, requires_dist in requires.items():
        for version in ("1.0", "2.0"):
            index.put(build_wheel(name, version, requires_dist=requires_dist))
        index.put(build_sdist(name, "1.0", requires_dist=requires_dist))
    return {"chain-a": "2.0", "chain-b": "2.0", "chain-c": "1.0"}


def check(seen, chain):
    """One page and one ``.metadata`` for each project, and nothing else."""
    wheels = {f"{name.replace('-', '_')}-{version}-py3-none-any.whl.metadata" for name, version in chain.items()}
    pages = {f"/simple/{name}/" for name in chain}
    assert {request.status for request in seen} == {200}
    assert {request.method for request in seen} == {"GET"}
    assert {request.path for request in seen if request.path.startswith("/simple/")} == pages
    files = [request.path.rpartition("/")[2] for request in seen if not request.path.startswith("/simple/")]
    assert sorted(files) == sorted(wheels)


def test_21_22_pip_resolves_without_a_wheel(index, chain, tools, run, target):
    command = [tools / "python", "-m", "pip", "--python", target.python, "install", "--dry-run"]
    with index.watch() as seen:
        said = run(*command, "--index-url", index.url_for("reader"), "chain-a").output
    check(seen, chain)
    assert "Would install chain-a-2.0 chain-b-2.0 chain-c-1.0" in said


def test_21_22_pip_with_fast_deps_resolves_without_a_wheel(index, chain, tools, run, target):
    command = [tools / "python", "-m", "pip", "--python", target.python, "install", "--dry-run"]
    options = ["--use-feature=fast-deps", "--index-url", index.url_for("reader")]
    with index.watch() as seen:
        run(*command, *options, "chain-a")
    check(seen, chain)


def test_21_22_uv_resolves_without_a_wheel(index, chain, tools, run, tmp_path):
    source = tmp_path / "requirements.in"
    source.write_text("chain-a\n")
    options = ["--quiet", "--no-header", "--no-annotate", "--generate-hashes", "--default-index"]
    with index.watch() as seen:
        said = run(tools / "uv", "pip", "compile", *options, index.url_for("reader"), source).output
    check(seen, chain)
    pinned = [line.split()[0] for line in said.splitlines() if not line.startswith(" ")]
    assert pinned == [f"{name}=={version}" for name, version in chain.items()]


def test_21_22_poetry_resolves_without_a_wheel(index, chain, environment, run, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    project.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["chain-a"]\n'
        "[tool.poetry]\npackage-mode = false\n"
        f'[[tool.poetry.source]]\nname = "private"\nurl = "{index.url_for("reader")}"\npriority = "primary"\n'
    )
    with index.watch() as seen:
        run(environment("poetry") / "poetry", "lock", cwd=project)
    assert {request.status for request in seen} == {200}
    assert [request.path for request in seen if request.path.endswith((".whl", ".tar.gz"))] == []
    assert len([request for request in seen if request.path.endswith(".whl.metadata")]) == len(chain)
