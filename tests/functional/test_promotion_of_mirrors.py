"""Out of a mirror goes what it shows: what its rules let through, with the marks that the other index gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex
from pypicloud_lite.testing.world import JSON, MovingClock, World

WHEEL, SDIST, NEWER = build_wheel("demo", "1.0"), build_sdist("demo", "1.0"), build_wheel("demo", "2.0")
ONE, PROD, DEMO = IndexName("root", "one"), IndexName("writer", "prod"), ProjectName("demo")
BOSS, AUTHOR = Identity("boss", roles=frozenset({Role.ADMIN})), Author("boss")

MakeMirror = Callable[..., World]


@pytest.fixture
def index(upstream_index: FakeIndex) -> FakeIndex:
    """With two files of one release, and one of the next."""
    for artifact in (WHEEL, SDIST, NEWER):
        upstream_index.add("demo", artifact.filename, artifact.data)
    return upstream_index


@pytest.fixture
def make_mirror(make_world: Callable[..., World], index: FakeIndex, clock: MovingClock) -> MakeMirror:
    """``make_mirror()``: a world with ``root/one`` over that index and ``writer/prod``; made again it has both still."""

    def make(settings: dict[str, str] | None = None, **options: Any) -> World:
        raw = {"index.mirror_hosts": index.url.partition("://")[2], "pypi.cache_update": "authenticated"}
        world = make_world({**raw, **(settings or {})}, clock=clock)
        world.services.first_rebuild().settle_trivial()
        given = {"type": "mirror", "mirror_url": index.index, "mirror_cache_expiry": 0, **options}
        world.send("PUT", "/root/one", "admin", (200, 409), given)
        world.send("PUT", "/writer/prod", "writer", (200, 409), {"volatile": False})
        return world

    return make


@pytest.fixture
def fetched(make_mirror: MakeMirror) -> World:
    """All files are here already, and nothing is promoted."""
    world = make_mirror()
    ask(world, version=None, dry_run=True)
    with world.services.catalog.read() as catalog:
        assert len(catalog.files(ONE, DEMO)) == 3
    return world


def ask(world: World, user: str = "writer", status: int = 200, **more: Any) -> Any:
    wanted = {"source": "root/one", "target": "writer/prod", "project": "demo", "version": "1.0", **more}
    return world.send("POST", "/api/promote", user, status, wanted).json


def refused(world: World, status: int, **more: Any) -> str:
    """The same refusal in a dry run; nothing came."""
    dry, real = (ask(world, status=status, **more, dry_run=dry_run)["message"] for dry_run in (True, False))
    assert dry == real
    assert promoted(world) == {}
    return str(real)


def promoted(world: World) -> dict[str, Any]:
    with world.services.catalog.read() as catalog:
        return {str(one.filename): one for one in catalog.files(PROD, DEMO)}


def marks(world: World, index: str) -> dict[str, Any]:
    """What its page says of yanks."""
    page = world.get(f"/{index}/+simple/demo/", "reader", Accept=JSON).json
    return {one["filename"]: one["yanked"] for one in page["files"]}


def test_what_is_listed_is_fetched_and_goes(fetched: World) -> None:
    assert {one["filename"] for one in ask(fetched)} == {WHEEL.filename, SDIST.filename}
    assert set(promoted(fetched)) == {WHEEL.filename, SDIST.filename}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"mirror.deny": "demo ==1.0"}, "mirror.deny"),
        ({"mirror.allow": "demo >=2"}, "mirror.allow"),
        ({"mirror.deny": "demo"}, "mirror.deny"),
        ({"pypi.disallow_fallback": "demo"}, "passes nothing on"),
        ({"mirror.min_age": "3 days"}, "mirror.min_age"),
    ],
)
@pytest.mark.usefixtures("fetched")
def test_rules_hold_for_what_is_here(make_mirror: MakeMirror, settings: dict[str, str], named: str) -> None:
    world = make_mirror(settings)
    assert named in refused(world, 403)
    assert named in refused(world, 403, filenames=[WHEEL.filename])


@pytest.mark.usefixtures("fetched")
def test_what_a_rule_lets_through_goes_alone(make_mirror: MakeMirror) -> None:
    world = make_mirror({"mirror.packagetypes": "sdist"})
    assert "mirror.packagetypes" in refused(world, 403, filenames=[WHEEL.filename, SDIST.filename])
    ask(world)
    assert set(promoted(world)) == {SDIST.filename}


def test_a_rule_holds_for_what_is_not_here_yet(make_mirror: MakeMirror) -> None:
    world = make_mirror({"mirror.deny": "demo ==1.0"})
    assert "whether a rule keeps it back" in refused(world, 404)


def test_what_is_quarantined_there_stays(fetched: World, index: FakeIndex) -> None:
    index.told = {"project-status": {"status": "quarantined", "reason": "malware"}}
    assert "demo in root/one is quarantined (malware)" in refused(fetched, 404)


def test_what_is_quarantined_here_stays(fetched: World) -> None:
    fetched.services.statuses.set(ONE, DEMO, ProjectStatus.QUARANTINED, None, BOSS, AUTHOR)
    assert "demo in root/one is quarantined" in refused(fetched, 404)


def test_what_is_not_listed_any_more_stays(fetched: World, index: FakeIndex) -> None:
    del index.projects["demo"][WHEEL.filename]
    assert WHEEL.filename in refused(fetched, 404, filenames=[WHEEL.filename])
    ask(fetched)
    assert set(promoted(fetched)) == {SDIST.filename}


def test_of_a_name_that_is_ours_nothing_is_asked_or_given(fetched: World, index: FakeIndex) -> None:
    fetched.upload(build_wheel("demo", "0.1"))
    asked = len(index.asked)
    refused(fetched, 404)
    assert len(index.asked) == asked


def test_callers_for_whom_nothing_is_fetched(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror({"pypi.cache_update": "admin"})
    asked = len(index.asked)
    refused(world, 404)
    assert len(index.asked) == asked
    ask(world, "admin", version="1.0", filenames=[WHEEL.filename], dry_run=True)
    ask(world)
    assert set(promoted(world)) == {WHEEL.filename}


def test_a_yank_goes_along(fetched: World, index: FakeIndex) -> None:
    index.add("demo", WHEEL.filename, WHEEL.data, yanked="broken")
    index.add("demo", SDIST.filename, SDIST.data, yanked=True)
    ask(fetched, version=None)
    assert marks(fetched, "root/one") == marks(fetched, "writer/prod")
    assert marks(fetched, "writer/prod") == {WHEEL.filename: "broken", SDIST.filename: True, NEWER.filename: False}
    # Its manifest says so too.
    fetched.services.resync()
    assert promoted(fetched)[WHEEL.filename].yanked_reason == "broken"


def test_a_move_loses_no_yank(make_mirror: MakeMirror, index: FakeIndex) -> None:
    world = make_mirror(volatile=True)
    ask(world)
    index.add("demo", WHEEL.filename, WHEEL.data, yanked="broken")
    message = ask(world, "admin", 409, move=True)["message"]
    assert f"{WHEEL.filename} is yanked in root/one and not in writer/prod" in message
