"""What a promotion may not do, in a dry run in the same words: statuses, documentation, strict targets, yanks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.catalog.model import AttachmentKind, ProjectStatus
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.publish.promotion import PromotionRequest
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel, zip_bytes
from pypicloud_lite.testing.world import World, basic

WHEEL, SDIST = build_wheel("labpkg", "1.0"), build_sdist("labpkg", "1.0")
DEV, PROD, LAB = IndexName("writer", "dev"), IndexName("writer", "prod"), ProjectName("labpkg")
BOSS, AUTHOR = Identity("boss", roles=frozenset({Role.ADMIN})), Author("boss")
DOCS, OTHER_DOCS = zip_bytes({"index.html": b"<p>docs"}), zip_bytes({"index.html": b"<p>other docs"})
ONLY_DOCS = {"name": "labpkg", "version": "1.0", "targetindex": "writer/prod", "only_docs": True}


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    world = make_world()
    world.app.lint = False
    world.send("PUT", "/writer/dev", "writer", 200, {})
    world.send("PUT", "/writer/prod", "writer", 200, {"volatile": False})
    for artifact in (WHEEL, SDIST):
        world.upload(artifact, path="/writer/dev/")
    return world


def ask(world: World, user: str = "writer", status: int = 200, **more: Any) -> Any:
    wanted = {"source": "writer/dev", "target": "writer/prod", "project": "labpkg", "version": "1.0", **more}
    return world.send("POST", "/api/promote", user, status, wanted).json


def ask_both(world: World, status: int, **more: Any) -> str:
    """The refusal, which is the same without ``dry_run`` and with it; nothing has changed."""
    before = tidy(world)
    dry, real = (ask(world, status=status, **more, dry_run=dry_run)["message"] for dry_run in (True, False))
    assert dry == real
    assert tidy(world) == before
    return str(real)


def tidy(world: World) -> list[str]:
    return sorted(info.key.value for info in world.services.storage.list("writer"))


def files(world: World, index: IndexName) -> dict[str, Any]:
    with world.services.catalog.read() as catalog:
        return {str(one.filename): one for one in catalog.files(index, LAB) if one.is_listed}


def docs(world: World, index: IndexName) -> list[str]:
    return [one.filename for one in world.services.attachments.of([index], LAB) if one.kind is AttachmentKind.DOCZIP]


def attach(world: World, index: str = "writer/dev", data: bytes = DOCS) -> None:
    form = {":action": "doc_upload", "name": "labpkg", "version": "1.0"}
    headers = {"Authorization": basic("writer")}
    world.app.post(f"/{index}/", form, upload_files=[("content", "docs.zip", data)], headers=headers)


def set_status(world: World, index: IndexName, status: ProjectStatus) -> None:
    world.services.statuses.set(index, LAB, status, "for now", BOSS, AUTHOR)


def yank(world: World, index: IndexName, reason: str = "broken") -> None:
    world.services.yanking.yank(Selection(index, LAB, filename=WHEEL.filename), BOSS, AUTHOR, reason)


@pytest.mark.parametrize("status", [ProjectStatus.ARCHIVED, ProjectStatus.QUARANTINED])
def test_a_target_that_takes_nothing(world: World, status: ProjectStatus) -> None:
    ask(world, filenames=[SDIST.filename])
    set_status(world, PROD, status)
    assert f"is {status} (for now) and takes no uploads" in ask_both(world, 403)
    assert set(files(world, PROD)) == {SDIST.filename}


def test_a_quarantined_source_gives_nothing(world: World) -> None:
    attach(world)
    set_status(world, DEV, ProjectStatus.QUARANTINED)
    assert "labpkg in writer/dev is quarantined (for now)" in ask_both(world, 404)
    world.send("PUSH", "/writer/dev", "writer", 404, ONLY_DOCS)
    assert (files(world, PROD), docs(world, PROD)) == ({}, [])


@pytest.mark.parametrize("status", [ProjectStatus.ARCHIVED, ProjectStatus.DEPRECATED])
def test_an_archived_source_gives(world: World, status: ProjectStatus) -> None:
    attach(world)
    set_status(world, DEV, status)
    ask(world, dry_run=True)
    ask(world)
    assert set(files(world, PROD)) == {WHEEL.filename, SDIST.filename}
    assert docs(world, PROD)


def test_a_source_that_is_quarantined_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    copying = world.services.promotion._copying
    stored_one = copying._stored

    def quarantining(*arguments: Any) -> Any:
        set_status(world, DEV, ProjectStatus.QUARANTINED)
        return stored_one(*arguments)

    monkeypatch.setattr(copying, "_stored", quarantining)
    ask(world, status=404)
    assert files(world, PROD) == {}
    assert list(world.services.storage.list("writer/prod")) == []


def test_documentation_alone_respects_the_target(world: World) -> None:
    attach(world)
    ask(world, filenames=[SDIST.filename])
    for one in world.services.attachments.of([PROD], LAB):
        world.services.attachments._attaching.remove([one], AUTHOR)
    set_status(world, PROD, ProjectStatus.ARCHIVED)
    assert "takes no uploads" in world.send("PUSH", "/writer/dev", "writer", 403, ONLY_DOCS).text
    assert docs(world, PROD) == []
    set_status(world, PROD, ProjectStatus.ACTIVE)
    world.send("PUSH", "/writer/dev", "writer", 200, ONLY_DOCS)
    assert len(docs(world, PROD)) == 1


@pytest.mark.parametrize("only_docs", [False, True])
def test_documentation_does_not_come_into_a_target_that_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch, only_docs: bool
) -> None:
    attach(world)
    world.send("PATCH", "/writer/prod", "writer", 200, ["volatile=True"])
    storage = type(world.services.storage)
    open_it = storage.open

    def removing(self: Any, key: Any, *more: Any) -> Any:
        if key.value.endswith(".zip"):
            world.services.indexes.remove(PROD, BOSS, AUTHOR)
        return open_it(self, key, *more)

    monkeypatch.setattr(storage, "open", removing)
    wanted = PromotionRequest(DEV, PROD, LAB, "1.0", only_docs=only_docs)
    with pytest.raises(NotFound, match="removed just now"):
        world.services.promotion.promote(wanted, BOSS, AUTHOR)
    assert docs(world, PROD) == []


def test_other_documentation_in_the_target(world: World) -> None:
    attach(world)
    attach(world, "writer/prod", OTHER_DOCS)
    assert "in writer/prod with other content" in ask_both(world, 409)
    assert files(world, PROD) == {}
    wanted = PromotionRequest(DEV, PROD, LAB, "1.0", docs=False)
    assert len(world.services.promotion.plan(wanted, BOSS, AUTHOR)) == 2


def test_documentation_alone_is_looked_for_in_a_dry_run(world: World) -> None:
    wanted = PromotionRequest(DEV, PROD, LAB, "1.0", only_docs=True)
    for act in (world.services.promotion.plan, world.services.promotion.promote):
        with pytest.raises(NotFound, match="no documentation of labpkg"):
            act(wanted, BOSS, AUTHOR)
    attach(world)
    assert list(world.services.promotion.plan(wanted, BOSS, AUTHOR)) == []
    assert docs(world, PROD) == []


def test_a_strict_target_looks_into_the_files(world: World) -> None:
    local = build_wheel("labpkg", "1.1+local")
    world.upload(local, path="/writer/dev/")
    world.send("PATCH", "/writer/prod", "writer", 200, ["strict=True"])
    assert "is a local version" in ask_both(world, 400, version="1.1+local")
    assert files(world, PROD) == {}
    assert [one["outcome"] for one in ask(world, dry_run=True)] == ["copied", "copied"]
    # What is there was let in by other rules, and is not looked into again.
    world.send("PATCH", "/writer/prod", "writer", 200, ["strict=False"])
    ask(world, version="1.1+local")
    world.send("PATCH", "/writer/prod", "writer", 200, ["strict=True"])
    for dry_run in (True, False):
        (told,) = ask(world, version="1.1+local", dry_run=dry_run)
        assert told["outcome"] == "already there"


def test_a_move_loses_no_yank(world: World) -> None:
    ask(world)
    yank(world, DEV)
    # A copy leaves both as they are.
    assert {one["outcome"] for one in ask(world)} == {"already there"}
    message = ask_both(world, 409, move=True)
    assert f"{WHEEL.filename} is yanked in writer/dev and not in writer/prod" in message
    assert len(files(world, DEV)) == 2
    yank(world, PROD, "for another reason")
    ask(world, move=True)
    assert (len(files(world, DEV)), len(files(world, PROD))) == (0, 2)
    assert files(world, PROD)[WHEEL.filename].yanked_reason == "for another reason"


def test_a_yank_between_the_plan_and_the_move(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(world)
    copying = world.services.promotion._copying
    settled = copying._settled

    def yanking(steps: Any) -> Any:
        yank(world, DEV)
        return settled(steps)

    monkeypatch.setattr(copying, "_settled", yanking)
    ask(world, status=409, move=True)
    assert len(files(world, DEV)) == 2
