"""Documentation and results of tests from an export of devpi: only what is sound, and about files that are here."""

from __future__ import annotations

import hashlib

import pytest

from pypicloud_lite.catalog.model import AttachmentKind
from pypicloud_lite.indexes.layout import is_attachment_name
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel, zip_bytes
from pypicloud_lite.testing.devpi_exports import ImportRun, MadeExport
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.world import user_settings

DEV, DEMO = IndexName("alice", "dev"), ProjectName("demo")
WHEEL, SDIST = build_wheel("demo", "1.0"), build_sdist("demo", "1.0")
DOCS = zip_bytes({"index.html": b"<h1>demo</h1>"})
SETTINGS = {"pypi.auth": "sql config"}


@pytest.fixture
def made(tmp_path):
    made = MadeExport(tmp_path / "export")
    made.put(WHEEL)
    return made


@pytest.fixture
def world(make_world):
    return make_world(SETTINGS)


@pytest.fixture
def run(made, tmp_path):
    path = tmp_path / "config.ini"
    write_config(path, {**user_settings(), **SETTINGS})
    return ImportRun(made, path)


def kept(world):
    return list(world.services.attachments.of([DEV], DEMO))


def blobs(world):
    return [info.key.value for info in world.services.storage.list() if "+attached" in info.key.value]


def counts(report):
    return [report[key] for key in ("files", "docs", "docs_there", "results", "results_there")]


def left(report):
    (line,) = report["not_carried_over"]
    return line


def test_documentation_and_results_come_along(made, run, world):
    made.put_docs(DOCS)
    made.put_result(b"{}", WHEEL)
    made.put_result(b'{"a": 1}', WHEEL, 1)
    assert counts(run()) == [1, 1, 0, 2, 0]
    there = kept(world)
    assert sorted((one.kind, one.for_file, one.version) for one in there) == [
        (AttachmentKind.DOCZIP, None, "1.0"),
        (AttachmentKind.TOXRESULT, WHEEL.filename, "1.0"),
        (AttachmentKind.TOXRESULT, WHEEL.filename, "1.0"),
    ]
    assert {one.uploader for one in there} == {"alice"}
    assert counts(run()) == [0, 0, 1, 0, 2]
    assert kept(world) == there


def test_what_is_there_is_not_read_again(made, run, world):
    paths = [made.put_docs(DOCS), made.put_result(b"{}", WHEEL)]
    run()
    for path in paths:
        path.unlink()
    assert counts(run("--dry-run")) == [0, 0, 1, 0, 1]
    assert counts(run()) == [0, 0, 1, 0, 1]


def test_what_lost_its_bytes_or_its_manifest_is_made_whole_by_the_next_run(made, run, world):
    made.put_docs(DOCS)
    made.put_result(b"{}", WHEEL)
    run()
    docs, result = sorted(kept(world), key=lambda one: one.kind)
    world.services.storage.delete(docs.key)
    world.services.storage.delete(result.manifest_key)
    assert counts(run()) == [0, 1, 0, 0, 1]
    assert sorted(blobs(world)) == sorted(key for one in kept(world) for key in (one.key.value, one.manifest_key.value))


def test_results_of_old_servers_come_along(made, run):
    # What devpi-server 6.5 to 6.8 took for the hash of a result.
    wrong = {"hash_spec": f"sha256={WHEEL.sha256}", "hashes": {}}
    made.put_result(b"{}", WHEEL, relpath=f"alice/dev/demo/sha256={WHEEL.sha256}/r1-1.0.json", entrymapping=wrong)
    assert counts(run()) == [1, 0, 0, 1, 0]
    assert counts(run()) == [0, 0, 0, 0, 1]


def test_an_old_file_is_told_by_its_md5(made, run):
    md5 = hashlib.md5(WHEEL.data, usedforsecurity=False).hexdigest()
    made.put_result(b"{}", WHEEL, for_entrypath=f"alice/dev/+f/{md5[:3]}/{md5[3:16]}/{WHEEL.filename}")
    assert counts(run()) == [1, 0, 0, 1, 0]


def test_a_result_may_stand_before_its_file(made, run):
    made.put_result(b"{}", SDIST)
    made.put(SDIST)
    assert counts(run()) == [2, 0, 0, 1, 0]


def test_a_result_about_other_bytes_is_not_ours(made, run, world):
    """Ours has the name already: neither the file comes, nor what was found out about it."""
    run()
    other = build_wheel("demo", "1.0", body=b"other")
    made.document["indexes"]["alice/dev"]["files"].clear()
    made.put(other)
    made.put_result(b"{}", other)
    lines = run(status=1)["not_carried_over"]
    assert ["with other content" in lines[0], "other bytes" in lines[1]] == [True, True]
    assert kept(world) == []
    assert blobs(world) == []


