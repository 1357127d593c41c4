"""F27, T25: the longest lists and pages of an upstream hardly grow the process that reads them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator

import pytest

from pypicloud_lite.testing.upstream_server import HTML, JSON, FakeIndex, Fault, upstream_server

MIB = 1024 * 1024
MAY_GROW = 64 * MIB
SMALL = 200_000

ASK = """
import json, resource, sys
from pypicloud_lite.kernel.errors import UpstreamError
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.upstream.http import HttpUpstream
from pypicloud_lite.upstream.settings import UpstreamSettings

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

settings = {"pypi.fallback_base_url": sys.argv[1], "upstream.proxy": "none"}
(peer,) = UpstreamSettings.model_validate(settings).peers({})
upstream = HttpUpstream(peer)
upstream.names()
upstream.project(ProjectName("demo"))
before, said = peak(), {"error": None}
try:
    if sys.argv[2] == "names":
        found = upstream.names()
        said |= {"count": found.names.count, "dropped": found.dropped, "walked": sum(1 for _ in found.names)}
    else:
        said |= {"count": len(upstream.project(ProjectName("demo")).files)}
except UpstreamError as error:
    said["error"] = error.code
print(json.dumps(said | {"grown": peak() - before}))
"""


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with upstream_server() as index:
        index.add("demo", "demo-1.0.tar.gz", b"x")
        yield index


def asked(index: FakeIndex, fault: Fault, what: str = "names") -> dict:
    """What a process says that asks twice: the second answer is this one."""
    index.fail(None, None, fault)
    command = [sys.executable, "-W", "error", "-c", ASK, index.url, what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def json_list(count: int, end: str = "") -> Iterator[bytes]:
    yield b'{"meta":{"_last-serial":1,"api-version":"1.4"},"projects":[{"name":"first"}'
    for start in range(0, count, 1000):
        yield "".join(
            f',{end}{{"_last-serial":{number},"name":"Some_Project.{number * 7919 % count}"}}'
            for number in range(start, start + 1000)
        ).encode()
    yield b"]}"


def html_list(count: int, end: str = "\n") -> Iterator[bytes]:
    yield b'<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.4"></head><body>'
    for start in range(0, count, 1000):
        names = (number * 7919 % count for number in range(start, start + 1000))
        yield "".join(
            f'<a href="/simple/some-project-{number}/">Some_Project.{number}</a>{end}' for number in names
        ).encode()
    yield b"<a href=first/>first</a></body></html>"


def packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


LISTS = {
    "JSON on one line": lambda count: Fault(headers=(("Content-Type", JSON),), stream=lambda: json_list(count)),
    "JSON on many lines": lambda count: Fault(
        headers=(("Content-Type", JSON),), stream=lambda: json_list(count, "\n  ")
    ),
    "HTML on one line": lambda count: Fault(headers=(("Content-Type", HTML),), stream=lambda: html_list(count, "")),
    "HTML on many lines": lambda count: Fault(headers=(("Content-Type", HTML),), stream=lambda: html_list(count)),
    "JSON, packed": lambda count: Fault(
        headers=(("Content-Type", JSON), ("Content-Encoding", "gzip")), stream=lambda: packed(json_list(count))
    ),
    "HTML, packed": lambda count: Fault(
        headers=(("Content-Type", HTML), ("Content-Encoding", "gzip")), stream=lambda: packed(html_list(count))
    ),
}


@pytest.mark.parametrize("kind", ["JSON, packed", "HTML on one line"])
def test_t25_two_hundred_thousand_names(index: FakeIndex, kind: str) -> None:
    said = asked(index, LISTS[kind](SMALL))
    assert (said["error"], said["count"], said["walked"], said["dropped"]) == (None, SMALL + 1, SMALL + 1, 0)
    assert said["grown"] <= MAY_GROW / 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", LISTS)
def test_t25_a_million_names(index: FakeIndex, kind: str, note) -> None:
    # Of one kind all of them; the others show that memory does not grow with the list as it did.
    count = 1_000_000 if kind == "JSON, packed" else 300_000
    said = asked(index, LISTS[kind](count))
    note(f"{kind}: +{said['grown'] >> 20} MiB")
    assert (said["error"], said["count"], said["walked"]) == (None, count + 1, count + 1)
    assert said["grown"] <= MAY_GROW


def endless(begin: bytes, piece: bytes) -> Iterator[bytes]:
    yield begin
    while True:
        yield piece * (65536 // len(piece) + 1)


def long_names(count: int) -> Iterator[bytes]:
    """Of 128 characters that hardly pack."""
    yield b'{"projects":[1'
    state = 1
    for _ in range(count):
        state = state * 6364136223846793005 % 2**512
        yield b',{"name":"%0128x"}' % state
    yield b"]}"


HOSTILE = {
    "a gibibyte of blanks": (JSON, lambda: endless(b"", b" "), "upstream-too-large"),
    "one string": (JSON, lambda: endless(b'{"projects":[{"name":"', b"x"), "upstream-nonsense"),
    "deep": (JSON, lambda: endless(b'{"projects":', b"["), "upstream-nonsense"),
    "small objects": (JSON, lambda: endless(b'{"projects":[1', b",{}"), "upstream-too-large"),
    "one name": (JSON, lambda: endless(b'{"projects":[1', b',{"name":"a"}'), "upstream-too-large"),
    "long names": (JSON, lambda: long_names(500_000), "upstream-too-large"),
    "one tag": (HTML, lambda: endless(b"", b"<a href='"), "upstream-too-large"),
    "links": (HTML, lambda: endless(b"", b"<a href=a/>a</a>"), "upstream-too-large"),
    "comments": (HTML, lambda: endless(b"", b"<!-- "), "upstream-too-large"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_t25_lists_without_end(index: FakeIndex, kind: str, note) -> None:
    content_type, stream, code = HOSTILE[kind]
    said = asked(index, Fault(headers=(("Content-Type", content_type),), stream=stream))
    note(f"{kind}: +{said['grown'] >> 20} MiB")
    assert said["error"] == code
    assert said["grown"] <= MAY_GROW


@pytest.mark.slow
@pytest.mark.parametrize("content", [b" ", b"\0", b"<a href=a/>a</a>"])
def test_t25_a_bomb_of_a_gibibyte(index: FakeIndex, content: bytes) -> None:
    kind = HTML if content.startswith(b"<") else JSON
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    piece = content * (MIB // len(content))
    body = b"".join([*(packer.compress(piece) for _ in range(1024)), packer.flush()])
    said = asked(index, Fault(headers=(("Content-Type", kind), ("Content-Encoding", "gzip")), body=body))
    assert said["error"] in {"upstream-too-large", "upstream-nonsense"}
    assert said["grown"] <= MAY_GROW


# A page of one project

FILES = 20_000


def test_t25_a_page_of_twenty_thousand_files(index: FakeIndex, note) -> None:
    """Each file is an object of its own: some kB each, and no more."""
    entries = [
        {
            "filename": f"demo-1.{number}-cp311-cp311-manylinux_2_17_x86_64.whl",
            "url": f"https://files.example.com/packages/{number:064x}/demo-1.{number}-cp311-cp311-manylinux_2_17_x86_64.whl",
            "hashes": {"sha256": f"{number:064x}"},
            "requires-python": ">=3.8",
            "size": number,
            "upload-time": "2026-01-02T03:04:05.678901Z",
            "core-metadata": {"sha256": f"{number:064x}"},
            "yanked": False,
        }
        for number in range(FILES)
    ]
    body = json.dumps({"meta": {"api-version": "1.4"}, "name": "demo", "files": entries}).encode()
    headers = (("Content-Type", JSON), ("Content-Encoding", "gzip"))
    said = asked(index, Fault(headers=headers, body=gzip.compress(body, 1)), "project")
    note(f"{len(body) >> 20} MiB of JSON: +{said['grown'] >> 20} MiB")
    assert (said["error"], said["count"]) == (None, FILES)
    assert said["grown"] <= 192 * MIB
