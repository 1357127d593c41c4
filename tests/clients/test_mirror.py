"""pip, uv and twine with the mirror between them and an upstream: a scripted one, and servers of other makers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist, build_wheel
from pypicloud_lite.testing.live import free_port
from pypicloud_lite.testing.peers import devpi, pypiserver
from pypicloud_lite.testing.upstream_server import FakeIndex, Fault, upstream_server
from pypicloud_lite.testing.world import PASSWORDS

COUNT = 60
VERSIONS = ("1.0", "1.1", "2.0", "3.0b1")
RANGES = ("", ">=1.1", "<3", ">=1,<2", "!=1.1")


def graph() -> list[BuiltArtifact]:
    """Sixty projects in layers: each needs three of those below it, by ranges that agree, extras and markers."""
    chance = random.Random(60)
    made = []
    for number in range(COUNT):
        below = chance.sample(range(number), min(number, 3))
        requires = [f"node-{one}{RANGES[one % len(RANGES)]}" for one in below]
        if number % 7 == 6:
            requires.append("node-nowhere; python_version < '3'")
            requires.append("node-nowhere-either; extra == 'never'")
        given = {"requires_dist": requires, "requires_python": ">=3.8"}
        made += [build_wheel(f"node-{number}", version, **given) for version in VERSIONS]
        made.append(build_sdist(f"node-{number}", "1.0", requires_dist=requires))
    return made


GRAPH = graph()
ROOTS = [f"node-{number}" for number in range(COUNT - 12, COUNT)]
DEMO = build_wheel("demo", "1.0")
OURS = build_wheel("demo", "0.5")


def project_of(artifact: BuiltArtifact) -> str:
    return artifact.filename.split("-")[0].replace("_", "-")


@pytest.fixture(scope="module", params=["with metadata", "without metadata"])
def upstream(request: pytest.FixtureRequest) -> Iterator[FakeIndex]:
    with upstream_server() as index:
        for artifact in GRAPH:
            metadata = artifact.metadata if request.param == "with metadata" else None
            told = {"yanked": "broken"} if "-2.0-" in artifact.filename and "node_1-" in artifact.filename else {}
            index.add(project_of(artifact), artifact.filename, artifact.data, metadata, **told)
        yield index


@pytest.fixture
def mirror(make_index, upstream: FakeIndex):
    """A server with an empty cache before the graph."""
    upstream.asked.clear()
    upstream.fault = lambda _path: None
    with make_index({"pypi.fallback": "cache", "pypi.fallback_base_url": upstream.url}) as index:
        yield index


@pytest.fixture
def resolved(tools, run, target):
    """What pip would install from an index."""
    command = [tools / "python", "-m", "pip", "--python", target.python, "install", "--no-cache-dir", "--dry-run"]

    def resolve(index, *names: str) -> str:
        said = run(*command, "--index-url", index.url_for("reader"), *names).output
        return said.partition("Would install")[2]

    return resolve


@contextmanager
def stopped(upstream: FakeIndex) -> Iterator[None]:
    """Within it the upstream answers nothing but 500, and nobody may need it."""
    upstream.fault = lambda _path: Fault(status=500)
    try:
        yield
    finally:
        upstream.fault = lambda _path: None


def whole_wheels(upstream: FakeIndex) -> list[str]:
    """Wheels that were fetched as a whole."""
    return [
        asked.path
        for asked in upstream.asked
        if asked.path.endswith((".whl", ".gz")) and not asked.headers.get("Range")
    ]


def test_uv_compiles_a_graph_of_sixty_the_same_with_the_upstream_stopped(mirror, upstream, tools, run, tmp_path):
    source = tmp_path / "requirements.in"
    source.write_text("\n".join(ROOTS))
    options = ["--quiet", "--no-header", "--no-annotate", "--generate-hashes", "--no-cache", "--default-index"]
    command = [tools / "uv", "pip", "compile", *options, mirror.url_for("reader"), source]
    first = run(*command).output
    assert len(re.findall(r"^node-\d+==", first, re.MULTILINE)) >= 40
    assert "node-1==2.0" not in first
    assert whole_wheels(upstream) == []
    with stopped(upstream):
        assert run(*command).output == first


def test_pip_resolves_a_graph_of_sixty_the_same_with_the_upstream_stopped(mirror, upstream, resolved):
    first = resolved(mirror, *ROOTS)
    assert first.count("node-") >= 40
    assert whole_wheels(upstream) == []
    with stopped(upstream):
        assert resolved(mirror, *ROOTS) == first


def test_what_was_installed_once_is_installed_again_with_the_upstream_stopped(
    mirror, upstream, tools, run, make_target
):
    command = [tools / "python", "-m", "pip", "--python"]
    options = ["install", "--no-cache-dir", "--index-url", mirror.url_for("reader"), "node-30"]
    first = make_target()
    run(*command, first.python, *options)
    count = len(whole_wheels(upstream))
    assert count == len(set(whole_wheels(upstream)))
    with stopped(upstream):
        second = make_target()
        run(*command, second.python, *options)
    assert len(whole_wheels(upstream)) == count
    lists = [run(*command, target.python, "list", "--format=freeze").output for target in (first, second)]
    assert lists[0] == lists[1]
    assert "node-30==" in lists[0]


def test_T20_uploaded_name_hides_the_upstreams_for_pip_and_uv(mirror, upstream, resolved, tools, run, tmp_path):
    upstream.add("demo", "demo-999.0-py3-none-any.whl", build_wheel("demo", "999.0").data)
    mirror.put(OURS)
    assert "demo-0.5" in resolved(mirror, "demo")
    assert compiled(tools, run, tmp_path, mirror, "demo") == "demo==0.5"
    assert "/simple/demo/" not in upstream.paths()


def test_redirect_leads_pip_and_uv_to_the_upstream(make_index, resolved, tools, run, tmp_path):
    with upstream_server() as upstream, make_index({**behind(upstream.url), "pypi.fallback": "redirect"}) as index:
        upstream.add("demo", DEMO.filename, DEMO.data, DEMO.metadata)
        assert "demo-1.0" in resolved(index, "demo")
        assert compiled(tools, run, tmp_path, index, "demo") == "demo==1.0"
    assert {asked.headers["User-Agent"].split("/")[0] for asked in upstream.asked} == {"pip", "uv"}


def compiled(tools, run, folder, index, text: str) -> str:
    """What uv makes of a requirement."""
    source = folder / "requirements.in"
    source.write_text(text)
    options = ["--quiet", "--no-header", "--no-annotate", "--no-cache", "--default-index", index.url_for("reader")]
    return run(tools / "uv", "pip", "compile", *options, source).output.strip()


@pytest.mark.parametrize("peer", [pypiserver, devpi], ids=["pypiserver", "devpi-server"])
def test_server_of_another_maker_as_upstream(peer, make_index, environment, resolved, tmp_path):
    artifacts = [*GRAPH[:25], DEMO, build_sdist("demo", "1.0")]
    with (
        peer(environment("peers"), tmp_path / "peer", artifacts) as running,
        make_index({"pypi.fallback": "cache", "pypi.fallback_url": running.index}) as index,
    ):
        first = resolved(index, "node-4", "demo")
        assert "demo-1.0" in first
        path = index.files("demo")[DEMO.filename]["url"].removeprefix("../..")
        assert index.get(path).data == DEMO.data
        assert index.get(path + ".metadata").data == DEMO.metadata
        assert index.get("/simple/nothing/").status == 404
        running.stop()
        assert resolved(index, "node-4", "demo") == first
        assert index.get(path).data == DEMO.data
        assert index.get("/simple/never-asked/").status == 502


def test_server_of_its_own_kind_as_upstream_with_credentials(make_index, resolved):
    with make_index({}) as second:
        second.put(*GRAPH[:25], DEMO)
        with make_index(behind(second.url_for("reader", ""))) as first:
            assert "demo-1.0" in resolved(first, "node-4", "demo")
            theirs, ours = (one.files("demo")[DEMO.filename] for one in (second, first))
            told = ours.keys() - {"url"}
            assert {key: ours[key] for key in told} == {key: theirs[key] for key in told}
        with make_index(behind(second.url_for("reader", "").replace(PASSWORDS["reader"], "not-it"))) as first:
            answer = first.get("/simple/demo/")
            assert answer.status == 502
            assert "credentials" in answer.data.decode()
            assert "not-it" not in first.server.log.read_text("utf-8")


def test_two_servers_that_have_each_other_as_upstream(make_index, resolved):
    ports = free_port(), free_port()
    login = f"http://reader:{PASSWORDS['reader']}@127.0.0.1"
    with (
        make_index(behind(f"{login}:{ports[1]}"), ports[0]) as first,
        make_index(behind(f"{login}:{ports[0]}"), ports[1]) as second,
    ):
        second.put(DEMO)
        with first.watch() as seen, second.watch() as asked:
            assert first.get("/simple/nothing/").status == 404
            assert first.get("/simple/demo/").status == 200
        pages = [request for request in [*seen, *asked] if request.path.startswith("/simple/")]
        # Of each name one to the first, one from it to the second; of the one that is nowhere, one that came back.
        assert len(pages) == 5
        assert "demo-1.0" in resolved(first, "demo")


def behind(address: str) -> dict[str, str]:
    return {"pypi.fallback": "cache", "pypi.fallback_base_url": address}
