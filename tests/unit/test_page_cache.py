from __future__ import annotations

import gzip
import sys
import threading

import pytest

from pypicloud_lite.serve.cache import Page, PageCache, Rendered
from pypicloud_lite.serve.negotiation import Coding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNPACK = {Coding.ZSTD: zstd.decompress, Coding.GZIP: gzip.decompress}
BODY = b"0123456789abcdef" * 64


@pytest.mark.parametrize("coding", Coding)
def test_a_coding_holds_the_same_page(coding: Coding) -> None:
    packed = Page.of(BODY, 7).encoded(coding)
    assert packed.coding is coding
    assert UNPACK[coding](packed.body) == BODY
    assert len(packed.body) < len(BODY)


def test_each_coding_has_a_strong_etag_of_its_own_that_every_worker_makes() -> None:
    tags = [Page.of(BODY, 7).encoded(coding).etag for coding in (None, *Coding)]
    assert len(set(tags)) == 3
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
    assert [Page.of(BODY, 8).encoded(coding).etag for coding in (None, *Coding)] == tags


@pytest.mark.parametrize("coding", Coding)
def test_a_small_page_stays_as_it_is(coding: Coding) -> None:
    page = Page.of(b"x" * 499, 7)
    assert page.encoded(coding) is page.plain
    assert page.cost == 499


def test_a_coding_is_made_when_it_is_first_wanted_and_then_kept() -> None:
    page = Page.of(BODY, 7)
    assert page.encoded(None) is page.plain
    assert page.cost == len(BODY)
    grown: list[int] = []
    page.when_it_grows(grown.append)
    packed = [page.encoded(coding) for coding in Coding]
    assert [page.encoded(coding) for coding in Coding] == packed
    assert grown == [len(rendered.body) for rendered in packed]
    assert page.cost == len(BODY) + sum(grown)


def test_threads_that_want_the_same_coding_at_once_get_the_same_bytes_counted_once() -> None:
    page, grown, got = Page.of(BODY * 500, 7), list[int](), list[Rendered]()
    page.when_it_grows(grown.append)
    barrier = threading.Barrier(8)

    def want() -> None:
        barrier.wait()
        got.append(page.encoded(Coding.GZIP))

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(rendered) for rendered in got}) == 1
    assert grown == [len(got[0].body)]


class Drawn:
    """Draws pages for a cache, and counts how many it had to."""

    def __init__(self, max_bytes: int) -> None:
        self.cache = PageCache(max_bytes)
        self.count = 0

    def get(self, key: str, revision: int = 1, body: bytes = BODY) -> Page:
        return self.cache.get(key, revision, lambda: self._draw(body))

    def kept(self, *keys: str) -> list[bool]:
        """Whether each is kept; what is not is drawn, so ask for one that may be gone last."""
        answers = []
        for key in keys:
            before = self.count
            self.get(key)
            answers.append(self.count == before)
        return answers

    def _draw(self, body: bytes) -> Page:
        self.count += 1
        return Page.of(body, self.count)


def test_a_page_is_kept_while_its_revision_is_true() -> None:
    drawn = Drawn(100_000)
    first = drawn.get("a")
    assert drawn.get("a") is first
    assert drawn.get("a", 2) is not first
    assert drawn.count == 2


def test_the_least_recently_used_page_goes_first() -> None:
    drawn = Drawn(4 * len(BODY))
    for key in "abcd":
        drawn.get(key)
    drawn.get("a")
    drawn.get("e")
    assert drawn.kept("a", "c", "d", "e", "b") == [True, True, True, True, False]


def test_a_page_larger_than_a_quarter_of_the_room_is_not_kept() -> None:
    drawn = Drawn(4 * len(BODY) - 1)
    drawn.get("a")
    assert drawn.kept("a") == [False]


def test_a_coding_takes_room_that_the_oldest_page_gives_up() -> None:
    drawn = Drawn(5 * len(BODY))
    for key in "abcde":
        drawn.get(key)
    drawn.get("e").encoded(Coding.ZSTD)
    assert drawn.kept("b", "c", "d", "e", "a") == [True, True, True, True, False]


def test_a_coding_that_makes_a_page_larger_than_a_quarter_drops_it() -> None:
    drawn = Drawn(4 * len(BODY))
    page = drawn.get("a")
    drawn.get("b")
    assert UNPACK[Coding.GZIP](page.encoded(Coding.GZIP).body) == BODY
    assert drawn.kept("b", "a") == [True, False]


def test_a_coding_of_a_page_that_was_replaced_is_not_counted() -> None:
    drawn = Drawn(4 * len(BODY))
    old = drawn.get("a", 0)
    for key in "abcd":
        drawn.get(key)
    old.encoded(Coding.ZSTD)
    old.encoded(Coding.GZIP)
    assert drawn.kept(*"abcd") == [True] * 4


def test_what_is_dropped_gives_all_its_room_back() -> None:
    drawn = Drawn(10 * len(BODY))
    for number in range(50):
        page = drawn.get(f"old-{number}")
        for coding in Coding:
            page.encoded(coding)
    for number in range(10):
        drawn.get(f"new-{number}")
    assert drawn.kept(*(f"new-{number}" for number in range(10))) == [True] * 10
