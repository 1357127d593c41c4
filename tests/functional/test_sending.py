"""``PUSH`` with ``posturl``: what goes to another server, and what is refused before anything does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.upstream_server import FakeIndex
from pypicloud_lite.testing.world import JSON, World, user_settings

WHEEL, SDIST = build_wheel("labpkg", "1.0"), build_sdist("labpkg", "1.0")
DEV, LAB = IndexName("writer", "dev"), ProjectName("labpkg")
BOSS, AUTHOR = Identity("boss", roles=frozenset({Role.ADMIN})), Author("boss")
WANTED = {"name": "labpkg", "version": "1.0", "username": "writer", "password": "writer-pw"}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("elsewhere")
    settings = {**user_settings(), "db.url": f"sqlite:///{folder}/other.sqlite", "storage.dir": str(folder / "o")}
    with LiveServer(folder / "server", settings, workers=1) as server:
        yield server


MakeSender = Callable[..., World]


@pytest.fixture
def make_sender(make_world: Callable[..., World], elsewhere: LiveServer) -> MakeSender:
    """``make_sender()``: a world that may send there, with ``writer/dev``; made again it has that still."""

    def make(settings: dict[str, str] | None = None) -> World:
        world = make_world({"upstream.file_hosts": f"127.0.0.1:{elsewhere.port}", **(settings or {})})
        world.app.lint = False
        world.send("PUT", "/writer/dev", "writer", (200, 409), {})
        return world

    return make


@pytest.fixture
def world(make_sender: MakeSender) -> World:
    world = make_sender()
    for artifact in (WHEEL, SDIST):
        world.upload(artifact, path="/writer/dev/")
    return world


@pytest.fixture
def push(elsewhere: LiveServer) -> Callable[..., Any]:
    """The answer of a push there."""

    def push(
        world: World, user: str | None = "writer", status: int = 200, index: str = "writer/dev", **more: Any
    ) -> Any:
        wanted = {**WANTED, "posturl": f"{elsewhere.url}/", **more}
        return world.send("PUSH", f"/{index}", user, status, wanted, Accept="application/json").json

    return push


Push = Callable[..., Any]


def set_status(world: World, status: ProjectStatus) -> None:
    world.services.statuses.set(DEV, LAB, status, None, BOSS, AUTHOR)


def test_what_is_quarantined_is_not_sent(world: World, push: Push) -> None:
    set_status(world, ProjectStatus.QUARANTINED)
    assert "labpkg in writer/dev is quarantined" in push(world, status=404)["message"]
    set_status(world, ProjectStatus.ARCHIVED)
    assert [row[:3] for row in push(world)["result"]] == [
        [200, "upload", WHEEL.filename],
        [200, "upload", SDIST.filename],
    ]


def test_documentation_alone_is_not_sent(world: World, push: Push) -> None:
    assert "only_docs" in push(world, status=400, only_docs=True)["message"]


@pytest.mark.parametrize("only_docs", [False, True])
def test_who_may_not_know_of_it_hears_no_more(world: World, push: Push, only_docs: bool) -> None:
    world.send("PATCH", "/writer/dev", "writer", 200, ["acl_read=writer"])
    push(world, None, 401, only_docs=only_docs)
    for index, user in (("writer/nowhere", "writer"), ("writer/dev", "reader")):
        assert "no index" in push(world, user, 404, index, only_docs=only_docs)["message"]


def test_nothing_is_sent_of_what_is_not_there(world: World, push: Push) -> None:
    assert "no labpkg 9.0" in push(world, status=404, version="9.0")["message"]
    assert "no other 1.0" in push(world, status=404, name="other")["message"]


def test_bytes_that_are_missing_are_told_of_beside_what_went(world: World, push: Push) -> None:
    with world.services.catalog.read() as catalog:
        row = catalog.file(DEV, SDIST.filename)
    assert row is not None
    world.services.storage.delete(row.key)
    answer = push(world, status=502)
    (went, missing) = answer["result"]
    assert went[:3] == [200, "upload", WHEEL.filename]
    assert missing[:3] == [502, "upload", SDIST.filename]
    assert "is missing in the storage" in missing[3]
    assert row.key.value not in str(answer)


def test_a_storage_that_is_away_is_told_of_beside_what_went(
    world: World, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = type(world.services.storage)
    open_it = storage.open

    def failing(self: Any, key: Any, *more: Any) -> Any:
        if key.value.endswith(".tar.gz"):
            raise StorageUnavailable("The storage is away: try again later")
        return open_it(self, key, *more)

    monkeypatch.setattr(storage, "open", failing)
    (went, away) = push(world, status=502)["result"]
    assert went[:3] == [200, "upload", WHEEL.filename]
    assert away == [502, "upload", SDIST.filename, "The storage is away: try again later"]


def test_rules_of_a_mirror_hold(make_sender: MakeSender, push: Push, upstream_index: FakeIndex) -> None:
    upstream_index.add("labpkg", WHEEL.filename, WHEEL.data)
    settings = {
        "index.mirror_hosts": upstream_index.url.partition("://")[2],
        "pypi.cache_update": "authenticated",
    }
    world = make_sender(settings)
    world.services.first_rebuild().settle_trivial()
    world.send("PUT", "/root/one", "admin", 200, {"type": "mirror", "mirror_url": upstream_index.index})
    assert [row[:3] for row in push(world, index="root/one")["result"]] == [[200, "upload", WHEEL.filename]]
    ruled = make_sender({**settings, "mirror.deny": "labpkg ==1.0"})
    assert ruled.get("/root/one/+simple/labpkg/", Accept=JSON).json["files"] == []
    assert "mirror.deny" in push(ruled, status=403, index="root/one")["message"]
