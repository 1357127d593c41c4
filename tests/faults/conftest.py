"""What the fault tests share: databases, what lies in a folder, and a site whose database comes and goes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from webtest import TestApp

from pypicloud_lite.app import make_app
from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.manage.listing import Listings
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.publish.status import Statuses
from pypicloud_lite.publish.upload import Uploads
from pypicloud_lite.publish.yanking import Yanking
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.databases import DatabaseMissing, new_database
from pypicloud_lite.testing.world import JSON, World

SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
WHEEL = build_wheel("demo", "1.0", requires_python=">=3.8", summary="A demo")


@pytest.fixture
def new_url(tmp_path: Path, missing: Callable[[str, str], None]) -> Iterator[Callable[[str], str]]:
    """``new_url("postgres")``: the URL of an empty database that goes with the test."""
    with ExitStack() as stack:

        def make(kind: str) -> str:
            try:
                return stack.enter_context(new_database(kind, tmp_path))
            except DatabaseMissing as error:
                missing(kind, str(error))
                raise

        yield make


@pytest.fixture
def note() -> Callable[[str], None]:
    """Say something that ``pytest -rP`` shows, and a failure."""

    def write(text: str) -> None:
        sys.stdout.write(f"{text}\n")

    return write


@pytest.fixture
def blobs() -> Callable[[Path], list[str]]:
    """Every file below a folder, by its path from there; temporaries too."""

    def walk(root: Path) -> list[str]:
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())

    return walk


class Site:
    """One storage and the databases that come and go beside it."""

    def __init__(self, folder, settings):
        self.folder = folder
        self.database = folder / "catalog.sqlite"
        self.packages = folder / "packages"
        self.settings = {"db.url": f"sqlite:///{self.database}", "storage.dir": str(self.packages), **settings}
        self._worlds = []
        self.world = self.open()

    def open(self):
        """One more process on the same storage and database."""
        self._worlds.append(World(self.folder, self.settings))
        return self._worlds[-1]

    def close(self):
        while self._worlds:
            self._worlds.pop().close()

    def lose_database(self, copy=None):
        """Begin anew with an empty database, or with an older copy."""
        self.close()
        for path in self.folder.glob("catalog.sqlite*"):
            path.unlink()
        if copy is not None:
            shutil.copy(copy, self.database)
        self.world = self.open()

    def resync(self):
        return self.world.services.resync()

    def page(self, project="demo", accept=JSON):
        answer = self.world.get(f"/simple/{project}/", "reader", "*", Accept=accept)
        return answer.status_int, answer.body

    def listed(self, project="demo"):
        answer = self.world.get(f"/simple/{project}/", "reader", "*", Accept=JSON)
        if answer.status_int == 404:
            return {}
        return {file["filename"]: file["hashes"]["sha256"] for file in answer.json["files"]}

    def rows(self):
        """Everything that a row says but for its number."""
        services = self.world.services
        with services.catalog.read() as catalog:
            return {row.filename.value: replace(row, id=0) for row in catalog.all_files(services.index)}

    def core(self, filename):
        services = self.world.services
        with services.catalog.read() as catalog:
            return catalog.core_metadata(catalog.file(services.index, filename).id)

    def reservations(self, project="demo"):
        services = self.world.services
        with services.catalog.read() as catalog:
            return list(catalog.reservations(services.index, ProjectName(project)))

    def put_foreign(self, path, data):
        target = self.packages / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def fill(self):
        """A wheel, a signed sdist, a replaced file, a deleted one, and a project that has nothing any more."""
        world = self.world
        world.upload(WHEEL)
        world.upload(build_sdist("demo", "1.0"), signature=SIGNATURE)
        world.upload(build_wheel("demo", "2.0"))
        world.upload(build_wheel("demo", "3.0", body=b"old"))
        world.upload(build_wheel("demo", "3.0", body=b"new"), "admin")
        world.upload(build_sdist("Other.Name", "1.0", stem="Other.Name-1.0"), name="Other.Name")
        world.upload(build_sdist("gone", "1.0"))
        world.delete("/api/package/gone/gone-1.0.tar.gz")
        world.delete("/api/package/demo/demo-2.0-py3-none-any.whl")

    def everything(self):
        """Pages in both forms, names, rows, reservations, core metadata."""
        projects = ("demo", "other-name", "gone")
        pages = [self.page(project, accept) for project in projects for accept in (JSON, "text/html")]
        names = [entry["name"] for entry in self.world.get("/simple/", Accept=JSON).json["projects"]]
        return (
            pages,
            names,
            self.rows(),
            [self.reservations(project) for project in projects],
            self.core(WHEEL.filename),
        )

    def stored(self):
        return [info.key.value for info in self.world.services.storage.list()]


@pytest.fixture
def make_site(tmp_path):
    """``make_site(settings)``: a site, closed at the end."""
    with ExitStack() as stack:

        def make(settings):
            made = Site(tmp_path, settings)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def site(make_site):
    return make_site({})


class FrailStorage:
    """A storage of which some calls fail; ``calls`` has all of them, by method and key."""

    def __init__(self, storage, site):
        self._storage = storage
        self._site = site

    def __getattr__(self, name):
        does = getattr(self._storage, name)

        def call(*arguments, **more):
            key = str(arguments[0]) if arguments else ""
            self._site.calls.append((name, key))
            if self._site.fails(name, key):
                raise StorageUnavailable(f"The storage did not answer: {name}")
            return does(*arguments, **more)

        return call


class FrailSite(Site):
    """A site whose storage fails where ``fails(method, key)`` says so, and whose clock can be put forward."""

    def __init__(self, folder, settings):
        self.calls = []
        self.ahead = timedelta()
        self.heal()
        super().__init__(folder, settings)

    def heal(self):
        self.fails = lambda _method, _key: False

    def clock(self):
        return system_clock() + self.ahead

    def open(self):
        world = super().open()
        services = world.services
        storage = FrailStorage(services.storage, self)
        catalog = SqlCatalog(services.database, self.clock)
        ingest = Ingest(storage, catalog, self.clock)
        world.services = replace(
            services,
            clock=self.clock,
            storage=storage,
            catalog=catalog,
            ingest=ingest,
            uploads=Uploads(catalog, services.gate, ingest, services.registry),
            removals=Removals(catalog, services.gate, ingest.changes),
            yanking=Yanking(services.gate, ingest.changes),
            statuses=Statuses(services.gate, ingest.changes),
            listings=Listings(catalog, services.gate),
        )
        world.app = TestApp(make_app(world.services), extra_environ={"REMOTE_ADDR": "192.0.2.1"})
        return world

    def rebuilding(self):
        with self.world.services.catalog.read() as catalog:
            return catalog.state().rebuilding_since is not None

    def download(self, filename, project="demo"):
        """The bytes, or the status."""
        answer = self.world.get(f"/packages/root/main/{project}/{filename}", status="*")
        return answer.body if answer.status_int == 200 else answer.status_int


@pytest.fixture
def frail_site(tmp_path):
    site = FrailSite(tmp_path, {})
    yield site
    site.close()


@pytest.fixture
def s3_site(make_site, s3_options):
    return make_site({"pypi.storage": "s3", "pypi.stream_files": "true", "storage.prefix": "pkgs/", **s3_options})


@pytest.fixture(params=["site", "s3_site"])
def any_site(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def wheel():
    """The wheel that each site's ``fill`` uploads."""
    return WHEEL
