"""pip, uv and twine with the mirror between them and an upstream: a scripted one, and servers of other makers."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.graph import NOT_ASKED_FOR, ROOT, build_graph
from pypicloud_lite.testing.live import free_port
from pypicloud_lite.testing.peers import DevpiServer, PypiServer
from pypicloud_lite.testing.upstream_server import HTML, FakeIndex, Stored, upstream_server
from pypicloud_lite.testing.world import PASSWORDS

GRAPH = build_graph()
PINNED = [f"{project}=={version}" for project, version in sorted(GRAPH.pinned.items())]
DEMO = build_wheel("demo", "1.0", requires_dist=["base>=1"])
DEMO_SDIST = build_sdist("demo", "1.0", requires_dist=["base>=1"])
BASE = build_wheel("base", "1.0", requires_python=">=3.8")
BASE_SDIST = build_sdist("base", "1.0", requires_python=">=3.8")
SMALL = (DEMO, DEMO_SDIST, BASE, BASE_SDIST)
OURS = build_wheel("demo", "0.5")


class Upstream:
    """A scripted upstream that can be stopped for good: nothing listens there then."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.index: FakeIndex = stack.enter_context(upstream_server())

    def stop(self) -> None:
        self._stack.close()

    @property
    def pages(self) -> list[str]:
        """Projects whose pages were asked for, once for each time."""
        return sorted(path.split("/")[2] for path in self.index.paths() if path.startswith("/simple/"))

    @property
    def whole_files(self) -> list[str]:
        """Wheels and sdists that were asked for as a whole."""
        asked = [one for one in self.index.asked if one.path.endswith((".whl", ".gz", ".zip"))]
        return sorted(one.path.rpartition("/")[2] for one in asked if not one.headers.get("Range"))


@pytest.fixture
def upstream():
    """Without any project."""
    with ExitStack() as stack:
        yield Upstream(stack)


@pytest.fixture
def graph(upstream):
    """The upstream, with the graph of sixty."""
    GRAPH.put_on(upstream.index)
    return upstream


def behind(address: str, fallback: str = "cache") -> dict[str, str]:
    return {"pypi.fallback": fallback, "pypi.fallback_base_url": address}


@pytest.fixture
def compiled(tools, run, tmp_path):
    """``compiled(index, "demo")``: the lines that uv makes of a requirement, without any cache of its own."""

    def compiles(index, text: str, *more: str) -> list[str]:
        source = tmp_path / "requirements.in"
        source.write_text(text)
        options = ["--quiet", "--no-header", "--no-annotate", "--no-cache", "--default-index", index.url_for("reader")]
        return run(tools / "uv", "pip", "compile", *options, *more, source).output.splitlines()

    return compiles


@pytest.fixture
def resolved(tools, run, target):
    """``resolved(index, "demo")``: what pip would install, as ``name==version``."""
    command = [tools / "python", "-m", "pip", "--python", target.python, "install", "--no-cache-dir", "--dry-run"]

    def resolve(index, *names: str) -> list[str]:
        said = run(*command, "--index-url", index.url_for("reader"), *names).output
        line = re.search(r"^Would install (.*)$", said, re.MULTILINE)
        return ["==".join(word.rsplit("-", 1)) for word in line[1].split()] if line else []

    return resolve


def check_what_was_asked(upstream: Upstream) -> None:
    """One question for each page that was needed, and no file as a whole."""
    assert upstream.whole_files == []
    assert upstream.pages == sorted(set(upstream.pages))
    assert not set(upstream.pages) & set(NOT_ASKED_FOR)
    assert set(upstream.pages) == GRAPH.pinned.keys()


def test_uv_compiles_a_graph_of_sixty_the_same_with_the_upstream_stopped(make_index, graph, compiled):
    with make_index(behind(graph.index.url)) as index:
        first = compiled(index, ROOT, "--generate-hashes")
        assert [line.split()[0] for line in first if not line.startswith(" ")] == PINNED
        check_what_was_asked(graph)
        graph.stop()
        assert compiled(index, ROOT, "--generate-hashes") == first


@pytest.mark.parametrize("freshness", ["10 minutes", "1 second"], ids=["fresh", "stale"])
def test_pip_resolves_a_graph_of_sixty_the_same_with_the_upstream_stopped(freshness, make_index, graph, resolved):
    """Also where pages are too old by then, and are asked for again in vain."""
    with make_index({**behind(graph.index.url), "mirror.freshness": freshness}) as index:
        assert resolved(index, ROOT) == PINNED
        if freshness == "10 minutes":
            check_what_was_asked(graph)
        assert graph.whole_files == []
        graph.stop()
        assert resolved(index, ROOT) == PINNED


