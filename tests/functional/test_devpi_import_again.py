"""A second import after a first one: it brings what is new, and nothing that was removed here in between."""

from __future__ import annotations

import pytest

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.access.profiles import Profiles
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel, zip_bytes
from pypicloud_lite.testing.devpi_exports import ImportRun, MadeExport
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.world import basic, user_settings

DEV, OLD, DEMO = IndexName("alice", "dev"), IndexName("alice", "old"), ProjectName("demo")
WHEEL, SDIST = build_wheel("demo", "1.0"), build_sdist("demo", "1.0")
LATER = build_wheel("demo", "2.0")
DOCS = zip_bytes({"index.html": b"<h1>demo</h1>"})
SETTINGS = {"pypi.auth": "sql config"}
TESTER, ADMIN = Author("tester"), Identity("admin", roles=frozenset({Role.ADMIN}))
KINDS = ("users", "indexes", "files", "docs", "results", "names")


@pytest.fixture
def made(tmp_path):
    """Two users, two indexes, a release with documentation and a result of tests, a name."""
    made = MadeExport(tmp_path / "export")
    made.add_user("bob", email="bob@example.com")
    made.add_index("alice/old")
    made.put(WHEEL)
    made.put_docs(DOCS)
    made.put_result(b"{}", WHEEL)
    made.put(SDIST, index="alice/old")
    made.describe("planned", "1.0")
    return made


@pytest.fixture
def world(make_world):
    return make_world(SETTINGS)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.ini"
    write_config(path, {**user_settings(), **SETTINGS})
    return path


@pytest.fixture
def run(made, config):
    return ImportRun(made, config)


def added(report):
    return {kind: report[kind] for kind in KINDS if report[kind]}


def remove_much(world):
    services = world.services
    services.administration.remove_user("bob", TESTER)
    services.indexes.remove(OLD, ADMIN, TESTER)
    services.ingest.changes.remove(Selection(DEV, DEMO, version="1.0"), TESTER)
    services.ingest.changes.forget(DEV, ProjectName("planned"), TESTER)


def is_nothing_back(world):
    world.get("/api/user", None, 401, Authorization=basic("bob", "pw-bob"))
    assert world.services.registry.now().get(OLD) is None
    with world.services.catalog.read() as catalog:
        assert catalog.projects_named(OLD, "", "", 1) == []
        assert catalog.files(DEV, DEMO) == []
        assert catalog.attachments(DEV, DEMO) == []
        assert catalog.project(DEV, ProjectName("planned")) is None
    return True


def test_what_was_removed_here_stays_away_and_is_named(run, world):
    everything = {"users": 2, "indexes": 2, "files": 2, "docs": 1, "results": 1, "names": 1}
    assert added(run()) == everything
    remove_much(world)
    told = run("--dry-run", status=1)
    report = run(status=1)
    assert {**told, "dry_run": False} == report
    assert added(report) == {}
    assert [line.split(":")[0] for line in report["not_carried_over"]] == [
        "user bob",
        "index 'alice/old'",
        "alice/dev",
        "alice/dev",
        "alice/dev",
        "alice/dev",
        "index 'alice/old'",
    ]
    assert all("here" in line or "stay where they are" in line for line in report["not_carried_over"])
    assert is_nothing_back(world)


def test_a_third_one_does_not_bring_it_either(run, world):
    run()
    remove_much(world)
    run(status=1)
    assert added(run(status=1)) == {}
    assert is_nothing_back(world)


def test_what_is_new_in_devpi_comes_all_the_same(made, run, world):
    run()
    remove_much(world)
    made.add_user("carol")
    made.add_index("carol/new", acl_upload=["carol"])
    made.put(LATER)
    made.put(build_wheel("other", "1.0"), "other")
    assert added(run(status=1)) == {"users": 1, "indexes": 1, "files": 2}


def test_it_comes_back_where_that_is_asked_for(run, world):
    run()
    remove_much(world)
    told, report = run("--again", "--dry-run"), run("--again")
    assert {**told, "dry_run": False} == report
    assert added(report) == {"users": 1, "indexes": 1, "files": 2, "docs": 1, "results": 1, "names": 1}
    world.get("/api/user", None, 200, Authorization=basic("bob", "pw-bob"))
    assert added(run()) == {}


