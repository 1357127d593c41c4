"""What a page weighs on the wire for somebody who comes for the first time, and that nothing moves while it loads."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_wheel

MOST_BYTES = 100_000


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    """A release of a hundred files."""
    for number in range(100):
        wheel = build_wheel("large", "1.0", platform_tag=f"manylinux_2_17_x86_64.plat{number}", summary="many files")
        publish(wheel)


@pytest.mark.parametrize("path", ["/", "/project/large/", "/search?q=large"])
def test_a_page_weighs_little_and_stays_where_it_is(visit, path):
    visit.log_in("reader")
    wire = visit.page.context.new_cdp_session(visit.page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    received = []
    wire.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page = visit.go(path)
    page.wait_for_load_state("networkidle")
    assert len(received) >= 3  # the page, its style, its script
    assert sum(received) < MOST_BYTES
    assert page.evaluate("window.shifts") == []
