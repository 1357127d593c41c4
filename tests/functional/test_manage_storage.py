"""The page of the room that files take, and its chart."""

from __future__ import annotations

import shutil

import pytest

from pypicloud_lite.browse.manage.storage_chart import storage_chart
from pypicloud_lite.catalog.model import Amount, Origin, ProjectSpace
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.catalog_values import file_record
from pypicloud_lite.testing.world import PASSWORDS
from pypicloud_lite.web.pages import human_size

HTML = {"Accept": "text/html,application/xhtml+xml"}
PAGE = "/manage/storage"


def log_in(world, user="admin"):
    world.app.reset()
    world.app.post("/login", {"username": user, "password": PASSWORDS[user]}, headers=HTML, status=303)


def see(world, path=PAGE, status=200):
    return world.app.get(path, headers=HTML, status=status)


def text(page):
    return " ".join(page.text.partition("<main")[2].split())


def test_it_is_for_administrators(world):
    see(world, status=302)
    log_in(world, "writer")
    see(world, status=403)
    log_in(world)
    page = text(see(world))
    assert "0 B in 0 files of 0 projects" in page
    assert "There is no file here yet." in page
    assert "<svg" not in page


def test_what_is_used_and_what_is_free(world, add_rows, tmp_path):
    record = file_record("big-1.0.tar.gz", index=world.services.index, size=3_000_000)
    add_rows(world, "big", [record, file_record("big-2.0.tar.gz", origin=Origin.CACHE, size=1_000_000)])
    add_rows(world, "small", [file_record("small-1.0.tar.gz", origin=Origin.IMPORT, size=1000)])
    log_in(world)
    page = text(see(world))
    total = human_size(shutil.disk_usage(tmp_path).total)
    assert "4.0 MB in 3 files of 2 projects; " in page
    assert f"of {total} are free on their disk" in page
    assert "<dt>Uploaded</dt><dd>3.0 MB" in page
    assert "<dt>Cached from upstream</dt><dd>1.0 MB" in page
    assert 'href="/manage/projects/big">big</a></td><td class="short">4.0 MB</td><td>2</td>' in page
    assert "big 4.0 MB, small 1.0 kB</desc>" in page
    assert 'width="25.0%"' in page
    assert " style=" not in page


def test_it_is_paged_at_a_cost_that_does_not_grow(world, add_rows, queries):
    add_rows(world, "p", [file_record("p-1.0.tar.gz", size=1)])
    log_in(world)
    see(world)
    with queries(world) as few:
        see(world)
    for number in range(60):
        name = f"n{number:02}"
        add_rows(world, name, [file_record(f"{name}-1.0.tar.gz", size=1000 + number)])
    with queries(world) as many:
        first = see(world)
    assert len(few) == len(many) <= 5
    assert ">n59</a>" in first
    assert ">n09</a>" not in first.text
    second = first.click("Smaller")
    assert ">n09</a>" in second
    assert ">p</a>" in second
    assert "61 projects" in second
    assert ">n59</a>" in second.click("Larger")
    see(world, f"{PAGE}?page=3", 404)
    for wrong in ("0", "x", "-1", "99999", "%00", "²"):
        see(world, f"{PAGE}?page={wrong}", 400)


def test_a_bucket_has_no_disk(make_world, s3_options):
    world = make_world({"pypi.storage": "s3", **s3_options})
    log_in(world)
    assert "free on their disk" not in see(world).text


def project(name, size, cached=0):
    return ProjectSpace(ProjectName(name), name, Amount(1, size), Amount(1, cached))


def test_bars_are_told_by_the_largest():
    chart = storage_chart([project("a" * 90, 1000), project("b", 500, 100), project("c", 1), project("d", 0)])
    assert [(bar.width, bar.cached_width) for bar in chart.bars] == [(100, 0), (50, 10), (0.3, 0)]
    assert [len(bar.label) for bar in chart.bars] == [32, 1, 1]
    assert len({bar.top for bar in chart.bars}) == 3
    assert chart.height > chart.bars[-1].top
    assert chart.has_cached


@pytest.mark.parametrize(("many", "drawn"), [(0, 0), (5, 5), (50, 10)])
def test_so_many_bars(many, drawn):
    chart = storage_chart([project(f"p{number}", 10) for number in range(many)])
    assert len(chart.bars) == drawn
    assert not chart.has_cached