def test_a_result_of_a_file_that_was_refused_stays_behind(made, run, world):
    broken = type(WHEEL)(SDIST.filename, b"no archive", b"")
    made.put(broken)
    made.put_result(b"{}", broken)
    told = run("--dry-run", status=1)
    report = run(status=1)
    assert {**told, "dry_run": False} == report
    assert [SDIST.filename in line for line in report["not_carried_over"]] == [True, True]
    assert "is not here" in report["not_carried_over"][1]
    assert kept(world) == []


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("alice/dev/+f/123/4567890abcdef/d\xe9mo-1.0-py3-none-any.whl", "not a valid filename"),
        ("alice/dev/+f/123/4567890abcdef/" + "d" * 230 + "-1.0.tar.gz", "not a valid filename"),
        ("alice/dev/+f/123/4567890abcdef/\ud800", "not a valid filename"),
        ("alice/dev/+f/123/4567890abcdef/other-1.0.tar.gz", "of project demo"),
        ("alice/dev/+f/123/4567890abcdef/other-1.0-py3-none-any.whl", "is not here"),
        (f"alice/dev/+f/{WHEEL.filename}", "which bytes"),
        (f"alice/dev/+f/{WHEEL.sha256[:3]}/{WHEEL.filename}", "which bytes"),
        (f"alice/dev/{WHEEL.filename}", "which bytes"),
        (f"alice/dev/+f/xyz/4567890abcdef/{WHEEL.filename}", "other bytes"),
        ("", "which file was tested"),
        (None, "which file was tested"),
        (3, "which file was tested"),
    ],
)
def test_an_odd_entry_is_named_and_stops_nothing(made, run, world, entry, why):
    made.put_result(b"{}", WHEEL, for_entrypath=entry)
    made.put(SDIST)
    made.put_result(b"{}", SDIST)
    told = run("--dry-run", status=1)
    report = run(status=1)
    assert {**told, "dry_run": False} == report
    assert why in left(report)
    assert left(report).isascii()
    assert counts(report) == [2, 0, 0, 1, 0]
    assert len(blobs(world)) == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "JSON object"),
        (b"[]", "JSON object"),
        (b"\xff", "JSON object"),
        (b"[" * 100_000, "JSON object"),
        (b'{"a": "' + b"x" * 10 * 1024 * 1024 + b'"}', "at most 10485760 bytes"),
    ],
    ids=range(5),
)
def test_a_result_is_a_json_object_of_some_size(made, run, world, data, why):
    made.put_result(data, WHEEL)
    told = run("--dry-run", status=1)
    report = run(status=1)
    assert {**told, "dry_run": False} == report
    assert why in left(report)
    assert (counts(report), kept(world)) == ([1, 0, 0, 0, 0], [])


@pytest.mark.parametrize("data", [b"PK", b"", zip_bytes({})], ids=range(3))
def test_documentation_that_is_none_is_named(made, run, world, data):
    made.put_docs(data)
    for options in (["--dry-run"], [], ["--dry-run"]):
        report = run(*options, status=1)
        assert "demo-1.0.doc.zip" in left(report)
        assert report["docs"] == 0
    assert kept(world) == []


def test_other_documentation_is_left_as_it_is(made, run, world):
    made.put_docs(DOCS)
    run()
    made.document["indexes"]["alice/dev"]["files"].pop()
    made.put_docs(zip_bytes({"index.html": b"<h1>new</h1>"}))
    for options in (["--dry-run"], []):
        assert "with other content" in left(run(*options, status=1))
    assert len(kept(world)) == 1


def test_a_dry_run_says_of_them_what_the_run_does(made, run, world):
    made.put_docs(b"PK")
    made.put_result(b"{}", WHEEL)
    made.put_result(b"{}", WHEEL, for_entrypath=None, relpath="alice/dev/demo/odd/x-1.json")
    for _ in range(2):
        told = run("--dry-run", status=1)
        report = run(status=1)
        assert {**told, "dry_run": False} == report
    assert counts(report) == [0, 0, 0, 0, 1]


def test_the_same_twice_in_an_export_is_one(made, run):
    made.put_docs(DOCS)
    made.put_docs(DOCS)
    made.put_result(b"{}", WHEEL)
    made.put_result(b"{}", WHEEL, 1)
    told = run("--dry-run")
    report = run()
    assert {**told, "dry_run": False} == report
    assert counts(report) == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("when", [[1, 1, 1, 0, 0, 0], [999, 1, 1, 0, 0, 0], [1969, 12, 31, 23, 59, 59]])
def test_a_time_before_all_computers_is_none(made, run, world, when):
    """Not every database keeps it, and the name of a result has four digits of the year."""
    made.put_result(b"{}", WHEEL, log=[{"what": "upload", "who": "alice", "when": when}])
    assert counts(run()) == [1, 0, 0, 1, 0]
    (result,) = kept(world)
    assert result.uploaded_at.year == 2020
    assert is_attachment_name(result.filename)
