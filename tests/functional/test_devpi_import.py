"""Exports of devpi made by hand, for what a real one seldom has: the unhappy paths of ``ppc-import devpi``."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.profiles import Profiles
from pypicloud_lite.catalog.model import Origin
from pypicloud_lite.cli.people_transfer import import_people
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.ops.devpi_export.importing import Target, Wishes, import_export
from pypicloud_lite.ops.devpi_export.reading import Export, read_export
from pypicloud_lite.ops.devpi_export.renaming import Names
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel, zip_bytes
from pypicloud_lite.testing.devpi_exports import ImportRun, MadeExport, stored
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.world import basic, user_settings

DEV, BASE = IndexName("alice", "dev"), IndexName("alice", "base")
DEMO = ProjectName("demo")
WHEEL, SDIST = build_wheel("demo", "1.0"), build_sdist("demo", "1.0")
SETTINGS = {"pypi.auth": "sql config"}
TESTER = Author("tester")


@pytest.fixture
def made(tmp_path):
    return MadeExport(tmp_path / "export")


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
    """``run("--dry-run", status=1)``: the report, as JSON."""
    return ImportRun(made, config)


def row(world, filename, index=DEV):
    with world.services.catalog.read() as catalog:
        return catalog.file(index, filename)


def left(report):
    (line,) = report["not_carried_over"]
    return line


def test_everything_is_as_it_was(made, run, world):
    made.add_index("alice/base", volatile=False, acl_upload=["bob", ":ANONYMOUS:"], title="What we build on")
    made.document["indexes"]["alice/dev"]["indexconfig"]["bases"] = ["alice/base"]
    made.put(WHEEL)
    made.put(SDIST, index="alice/base")
    report = run()
    assert (report["users"], report["indexes"], report["files"], report["not_carried_over"]) == (1, 2, 2, [])
    record = row(world, WHEEL.filename)
    assert (record.digests.sha256, record.uploader, record.origin) == (WHEEL.sha256, "alice", Origin.IMPORT)
    assert record.uploaded_at == datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)
    world.get("/api/user", None, 200, Authorization=basic("alice", "pw-alice"))
    world.get("/api/user", None, 401, Authorization=basic("alice", "pw-bob"))
    index = world.services.registry.now().get(BASE)
    assert (index.volatile, index.get("acl_upload"), index.title) == (False, ["bob", ":ANONYMOUS:"], "What we build on")
    page = world.get("/alice/dev/+simple/demo/", "admin", 200, Accept="application/vnd.pypi.simple.v1+json").json
    assert {one["filename"]: one["hashes"] for one in page["files"]} == {
        one.filename: {"sha256": one.sha256} for one in (WHEEL, SDIST)
    }
    assert world.get("/packages/alice/dev/demo/" + f"{WHEEL.sha256[:16]}/{WHEEL.filename}", "admin").body == WHEEL.data


def test_the_second_run_finds_everything_there_and_reads_no_file(made, run, world):
    paths = [made.put(WHEEL), made.put(SDIST)]
    run()
    for path in paths:
        path.unlink()
    report = run()
    assert (report["files"], report["files_there"], report["users_there"], report["indexes_there"]) == (0, 2, 1, 1)


def test_what_is_there_costs_one_query_a_project(made, world, queries):
    for number in range(5):
        for minor in range(4):
            made.put(build_wheel(f"p{number}", f"1.{minor}"), f"p{number}")

    def take():
        return import_export(
            read_export(made.write()), target(world), Names({}), Wishes(), Identity("admin", roles={"admin"}), TESTER
        )

    assert take().files == 20
    assert take().files_there == 20
    with queries(world) as before:
        assert take().files_there == 20
    for minor in range(4):
        made.put(build_wheel("more", f"1.{minor}"), "more")
    assert (take().files, take().files) == (4, 0)
    with queries(world) as statements:
        assert take().files_there == 24
    assert len(statements) == len(before) + 1


def target(world):
    services = world.services
    return Target(
        services.storage,
        services.catalog,
        services.ingest,
        services.administration,
        services.indexes,
        services.registry,
        services.database,
        services.clock,
    )


def test_a_dry_run_says_the_same_and_writes_nothing(made, run, world):
    made.put(WHEEL)
    made.put(SDIST).write_bytes(b"damaged")
    made.describe("planned", "1.0")
    told = run("--dry-run", status=1)
    assert world.services.access.lookup("alice") is None
    assert list(world.services.storage.list()) == []
    assert world.services.registry.now().get(DEV) is None
    done = run(status=1)
    assert {**told, "dry_run": False} == done
    assert (done["users"], done["indexes"], done["files"], done["names"]) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(b"other"), "its sha256 is"),
        (lambda path: (path.unlink(), path.mkdir()), "no file"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "leads out"),
        (lambda path: (path.unlink(), path.symlink_to(path)), "missing"),
    ],
    ids=["missing", "wrong hash", "folder", "link", "link to itself"],
)
def test_a_file_that_is_not_what_the_export_says_is_left_out_and_named(made, run, world, spoil, why):
    spoil(made.put(WHEEL))
    made.put(SDIST)
    report = run(status=1)
    assert WHEEL.filename in left(report)
    assert why in left(report)
    assert (report["files"], row(world, WHEEL.filename)) == (1, None)


def test_a_link_inside_of_the_folder_is_followed(made, run, world):
    path = made.put(WHEEL)
    path.rename(made.folder / "elsewhere")
    path.symlink_to(made.folder / "elsewhere")
    assert run()["files"] == 1


@pytest.mark.parametrize("relpath", ["../demo-1.0-py3-none-any.whl", "alice/../../demo-1.0-py3-none-any.whl", "/{}"])
def test_no_file_outside_of_the_folder_is_read(made, run, world, relpath):
    outside = made.folder.parent / WHEEL.filename
    outside.write_bytes(WHEEL.data)
    made.put(WHEEL)
    made.document["indexes"]["alice/dev"]["files"][0]["relpath"] = relpath.format(outside)
    assert "outside of its folder" in left(run(status=1))
    assert row(world, WHEEL.filename) is None


@pytest.mark.parametrize(
    ("artifact", "why"),
    [
        (build_wheel("demo", "1.0", metadata=b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"), "Name is other"),
        (type(WHEEL)(WHEEL.filename, b"no archive", b""), "demo-1.0"),
        (type(WHEEL)(WHEEL.filename, b"", b""), "demo-1.0"),
        (type(WHEEL)("demo-1.0.win32.exe", b"MZ", b""), "neither a wheel"),
    ],
    ids=["another's metadata", "no archive", "empty", "installer"],
)
def test_a_broken_artifact_is_kept_out_and_its_project_keeps_the_name(made, run, world, artifact, why):
    made.put(artifact)
    report = run(status=1)
    assert why in left(report)
    assert (report["files"], report["names"]) == (0, 1)
    with world.services.catalog.read() as catalog:
        assert catalog.project(DEV, DEMO) is not None


def test_an_old_sdist_with_its_metadata_at_the_root_is_taken(made, run, world):
    text = b"Metadata-Version: 1.1\nName: demo\nVersion: 1.0\nSummary: Old\n"
    made.put(type(WHEEL)("demo-1.0.zip", zip_bytes({"PKG-INFO": text, "demo.py": b""}), text), version="1.0")
    assert run()["files"] == 1
    assert row(world, "demo-1.0.zip").summary == "Old"


def test_an_unsound_file_is_taken_by_its_name_where_that_is_asked_for(made, run, world):
    broken = type(WHEEL)(WHEEL.filename, b"no archive", b"")
    made.put(broken)
    report = run("--take-unsound")
    assert "by its name alone" in report["notes"][0]
    assert row(world, WHEEL.filename).digests.sha256 == broken.sha256


def test_a_file_that_devpi_had_under_a_project_of_which_it_is_none(made, run):
    made.put(build_wheel("labpkg", "1.1"), "lab")
    assert "a file of labpkg" in left(run(status=1))


def test_every_hash_counts_also_of_kinds_that_are_not_ours(made, run):
    sha512 = hashlib.sha512(WHEEL.data).hexdigest()
    made.put(WHEEL, entrymapping={"hashes": {"sha256": WHEEL.sha256, "sha512": sha512}})
    made.put(SDIST, entrymapping={"hash_spec": "md5=" + "0" * 32})
    assert "its md5 is" in left(run(status=1))


def test_an_unknown_kind_of_hash_is_no_proof(made, run):
    made.put(WHEEL, entrymapping={"hashes": {"crc": "1"}, "hash_spec": ""})
    assert "cannot be checked" in left(run(status=1))


def test_without_a_hash_a_file_is_taken_and_told_of(made, run):
    made.put(WHEEL, entrymapping={"hashes": {}, "hash_spec": None})
    assert "no hash" in run()["notes"][0]
    assert run()["files_there"] == 1


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"dumpversion": "3", "users": {}, "indexes": {}}, "dumpversion '3'"),
        ({"users": {}, "indexes": {}}, "dumpversion 'None'"),
        ([], "no JSON object"),
        ({"dumpversion": "2", "users": {}, "indexes": []}, "indexes"),
        ({"dumpversion": "2", "users": {}, "indexes": {"a/b": {}}}, "indexconfig of index 'a/b'"),
        (
            {"dumpversion": "2", "users": {}, "indexes": {"a/b": {"indexconfig": {}, "files": [{"type": "doczip"}]}}},
            "file 0 of index 'a/b'",
        ),
    ],
)
def test_a_wrong_export_ends_with_2(made, run, document, why):
    made.document = document
    assert why in run(status=2)


@pytest.mark.parametrize("content", [None, b"{", b"\xff", b"[" * 100_000])
def test_no_document_ends_with_2(made, config, content):
    if content is not None:
        (made.folder / "dataindex.json").write_bytes(content)
    result = CliRunner().invoke(import_people, ["devpi", str(made.folder), "-c", str(config)])
    assert result.exit_code == 2
    assert "dataindex.json" in result.stderr


@pytest.mark.parametrize(
    "odd",
    [
        {"log": "text", "entrymapping": {"last_modified": 7}},
        {"log": [{"what": "upload", "who": "\ud800", "when": ["x"]}], "version": None},
        {"log": [{"what": "upload", "who": None, "when": [10**20] * 6}, 1], "for_entrypath": 3},
    ],
)
def test_an_entry_with_odd_particulars_is_a_file_all_the_same(made, run, world, odd):
    made.put(WHEEL, **odd)
    assert run()["files"] == 1
    assert row(world, WHEEL.filename).uploader is None


@pytest.mark.parametrize("relpath", ["a/\ud800/{}", "a/\0/{}", "a" * 300 + "/{}", "{}\n", ""])
def test_an_odd_path_is_named(made, run, relpath):
    made.put(WHEEL)
    made.document["indexes"]["alice/dev"]["files"][0]["relpath"] = relpath.format(WHEEL.filename)
    assert left(run(status=1)).isascii()


def test_two_spellings_of_a_project_are_one(made, run, world):
    made.put(WHEEL, "Demo")
    made.put(SDIST, "demo")
    other = build_wheel("demo", "1.0", body=b"other")
    made.put(other, "DEMO", relpath="alice/dev/DEMO/1.0/" + other.filename)
    report = run(status=1)
    assert "with other content" in left(report)
    assert report["files"] == 2
    assert row(world, WHEEL.filename).digests.sha256 == WHEEL.sha256


def test_names_without_files_are_kept_from_mirrors(made, run, world):
    made.describe("Planned.Thing", "1.0")
    report = run()
    assert report["names"] == 1
    assert "registered without a file" in report["notes"][0]
    with world.services.catalog.read() as catalog:
        assert catalog.project(DEV, ProjectName("planned-thing")).display_name == "Planned.Thing"
    assert [str(one.key) for one in world.services.storage.list()] == ["alice/dev/planned-thing/project.json"]
    assert run()["names_there"] == 1


def test_what_was_deleted_here_does_not_come_back(made, run, world):
    made.put(WHEEL)
    made.put(SDIST)
    run()
    world.services.ingest.changes.remove(Selection(DEV, DEMO, filename=WHEEL.filename), TESTER)
    assert "was deleted here" in left(run(status=1))
    assert row(world, WHEEL.filename) is None


def test_who_is_there_is_left_alone(made, run, world):
    world.services.administration.add_user("alice", "hers", TESTER)
    made.add_user("writer")
    report = run()
    assert report["users"] == 0
    assert [line.split(":")[0] for line in report["notes"]] == [
        "user alice is there already, with another password",
        "user writer is in config already",
    ]
    world.get("/api/user", None, 200, Authorization=basic("alice", "hers"))


def test_root_is_an_administrator_only_where_that_is_said(made, run, world):
    made.add_user("root", pwhash=stored(""))
    notes = run()["notes"]
    assert any("empty password" in line for line in notes)
    assert any("--root-is-admin" in line for line in notes)
    assert not world.services.access.lookup("root").is_admin
    assert run("--root-is-admin")["notes"] == []
    assert world.services.access.lookup("root").is_admin


def test_users_with_what_cannot_be_kept_are_named(made, run, world):
    made.add_user("bob", pwhash="0" * 64, pwsalt="salt")
    made.add_user("eve", email="eve@example.com")
    made.add_user("a b")
    lines = run(status=1)["not_carried_over"]
    assert [line.split(":")[0] for line in lines] == ["user bob", "user 'a b'"]
    assert Profiles(world.services.database).of("eve").email == "eve@example.com"


def test_without_users_in_the_database_nobody_comes_and_no_index_of_theirs(made, run, config):
    write_config(config, user_settings())
    made.put(WHEEL)
    lines = run(status=1)["not_carried_over"]
    assert len(lines) == 3
    assert "pypi.auth" in lines[0]
    assert "no user 'alice'" in lines[1]
    assert "its 1 files stay" in lines[2]


def test_names_that_cannot_be_here_are_renamed(made, run, world):
    made.add_user("Carl")
    made.add_index("Carl/Top", acl_upload=["Carl"], bases=["alice/dev"])
    made.document["indexes"]["alice/dev"]["indexconfig"]["acl_upload"] = ["Carl", "alice"]
    made.put(WHEEL, index="Carl/Top", log=[{"what": "upload", "who": "Carl", "when": [2021, 1, 1, 0, 0, 0]}])
    lines = run(status=1)["not_carried_over"]
    assert ["--rename" in line for line in lines] == [True, False]
    run("--rename", "Nobody=nobody", status=1)
    run("--rename", "Carl=alice", status=1)
    run("--rename", "Carl", status=1)
    run("--rename", "Carl=carl", "--rename", "Carl/Top=alice/dev", status=1)
    report = run("--rename", "Carl=carl", "--rename", "Carl/Top=carl/top", status=1)
    # It was made with the old name in its list: changing it is not for a second run.
    assert "another acl_upload" in left(report)
    top = IndexName("carl", "top")
    assert row(world, WHEEL.filename, top).uploader == "carl"
    assert world.services.registry.now().get(top).get("acl_upload") == ["carl"]


def test_bases_that_are_not_there_and_circles(made, run, world):
    made.add_index("alice/a", bases=["alice/b", "root/pypi"])
    made.add_index("alice/b", bases=["alice/c"])
    made.add_index("alice/c", bases=["alice/b", "alice/dev"])
    made.add_index("alice/self", bases=["alice/self"])
    lines = run(status=1)["not_carried_over"]
    assert sorted(lines) == [
        "index 'alice/a': base root/pypi is left out: there is no such index here",
        "index 'alice/c': base alice/b is left out: it shows alice/c itself",
        "index 'alice/self': base alice/self is left out: it shows alice/self itself",
    ]
    bases = {str(one.name): [str(base) for base in one.bases] for one in world.services.registry.now().of("alice")}
    assert bases == {
        "alice/a": ["alice/b"],
        "alice/b": ["alice/c"],
        "alice/c": ["alice/dev"],
        "alice/dev": [],
        "alice/self": [],
    }
    assert run(status=1)["not_carried_over"] == lines


def test_mirrors_come_without_what_they_had_fetched(made, run, world):
    made.document["indexes"]["root/other"] = {
        "indexconfig": {
            "type": "mirror",
            "volatile": False,
            "mirror_url": "https://user:word@index.example.com/simple/",
            "mirror_cache_expiry": 60,
            "bases": [],
            "title": "",
        }
    }
    made.document["indexes"]["alice/dev"]["indexconfig"]["bases"] = ["root/other"]
    assert run()["indexes"] == 2
    mirror = world.services.registry.now().get(IndexName("root", "other"))
    assert mirror.get("mirror_url") == "https://user:word@index.example.com/simple/"
    assert world.services.registry.now().get(DEV).bases == (mirror.name,)
    made.document["indexes"]["root/other"].update(projects={}, files=[])
    made.put(WHEEL, index="root/other")
    assert "1 files that devpi had fetched" in left(run(status=1))


def test_options_and_kinds_of_plugins_are_named(made, run, world):
    made.add_index("alice/odd", type="constrained")
    made.put(WHEEL, index="alice/odd")
    made.document["indexes"]["alice/dev"]["indexconfig"].update(uploadtrigger_jenkins="x", pypi_whitelist=["Six", "*"])
    lines = run(status=1)["not_carried_over"]
    assert [line.split(":")[0] for line in lines] == ["index 'alice/dev'", "index 'alice/odd'", "index 'alice/odd'"]
    assert "uploadtrigger_jenkins" in lines[0]
    assert world.services.registry.now().get(DEV).get("mirror_whitelist") == ["six", "*"]


def test_a_run_that_was_killed_is_continued(made, config, run, world):
    total = 120
    for number in range(total):
        made.put(build_wheel(f"p{number:03}", "1.0"), f"p{number:03}")
    command = [str(Path(sys.executable).with_name("ppc-import")), "devpi", str(made.write()), "-c", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end and count(world) < 10:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert 10 <= (there := count(world)) < total
    report = run()
    assert (report["files_there"], report["files"]) == (there, total - there)
    assert world.services.resync().counts()["restored"] == 0


def count(world):
    with world.services.catalog.read() as catalog:
        return sum(1 for _ in catalog.all_files(DEV))


def test_a_report_for_people(made, config, world):
    made.put(WHEEL)
    result = CliRunner().invoke(import_people, ["devpi", str(made.write()), "-c", str(config)])
    assert result.exit_code == 0
    assert "alice/dev: 1 projects, 1 files added, 0 there already, 0 left out" in result.stderr
    assert result.stdout.startswith("Added 1 users, 1 indexes, 1 files,")


def test_the_older_command_is_as_it_was(config, tmp_path):
    said = CliRunner().invoke(import_people, ["--help"]).output
    assert "devpi EXPORTDIR" in said
    assert "--database" in said
    assert "EXPORTDIR" in CliRunner().invoke(import_people, ["devpi", "--help"]).output
    document = {"version": "1", "users": [], "groups": {}, "packages": {}}
    sent = json.dumps(document)
    assert CliRunner().invoke(import_people, [str(config)], input=sent).exit_code == 0


def test_the_folder_is_read_without_links_on_the_way(made, tmp_path):
    (tmp_path / "link").symlink_to(made.write())
    export = read_export(tmp_path / "link")
    assert isinstance(export, Export)
    assert export.root == made.folder.resolve()
