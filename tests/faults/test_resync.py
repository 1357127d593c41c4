"""F16: the catalog rebuilt from storage: nothing lost, nothing missing meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from pypicloud_lite.indexes.layout import project_document
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.ops.first_rebuild import FirstRebuild
from pypicloud_lite.ops.housekeeping import Housekeeping
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.servers import fault_proxy
from pypicloud_lite.testing.world import JSON

AUTHOR = Author("test")


def test_f16_a_lost_database_comes_back_the_same(any_site):
    site = any_site
    site.fill()
    before = site.everything()
    site.lose_database()
    assert site.listed() == {}
    report = site.resync()
    assert site.everything() == before
    assert (report.files, report.restored, report.imported, report.removed, report.remarks) == (4, 4, 0, 0, [])
    site.world.upload(build_wheel("demo", "2.0", body=b"other bytes"), status=409)
    site.world.upload(build_sdist("demo", "9.0"))
    assert site.rows()["demo-9.0.tar.gz"].serial > max(row.serial for row in before[2].values())


def test_a_healthy_catalog_is_left_alone(any_site):
    site = any_site
    site.fill()
    with site.world.services.catalog.read() as catalog:
        before = site.everything(), catalog.state(), list(catalog.journal())
    report = site.resync()
    with site.world.services.catalog.read() as catalog:
        assert (site.everything(), catalog.state(), list(catalog.journal())) == before
    assert (report.restored, report.imported, report.removed, report.remarks) == (0, 0, 0, [])


def test_while_uploads_and_deletions_go_on(site):
    """What is there all the time is listed all the time; what was acknowledged is right in the end."""
    site.fill()
    steady = site.listed()
    over = threading.Event()
    worlds = [site.open() for _ in range(2)]

    def change(world, thread):
        expected = {}
        for number in range(12):
            artifact = build_wheel("demo", f"{thread}.{number}", body=b"x" * number)
            world.upload(artifact, status=200)
            if number % 3:
                expected[artifact.filename] = artifact.sha256
            else:
                world.delete(f"/api/package/demo/{artifact.filename}", status=200)
        return expected

    def watch(world):
        looks = 0
        while not over.is_set():
            listed = {
                file["filename"]: file["hashes"]["sha256"]
                for file in world.get("/simple/demo/", status=200, Accept=JSON).json["files"]
            }
            assert steady.items() <= listed.items()
            looks += 1
        return looks

    with ThreadPoolExecutor(3) as pool:
        watching = pool.submit(watch, site.world)
        changing = [pool.submit(change, world, 20 + number) for number, world in enumerate(worlds)]
        while not all(future.done() for future in changing):
            site.resync()
        over.set()
        expected = {name: sha256 for future in changing for name, sha256 in future.result().items()}
        assert watching.result()
    assert site.listed() == {**steady, **expected}
    before = site.page()
    report = site.resync()
    assert report.counts() | {"files": 0} == {"files": 0, "restored": 0, "imported": 0, "replaced": 0, "removed": 0}
    assert report.remarks == []
    site.lose_database()
    site.resync()
    assert site.page() == before


def test_two_at_once(any_site):
    """As when two hosts begin at the same moment; one finds what the other has done already."""
    site = any_site
    site.fill()
    services = site.world.services
    foreign = [build_sdist(f"foreign{number}", "1.0") for number in range(4)]
    for artifact in foreign:
        services.storage.write(StorageKey(f"old/{artifact.filename}"), artifact.data)
    before = site.everything()
    site.lose_database()
    barrier = threading.Barrier(2)

    def run(world):
        barrier.wait(30)
        return world.services.resync()

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(run, [site.world, site.open()]))
    assert sum(report.imported for report in reports) == len(foreign)
    after = site.everything()
    assert (after[0], after[3]) == (before[0], before[3])
    for artifact in foreign:
        assert site.listed(artifact.filename.partition("-")[0]) == {artifact.filename: artifact.sha256}
    assert sum(path.endswith(".manifest.json") for path in site.stored()) == 4 + len(foreign)


def test_what_it_costs_on_s3(make_site, s3_options):
    """A request per page of keys, and one read per manifest and ``project.json``."""
    with fault_proxy(s3_options["storage.endpoint_url"]) as proxy:
        site = make_site({"pypi.storage": "s3", **s3_options, "storage.endpoint_url": proxy.url})
        site.fill()
        site.lose_database()
        proxy.heal()
        site.resync()
        asked = [
            (seen.method, "list" if "list-type" in seen.path else seen.path.partition("?")[0]) for seen in proxy.seen
        ]
        documents = [
            path for method, path in asked if method == "GET" and path.endswith((".manifest.json", "project.json"))
        ]
        assert asked.count(("GET", "list")) == 1
        assert len(documents) == len(set(documents)) == 4 + 2
        assert len(asked) == 1 + len(documents)


def test_the_first_rebuild_hides_nothing(site, wheel):
    """From the moment that a process serves: a project that is not there yet is 503, never 404."""
    site.fill()
    before = site.page()
    site.lose_database()
    services = site.world.services
    begun, may_go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow_resync(heartbeat):
        begun.set()
        assert may_go_on.wait(30)
        heartbeat()
        return services.resync()

    housekeeping = Housekeeping(
        services.storage,
        services.ingest,
        FirstRebuild(services.storage, services.catalog, services.clock, slow_resync),
        services.clock,
        lambda: None,
    )
    step = housekeeping.step
    housekeeping.step = lambda: (step(), ended.set())
    housekeeping.ensure()
    try:
        for path in ("/simple/demo/", "/simple/never-was/", f"/packages/root/main/demo/{wheel.filename}"):
            answer = site.world.get(path, status=503)
            assert int(answer.headers["Retry-After"]) > 0
        site.world.get("/simple/demo/", None, status=401)
        assert begun.wait(30)
        assert not services.first_rebuild().claim()
        # Its name may be taken, by a file or a deleted one, that is not catalogued yet.
        answer = site.world.upload(build_sdist("fresh", "1.0"), status=503)
        assert int(answer.headers["Retry-After"]) > 0
        may_go_on.set()
        assert ended.wait(30)
    finally:
        may_go_on.set()
        housekeeping.stop()
    assert site.page() == before
    site.world.get("/simple/never-was/", status=404)


def test_a_rebuild_that_died_is_taken_over(site):
    """Its last sign of life is old."""
    site.fill()
    before = site.page()
    site.lose_database()
    services = site.world.services
    with services.catalog.write(AUTHOR) as catalog:
        catalog.set_rebuilding(system_clock())
    assert not services.first_rebuild().claim()
    with services.catalog.write(AUTHOR) as catalog:
        catalog.set_rebuilding(system_clock().replace(year=2020))
    services.housekeeping().step()
    assert site.page() == before
    with services.catalog.read() as catalog:
        assert catalog.state().rebuilding_since is None


def test_an_empty_storage_is_looked_at_once(site):
    services = site.world.services
    housekeeping = services.housekeeping()
    housekeeping.ensure()
    housekeeping.stop()
    site.world.get("/simple/demo/", status=404)
    site.world.upload(build_sdist("fresh", "1.0"))
    assert not services.first_rebuild().claim()


def test_a_manifest_and_a_document_that_lag_behind_are_written_anew(site):
    """A writer that died late can leave what was true before; nothing but a rebuild would ever notice."""
    wheel = build_wheel("demo", "1.0")
    site.world.upload(wheel)
    services = site.world.services
    with services.catalog.read() as catalog:
        row = catalog.file(services.index, wheel.filename)
    old = services.storage.read(row.manifest_key)
    site.world.send("PUT", "/api/package/demo/version/1.0/yank", json={"reason": "bad"})
    site.world.send("PUT", "/api/package/demo/status", "admin", json={"status": "archived"})
    before = site.page("demo")
    services.storage.write(row.manifest_key, old)
    services.storage.delete(project_document(services.index, row.project))
    report = services.resync()
    assert len([remark for remark in report.remarks if "written anew" in remark]) == 2
    assert services.resync().remarks == []
    site.lose_database()
    services = site.world.services
    services.resync()
    assert site.page("demo") == before
