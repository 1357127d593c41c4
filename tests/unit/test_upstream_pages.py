"""What pages of other indexes say, and how little it takes to read what nobody should have written."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypicloud_lite.kernel.errors import UpstreamDigestMismatch, UpstreamError, UpstreamNonsense, UpstreamTooLarge
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.serve.cache import zstd
from pypicloud_lite.upstream.anchors import anchors
from pypicloud_lite.upstream.bodies import whole
from pypicloud_lite.upstream.hashes import Comparison, known, sound
from pypicloud_lite.upstream.pages import Document, read_page
from pypicloud_lite.upstream.port import Freshness, UpstreamPage

JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"
URL = "https://index.example.com/simple/demo/"
DEMO = ProjectName("demo")


def read(body, kind=HTML, url=URL, serial=None):
    data = body if isinstance(body, bytes) else body.encode()
    return read_page(Document(data, kind, url), DEMO, Freshness(), serial)


def page(**members):
    return json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": [], **members})


def entry(**members):
    return {"filename": "demo-1.0.tar.gz", "url": "demo-1.0.tar.gz", "hashes": {}, **members}


# HTML as indexes write it


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ("<a href='../../packages/demo-1.0.tar.gz#sha256=x'>demo-1.0.tar.gz</a>", "/packages/demo-1.0.tar.gz"),
        ("<a href=demo-1.0.tar.gz>demo-1.0.tar.gz", "/simple/demo/demo-1.0.tar.gz"),
        ("<A HREF='/x/demo-1.0.tar.gz' rel='internal'><b>demo</b>-1.0.tar.gz</A>", "/x/demo-1.0.tar.gz"),
        ("<base href='/files/'><a href=demo-1.0.tar.gz>x</a>", "/files/demo-1.0.tar.gz"),
        ("<a href='/x/demo-1.0.tar.gz'>demo-1.0.t..&gt;</a>", "/x/demo-1.0.tar.gz"),
        ("<a href='/x/demo-1.0%2Bcu1.tar.gz'>x</a>", "/x/demo-1.0%2Bcu1.tar.gz"),
        ("<a href='/get?file=7'>demo-1.0.tar.gz</a><meta name=pypi:repository-version content=1.0>", "/get?file=7"),
        ("<p><a name=top></a><a href='demo-1.0.tar.gz'><a href='/help'>", "/simple/demo/demo-1.0.tar.gz"),
        ("<!doctype html><!-- <a href=a-1.tar.gz> --><a\nhref='demo-1.0.tar.gz' >", "/simple/demo/demo-1.0.tar.gz"),
    ],
)
def test_a_link(body, url):
    (link,) = read(body).files
    assert link.url == f"https://index.example.com{url}"
    assert link.filename.project == DEMO


def test_attributes():
    digest = "a" * 64
    body = (
        f"<a href='demo-1.0-py3-none-any.whl#sha256={digest.upper()}' data-requires-python='&gt;=3.8' "
        f"data-yanked='a &amp; b' data-dist-info-metadata='sha256={'b' * 64}' data-gpg-sig=false "
        "data-provenance='https://index.example.com/p'>x</a>"
    )
    (link,) = read(body).files
    assert (link.hashes, link.requires_python, link.yanked, link.yanked_reason) == (
        *({"sha256": digest}, ">=3.8", True, "a & b"),
    )
    assert (link.core_metadata, link.gpg_sig, link.provenance) == (
        *({"sha256": "b" * 64}, False, "https://index.example.com/p"),
    )


def test_metas():
    body = (
        "<meta name='pypi:repository-version' content='1.4'><meta name='pypi:project-status' content='archived'>"
        "<meta name='pypi:project-status-reason' content='so   be it'>"
    )
    found = read(body, serial=5)
    assert (found.api_version, found.status, found.status_reason, found.serial) == ("1.4", "archived", "so be it", 5)
    assert found.files == ()


def test_a_project_without_files_and_metas_is_one():
    assert read("<html><body><h1>Links for demo</h1></body></html>").files == ()


@pytest.mark.parametrize("version", ["2.0", "1", "x", "", "1.0.0", "-1.0"])
def test_versions_of_the_api_that_are_not_understood(version):
    with pytest.raises(UpstreamNonsense, match="Simple API"):
        read(f"<meta name='pypi:repository-version' content='{version}'>")
    with pytest.raises(UpstreamNonsense, match="Simple API"):
        read(page(meta={"api-version": version}), JSON)


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "no-such-thing", "rot13", "undefined", "idna"])
def test_any_charset(charset):
    assert len(read(b"<a href='demo-1.0.tar.gz'>\xff</a>", f'text/html; charset="{charset}"').files) == 1


# JSON as indexes write it


def test_equal_names_once_and_other_spellings_of_the_project():
    found = read(page(name="Demo", files=[entry(), entry(url="/other"), entry(filename="Demo-2.0.tar.gz")]), JSON)
    assert [link.url for link in found.files] == [URL + "demo-1.0.tar.gz"] * 2
    assert found.dropped == 1


@pytest.mark.parametrize("status", [{"status": "archived"}, {"status": "something-new", "reason": "x"}])
def test_a_status_of_any_kind_at_either_place(status):
    for body in (page(**{"project-status": status}), page(meta={"api-version": "1.4", "project-status": status})):
        assert read(body, JSON).status == status["status"]


@pytest.mark.parametrize(
    "members",
    [
        {"files": [1, None, [], "x", {}, {"filename": 1}]},
        {"versions": [1, None, {}, "1.0", "1.0", "\u202e2"], "meta": []},
        {"project-status": "archived", "versions": "1.0", "meta": {"_last-serial": "9", "api-version": "1.1"}},
        {"project-status": {"status": ["x"], "reason": {}}},
        {"files": [entry(size=2**70), entry(hashes=[]), entry(hashes={"sha256": 1}), entry(url=None)]},
    ],
)
def test_members_of_other_kinds(members):
    found = read(page(**members), JSON)
    assert found.versions in {None, ("1.0",)}
    assert (found.status, found.status_reason, found.serial) == (None, None, None)
    assert len(found.files) <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["meta", "name", "files", "versions", "project-status"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(entry()),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=8,
        ),
    )
)
def test_f22_any_json_is_a_page_or_an_error(members):
    _page_or_error(json.dumps({**json.loads(page()), **members}).encode(), JSON)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [*("url", "hashes", "size", "yanked", "upload-time", "requires-python", "gpg-sig"), "provenance"]
        ),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=9)
        | st.lists(st.integers(), max_size=2),
    )
)
def test_f22_any_file_is_listed_or_left_out(members):
    found = _page_or_error(page(files=[entry(**members)]).encode(), JSON)
    assert found is not None
    assert len(found.files) + found.dropped == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*"<>a /'\"=!-", "<a href=", "demo-1.0.tar.gz", "</a>", "<meta name=pypi:", "&#0;", "\0"]))
)
def test_f22_any_html_is_a_page_or_an_error(pieces):
    _page_or_error("".join(pieces).encode(), HTML)


def _page_or_error(body, kind):
    try:
        found = read(body, kind)
    except UpstreamError:
        return None
    assert isinstance(found, UpstreamPage)
    for link in found.files:
        assert link.filename.project == DEMO
        assert link.url.startswith("https://")
    return found


HOSTILE_HTML = {
    "nested links": "<a href=x>y" * 20_000,
    "nested tags": "<b>" * 60_000,
    "foreign ends": "<b>" * 30_000 + "</i>" * 30_000,
    "a long comment": "<!--" + "x" * 300_000,
    "many comments": "<!--" * 70_000,
    "a long attribute": "<a href='" + "x" * 300_000,
    "many attributes": "<a " + "x=1 " * 150_000,
    "declarations": "<!" * 300_000,
    "references": "&" * 300_000,
    "processing": "<?" * 300_000,
    "script": "<script>" + "</" * 300_000,
    "long text": "<a href=demo-1.0.tar.gz>" + "x" * 300_000,
}


@pytest.mark.parametrize("kind", HOSTILE_HTML)
def test_t25_hostile_html_costs_no_more_than_its_length(kind):
    """A parser that is quadratic here takes minutes."""
    began = time.process_time()
    try:
        found = anchors(HOSTILE_HTML[kind], URL)
    except UpstreamNonsense:
        pass
    else:
        assert all(len(link.text) <= 2048 for link in found.links)
    assert time.process_time() - began < 4


# Packed bodies


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
    "": bytes,
    " Identity": bytes,
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_packed_bodies(encoding, step):
    data = b"".join(b"%d," % number for number in range(3000 if step == 1 else 20_000))
    packed = PACKED[encoding](data)
    chunks = [packed[at : at + step] for at in range(0, len(packed), step)]
    assert whole(chunks, encoding, len(data)) == data
    with pytest.raises(UpstreamTooLarge):
        whole(chunks, encoding, len(data) - 1)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_t25_bombs_are_not_unpacked(encoding):
    bomb = PACKED[encoding](bytes(60_000_000))
    assert len(bomb) < 1_000_000
    began = time.process_time()
    with pytest.raises(UpstreamTooLarge, match="unpacked"):
        whole([bomb], encoding, 1_000_000)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_packed_bodies_that_are_cut_or_go_on(encoding):
    packed = PACKED[encoding](b"some text that is packed")
    for wrong in (packed[:-1], packed[:5], b"", packed + b"x", packed + packed, b"\0" + packed):
        with pytest.raises(UpstreamNonsense):
            whole([wrong], encoding, 1000)
        with pytest.raises(UpstreamNonsense):
            whole([wrong[at : at + 1] for at in range(len(wrong))], encoding, 1000)


@pytest.mark.parametrize("encoding", ["br", "gzip, zstd", "compress", "\0", "aws-chunked"])
def test_encodings_that_were_not_asked_for(encoding):
    with pytest.raises(UpstreamNonsense, match="encoding"):
        whole([b"x"], encoding, 1000)


# Hashes


def test_hashes():
    given = {
        "SHA256": "A" * 64,
        "sha512": "a" * 64,
        "md5": "g" * 32,
        "crc32": "01234567",
        "so new": "a" * 64,
        "new": "xx",
    }
    assert sound(given) == {"sha256": "a" * 64, "crc32": "01234567"}
    assert known(sound(given)) == ("sha256",)
    assert len(sound({f"h{number}": "a" * 64 for number in range(1000)})) <= 16


def test_hashes_are_compared():
    data = b"some bytes"
    hashes = {name: hashlib.new(name, data).hexdigest() for name in ("sha256", "sha512", "md5", "sha3_256")}
    hashes |= {"blake2b": hashlib.blake2b(data).hexdigest(), "crc32": "01234567"}
    hashes["blake2b_256"] = hashlib.blake2b(data, digest_size=32).hexdigest()
    for wrong in (None, *known(hashes)):
        comparison = Comparison(hashes | ({} if wrong is None else {wrong: "0" * len(hashes[wrong])}))
        comparison.update(data[:3])
        comparison.update(data[3:])
        if wrong is None:
            assert set(comparison.finish("x")) == hashes.keys() - {"crc32"}
        else:
            with pytest.raises(UpstreamDigestMismatch, match=wrong):
                comparison.finish("x")
