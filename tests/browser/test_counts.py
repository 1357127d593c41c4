"""The chart of downloads, on a screen and on a phone, in light and dark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from pypicloud_lite.catalog.tables import projects
from pypicloud_lite.downloads.tables import downloads
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.databases import open_database


@pytest.fixture(scope="module", autouse=True)
def packages(publish, server):
    """Two projects, one of them downloaded on most of the last 40 days."""
    for name, version in (("much-used", "1.0"), ("much-used", "1.1"), ("never-used", "1.0")):
        publish(build_wheel(name, version))
    database = open_database(f"sqlite:///{server.folder}/data/catalog.sqlite")
    today = datetime.now(UTC).date()
    with database.write() as connection:
        used = connection.execute(select(projects.c.id).where(projects.c.name == "much-used")).scalar_one()
        rows = [
            {"project_id": used, "version": version, "day": today - timedelta(days=day), "count": (day * 37) % 90 + 1}
            for day in range(40)
            for version in ("1.0", "1.1")
            if day % 6
        ]
        connection.execute(insert(downloads), rows)
    database.dispose()


def test_downloads_are_a_number_and_a_chart(visit):
    visit.log_in("reader")
    page = visit.go("/project/much-used/")
    chart = page.get_by_role("img", name="Downloads a day")
    assert chart.locator("rect").count() == 25
    box = chart.bounding_box()
    assert box["width"] > 150
    assert box["height"] < 70
    assert "in 30 days" in page.locator("aside").text_content()
    assert "downloads" in page.locator("h2#versions + ul li").first.text_content()
    visit.shoot("counts")
    assert "None yet" in visit.go("/project/never-used/").locator("aside").text_content()
