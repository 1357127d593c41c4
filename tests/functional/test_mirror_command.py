"""``ppc-mirror``: what it shows, fetches, removes, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pypicloud_lite.cli.mirror import main
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.upstream_server import FakeIndex, Fault, upstream_server
from pypicloud_lite.testing.world import World, user_settings

APP = build_wheel("app", "1.0", requires_dist=["lib>=1", "extra-lib; extra == 'more'", "old; python_version < '3'"])
LIBS = [build_wheel("lib", version) for version in ("1.0", "1.5", "2.0b1")]
Run = Callable[..., Result]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """With a small graph of projects."""
    for artifact in (APP, *LIBS, build_wheel("extra-lib", "3.0"), build_sdist("lib", "1.5")):
        project = "extra-lib" if artifact.filename.startswith("extra") else artifact.filename.split("-")[0]
        upstream_index.add(project, artifact.filename, artifact.data, artifact.metadata)
    return upstream_index


@pytest.fixture
def config(tmp_path: Path, index: FakeIndex) -> Path:
    path = tmp_path / "config.ini"
    write_config(path, {**user_settings(), "pypi.fallback": "cache", "pypi.fallback_base_url": index.url})
    return path


@pytest.fixture
def run(config: Path) -> Run:
    def invoke(*words: object, status: int = 0, **options: Any) -> Result:
        done = CliRunner().invoke(main, ["-c", str(config), *map(str, words)], prog_name="ppc-mirror", **options)
        assert done.exit_code == status, (done.output, done.exception)
        return done

    return invoke


@pytest.fixture
def requirements(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "requirements.txt") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def fetched(index: FakeIndex) -> set[str]:
    files = (path.rpartition("/")[2] for path in index.paths() if path.startswith("/files/"))
    return {name for name in files if not name.endswith(".metadata")}


def test_status_says_how_things_are(run: Run, index: FakeIndex) -> None:
    run("refresh", "lib")
    found = json.loads(run("status", "--json").stdout)
    assert (found["fallback"], found["mirror"], found["upstreams"]) == ("cache", "on", [index.index])
    assert found["pages"] == {"pages": 1, "stale": 0, "missing": 0}
    assert (found["files"], found["room"], found["quota"], found["last_error"]) == (0, 0, None, None)
    assert "upstreams:" in run("status").stdout


def test_refresh_asks_anew_and_tells_what_failed(run: Run, index: FakeIndex) -> None:
    assert run("refresh", "Lib", "nothing").stdout == "lib: changed\nnothing: not there\n"
    assert run("refresh", "lib").stdout == "lib: as it was\n"
    index.asked.pop()
    assert index.paths() == ["/simple/lib/", "/simple/nothing/"]
    index.fault = lambda _path: Fault(status=500)
    assert "lib: " in run("refresh", "--all", status=1).stderr
    assert "fails" in json.loads(run("status", "--json").stdout)["last_error"]
    run("refresh", status=2)
    run("refresh", "lib", "--all", status=2)


def test_prefetch_brings_the_highest_version_that_fits(run: Run, index: FakeIndex, requirements: Callable) -> None:
    path = requirements("# ours\nlib >=1, \\\n  <3  # no pre-release\nold ; python_version < '3'\n")
    done = run("prefetch", path)
    assert "2 files came, 0 were here, 0 failed" in done.stdout
    assert fetched(index) == {"lib-1.5-py3-none-any.whl", "lib-1.5.tar.gz"}
    assert "0 files came, 2 were here" in run("prefetch", path).stdout
    index.fault = lambda _path: Fault(reset=True)
    run("check", "--offline", path)


def test_prefetch_with_dependencies_and_extras(run: Run, index: FakeIndex, requirements: Callable) -> None:
    path = requirements("app[more]==1.0\n")
    assert "1 files" in run("prefetch", "--dry-run", path).stdout
    assert fetched(index) == set()
    run("prefetch", "--with-dependencies", "--no-sdists", path)
    assert fetched(index) == {APP.filename, "lib-1.5-py3-none-any.whl", "extra_lib-3.0-py3-none-any.whl"}
    index.fault = lambda _path: Fault(reset=True)
    found = json.loads(run("check", "--offline", "--with-dependencies", "--json", path).stdout)
    assert found == {"found": {"app": ["1.0"], "lib": ["1.5"], "extra-lib": ["3.0"]}, "missing": {}}


def test_check_tells_what_is_missing_here_and_anywhere(run: Run, index: FakeIndex, requirements: Callable) -> None:
    path = requirements("app\nlib>=9\nnothing\n")
    done = run("check", path, status=1)
    assert "1 releases can be installed, 2 cannot" in done.stdout
    assert "missing lib>=9" in done.stderr
    assert "missing nothing" in done.stderr
    done = run("check", "--offline", path, status=1)
    assert "0 releases can be installed, 3 cannot" in done.stdout
    assert index.paths().count("/simple/app/") == 1
    assert fetched(index) == set()


def test_hashes_choose_among_the_files(run: Run, index: FakeIndex, requirements: Callable) -> None:
    run("prefetch", requirements(f"lib==1.5 \\\n    --hash=sha256:{LIBS[1].sha256}\n"))
    assert fetched(index) == {LIBS[1].filename}
    run("prefetch", requirements("lib==1.5 --hash=sha256:" + "0" * 64), status=1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "pylock.toml",
            '[[packages]]\nname="lib"\nversion="1.5"\n[[packages.wheels]]\nname="x"\nhashes={{sha256="{}"}}\n',
        ),
        (
            "uv.lock",
            (
                '[[package]]\nname="lib"\nversion="1.5"\nsource={{registry="x"}}\nwheels=[{{hash="sha256:{}"}}]\n'
                '[[package]]\nname="mine"\nversion="0"\nsource={{editable="."}}\n'
            ),
        ),
        ("poetry.lock", '[[package]]\nname="Lib"\nversion="1.5"\nfiles=[{{file="x",hash="sha256:{}"}}]\n'),
        ("pdm.lock", '[[package]]\nname="lib"\nversion="1.5"\nfiles=[{{file="x",hash="sha256:{}"}}]\n'),
        ("Pipfile.lock", '{{"default":{{"lib":{{"version":"==1.5","hashes":["sha256:{}"]}}}},"develop":{{}}}}'),
    ],
)
def test_locks_are_read(run: Run, index: FakeIndex, requirements: Callable, name: str, text: str) -> None:
    run("prefetch", requirements(text.format(LIBS[1].sha256), name))
    assert fetched(index) == {LIBS[1].filename}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("requirements.txt", "lib\n=== what\n", "requirements.txt, line 2"),
        ("requirements.txt", "lib @ https://example.com/lib.whl\n", "only what an index has"),
        ("requirements.txt", "-e .\n", "only what an index has"),
        ("requirements.txt", "-r requirements.txt\n", "leads to itself"),
        ("requirements.txt", "-r none.txt\n", "cannot be read"),
        ("uv.lock", "[[package]]\nname=1\nversion='1'\nsource={registry='x'}", "no lock"),
        ("uv.lock", "}", "no lock"),
        ("Pipfile.lock", "[]", "no lock"),
        ("pylock.toml", "x=1", "no lock"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    run: Run, requirements: Callable, name: str, text: str, says: str
) -> None:
    done = run("check", requirements(text, name), status=1)
    assert says in done.stderr
    assert "Traceback" not in done.output


def test_nested_files_and_options_are_understood(run: Run, index: FakeIndex, requirements: Callable) -> None:
    requirements("lib==1.0\n", "inner.txt")
    requirements("lib<1.5\nextra-lib==3.0\n", "limits.txt")
    path = requirements("--index-url https://example.com\n--no-binary :all:\n-r inner.txt\n-c limits.txt\n\n")
    done = run("prefetch", path)
    assert "lib==1.0: 1 files (upstream)" in done.stdout
    assert "extra-lib" not in done.stdout
    run("check", requirements("lib>=1.5\n-c limits.txt\n"), status=1)


def test_lock_may_have_a_project_twice_and_for_other_machines(
    run: Run, index: FakeIndex, requirements: Callable
) -> None:
    entry = '[[package]]\nname="lib"\nversion="{}"\nsource={{registry="x"}}\nresolution-markers=["{}"]\n'
    here, elsewhere = "python_version > '3'", "python_version < '3'"
    text = entry.format("1.0", here) + entry.format("1.5", here) + entry.format("2.0b1", elsewhere)
    found = json.loads(run("check", "--json", requirements(text, "uv.lock")).stdout)
    assert found == {"found": {"lib": ["1.0", "1.5"]}, "missing": {}}


def test_evict_removes_cached_files_alone(run: Run, index: FakeIndex, requirements: Callable) -> None:
    run("prefetch", requirements("lib\napp\n"))
    assert "There is nobody to ask" in run("evict", "--all", status=2).stderr
    assert run("evict", "--yes", "lib").stdout.split() == ["lib-1.5-py3-none-any.whl", "lib-1.5.tar.gz"]
    (gone,) = json.loads(run("evict", "--yes", "--to", "0", "--json").stdout)
    assert gone["filename"] == APP.filename
    run("prefetch", requirements("lib\n"))
    assert run("evict", "--yes", "--unused-for", "1").stdout == ""
    assert len(run("evict", "--yes", "--unused-for", "0").stdout.split()) == 2
    run("evict", status=2)
    run("evict", "--to", "much", "--yes", status=2)
    assert json.loads(run("status", "--json").stdout)["files"] == 0


def test_our_own_projects_are_neither_asked_for_nor_fetched(
    run: Run, index: FakeIndex, requirements: Callable, tmp_path: Path
) -> None:
    world = World(tmp_path, {"pypi.fallback": "cache", "pypi.fallback_base_url": index.url})
    world.upload(LIBS[0])
    world.close()
    assert "it is ours" in run("refresh", "lib", status=1).stderr
    assert "lib==1.0: 1 files (ours)" in run("prefetch", requirements("lib\n")).stdout
    run("check", "--offline", requirements("lib\n"))
    run("check", requirements("lib>=1.5\n"), status=1)
    assert index.paths() == []


def test_without_an_upstream_it_says_what_to_set(tmp_path: Path, requirements: Callable) -> None:
    config = tmp_path / "none.ini"
    write_config(config, user_settings())
    for words in (["refresh", "lib"], ["prefetch", str(requirements("lib\n"))]):
        done = CliRunner().invoke(main, ["-c", str(config), *words])
        assert (done.exit_code, "pypi.fallback = cache" in done.output) == (1, True)


def test_another_mirror_than_the_built_in_one(config: Path, run: Run, requirements: Callable[..., Path]) -> None:
    lib = build_wheel("lib", "7.0")
    with upstream_server() as second:
        second.add("lib", lib.filename, lib.data, lib.metadata)
        text = f"index.acme/two.type = mirror\nindex.acme/two.mirror_url = {second.index}\n"
        config.write_text(config.read_text("utf-8") + text, "utf-8")
        wanted, two = requirements("lib"), ("--index", "acme/two")
        run("refresh", *two, "lib")
        run("prefetch", *two, wanted)
        assert set(second.paths()) == {"/simple/lib/", f"/files/lib/{lib.filename}"}
        assert "1 releases can be installed" in run("check", *two, "--offline", wanted).output
        run("check", "--offline", wanted, status=1)
        told = json.loads(run("status", *two, "--json").stdout)
        assert (told["index"], told["upstreams"], told["files"]) == ("acme/two", [second.index], 1)
        assert json.loads(run("status", "--json").stdout)["files"] == 0
        assert run("evict", "--all", "--yes").output.startswith("0 files")
        assert lib.filename in run("evict", *two, "lib", "--yes").output
    for wrong, status in (("acme/three", 1), ("root/main", 1), ("nonsense", 2)):
        assert wrong in run("status", "--index", wrong, status=status).output
