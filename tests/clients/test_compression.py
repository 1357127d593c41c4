"""Pages travel in the coding that a client names; files as they are."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.servers import fault_proxy
from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def proxy(index):
    """The way to the server, which keeps the headers of what it answers."""
    with fault_proxy(index.url) as proxy:
        yield proxy


def codings(proxy):
    """The coding of each page, and of everything else."""
    pages = {path: headers for path, headers in proxy.answers.items() if path.startswith("/simple/")}
    files = {path: headers for path, headers in proxy.answers.items() if path not in pages}
    assert pages
    assert files
    assert {headers["vary"] for headers in pages.values()} == {"Accept, Accept-Encoding, Authorization, Cookie"}
    return tuple({headers.get("content-encoding") for headers in group.values()} for group in (pages, files))


def url(proxy):
    return f"{proxy.url.replace('//', '//reader:' + PASSWORDS['reader'] + '@')}/simple/"


@pytest.fixture(autouse=True, scope="module")
def projects(index):
    """Two projects, of which one requires the other."""
    for version in ("1.0", "2.0"):
        index.put(
            build_wheel("packed-root", version, requires_dist=["packed-leaf"]), build_wheel("packed-leaf", version)
        )
    index.put(build_sdist("packed-root", "2.0"))


def test_uv_reads_pages_in_zstd(proxy, tools, run, target):
    run(tools / "uv", "pip", "install", "--python", target.python, "--default-index", url(proxy), "packed-root")
    assert target.installed() == {"packed_root": "2.0", "packed_leaf": "2.0"}
    assert codings(proxy) == ({"zstd"}, {None})


def test_pip_reads_pages_in_gzip(proxy, tools, run, target):
    command = [tools / "python", "-m", "pip", "--python", target.python, "install"]
    run(*command, "--index-url", url(proxy), "packed-root")
    assert target.installed() == {"packed_root": "2.0", "packed_leaf": "2.0"}
    assert codings(proxy) == ({"gzip"}, {None})
