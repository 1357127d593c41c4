"""The other index servers that people run, as they are, in the place of an upstream."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack, closing, contextmanager

import pytest

from pypicloud_lite.artifacts.reading import read_metadata_partly
from pypicloud_lite.kernel.errors import (
    UpstreamAddressRefused,
    UpstreamDigestMismatch,
    UpstreamError,
    UpstreamNonsense,
    UpstreamRefused,
    UpstreamUnreachable,
    UpstreamWithoutRanges,
)
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.peers import DevpiServer, PypiServer
from pypicloud_lite.testing.upstream_server import upstream_server
from pypicloud_lite.upstream.http import HttpUpstream
from pypicloud_lite.upstream.port import Absent, UpstreamPage
from pypicloud_lite.upstream.settings import UpstreamSettings
from pypicloud_lite.upstream.spans import SpanReader

DEMO = ProjectName("demo-thing")
WHEEL = build_wheel("Demo.Thing", "1.0", requires_python=">=3.8", requires_dist=["other>=1"], body=bytes(300_000))
SDIST = build_sdist("Demo.Thing", "1.0")
ZIP = build_sdist("Demo.Thing", "0.9", suffix=".zip")
CANDIDATE = build_wheel("Demo.Thing", "2.0rc1")
LOCAL = build_wheel("Demo.Thing", "1.0+local.1")
OLD_NAME = build_sdist("Demo.Thing", "0.8", stem="Demo.Thing-0.8")
ALL = (WHEEL, SDIST, ZIP, CANDIDATE, LOCAL, OLD_NAME)


def upstream_of(address, **changes):
    settings = {"pypi.fallback_base_url": address, "upstream.proxy": "none", **changes}
    (peer,) = UpstreamSettings.model_validate(settings).peers({})
    return HttpUpstream(dataclasses.replace(peer, attempts=1))


@pytest.fixture(scope="module")
def programs(environment):
    return environment("peers")


@contextmanager
def running(kind, folder, programs):
    """pypiserver on waitress or on the server that it takes where there is no other; devpi with and without METADATA."""
    if kind.startswith("pypiserver"):
        options = ["--disable-fallback", *(["--server=wsgiref"] if kind.endswith("wsgiref") else [])]
        server = PypiServer(folder, programs, options=options)
    else:
        options = ["--enable-core-metadata"] if kind.endswith("metadata") else []
        server = DevpiServer(folder, programs, options=options)
    with server:
        server.put(*ALL)
        yield server


PYPISERVERS = ["pypiserver", "pypiserver-wsgiref"]
DEVPIS = ["devpi", "devpi-metadata"]


@pytest.fixture(scope="module", params=PYPISERVERS)
def pypiserver(request, programs, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp("peer"), programs) as server:
        yield server


@pytest.fixture(scope="module", params=DEVPIS)
def devpi(request, programs, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp("peer"), programs) as server:
        yield server


@pytest.fixture(scope="module", params=[*PYPISERVERS, *DEVPIS])
def other(request, programs, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp("peer"), programs) as server:
        yield server


def links_of(upstream):
    page = upstream.project(DEMO)
    assert isinstance(page, UpstreamPage)
    assert page.dropped == 0
    return {link.filename.value: link for link in page.files}


def test_every_file_is_listed_and_comes_whole_with_its_hash(other):
    with closing(upstream_of(other.index)) as upstream:
        links = links_of(upstream)
        assert links.keys() == {artifact.filename for artifact in ALL}
        for artifact in ALL:
            link, pieces = links[artifact.filename], []
            assert link.hashes == {"sha256": artifact.sha256}
            fetched = upstream.fetch(link, pieces.append)
            assert (fetched.size, fetched.verified) == (len(artifact.data), ("sha256",))
            assert b"".join(pieces) == artifact.data


def test_file_that_changed_since_its_page_was_read_is_never_given_whole(pypiserver):
    other_bytes = build_wheel("swapped", "1.0", body=b"other").data
    swapped = build_wheel("swapped", "1.0")
    pypiserver.put(swapped)
    with closing(upstream_of(pypiserver.index)) as upstream:
        (link,) = upstream.project(ProjectName("swapped")).files
        (pypiserver.packages / swapped.filename).write_bytes(other_bytes)
        pieces = []
        with pytest.raises(UpstreamDigestMismatch):
            upstream.fetch(link, pieces.append)
        assert len(b"".join(pieces)) < len(other_bytes)


def test_project_that_is_not_there_is_absent(other):
    with closing(upstream_of(other.index)) as upstream:
        assert isinstance(upstream.project(ProjectName("nowhere")), Absent)


def test_list_of_projects_is_understood(other):
    with closing(upstream_of(other.index)) as upstream:
        names = upstream.names()
        assert {DEMO.value} <= set(names.names) <= {DEMO.value, "swapped"}


def test_mirror_index_of_devpi_passes_on_what_it_has_and_its_outage_is_no_absence(programs, tmp_path):
    """Three in a row: ours, devpi, and what devpi mirrors."""
    with ExitStack() as first, DevpiServer(tmp_path, programs) as devpi:
        index = first.enter_context(upstream_server())
        index.add(DEMO.value, WHEEL.filename, WHEEL.data, WHEEL.metadata, requires_python=">=3.8", yanked="broken")
        index.add("other", "other-1.0.tar.gz", b"bytes")
        with closing(upstream_of(devpi.add_mirror("mirror", index.index))) as upstream:
            link = links_of(upstream)[WHEEL.filename]
            assert link.hashes == {"sha256": WHEEL.sha256}
            assert (link.requires_python, link.yanked) == (">=3.8", True)
            assert upstream.fetch(link, lambda _chunk: None).size == len(WHEEL.data)
            (other,) = upstream.project(ProjectName("other")).files
            assert isinstance(upstream.project(ProjectName("nowhere")), Absent)
            first.close()
            assert upstream.fetch(link, lambda _chunk: None).size == len(WHEEL.data)
            with pytest.raises(UpstreamError):
                upstream.fetch(other, lambda _chunk: None)
            assert isinstance(upstream.project(DEMO), UpstreamPage)


def test_file_that_is_gone_is_no_file(other):
    with closing(upstream_of(other.index)) as upstream:
        link = links_of(upstream)[WHEEL.filename]
        gone = dataclasses.replace(link, url=link.url.replace(".whl", ".gone.whl"))
        with pytest.raises(UpstreamNonsense, match="404"):
            upstream.fetch(gone, print)
        assert isinstance(upstream.metadata(gone), Absent)


def test_parts_of_a_wheel_from_pypiserver_are_its_metadata(pypiserver):
    with closing(upstream_of(pypiserver.index)) as upstream:
        link = links_of(upstream)[WHEEL.filename]
        assert link.core_metadata is None
        assert isinstance(upstream.metadata(link), Absent)
        part = upstream.span(link, 2, 5)
        assert (part.data, part.size) == (WHEEL.data[2:6], len(WHEEL.data))
        end = upstream.span(link, len(WHEEL.data) - 3, len(WHEEL.data) + 1000)
        assert end.data == WHEEL.data[-3:]
        with pytest.raises(UpstreamNonsense):
            upstream.span(link, len(WHEEL.data), len(WHEEL.data) + 10)
        assert read_metadata_partly(SpanReader(upstream, link), link.filename).raw == WHEEL.metadata


def test_devpi_sends_no_parts_and_metadata_when_it_is_told_to(devpi):
    with closing(upstream_of(devpi.index)) as upstream:
        links = links_of(upstream)
        link = links[WHEEL.filename]
        with pytest.raises(UpstreamWithoutRanges):
            upstream.span(link, 0, 1)
        assert links[SDIST.filename].core_metadata is None
        if devpi.lists_metadata:
            assert link.core_metadata == {}
            assert upstream.metadata(link) == WHEEL.metadata
        else:
            assert link.core_metadata is None
        # What its upload form said.
        assert link.requires_python == ">=3.8"
        assert links[CANDIDATE.filename].requires_python is None


def test_any_spelling_of_an_index_that_redirects_is_followed(devpi):
    with closing(upstream_of(devpi.index.rstrip("/"))) as upstream:
        assert upstream.name == devpi.index
        assert WHEEL.filename in links_of(upstream)


def test_credentials_of_pypiserver_are_sent_and_wrong_ones_are_a_refusal(programs, tmp_path):
    with PypiServer(tmp_path, programs, logins={"ann": "pw-ann"}, options=["--disable-fallback"]) as server:
        server.put(WHEEL)
        place = server.url.removeprefix("http://")
        with closing(upstream_of(f"http://ann:pw-ann@{place}")) as upstream:
            (link,) = upstream.project(DEMO).files
            assert upstream.fetch(link, lambda _chunk: None).size == len(WHEEL.data)
            assert isinstance(upstream.project(ProjectName("nowhere")), Absent)
        for address in (f"http://ann:wrong@{place}", server.url):
            with closing(upstream_of(address)) as upstream, pytest.raises(UpstreamRefused) as caught:
                upstream.project(DEMO)
            assert "wrong" not in caught.value.message


def test_fallback_of_pypiserver_leads_elsewhere_only_where_the_operator_says_so(programs, tmp_path):
    with PypiServer(tmp_path / "behind", programs, options=["--disable-fallback"]) as behind:
        behind.put(WHEEL)
        with PypiServer(tmp_path / "front", programs, options=[f"--fallback-url={behind.index}"]) as front:
            with closing(upstream_of(front.index)) as upstream, pytest.raises(UpstreamAddressRefused):
                upstream.project(DEMO)
            named = {"upstream.file_hosts": behind.url.removeprefix("http://")}
            with closing(upstream_of(front.index, **named)) as upstream:
                (link,) = upstream.project(DEMO).files
                assert link.url.startswith(behind.url)
                assert upstream.fetch(link, lambda _chunk: None).size == len(WHEEL.data)
                assert isinstance(upstream.project(ProjectName("nowhere")), Absent)


def test_server_that_has_ended_is_unreachable_and_no_project_absent(programs, tmp_path):
    with PypiServer(tmp_path, programs, options=["--disable-fallback"]) as server:
        server.put(WHEEL)
        with closing(upstream_of(server.index)) as upstream:
            (link,) = upstream.project(DEMO).files
            server.stop()
            for ask in (lambda: upstream.project(DEMO), lambda: upstream.fetch(link, print)):
                with pytest.raises(UpstreamUnreachable):
                    ask()
            server.start()
            assert upstream.project(DEMO).files


def test_address_of_devpi_without_its_simple_pages_is_no_index_without_projects(devpi):
    with closing(upstream_of(devpi.index.removesuffix("+simple/"))) as upstream:
        for name in (DEMO, ProjectName("nowhere")):
            with pytest.raises(UpstreamNonsense, match=r"devpi.*/ann/dev/\+simple/"):
                upstream.project(name)
