"""Documentation and results of tests on their way from one index to another, with the release they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from pypicloud_lite.catalog.model import Attachment, AttachmentKind
from pypicloud_lite.cli.promote import main
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel, zip_bytes
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.world import World, user_settings

WHEEL, SDIST = build_wheel("labpkg", "1.0"), build_sdist("labpkg", "1.0")
OTHER, NEWER = build_wheel("labpkg", "1.0", summary="another one"), build_wheel("labpkg", "2.0")
PAGES, OTHER_PAGES = zip_bytes({"index.html": b"pages"}), zip_bytes({"index.html": b"other pages"})
DEV, PROD, LAB = IndexName("writer", "dev"), IndexName("writer", "prod"), ProjectName("labpkg")
AUTHOR = Author("writer")
DOCS = "labpkg-1.0.doc.zip"


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    world = make_world()
    world.send("PUT", "/writer/dev", "writer", 200, {})
    world.send("PUT", "/writer/prod", "writer", 200, {"volatile": False})
    for artifact in (WHEEL, SDIST, NEWER):
        world.upload(artifact, path="/writer/dev/")
    document(world, DEV)
    return world


def document(world: World, index: IndexName, data: bytes = PAGES, version: str = "1.0") -> Attachment:
    writer = world.services.authenticator.identify("writer", "writer-pw")
    with world.services.storage.spool() as spool:
        spool.write(data)
        return world.services.attachments.add_docs(index, LAB, version, spool, writer, AUTHOR).record


def report(world: World, index: IndexName, artifact: Any, told: bytes = b'{"passed": 1}') -> Attachment:
    writer = world.services.authenticator.identify("writer", "writer-pw")
    add = world.services.attachments.add_tox_result
    return add(index, artifact.filename, artifact.sha256[:16], told, writer, AUTHOR)


def ask(world: World, status: int = 200, **more: Any) -> Any:
    wanted = {"source": "writer/dev", "target": "writer/prod", "project": "LabPkg", "version": "1.0", **more}
    return world.send("POST", "/api/promote", "writer", status, wanted).json


def docs(world: World, index: IndexName) -> dict[str, bytes]:
    """Pages by version."""
    found = world.services.attachments.of([index], LAB)
    return {one.version: read(world, one) for one in found if one.kind is AttachmentKind.DOCZIP}


def results(world: World, index: IndexName) -> dict[str | None, bytes]:
    """By the file that they are about."""
    found = world.services.attachments.of([index], LAB)
    return {one.for_file: read(world, one) for one in found if one.kind is AttachmentKind.TOXRESULT}


def read(world: World, one: Attachment) -> bytes:
    with world.services.attachments.read(one) as blob:
        return b"".join(blob)


def files(world: World, index: IndexName) -> set[str]:
    with world.services.catalog.read() as catalog:
        return {str(one.filename) for one in catalog.files(index, LAB)}


def stored(world: World, prefix: str = "writer/prod") -> set[str]:
    return {info.key.value for info in world.services.storage.list(prefix)}


def test_results_of_testing_other_bytes_do_not_stay(world: World) -> None:
    world.upload(OTHER, path="/writer/prod/")
    report(world, PROD, OTHER, b'{"of the other": 1}')
    world.send("PATCH", "/writer/prod", "writer", 200, ["volatile=True"])
    assert {one["outcome"] for one in ask(world)} == {"replaced", "copied"}
    assert results(world, PROD) == {}
    world.upload(OTHER, path="/writer/prod/")
    report(world, PROD, OTHER, b'{"of the other": 1}')
    report(world, DEV, WHEEL)
    ask(world)
    assert results(world, PROD) == {WHEEL.filename: b'{"passed": 1}'}


@pytest.mark.parametrize("damage", [None, b"damaged"])
@pytest.mark.parametrize("move", [False, True])
def test_lost_documentation_is_told_before_anything_is_published(
    world: World, damage: bytes | None, *, move: bool
) -> None:
    [lost] = world.services.attachments.of([DEV], LAB)
    world.services.storage.delete(lost.key)
    if damage is not None:
        world.services.storage.write(lost.key, damage.ljust(lost.size))
    told = ask(world, 409, move=move)
    assert damage is not None or ask(world, 409, move=move, dry_run=True) == told
    assert DOCS in told["message"]
    assert "nothing was copied" in told["message"]
    assert "--no-docs" in told["message"]
    assert lost.key.value not in told["message"]
    assert (files(world, PROD), stored(world)) == (set(), set())
    assert len(files(world, DEV)) == 3
    assert len(ask(world, move=move, docs=False)) == 2
    assert docs(world, PROD) == {}
    document(world, DEV)
    if not move and damage is None:
        ask(world)
        assert docs(world, PROD) == {"1.0": PAGES}


def test_a_lost_result_of_tests_stays_behind(world: World) -> None:
    lost = report(world, DEV, WHEEL)
    report(world, DEV, SDIST)
    world.services.storage.delete(lost.key)
    assert len(ask(world, move=True)) == 2
    assert set(results(world, PROD)) == {SDIST.filename}
    assert docs(world, PROD) == {"1.0": PAGES}


def test_other_documentation_is_told_in_a_dry_run_too(world: World) -> None:
    document(world, PROD, OTHER_PAGES)
    before = stored(world)
    dry, wet = ask(world, 409, dry_run=True), ask(world, 409)
    assert dry["message"] == wet["message"]
    assert DOCS in dry["message"]
    assert stored(world) == before
    assert len(ask(world, docs=False, dry_run=True)) == 2
    assert len(ask(world, docs=False)) == 2
    assert docs(world, PROD) == {"1.0": OTHER_PAGES}


def test_a_move_takes_the_documentation_of_a_whole_release(world: World) -> None:
    document(world, DEV, OTHER_PAGES, "2.0")
    ask(world, move=True, filenames=[WHEEL.filename])
    assert docs(world, DEV) == {"1.0": PAGES, "2.0": OTHER_PAGES}
    assert docs(world, PROD) == {"1.0": PAGES}
    ask(world, move=True)
    assert docs(world, DEV) == {"2.0": OTHER_PAGES}
    assert docs(world, PROD) == {"1.0": PAGES}
    assert not [key for key in stored(world, "writer/dev") if DOCS in key]
    ask(world, move=True, version=None)
    assert (docs(world, DEV), files(world, DEV)) == ({}, set())
    assert docs(world, PROD) == {"1.0": PAGES, "2.0": OTHER_PAGES}


def test_a_move_without_documentation_leaves_it(world: World) -> None:
    ask(world, move=True, docs=False)
    assert docs(world, DEV) == {"1.0": PAGES}
    assert docs(world, PROD) == {}


def test_what_the_target_lost_of_documentation_is_brought_back_before_a_move(world: World) -> None:
    ask(world)
    [there] = [one for one in world.services.attachments.of([PROD], LAB) if one.kind is AttachmentKind.DOCZIP]
    world.services.storage.delete(there.key)
    ask(world, move=True)
    assert docs(world, PROD) == {"1.0": PAGES}
    assert docs(world, DEV) == {}


def test_the_command_leaves_documentation_behind(world: World) -> None:
    folder, database = world.services.storage, world.services.database
    places = {"db.url": f"sqlite:///{database.path}", "storage.dir": str(folder._root)}  # type: ignore[attr-defined]
    config = folder._root.parent / "config.ini"  # type: ignore[attr-defined]
    write_config(config, {**user_settings(), **places})
    words = ["-c", str(config), "writer/dev", "writer/prod", "labpkg==1.0", "--no-docs"]
    done = CliRunner().invoke(main, words, prog_name="ppc-promote")
    assert done.exit_code == 0, done.output
    assert docs(world, PROD) == {}
    assert len(files(world, PROD)) == 2