def test_pip_resolves_what_uv_has_and_the_other_way_round(make_index, graph, resolved, compiled):
    """With an upstream in HTML: one client fills the cache, and the other finds all that it needs in it."""
    graph.index.kinds = (HTML,)
    with make_index(behind(graph.index.url)) as one, make_index(behind(graph.index.url)) as two:
        compiled(one, ROOT)
        resolved(two, ROOT)
        assert graph.whole_files == []
        graph.stop()
        assert resolved(one, ROOT) == PINNED
        assert compiled(two, ROOT) == PINNED


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_what_was_installed_once_is_installed_again_with_the_upstream_stopped(
    client, make_index, graph, tools, run, compiled, make_target, tmp_path
):
    with make_index(behind(graph.index.url)) as index:
        locked = tmp_path / "locked.txt"
        locked.write_text("\n".join(compiled(index, ROOT, "--generate-hashes")))
        options = ["--require-hashes", "--index-url", index.url_for("reader"), "--requirement", locked]

        def install():
            target = make_target()
            if client == "pip":
                run(tools / "python", "-m", "pip", "--python", target.python, "install", "--no-cache-dir", *options)
            else:
                run(tools / "uv", "pip", "install", "--no-cache", "--python", target.python, *options)
            return target.installed()

        wanted = {project.replace("-", "_"): version for project, version in GRAPH.pinned.items()}
        assert install() == wanted
        assert graph.whole_files == sorted(GRAPH.wheel(project).artifact.filename for project in GRAPH.pinned)
        graph.stop()
        assert install() == wanted


def test_T20_what_twine_uploads_hides_the_upstreams_of_that_name(
    make_index, upstream, tools, run, dist, resolved, compiled
):
    """Before the name is here it is the upstream's; from then on, its own upload is all that there is of it."""
    for version in ("1.0", "999.0"):
        wheel = build_wheel("demo", version)
        upstream.index.add("demo", wheel.filename, wheel.data, wheel.metadata)
    with make_index(behind(upstream.index.url)) as index:
        assert resolved(index, "demo") == compiled(index, "demo") == ["demo==999.0"]
        options = ["--non-interactive", "--disable-progress-bar", "--repository-url", index.url + "/"]
        login = ["--username", "writer", "--password", PASSWORDS["writer"]]
        run(tools / "twine", "upload", *options, *login, *dist(OURS))
        asked = len(upstream.index.asked)
        assert resolved(index, "demo") == compiled(index, "demo") == ["demo==0.5"]
        assert index.get("/root/pypi/+simple/demo/").status == 404
        assert len(upstream.index.asked) == asked


def test_T20_name_that_was_here_first_is_never_asked_for(make_index, upstream, resolved, compiled):
    newer = build_wheel("demo", "999.0")
    upstream.index.add("demo", newer.filename, newer.data, newer.metadata)
    with make_index(behind(upstream.index.url)) as index:
        index.put(OURS)
        assert resolved(index, "Demo") == compiled(index, "dEMO") == ["demo==0.5"]
    assert upstream.index.asked == []


def test_redirect_leads_pip_and_uv_to_the_upstream(make_index, upstream, tools, run, make_target):
    upstream.index.add("demo", OURS.filename, OURS.data, OURS.metadata)
    with make_index(behind(upstream.index.url, "redirect")) as index:
        options = ["--index-url", index.url_for("reader"), "demo"]
        for client in ("pip", "uv"):
            upstream.index.asked.clear()
            target = make_target()
            with index.watch() as seen:
                if client == "pip":
                    run(tools / "python", "-m", "pip", "--python", target.python, "install", "--no-cache-dir", *options)
                else:
                    run(tools / "uv", "pip", "install", "--no-cache", "--python", target.python, *options)
            assert target.installed() == {"demo": "0.5"}
            assert [(request.path, request.status) for request in seen if request.status != 401] == [
                ("/simple/demo/", 302)
            ]
            assert {one.headers["User-Agent"].split("/")[0] for one in upstream.index.asked} == {client}
            assert [one.headers["Authorization"] for one in upstream.index.asked] == [None] * len(upstream.index.asked)


@pytest.fixture(params=["pypiserver", "devpi", "devpi-metadata"])
def other(request, environment, tmp_path):
    """A server of another maker, with two projects."""
    programs, folder = environment("peers"), tmp_path / "peer"
    if request.param == "pypiserver":
        server = PypiServer(folder, programs, options=["--disable-fallback"])
    else:
        options = ["--enable-core-metadata"] if "metadata" in request.param else []
        server = DevpiServer(folder, programs, options=options)
    with server:
        server.put(*SMALL)
        yield server


