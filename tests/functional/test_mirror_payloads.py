"""T12: whatever an index upstream may say, no page has another element or attribute for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.hostile_texts import HARMLESS, HOSTILE, Skeleton
from pypicloud_lite.testing.upstream_server import FakeIndex, Fault, upstream_server
from pypicloud_lite.testing.world import PASSWORDS, MovingClock, World

HTML = {"Accept": "text/html,application/xhtml+xml"}
PLAIN = build_wheel("demo", "1.0")
SDIST = build_sdist("demo", "1.0")
OTHER = build_wheel("other", "1.0")


def fill(index: FakeIndex, payload: str) -> None:
    """An index that says ``payload`` wherever it can say anything."""
    names = ("Author", "Author-email", "Maintainer", "License", "Keywords", "Home-page", "Classifier", "Platform")
    headers = [(name, payload) for name in names] + [("Project-URL", f"{payload}, {payload}")]
    headers.append(("Description-Content-Type", "text/plain"))
    wheel = build_wheel("demo", "1.0", summary=payload, headers=headers, description=payload)
    # What of a page cannot be printed is left out, and so are its files.
    said = payload if payload.isprintable() else HARMLESS
    told = {"yanked": said, "requires_python": said, "provenance": said, "gpg_sig": said}
    index.add("demo", wheel.filename, wheel.data, **told)
    index.add("demo", SDIST.filename, SDIST.data, **told, upload_time=payload)
    index.add("demo", f"demo-{payload}.tar.gz", b"x")
    index.add("other", OTHER.filename, OTHER.data, metadata=payload.encode())
    index.told = {"project-status": {"status": "archived", "reason": said}, "versions": [payload]}


def pages(world: World, index: FakeIndex, clock: MovingClock, payload: str, wait: Callable) -> dict[str, object]:
    """Address to skeleton, of every page that shows something of the upstream; when it answers, and when it fails."""
    world.app.post("/login", {"username": "admin", "password": PASSWORDS["admin"]}, headers=HTML, status=303)
    found = {}

    def look(state: str, *paths: str) -> None:
        for path in paths:
            answer = world.app.get(path, headers=HTML, status="*")
            assert answer.content_type == "text/html", path
            found[state, path] = (answer.status_int, Skeleton(answer.text).bones)

    files = [f"/project/demo/1.0/{one.filename}/" for one in (PLAIN, SDIST)]
    shown = ("/project/demo/", "/project/demo/1.0/", "/project/other/", *files, "/manage/mirror?project=demo")
    look("answers", *shown)
    for one in (PLAIN, SDIST):
        world.app.get(f"/packages/root/pypi/demo/{one.filename}")
        wait(world, one.filename)
    look("kept", *shown, "/manage/storage")
    index.fault = lambda _path: Fault(status=500, headers=(("X-Why", "x"),), body=payload.encode())
    clock.advance(hours=9)
    look("fails", *shown, "/project/never/", "/project/never/1.0/never-1.0.tar.gz/")
    index.fault = lambda _path: Fault(body=payload.encode())
    clock.advance(hours=9)
    look("talks nonsense", *shown, "/project/never-again/")
    index.fault = lambda _path: None
    index.told = {"project-status": {"status": "quarantined", "reason": payload}}
    clock.advance(hours=9)
    look("is in quarantine", "/project/demo/")
    return found


@pytest.fixture
def draw(tmp_path: Path, wait_for: Callable, is_kept: Callable) -> Callable[[str], dict[str, object]]:
    """Draws all pages with a text."""

    def pages_with(payload: str) -> dict[str, object]:
        folder, clock = tmp_path / str(len(list(tmp_path.iterdir()))), MovingClock()
        folder.mkdir()
        with upstream_server() as index:
            fill(index, payload)
            settings = {"pypi.fallback": "cache", "pypi.fallback_base_url": index.url}
            world = World(folder, settings, clock)
            world.services.first_rebuild().settle_trivial()
            try:
                return pages(world, index, clock, payload, lambda *what: wait_for(lambda: is_kept(*what)))
            finally:
                world.close()

    return pages_with


def test_T12_no_page_has_another_element_for_what_an_upstream_says(draw: Callable) -> None:
    # All at once, as a page that falls for one of them has another element; texts as long are shown in the same places.
    printable, others = ([text for text in HOSTILE if text.isprintable() is able] for able in (True, False))
    harmless = draw(" ".join([HARMLESS] * 20))
    assert {status for status, _ in harmless.values()} == {200, 404, 502}
    for payload in (" ".join(printable), " ".join(others * 20)):
        found = draw(payload)
        assert found.keys() == harmless.keys()
        for place, told in found.items():
            assert told == harmless[place], (payload, place)
