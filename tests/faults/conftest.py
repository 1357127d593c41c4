"""What the fault tests share: databases, what lies in a folder, and a site whose database comes and goes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from pypicloud_lite.kernel.names import ProjectName
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
