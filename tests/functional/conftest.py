"""A world on SQLite and a folder, for every functional test, and what tests do to it behind its back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from pypicloud_lite.catalog.model import FileRecord, ManifestState, ProjectRecord, ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.upstream_server import FakeIndex, upstream_server
from pypicloud_lite.testing.world import MovingClock, World

TESTER = Author("tester")
SetStatus = Callable[[World, str, ProjectStatus, str | None], None]
Restore = Callable[..., None]
Queries = Callable[[World], AbstractContextManager[list[str]]]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Builds worlds on one folder: ``make_world({"pypi.default_read": "everyone"})``."""
    made: list[World] = []

    def make(settings: dict[str, str] | None = None, **more: object) -> World:
        made.append(World(tmp_path, settings, **more))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """The usual world."""
    return make_world()


@pytest.fixture(scope="module")
def make_shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., World]]:
    """Builds worlds that all tests of a module read and none changes, each on a folder of its own."""
    made: list[World] = []

    def make(settings: dict[str, str] | None = None) -> World:
        made.append(World(tmp_path_factory.mktemp("world"), settings))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture(scope="session")
def routes() -> Callable[[World], list[str]]:
    """The patterns of every route that the application has."""

    def patterns(world: World) -> list[str]:
        app = world.app.app
        while not hasattr(app, "routes_mapper"):
            app = app._app
        return [route.pattern for route in app.routes_mapper.get_routes()]

    return patterns


@pytest.fixture
def set_status() -> SetStatus:
    """Give a project a PEP 792 status, as an administrator does."""

    def change(world: World, name: str, status: ProjectStatus, reason: str | None = None) -> None:
        world.send("PUT", f"/api/package/{name}/status", "admin", json={"status": status, "reason": reason})

    return change


@pytest.fixture
def change_file() -> Callable[..., None]:
    """Change columns of a file, say ``change_file(world, "demo-1.0.tar.gz", yanked=True)``."""

    def change(world: World, filename: str, **values: object) -> None:
        with world.services.catalog.write(TESTER) as catalog:
            record = catalog.file(world.services.index, filename)
            assert record is not None
            project = catalog.project(world.services.index, record.project)
            assert project is not None
            core = catalog.core_metadata(record.id)
            newer = replace(record, serial=record.serial + 1, **values)
            catalog.restore_project(replace(project, serial=project.serial + 1), [(newer, core)], ())

    return change


@pytest.fixture
def add_rows() -> Callable[[World, str, list[FileRecord]], None]:
    """Catalogue files that have no bytes, all in one scope."""

    def add(world: World, name: str, records: list[FileRecord]) -> None:
        project = ProjectRecord(world.services.index, ProjectName(name), name, 0, 0)
        with world.services.catalog.write(TESTER) as catalog:
            catalog.restore_project(project, [(record, {}) for record in records], ())

    return add


@pytest.fixture
def queries() -> Queries:
    """``with queries(world) as statements:`` collects every statement that reaches the database."""

    @contextmanager
    def collect(world: World) -> Iterator[list[str]]:
        engine, seen = world.services.database.engine, []

        def note(_connection, _cursor, statement, _parameters, _context, _many):
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return collect


@pytest.fixture
def clock() -> MovingClock:
    """It stands still until the test moves it."""
    return MovingClock()


@pytest.fixture
def upstream_index() -> Iterator[FakeIndex]:
    """An empty index on a port of its own."""
    with upstream_server() as index:
        yield index


@pytest.fixture
def make_mirror(
    make_world: Callable[..., World], upstream_index: FakeIndex, clock: MovingClock
) -> Callable[..., World]:
    """Builds worlds over the upstream: ``make_mirror("redirect", mirror__min_age="3 days")``."""

    def make(fallback: str = "cache", **settings: str) -> World:
        given = {name.replace("__", "."): value for name, value in settings.items()}
        raw = {"pypi.fallback": fallback, "pypi.fallback_base_url": upstream_index.url, **given}
        world = make_world(raw, clock=clock)
        # Else every name may still turn out to be ours.
        world.services.first_rebuild().settle_trivial()
        return world

    return make


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], None]:
    """Waits until something is true that another thread does."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "it does not come true"

    return wait


@pytest.fixture
def is_kept() -> Callable[[World, str], bool]:
    """Whether the mirror has a file here, whole."""

    def kept(world: World, filename: str) -> bool:
        with world.services.catalog.read() as catalog:
            record = catalog.file(world.services.mirror.index, filename)
        return record is not None and record.manifest is ManifestState.DONE

    return kept