def test_server_of_another_maker_as_upstream(other, make_index, resolved, compiled, tools, run, make_target):
    with make_index(behind(other.index)) as index:
        assert compiled(index, "demo") == resolved(index, "demo") == ["base==1.0", "demo==1.0"]
        for artifact in SMALL:
            file = index.files(artifact.filename.split("-")[0])[artifact.filename]
            assert file["hashes"] == {"sha256": artifact.sha256}
            assert index.get(file["url"].removeprefix("../..")).data == artifact.data
        path = index.files("demo")[DEMO.filename]["url"].removeprefix("../..")
        assert index.get(path + ".metadata").data == DEMO.metadata
        assert index.get("/simple/nothing/").status == 404
        other.stop()
        target = make_target()
        options = ["--no-cache-dir", "--index-url", index.url_for("reader"), "demo"]
        run(tools / "python", "-m", "pip", "--python", target.python, "install", *options)
        assert target.installed() == {"demo": "1.0", "base": "1.0"}
        assert index.get("/simple/nothing/").status == 404
        assert index.get("/simple/never-asked/").status == 502


def test_pypiserver_with_a_login_as_upstream(make_index, environment, resolved, tmp_path):
    logins = {"ann": "pw-ann"}
    with PypiServer(tmp_path, environment("peers"), logins=logins, options=["--disable-fallback"]) as server:
        server.put(*SMALL)
        place = server.url.removeprefix("http://")
        with make_index(behind(f"http://ann:pw-ann@{place}")) as index:
            assert resolved(index, "demo") == ["base==1.0", "demo==1.0"]
            assert index.get("/simple/nothing/").status == 404
        for address in (f"http://ann:not-it@{place}", server.url):
            with make_index(behind(address)) as index:
                check_refusal(index, "demo", "nothing")


def check_refusal(index, *projects: str) -> None:
    """Each name is told what is wrong, in words for whoever can change it, without the password."""
    for project in projects:
        for accept in ("application/vnd.pypi.simple.v1+json", "text/html", "*/*"):
            answer = index.get(f"/simple/{project}/", Accept=accept)
            assert answer.status == 502, answer.data
            assert "credentials" in answer.data.decode()
            assert "not-it" not in answer.data.decode()
    assert "not-it" not in index.server.log.read_text("utf-8")


def test_server_of_its_own_kind_as_upstream_with_credentials(make_index, resolved, compiled):
    with make_index({}) as second:
        second.put(*SMALL)
        with make_index(behind(second.url_for("reader", ""))) as first:
            assert compiled(first, "demo") == resolved(first, "demo") == ["base==1.0", "demo==1.0"]
            for artifact in SMALL:
                project = artifact.filename.split("-")[0]
                theirs, ours = (one.files(project)[artifact.filename] for one in (second, first))
                assert {**ours, "url": "", "gpg-sig": False} == {**theirs, "url": ""}
                assert first.get(ours["url"].removeprefix("../..")).data == artifact.data
            # Whoever may read nothing there sees nothing, and is told nothing else here.
            assert first.get("/simple/nothing/").status == 404
        with make_index(behind(second.url_for("reader", "").replace(PASSWORDS["reader"], "not-it"))) as first:
            check_refusal(first, "demo", "nothing")


def test_two_servers_that_have_each_other_as_upstream(make_index, resolved, compiled):
    ports = free_port(), free_port()
    login = f"http://reader:{PASSWORDS['reader']}@127.0.0.1"
    with (
        make_index(behind(f"{login}:{ports[1]}"), ports[0]) as first,
        make_index(behind(f"{login}:{ports[0]}"), ports[1]) as second,
    ):
        second.put(DEMO)
        first.put(BASE)
        with first.watch() as seen, second.watch() as asked:
            assert first.get("/simple/nothing/").status == 404
            assert first.get("/simple/demo/").status == 200
        pages = [request for request in [*seen, *asked] if request.path.startswith("/simple/")]
        # Of each name one to the first, one from it to the second; of the one that is nowhere, one that came back.
        assert len(pages) == 5
        for index in (first, second):
            assert compiled(index, "demo") == resolved(index, "demo") == ["base==1.0", "demo==1.0"]


def test_wheel_that_lies_about_its_hash_is_installed_by_nobody(make_index, upstream, tools, run, make_target):
    upstream.index.add("demo", OURS.filename, OURS.data, OURS.metadata)
    stored: Stored = upstream.index.projects["demo"][OURS.filename]
    stored.told["hashes"] = {"sha256": "0" * 64}
    with make_index(behind(upstream.index.url)) as index:
        options = ["--index-url", index.url_for("reader"), "demo"]
        pip = [tools / "python", "-m", "pip", "install", "--no-cache-dir"]
        uv = [tools / "uv", "pip", "install", "--no-cache"]
        for client in (pip, uv):
            target = make_target()
            where = ["--python", target.python] if client is uv else ["--target", target.folder / "lib"]
            assert run(*client, *where, *options, status=None).status != 0
            assert list(target.folder.glob("**/demo*")) == []
