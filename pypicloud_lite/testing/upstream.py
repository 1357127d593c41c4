"""What every upstream promises: the docstrings of ``pypicloud_lite.upstream.port``, as tests.

Subclass :class:`UpstreamContract` and give it a fixture ``make``, which makes one that asks a
:class:`~pypicloud_lite.testing.upstream_server.FakeIndex`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from pypicloud_lite.kernel.errors import (
    UpstreamDigestMismatch,
    UpstreamError,
    UpstreamNonsense,
    UpstreamTimedOut,
    UpstreamTooLarge,
    UpstreamUnreachable,
    UpstreamWithoutRanges,
)
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.bad_upstream_pages import BAD_PAGES, HOSTILE, HOSTILE_URLS
from pypicloud_lite.testing.upstream_names import HASTE, LONGEST, Make, NamesContract
from pypicloud_lite.testing.upstream_server import HTML, JSON, FakeIndex, Fault, upstream_server
from pypicloud_lite.upstream.port import (
    Absent,
    Link,
    NotModified,
    Part,
    Upstream,
    UpstreamPage,
    Validator,
)

DEMO = ProjectName("demo")
DATA = bytes(range(256)) * 1000
METADATA = b"Metadata-Version: 2.4\nName: demo\nVersion: 1.0\n"
WHEEL = "demo-1.0-py3-none-any.whl"


class UpstreamContract(NamesContract):
    """Inherit, and provide the fixture ``make``."""

    @pytest.fixture
    def make(self) -> Make:
        """Make an upstream with pages of at most 1 MiB, lists of 4, files of 8; four questions at a time of each."""
        raise NotImplementedError

    @pytest.fixture
    def index(self) -> Iterator[FakeIndex]:
        """An index with one wheel."""
        with upstream_server() as index:
            index.add("demo", WHEEL, DATA, METADATA)
            yield index

    @pytest.fixture
    def upstream(self, make: Make, index: FakeIndex) -> Upstream:
        """One that asks it."""
        return make(index)

    @staticmethod
    def link(upstream: Upstream) -> Link:
        """The one file."""
        page = upstream.project(DEMO)
        assert isinstance(page, UpstreamPage)
        (link,) = page.files
        return link

    # Pages

    def test_a_page_in_json(self, upstream: Upstream, index: FakeIndex) -> None:
        index.add(
            *("demo", "demo-0.9.tar.gz", b"x"),
            requires_python=">=3.8,<4",
            yanked="broken build",
            upload_time="2026-01-02T03:04:05.678901Z",
            gpg_sig=True,
            provenance="https://index.example.com/provenance",
        )
        index.told = {
            "versions": ["0.8", "0.9", "1.0"],
            "project-status": {"status": "deprecated", "reason": "use another"},
            "meta": {"api-version": "1.4", "_last-serial": 77},
        }
        page = upstream.project(DEMO)
        assert isinstance(page, UpstreamPage)
        assert (page.project, page.api_version, page.serial) == (DEMO, "1.4", 77)
        assert (page.status, page.status_reason) == ("deprecated", "use another")
        assert page.versions == ("0.8", "0.9", "1.0")
        assert page.url == f"{index.index}demo/"
        wheel, sdist = page.files
        assert (wheel.filename.value, wheel.url) == (WHEEL, f"{index.url}/files/demo/{WHEEL}")
        assert wheel.size == len(DATA)
        assert wheel.hashes.keys() == (wheel.core_metadata or {}).keys() == {"sha256"}
        assert (wheel.yanked, wheel.yanked_reason, wheel.requires_python, wheel.upload_time) == (
            False,
            None,
            None,
            None,
        )
        assert (sdist.yanked, sdist.yanked_reason, sdist.requires_python) == (True, "broken build", ">=3.8,<4")
        assert sdist.upload_time == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
        assert (sdist.core_metadata, sdist.gpg_sig) == (None, True)
        assert sdist.provenance == "https://index.example.com/provenance"
        assert page.dropped == 0

    def test_a_page_in_html(self, upstream: Upstream, index: FakeIndex) -> None:
        index.kinds = (HTML,)
        index.headers = (("X-PyPI-Last-Serial", "12"),)
        index.add("demo", "demo-0.9.tar.gz", b"x", requires_python=">=3.8", yanked=True)
        page = upstream.project(DEMO)
        assert isinstance(page, UpstreamPage)
        wheel, sdist = page.files
        assert wheel.url == f"{index.url}/files/demo/{WHEEL}"
        assert list(wheel.hashes) == ["sha256"]
        assert (wheel.size, wheel.yanked) == (None, False)
        assert wheel.core_metadata
        assert (sdist.yanked, sdist.yanked_reason, sdist.requires_python) == (True, None, ">=3.8")
        assert (page.versions, page.serial, page.api_version) == (None, 12, "1.4")

    def test_json_is_preferred(self, upstream: Upstream, index: FakeIndex) -> None:
        upstream.project(DEMO)
        accepted = index.asked[0].headers["Accept"]
        assert accepted.index(JSON) < accepted.index(HTML)
        assert f"{JSON};" not in accepted

    @pytest.mark.parametrize("kinds", [(JSON,), (HTML,)])
    def test_a_packed_page(self, upstream: Upstream, index: FakeIndex, kinds: tuple[str, ...]) -> None:
        index.kinds, index.encoding = kinds, "gzip"
        assert self.link(upstream).filename.value == WHEEL

    def test_a_project_that_is_not_there(self, upstream: Upstream, index: FakeIndex) -> None:
        assert isinstance(upstream.project(ProjectName("nowhere")), Absent)
        index.fail(Fault(410, (("Cache-Control", "max-age=30"),)))
        gone = upstream.project(DEMO)
        assert isinstance(gone, Absent)
        assert gone.freshness.max_age == 30

    def test_a_page_that_is_what_it_was(self, upstream: Upstream, index: FakeIndex) -> None:
        page = upstream.project(DEMO)
        assert isinstance(page, UpstreamPage)
        again = upstream.project(DEMO, page.freshness.validator)
        assert isinstance(again, NotModified)
        assert again.freshness.validator == page.freshness.validator
        index.add("demo", "demo-2.0.tar.gz", b"new")
        changed = upstream.project(DEMO, page.freshness.validator)
        assert isinstance(changed, UpstreamPage)
        assert len(changed.files) == 2

    def test_a_page_known_by_its_time(self, upstream: Upstream, index: FakeIndex) -> None:
        index.has_etags, index.last_modified = False, "Thu, 01 Jan 2026 00:00:00 GMT"
        page = upstream.project(DEMO)
        assert isinstance(page, UpstreamPage)
        assert page.freshness.validator == Validator(None, "Thu, 01 Jan 2026 00:00:00 GMT")
        assert isinstance(upstream.project(DEMO, page.freshness.validator), NotModified)

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ((), None),
            ((("Cache-Control", "public, max-age=600"),), 600),
            ((("Cache-Control", "max-age=600"), ("Age", "100")), 500),
            ((("Cache-Control", "no-store, max-age=600"),), 0),
            ((("Expires", "Thu, 01 Jan 2026 00:01:00 GMT"), ("Cache-Control", "private")), 0),
            ((("Expires", "0"),), 0),
        ],
    )
    def test_how_long_a_page_is_fresh(
        self, upstream: Upstream, index: FakeIndex, headers: tuple[tuple[str, str], ...], seconds: int | None
    ) -> None:
        index.headers = headers
        page = upstream.project(DEMO)
        assert isinstance(page, UpstreamPage)
        assert page.freshness.max_age == seconds

    @pytest.mark.parametrize("kinds", [(JSON,), (HTML,)])
    def test_t22_hostile_files_are_left_out(self, upstream: Upstream, index: FakeIndex, kinds: tuple[str, ...]) -> None:
        index.kinds = kinds
        for name in HOSTILE:
            index.add("demo", name, b"x")
        for number, url in enumerate(HOSTILE_URLS):
            index.add("demo", f"demo-3.{number}.tar.gz", b"x", url=url)
        page = upstream.project(DEMO)
        assert isinstance(page, UpstreamPage)
        assert [link.filename.value for link in page.files] == [WHEEL]
        assert page.dropped >= len(HOSTILE_URLS)

    @pytest.mark.parametrize(
        "told",
        [
            {"upload-time": "yesterday"},
            {"size": "big"},
            {"size": -5},
            {"gpg-sig": "maybe"},
            {"core-metadata": 7},
            {"provenance": "javascript:x"},
        ],
    )
    def test_what_is_said_wrongly_beside_the_point_is_not_said(
        self, upstream: Upstream, index: FakeIndex, told: dict[str, Any]
    ) -> None:
        index.projects["demo"][WHEEL].told = told
        link = self.link(upstream)
        assert (link.size in {None, len(DATA)}, link.gpg_sig, link.provenance) == (True, None, None)
        assert link.upload_time is None

    @pytest.mark.parametrize(
        "told", [{"yanked": 7}, {"requires-python": 3}, {"requires-python": "\u202e>3"}, {"url": 1}]
    )
    def test_a_file_whose_conditions_cannot_be_read_is_left_out(
        self, upstream: Upstream, index: FakeIndex, told: dict[str, Any]
    ) -> None:
        index.projects["demo"][WHEEL].told = told
        page = upstream.project(DEMO)
        assert isinstance(page, UpstreamPage)
        assert (page.files, page.dropped) == ((), 1)

    def test_older_names_of_metadata(self, upstream: Upstream, index: FakeIndex) -> None:
        index.projects["demo"][WHEEL] = stored = index.add("demo", WHEEL, DATA)
        stored.told = {"dist-info-metadata": {"sha256": "a" * 64}}
        assert self.link(upstream).core_metadata == {"sha256": "a" * 64}

    @pytest.mark.parametrize("kind", BAD_PAGES)
    def test_f22_f23_t24_t25_a_bad_page_is_an_error_and_never_an_absent_one(
        self, upstream: Upstream, index: FakeIndex, kind: str
    ) -> None:
        fault, error = BAD_PAGES[kind]
        index.fault = lambda _path: fault
        with pytest.raises(error):
            upstream.project(DEMO)
        assert {path.rpartition("?")[2] for path in index.paths()} == {"/simple/demo/"}

    @pytest.mark.parametrize(
        "fault", [Fault(silent=True), Fault(dripping="head"), Fault(dripping="body")], ids=["silent", "head", "body"]
    )
    def test_f21_a_slow_page_ends_in_time(self, make: Make, index: FakeIndex, fault: Fault) -> None:
        index.fault = lambda _path: fault
        began = time.monotonic()
        upstream = make(index, seconds=HASTE)
        with pytest.raises(UpstreamTimedOut):
            upstream.project(DEMO)
        assert time.monotonic() - began < LONGEST

    def test_f20_nobody_there(self, make: Make) -> None:
        with upstream_server() as index:
            upstream = make(index)
        with pytest.raises(UpstreamUnreachable):
            upstream.project(DEMO)

    def test_many_at_once(self, upstream: Upstream) -> None:
        with ThreadPoolExecutor(8) as pool:
            pages = list(pool.map(upstream.project, [DEMO] * 24))
        assert all(isinstance(page, UpstreamPage) and len(page.files) == 1 for page in pages)

    # Files

    def test_a_file_comes_whole(self, upstream: Upstream) -> None:
        pieces: list[bytes] = []
        fetched = upstream.fetch(self.link(upstream), pieces.append)
        assert b"".join(pieces) == DATA
        assert (fetched.size, fetched.verified) == (len(DATA), ("sha256",))
        assert max(map(len, pieces)) <= 256 * 1024

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (Fault(body=DATA[:-1] + b"!"), UpstreamDigestMismatch),
            (Fault(body=DATA + b"!"), UpstreamDigestMismatch),
            (Fault(body=DATA[:-1]), UpstreamDigestMismatch),
            (Fault(body=b""), UpstreamDigestMismatch),
            (Fault(headers=(("Content-Type", "text/html"),), body=b"<html>log in</html>"), UpstreamDigestMismatch),
            (Fault(stream=lambda: iter([DATA, b"!" * 65536])), UpstreamDigestMismatch),
            (Fault(cut=len(DATA) - 1), UpstreamUnreachable),
            (Fault(404), UpstreamNonsense),
            (Fault(206), UpstreamNonsense),
            (Fault(500), UpstreamUnreachable),
            (Fault(claimed=9 * 1024 * 1024), UpstreamTooLarge),
        ],
        ids=["byte", "long", "short", "empty", "HTML", "stream", "cut", "404", "206", "500", "claim"],
    )
    def test_t22_nobody_gets_the_whole_of_a_wrong_file(
        self, upstream: Upstream, index: FakeIndex, fault: Fault, error: type[UpstreamError]
    ) -> None:
        link = self.link(upstream)
        index.fault = lambda _path: fault
        pieces: list[bytes] = []
        with pytest.raises(error):
            upstream.fetch(link, pieces.append)
        assert len(b"".join(pieces)) < len(DATA)

    def test_f21_a_slow_file_ends_in_time(self, make: Make, index: FakeIndex) -> None:
        link = self.link(make(index))
        index.fault = lambda _path: Fault(dripping="body")
        began = time.monotonic()
        with pytest.raises(UpstreamTimedOut):
            make(index, seconds=HASTE).fetch(link, list[bytes]().append)
        assert time.monotonic() - began < LONGEST

    def test_a_file_without_a_hash_is_not_asked_for(self, upstream: Upstream, index: FakeIndex) -> None:
        index.projects["demo"][WHEEL].told = {"hashes": {"crc32": "01234567", "sha256": "zz", "md5": "abcdef12"}}
        link = self.link(upstream)
        count = len(index.asked)
        with pytest.raises(UpstreamNonsense, match="hash"):
            upstream.fetch(link, list[bytes]().append)
        assert len(index.asked) == count

    def test_a_file_without_a_hash_is_told_by_its_length(self, upstream: Upstream, index: FakeIndex) -> None:
        index.projects["demo"][WHEEL].told = {"hashes": {}, "size": None}
        link, pieces = self.link(upstream), list[bytes]()
        assert upstream.fetch(link, pieces.append, by_length=True).size == sum(map(len, pieces))
        for fault in (Fault(stream=lambda: iter([b"some"])), Fault(cut=10)):
            index.fail(fault)
            with pytest.raises(UpstreamError):
                upstream.fetch(link, pieces.append, by_length=True)

    def test_every_hash_is_compared(self, upstream: Upstream, index: FakeIndex) -> None:
        right = dict(self.link(upstream).hashes)
        index.projects["demo"][WHEEL].told = {"hashes": {**right, "md5": "0" * 32}}
        with pytest.raises(UpstreamDigestMismatch, match="md5"):
            upstream.fetch(self.link(upstream), list[bytes]().append)

    def test_what_a_sink_raises_is_its_own(self, upstream: Upstream) -> None:
        """And ends the transfer: as often as there could be questions under way, and then once more."""
        link = self.link(upstream)
        for error in (OSError("full"), TimeoutError("slow"), KeyError("x")) * 3:

            def sink(_chunk: bytes, error: Exception = error) -> None:
                raise error

            with pytest.raises(type(error)) as caught:
                upstream.fetch(link, sink)
            assert caught.value is error
        assert upstream.fetch(link, list[bytes]().append).size == len(DATA)

    # What lies beside a file, and parts of it

    def test_metadata(self, upstream: Upstream, index: FakeIndex) -> None:
        link = self.link(upstream)
        assert upstream.metadata(link) == METADATA
        assert index.paths()[-1] == f"/files/demo/{WHEEL}.metadata"
        index.projects["demo"][WHEEL].metadata = METADATA + b"\n"
        with pytest.raises(UpstreamDigestMismatch):
            upstream.metadata(link)
        index.projects["demo"][WHEEL].metadata = bytes(3 * 1024 * 1024)
        with pytest.raises(UpstreamTooLarge):
            upstream.metadata(link)
        index.projects["demo"][WHEEL].metadata = None
        assert isinstance(upstream.metadata(link), Absent)

    def test_parts_of_a_file(self, upstream: Upstream) -> None:
        link = self.link(upstream)
        assert upstream.span(link, 0, 0) == Part(DATA[:1], len(DATA))
        assert upstream.span(link, 10, 4000) == Part(DATA[10:4001], len(DATA))
        assert upstream.span(link, len(DATA) - 5, len(DATA) + 500) == Part(DATA[-5:], len(DATA))
        with pytest.raises(UpstreamNonsense):
            upstream.span(link, len(DATA), len(DATA) + 5)
        for first, last in ((-1, 5), (5, 4), (0, 2**30)):
            with pytest.raises(ValueError, match="span"):
                upstream.span(link, first, last)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(206, (("Content-Range", "bytes 1-10/256000"),), DATA[1:11]),
            Fault(206, (("Content-Range", "bytes 0-10/256000"),), DATA[:11]),
            Fault(206, (("Content-Range", "bytes 0-9/256001"),), DATA[:10]),
            Fault(206, (("Content-Range", "bytes 0-9/*"),), DATA[:10]),
            Fault(206, (("Content-Range", ""),), DATA[:10]),
            Fault(206, body=DATA[:9]),
            Fault(206, body=DATA[:11]),
        ],
    )
    def test_another_part_than_was_asked_for(self, upstream: Upstream, index: FakeIndex, fault: Fault) -> None:
        link = self.link(upstream)
        index.fault = lambda _path: fault
        with pytest.raises((UpstreamNonsense, UpstreamTooLarge)):
            upstream.span(link, 0, 9)

    def test_a_server_without_ranges(self, upstream: Upstream, index: FakeIndex) -> None:
        index.has_ranges = False
        with pytest.raises(UpstreamWithoutRanges):
            upstream.span(self.link(upstream), 0, 9)

    # What it says

    def test_errors_name_the_upstream_and_what_was_asked_for(self, upstream: Upstream, index: FakeIndex) -> None:
        index.fault = lambda _path: Fault(500)
        with pytest.raises(UpstreamError) as caught:
            upstream.project(DEMO)
        assert upstream.name in caught.value.message
        assert "demo" in caught.value.message
        assert caught.value.message == str(caught.value)
        assert json.dumps(upstream.name) == f'"{index.index}"'
