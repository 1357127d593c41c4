"""What every upstream promises of its list of all projects: a part of :class:`.upstream.UpstreamContract`."""

from __future__ import annotations

import time
from typing import Protocol

import pytest

from pypicloud_lite.kernel.errors import UpstreamTimedOut
from pypicloud_lite.testing.bad_upstream_pages import BAD_LISTS
from pypicloud_lite.testing.upstream_server import HTML, JSON, FakeIndex, Fault
from pypicloud_lite.upstream.port import Absent, NotModified, Upstream, UpstreamNames

HASTE, LONGEST = 0.3, 5.0
"""Seconds that something may take which takes too long, and when it must have ended on a busy machine."""


class Make(Protocol):
    """Makes an upstream that asks an index, and whose waits are this long."""

    def __call__(self, index: FakeIndex, *, seconds: float = 30.0) -> Upstream: ...


class NamesContract:
    """The fixtures are those of :class:`.upstream.UpstreamContract`."""

    @pytest.mark.parametrize("encoding", ["", "gzip"])
    @pytest.mark.parametrize("kinds", [(JSON,), (HTML,)])
    def test_every_project(self, upstream: Upstream, index: FakeIndex, kinds: tuple[str, ...], encoding: str) -> None:
        index.kinds, index.encoding = kinds, encoding
        index.projects |= {name: {} for name in ("Zebra", "zebra", "Apple_Pie", "<b>", "../x", "x" * 200)}
        listed = upstream.names()
        assert isinstance(listed, UpstreamNames)
        assert list(listed.names) == ["apple-pie", "demo", "zebra"]
        assert (listed.names.count, listed.dropped) == (3, 4)
        assert index.paths() == ["/simple/"]

    def test_every_project_of_an_index_without_any(self, upstream: Upstream, index: FakeIndex) -> None:
        index.projects.clear()
        listed = upstream.names()
        assert isinstance(listed, UpstreamNames)
        assert (list(listed.names), listed.dropped) == ([], 0)

    def test_an_index_that_lists_no_projects(self, upstream: Upstream, index: FakeIndex) -> None:
        for status in (404, 410):
            index.fail(Fault(status))
            assert isinstance(upstream.names(), Absent)

    def test_a_list_that_is_what_it_was(self, upstream: Upstream, index: FakeIndex) -> None:
        listed = upstream.names()
        assert isinstance(listed, UpstreamNames)
        again = upstream.names(listed.freshness.validator)
        assert isinstance(again, NotModified)
        assert again.freshness.validator == listed.freshness.validator
        index.projects["new"] = {}
        changed = upstream.names(listed.freshness.validator)
        assert isinstance(changed, UpstreamNames)
        assert changed.names.digest != listed.names.digest

    @pytest.mark.parametrize("kind", BAD_LISTS)
    def test_f22_f23_t24_t25_a_bad_list_is_an_error_and_never_an_empty_one(
        self, upstream: Upstream, index: FakeIndex, kind: str
    ) -> None:
        fault, error = BAD_LISTS[kind]
        index.fault = lambda _path: fault
        with pytest.raises(error) as caught:
            upstream.names()
        assert upstream.name in caught.value.message

    @pytest.mark.parametrize(
        "fault", [Fault(silent=True), Fault(dripping="head"), Fault(dripping="body")], ids=["silent", "head", "body"]
    )
    def test_f21_a_slow_list_ends_in_time(self, make: Make, index: FakeIndex, fault: Fault) -> None:
        index.fault = lambda _path: fault
        began = time.monotonic()
        with pytest.raises(UpstreamTimedOut):
            make(index, seconds=HASTE).names()
        assert time.monotonic() - began < LONGEST
