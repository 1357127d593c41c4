"""A second server of this kind as an upstream: everything that it says is understood, and its files come whole."""

from __future__ import annotations

import dataclasses
import http.client
from contextlib import closing

import pytest

from pypicloud_lite.artifacts.reading import read_metadata_partly
from pypicloud_lite.kernel.errors import UpstreamRefused
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import upload_form
from pypicloud_lite.testing.world import PASSWORDS, basic, user_settings
from pypicloud_lite.upstream.http import HttpUpstream
from pypicloud_lite.upstream.port import Absent, NotModified
from pypicloud_lite.upstream.settings import UpstreamSettings
from pypicloud_lite.upstream.spans import SpanReader

pytestmark = pytest.mark.slow

DEMO = ProjectName("demo")
WHEEL = build_wheel("demo", "1.0", requires_python=">=3.8")
SDIST = build_sdist("demo", "1.0")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LiveServer(tmp_path_factory.mktemp("live"), user_settings(), workers=1) as server:
        for artifact in (WHEEL, SDIST):
            body, kind = upload_form(artifact)
            with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
                connection.request("POST", "/", body, {"Authorization": basic("writer"), "Content-Type": kind})
                assert connection.getresponse().status == 200
        yield server


def upstream_of(server, password=PASSWORDS["reader"]):
    address = f"http://127.0.0.1:{server.port}"
    settings = {"pypi.fallback_base_url": address, "upstream.credentials": f"{address} reader:{password}"}
    (peer,) = UpstreamSettings.model_validate(settings).peers({})
    return HttpUpstream(peer)


def test_pages_files_and_what_lies_beside_them(server):
    with closing(upstream_of(server)) as upstream:
        page = upstream.project(DEMO)
        assert (page.api_version, page.versions, page.dropped) == ("1.4", ("1.0",), 0)
        assert page.serial
        links = {link.filename.value: link for link in page.files}
        assert links.keys() == {WHEEL.filename, SDIST.filename}
        for artifact in (WHEEL, SDIST):
            link, pieces = links[artifact.filename], []
            assert (link.size, link.upload_time is not None) == (len(artifact.data), True)
            assert upstream.fetch(link, pieces.append).verified == tuple(link.hashes)
            assert b"".join(pieces) == artifact.data
        wheel = links[WHEEL.filename]
        assert wheel.requires_python == ">=3.8"
        raw = upstream.metadata(wheel)
        assert read_metadata_partly(SpanReader(upstream, wheel), wheel.filename).raw == raw
        assert isinstance(upstream.project(DEMO, page.freshness.validator), NotModified)
        assert isinstance(upstream.project(ProjectName("nowhere")), Absent)
        assert isinstance(upstream.metadata(links[SDIST.filename]), Absent)
        elsewhere = dataclasses.replace(wheel, url=f"{wheel.url}?x")
        assert upstream.span(elsewhere, 0, 1).data == b"PK"


def test_a_wrong_password_is_no_missing_project(server):
    with closing(upstream_of(server, "pw-wrong")) as upstream, pytest.raises(UpstreamRefused):
        upstream.project(DEMO)