def test_an_interrupted_import_is_continued(made, run, world):
    """What it did not come to is no less new to the next run."""
    made.document["users"].pop("bob")
    made.document["indexes"].pop("alice/old")
    run()
    made.add_user("bob")
    made.add_index("alice/old")
    made.put(SDIST, index="alice/old")
    assert added(run()) == {"users": 1, "indexes": 1, "files": 1}


def test_whoever_was_here_before_is_not_replaced_when_gone(made, run, world, config):
    """Removed here after an import, whoever brought them: also from the configuration."""
    made.add_user("writer")
    world.services.administration.add_user("bob", "his", TESTER)
    run()
    world.services.administration.remove_user("bob", TESTER)
    settings = {**user_settings(), **SETTINGS}
    settings.pop("user.writer")
    write_config(config, settings)
    report = run(status=1)
    assert added(report) == {}
    assert [line.split(":")[0] for line in report["not_carried_over"]] == ["user bob", "user writer"]


def test_who_was_removed_and_came_again_is_somebody_else(run, world):
    run()
    world.services.administration.remove_user("bob", TESTER)
    world.services.administration.add_user("bob", "his", TESTER)
    assert "another password" in run()["notes"][0]
    world.get("/api/user", None, 200, Authorization=basic("bob", "his"))


def test_a_request_for_an_account_is_not_answered_by_a_removed_one(run, world):
    run()
    services = world.services
    services.administration.remove_user("bob", TESTER)
    services.administration.set_register(TESTER, allowed=True)
    services.administration.request_account("bob", "strangers-word", TESTER)
    assert added(run(status=1)) == {}
    assert services.administration.pending() == ["bob"]


def test_what_somebody_no_longer_says_of_himself_stays_unsaid(run, world):
    run()
    profiles = Profiles(world.services.database)
    assert profiles.of("bob").email == "bob@example.com"
    world.services.administration.change_user("bob", lambda _before: type(_before)(), None, TESTER)
    run()
    assert profiles.of("bob").email is None


def test_an_index_that_was_made_again_by_hand_does_not_fill_itself(run, world):
    run()
    world.services.indexes.remove(OLD, ADMIN, TESTER)
    world.services.indexes.create(OLD, Kind.STAGE, {}, ADMIN, TESTER)
    report = run(status=1)
    assert added(report) == {}
    assert any("project demo was removed here" in line for line in report["not_carried_over"])


def test_documentation_without_a_release_stays_deleted(made, run, world):
    made.put_docs(DOCS, "3.0")
    run()
    world.services.ingest.changes.remove_all(Selection(DEV, DEMO, version="3.0"), TESTER)
    report = run(status=1)
    assert added(report) == {}
    (line,) = report["not_carried_over"]
    assert "demo-3.0.doc.zip" in line
    assert "deleted here" in line


def test_documentation_of_a_release_that_was_deleted_before_stays_in_the_export(made, run, world):
    """Nothing was imported of it; but its files were here, and are deleted."""
    made.document["indexes"]["alice/dev"]["files"].pop(1)
    run()
    world.services.ingest.changes.remove(Selection(DEV, DEMO, version="1.0"), TESTER)
    made.put_docs(DOCS)
    assert added(run(status=1)) == {}


def test_documentation_comes_with_what_is_left_of_its_release(made, run, world):
    made.document["indexes"]["alice/dev"]["files"].pop(1)
    made.put(SDIST)
    run()
    world.services.ingest.changes.remove(Selection(DEV, DEMO, filename=WHEEL.filename), TESTER)
    made.put_docs(DOCS)
    assert added(run(status=1)) == {"docs": 1}


def test_other_bytes_do_not_come_back_under_the_name_of_what_was_deleted(made, run, world):
    run()
    world.services.ingest.changes.remove(Selection(DEV, DEMO, filename=WHEEL.filename), TESTER)
    del made.document["indexes"]["alice/dev"]["files"][:]
    made.put(build_wheel("demo", "1.0", body=b"other"))
    for options in (["--again", "--dry-run"], ["--again"]):
        report = run(*options, status=1)
        assert added(report) == {}
        assert "deleted" in report["not_carried_over"][0]
