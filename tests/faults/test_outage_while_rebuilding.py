"""The storage or the database fails in the middle of something: nothing is freed, and it goes on afterwards."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import event
from webtest import TestApp

from pypicloud_lite.app import Served, make_app
from pypicloud_lite.catalog.model import ManifestState
from pypicloud_lite.cli.resync import main as ppc_resync
from pypicloud_lite.kernel.errors import CatalogUnavailable, StorageUnavailable
from pypicloud_lite.ops import housekeeping as housekeeping_module
from pypicloud_lite.ops.first_rebuild import FirstRebuild
from pypicloud_lite.ops.housekeeping import Housekeeping
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.world import basic, user_settings
from pypicloud_lite.wiring import build, load_raw, prepare

# Longer than a rebuild may give no sign of life.
LOST = timedelta(seconds=121)
PROJECTS = ("alpha", "beta", "gamma")


def fill(site):
    """A file of each project, and a deleted one; the names and their digests."""
    for project in PROJECTS:
        site.world.upload(build_wheel(project, "1.0", body=b"old"))
        site.world.upload(build_wheel(project, "2.0", body=b"old"))
        site.world.delete(f"/api/package/{project}/{build_wheel(project, '2.0').filename}")
    return {project: site.listed(project) for project in PROJECTS}


def announced(site):
    """Housekeeping of a process that has announced the first rebuild and not begun it."""
    housekeeping = site.world.services.housekeeping()
    housekeeping._announce()
    assert site.rebuilding()
    return housekeeping


def refused(site, artifact):
    """Uploaded in vain: 503, and not a byte stays."""
    before = sorted(site.stored())
    answer = site.world.upload(artifact, status=503)
    assert int(answer.headers["Retry-After"]) > 0
    assert sorted(site.stored()) == before


def test_names_are_not_free_during_the_first_rebuild(frail_site):
    site = frail_site
    before = fill(site)
    site.lose_database()
    housekeeping = announced(site)
    taken, reserved, fresh = (build_wheel("alpha", version, body=b"new") for version in ("1.0", "2.0", "3.0"))
    for artifact in (taken, reserved, fresh):
        refused(site, artifact)
    housekeeping.step()
    assert {project: site.listed(project) for project in PROJECTS} == before
    site.world.upload(taken, status=409)
    site.world.upload(reserved, status=409)
    site.world.upload(fresh, status=200)


@pytest.mark.parametrize("document", [".manifest.json", "project.json"])
def test_an_outage_ends_the_run_and_frees_nothing(frail_site, document):
    site = frail_site
    before = fill(site)
    site.lose_database()
    housekeeping = announced(site)

    def fails(method, key):
        return method == "probe" or (method == "read" and "/beta/" in key and key.endswith(document))

    site.fails = fails
    with pytest.raises(StorageUnavailable):
        site.resync()
    housekeeping.step()
    assert site.rebuilding()
    site.world.get("/simple/never-was/", status=503)
    site.heal()
    for version in ("1.0", "2.0"):
        # What was brought back before the outage may answer for itself.
        answer = site.world.upload(build_wheel("beta", version, body=b"new"), status="*")
        assert answer.status_int in {503, 409}
    housekeeping.step()
    assert site.rebuilding()
    site.ahead = LOST
    housekeeping.step()
    assert not site.rebuilding()
    assert {project: site.listed(project) for project in PROJECTS} == before
    for version in ("1.0", "2.0"):
        site.world.upload(build_wheel("beta", version, body=b"new"), status=409)


def test_an_outage_at_an_import_ends_the_run_too(frail_site):
    site = frail_site
    foreign = [build_sdist(project, "1.0") for project in PROJECTS]
    for artifact in foreign:
        site.put_foreign(f"old/{artifact.filename}", artifact.data)
    site.fails = lambda method, key: method == "probe" or (method == "open" and "beta" in key)
    with pytest.raises(StorageUnavailable):
        site.resync()
    site.heal()
    site.resync()
    assert [site.listed(project) for project in PROJECTS] == [{one.filename: one.sha256} for one in foreign]


@pytest.mark.parametrize("document", [".manifest.json", "project.json"])
def test_one_unreadable_document_is_a_remark(frail_site, document):
    """The storage works, and will not give this one: as S3 does with an archived object."""
    site = frail_site
    before = fill(site)
    site.lose_database()
    housekeeping = announced(site)
    site.fails = lambda method, key: method == "read" and "/beta/" in key and key.endswith(document)
    housekeeping.step()
    assert not site.rebuilding()
    assert [site.listed(project) for project in ("alpha", "gamma")] == [before["alpha"], before["gamma"]]
    assert site.listed("beta") == (before["beta"] if document == "project.json" else {})
    assert any("did not answer" in remark for remark in site.resync().remarks)


def test_one_unreadable_foreign_file_is_a_remark(frail_site):
    site = frail_site
    foreign = {project: build_sdist(project, "1.0") for project in PROJECTS}
    for artifact in foreign.values():
        site.put_foreign(f"old/{artifact.filename}", artifact.data)
    site.fails = lambda method, key: method == "open" and "beta" in key
    site.world.services.housekeeping().step()
    assert not site.rebuilding()
    listed = [bool(site.listed(project)) for project in PROJECTS]
    assert listed == [True, False, True]
    report = site.resync()
    assert any("beta-1.0.tar.gz: cannot be read" in remark for remark in report.remarks)
    site.heal()
    assert site.resync().imported == 1


def test_the_command_announces_its_rebuild_and_the_server_takes_over(frail_site):
    site = frail_site
    before = fill(site)
    site.lose_database()

    class Killed(BaseException):
        pass

    seen = []

    def kill(method, key):
        if method == "read" and "/beta/" in key:
            seen.append(site.rebuilding())
            raise Killed
        return False

    site.fails = kill
    with pytest.raises(Killed):
        site.world.services.resync_or_first()
    assert seen
    assert all(seen)
    site.heal()
    assert site.rebuilding()
    housekeeping = site.world.services.housekeeping()
    housekeeping.step()
    # Its last sign of life is not old enough yet.
    assert site.rebuilding()
    site.ahead = LOST
    housekeeping.step()
    assert not site.rebuilding()
    assert {project: site.listed(project) for project in PROJECTS} == before


def test_the_command_ends_what_it_announced(frail_site):
    site = frail_site
    before = fill(site)
    site.lose_database()
    config = site.folder / "config.ini"
    write_config(config, {**user_settings(), **site.settings})
    result = CliRunner().invoke(ppc_resync, [str(config)])
    assert result.exit_code == 0, result.output
    assert not site.rebuilding()
    assert not site.world.services.first_rebuild().claim()
    assert {project: site.listed(project) for project in PROJECTS} == before


def test_a_storage_of_strays_is_looked_at_once(frail_site):
    site = frail_site
    site.put_foreign("README.txt", b"nothing of ours")
    housekeeping = site.world.services.housekeeping()
    for _ in range(3):
        housekeeping.step()
        assert not site.rebuilding()
        site.world.get("/simple/never-was/", status=404)
    looks = sum(method == "list" for method, _ in site.calls)
    housekeeping.step()
    assert sum(method == "list" for method, _ in site.calls) == looks <= 2


def test_one_row_that_always_fails_does_not_keep_the_others_waiting(frail_site):
    site = frail_site
    stuck, waiting = build_wheel("demo", "1.0"), build_sdist("demo", "2.0")
    site.world.upload(stuck)
    site.fails = lambda method, _key: method == "delete"
    site.world.delete(f"/api/package/demo/{stuck.filename}", status=503)
    site.fails = lambda method, _key: method == "write"
    site.world.upload(waiting, status=503)
    site.fails = lambda method, _key: method == "delete"
    site.ahead = LOST
    site.world.services.housekeeping().step()
    states = {name: row.manifest for name, row in site.rows().items()}
    assert states == {stuck.filename: ManifestState.REMOVING, waiting.filename: ManifestState.DONE}
    site.heal()
    site.world.services.housekeeping().step()
    assert list(site.rows()) == [waiting.filename]


def test_a_rebuild_that_fails_stops_nothing_else(frail_site):
    site = frail_site
    services = site.world.services
    waiting = build_sdist("demo", "2.0")
    site.fails = lambda method, _key: method == "write"
    site.world.upload(waiting, status=503)
    site.heal()
    temporary = site.packages / ".tmp" / "0123456789abcdef0123456789abcdef"
    temporary.write_bytes(b"left by a process that died")
    site.ahead = timedelta(days=2)

    class Failing(FirstRebuild):
        def claim(self):
            raise StorageUnavailable("The storage did not answer")

    first = Failing(services.storage, services.catalog, services.clock, services.resync)
    Housekeeping(services.storage, services.ingest, first, services.clock, lambda: None).step()
    assert site.rows()[waiting.filename].manifest is ManifestState.DONE
    assert not temporary.exists()


def files_below(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_locked_database_leaves_no_bytes_behind(frail_site):
    site = frail_site
    site.world.services.database._lock_timeout = 0.05
    with sqlite3.connect(site.database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            site.world.upload(build_wheel("demo", "1.0"), signature=b"signature", status=503)
            assert files_below(site.packages) == []
        other.execute("ROLLBACK")
    other.close()
    site.world.upload(build_wheel("demo", "1.0"))


@contextmanager
def breaking_commit(database, moment):
    """The first COMMIT breaks off, before or after it took place."""
    broken = []

    def commit(_connection, _cursor, statement, _parameters, _context, _many):
        if statement == "COMMIT" and not broken:
            broken.append(statement)
            raise CatalogUnavailable("The database hung up")

    event.listen(database.engine, moment, commit)
    try:
        yield broken
    finally:
        event.remove(database.engine, moment, commit)


@pytest.mark.parametrize(
    ("moment", "happened"), [("before_cursor_execute", False), ("after_cursor_execute", True)], ids=["before", "after"]
)
def test_after_a_commit_of_unknown_outcome_the_bytes_stay(frail_site, moment, happened):
    site = frail_site
    artifact = build_wheel("demo", "1.0")
    with breaking_commit(site.world.services.database, moment) as broken:
        site.world.upload(artifact, status=503)
    assert broken
    assert files_below(site.packages) == sorted([artifact.filename, f"{artifact.filename}.metadata"])
    assert site.download(artifact.filename) == (artifact.data if happened else 404)
    site.world.upload(artifact, status=200)
    assert site.download(artifact.filename) == artifact.data
    site.lose_database()
    site.resync()
    assert site.listed() == {artifact.filename: artifact.sha256}


def test_a_database_that_comes_later_needs_no_restart(tmp_path, monkeypatch):
    """Its folder is in the way at first; what the storage has is then served."""
    monkeypatch.setattr(housekeeping_module, "_RETRY", 0.01)
    artifact = build_sdist("demo", "1.0")
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / artifact.filename).write_bytes(artifact.data)
    folder = tmp_path / "database"
    folder.write_bytes(b"no folder")
    raw = {**user_settings(), "db.url": f"sqlite:///{folder}/catalog.sqlite", "storage.dir": str(packages)}
    services = build(load_raw(raw, tmp_path, {}))
    housekeeping = services.housekeeping()
    step, ready = housekeeping.step, threading.Event()
    prepared = []

    def one_round():
        step()
        prepared.append(housekeeping._prepared)
        if housekeeping._prepared:
            ready.set()

    housekeeping.step = one_round
    app = TestApp(Served(make_app(services), housekeeping), extra_environ={"REMOTE_ADDR": "192.0.2.1"})
    headers = {"Authorization": basic("reader")}
    try:
        answer = app.get("/simple/demo/", headers=headers, status=503)
        assert int(answer.headers["Retry-After"]) > 0
        folder.unlink()
        assert ready.wait(30)
    finally:
        housekeeping.stop()
    assert artifact.filename in app.get("/simple/demo/", headers=headers, status=200)
    services.database.dispose()


def test_housekeeping_begins_once_and_before_any_request_of_its_process(site):
    """Who comes second waits for the announcement: he must not learn from an empty catalog."""
    site.fill()
    site.lose_database()
    services = site.world.services
    announcing, may_go_on = threading.Event(), threading.Event()
    begun = []

    class Slow(FirstRebuild):
        def claim(self):
            begun.append(threading.current_thread().name)
            announcing.set()
            assert may_go_on.wait(30)
            return super().claim()

    first = Slow(services.storage, services.catalog, services.clock, services.resync)
    housekeeping = Housekeeping(
        services.storage, services.ingest, first, services.clock, lambda: prepare(services.settings)
    )
    rounds = []
    housekeeping.step = lambda: rounds.append("step")

    def ask():
        housekeeping.ensure()
        with services.catalog.read() as catalog:
            return catalog.state().rebuilding_since is not None

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask)]
        assert announcing.wait(30)
        asked += [pool.submit(ask) for _ in range(3)]
        may_go_on.set()
        assert [one.result(30) for one in asked] == [True] * 4
    housekeeping.ensure()
    housekeeping.stop()
    assert len(begun) == 1
