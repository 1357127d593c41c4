"""Bytes of interrupted uploads are found, and nothing else is ever taken for them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import World


class LaterClock:
    """The storage's own times cannot be moved, so the server's clock is."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self):
        return system_clock() + self.ahead


@pytest.fixture
def clock() -> LaterClock:
    return LaterClock()


@pytest.fixture
def aging(make_world, clock) -> World:
    return make_world(clock=clock)


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def leave_bytes(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """An upload whose process dies at a step: nothing after it runs, no clean-up either."""

    class Died(BaseException):
        pass

    def die(*_arguments: object, **_more: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(world.services.ingest, step, die)
        with pytest.raises(Died):
            world.upload(build_wheel("acme", "2.0"), status="*")


def test_bytes_without_row_and_manifest_are_leftovers_after_a_day(aging, clock, monkeypatch, tmp_path):
    aging.upload(build_wheel("acme", "1.0"))
    before = files_below(tmp_path / "data" / "packages")
    leave_bytes(aging, monkeypatch, "_enter")
    leftovers = aging.services.leftovers()
    assert leftovers.find() == []
    clock.ahead = timedelta(hours=25)
    found = leftovers.find()
    assert sorted(info.key.filename for info in found) == [
        "acme-2.0-py3-none-any.whl",
        "acme-2.0-py3-none-any.whl.metadata",
    ]
    leftovers.remove(found)
    assert files_below(tmp_path / "data" / "packages") == before


def test_a_row_whose_manifest_is_missing_speaks_for_its_bytes(aging, clock, monkeypatch):
    leave_bytes(aging, monkeypatch, "_acknowledge")
    clock.ahead = timedelta(hours=25)
    assert aging.services.leftovers().find() == []


def test_the_file_that_an_overwrite_replaced_is_a_leftover(make_world, clock, monkeypatch):
    world = make_world({"pypi.allow_overwrite_groups": "developers"}, clock=clock)
    world.upload(build_wheel("acme", "1.0", summary="old"))
    storage = world.services.storage
    with monkeypatch.context() as patch:

        def fail(_key: object) -> None:
            raise StorageUnavailable("down")

        patch.setattr(type(storage), "delete", lambda _self, key: fail(key))
        world.upload(build_wheel("acme", "1.0", summary="new"))
    clock.ahead = timedelta(hours=25)
    found = world.services.leftovers().find()
    assert {info.key.filename.removeprefix("acme-1.0-py3-none-any.whl") for info in found} == {
        "",
        ".metadata",
        ".manifest.json",
    }
    world.services.leftovers().remove(found)
    assert world.services.resync().restored == 0
    assert len(world.project("acme")["files"]) == 1


def test_a_manifest_that_cannot_be_read_keeps_its_bytes(aging, clock):
    aging.upload(build_wheel("acme", "1.0"))
    services = aging.services
    with services.catalog.read() as catalog:
        row = catalog.file(services.index, "acme-1.0-py3-none-any.whl")
    services.storage.write(row.manifest_key, b"{")
    with services.catalog.write(Author("test")) as catalog:
        catalog.remove_file(row, reserve=False)
    clock.ahead = timedelta(hours=25)
    assert services.leftovers().find() == []
