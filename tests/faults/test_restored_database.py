"""A database from an older copy, bytes that got lost, an index that was renamed: what was acknowledged wins."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.catalog.model import ManifestState
from pypicloud_lite.indexes import ingest as ingest_module
from pypicloud_lite.indexes.incoming import NewFile
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel

AUTHOR = Author("test")
LONG_AFTER = timedelta(days=3)


def copied(site):
    """A copy of the database as it is now."""
    site.close()
    copy = site.folder / "yesterday.sqlite"
    shutil.copy(site.database, copy)
    site.world = site.open()
    return copy


def uploads_elsewhere(site, count=5):
    """What draws serials that the copy does not know of."""
    for number in range(count):
        site.world.upload(build_sdist("elsewhere", f"1.{number}"))


def row_of(site, filename):
    services = site.world.services
    with services.catalog.read() as catalog:
        return catalog.file(services.index, filename)


def everything_of(site):
    """Rows, journal and the catalog's own serial and revision, and what is stored."""
    with site.world.services.catalog.read() as catalog:
        return site.rows(), list(catalog.journal()), catalog.state(), sorted(site.stored())


def test_what_was_uploaded_to_the_restored_database_wins(frail_site):
    """v2 was acknowledged after the copy, v3 after the restore: v3 is the latest, whatever serial v2 had."""
    site = frail_site
    v1, v2, v3 = (build_wheel("demo", "1.0", body=body) for body in (b"v1", b"v2", b"v3"))
    site.world.upload(v1)
    yesterday = copied(site)
    uploads_elsewhere(site)
    site.world.upload(v2, "admin")
    forgotten = row_of(site, v2.filename).serial
    site.lose_database(yesterday)
    assert site.download(v1.filename) == 404
    site.world.upload(v3, "admin")
    assert row_of(site, v3.filename).serial > forgotten
    for _ in range(2):
        site.resync()
        assert site.listed() == {v3.filename: v3.sha256}
        assert site.download(v3.filename) == v3.data
    site.ahead = LONG_AFTER
    leftovers = site.world.services.leftovers()
    found = leftovers.find()
    # v2 lost to v3; nothing that is listed is among them.
    assert any(v2.sha256[:8] in info.key.value for info in found)
    assert not any(v3.sha256[:8] in info.key.value for info in found)
    leftovers.remove(found)
    site.resync()
    assert site.download(v3.filename) == v3.data
    assert leftovers.find() == []


def test_what_was_uploaded_again_after_the_copy_comes_back(frail_site):
    """The copy has its deletion, and serials that were given twice must not make that the later one."""
    site = frail_site
    artifact = build_wheel("demo", "1.0")
    site.world.upload(artifact)
    site.world.delete(f"/api/package/demo/{artifact.filename}")
    yesterday = copied(site)
    site.world.upload(artifact)
    site.lose_database(yesterday)
    later = [build_wheel("demo", f"2.{number}") for number in range(4)]
    for one in later:
        site.world.upload(one)
    assert artifact.filename not in site.listed()
    report = site.resync()
    assert report.restored == 1
    assert site.listed() == {one.filename: one.sha256 for one in [artifact, *later]}
    assert site.download(artifact.filename) == artifact.data
    assert site.reservations() == []


def test_serials_never_fall_below_the_time(frail_site):
    site = frail_site
    uploads_elsewhere(site, 2)
    floor = int((site.clock() - timedelta(hours=1)).timestamp() * 1000)
    first, second = sorted(row.serial for row in site.rows().values())
    assert floor < first < second
    # And a clock that goes back gives none again.
    site.ahead = -timedelta(days=1)
    site.world.upload(build_sdist("elsewhere", "9.0"))
    assert row_of(site, "elsewhere-9.0.tar.gz").serial == second + 1


def test_metadata_has_a_limit(frail_site):
    """What is kept in the manifest must fit into one document that the storage reads back."""
    site = frail_site
    limit = Limits().metadata_bytes
    assert limit == 2 * 1024 * 1024
    answer = site.world.upload(build_wheel("demo", "1.0", description="x" * (limit + 1)), status=400)
    assert "demo-1.0-py3-none-any.whl" in answer.text
    assert site.stored() == []
    fits = build_wheel("demo", "2.0", description="\N{GRINNING FACE}" * (limit // 4 - 100))
    site.world.upload(fits)
    site.lose_database()
    assert site.resync().remarks == []
    assert site.listed() == {fits.filename: fits.sha256}


def test_a_manifest_that_would_be_too_large_is_refused_before_anything_is_stored(frail_site):
    site = frail_site
    services = site.world.services
    artifact = build_sdist("demo", "1.0")
    new = NewFile(
        index=services.index,
        filename=Filename.parse(artifact.filename),
        display_name="demo",
        # Grows sixfold in JSON, so that it may pass each limit before this one.
        core={"description": "\x01" * (ingest_module._MAX_MANIFEST // 6 + 1)},
    )
    with services.storage.spool() as spool:
        spool.write(artifact.data)
        site.calls.clear()
        with pytest.raises(InvalidArtifact, match=artifact.filename):
            services.ingest.add(new, spool, AUTHOR, lambda: False)
    assert [name for name, _ in site.calls if name in {"put", "write"}] == []
    assert site.stored() == []
    assert site.rows() == {}


def test_uploading_lost_bytes_again_repairs_them(frail_site):
    site = frail_site
    artifact = build_wheel("demo", "1.0")
    site.world.upload(build_wheel("demo", "0.1"))
    site.world.upload(artifact, signature=b"signature")
    site.world.services.storage.delete(row_of(site, artifact.filename).key)
    assert site.download(artifact.filename) == 404
    site.world.upload(build_wheel("demo", "1.0", body=b"other"), status=409)
    site.world.upload(artifact, status=200)
    assert site.download(artifact.filename) == artifact.data
    assert row_of(site, artifact.filename).manifest is ManifestState.DONE
    listed = site.listed()
    report = site.resync()
    assert (report.removed, report.remarks) == (0, [])
    assert site.listed() == listed
    site.lose_database()
    site.resync()
    assert site.listed() == listed
    assert site.download(artifact.filename) == artifact.data


def test_uploading_whole_bytes_again_changes_nothing(frail_site):
    site = frail_site
    artifact = build_wheel("demo", "1.0")
    site.world.upload(artifact)
    before = everything_of(site)
    site.world.upload(artifact, status=200)
    assert everything_of(site) == before


def test_an_older_manifest_does_not_come_back_for_a_vanished_file(frail_site):
    """B replaced A, whose bytes and manifest could not be removed; then B's bytes got lost."""
    site = frail_site
    site.world.upload(build_sdist("demo", "0.1"))
    a, b = (build_wheel("demo", "1.0", body=body) for body in (b"A", b"B"))
    site.world.upload(a)
    site.fails = lambda method, key: method == "write" and key.endswith(".manifest.json")
    site.world.upload(b, "admin", status=503)
    site.heal()
    site.world.upload(b, "admin", status=200)
    # What the test is about: A is still there, complete with its manifest.
    assert sum(a.sha256[:8] in key for key in site.stored()) >= 2
    site.world.services.storage.delete(row_of(site, b.filename).key)
    for _ in range(2):
        site.resync()
        assert list(site.listed()) == ["demo-0.1.tar.gz"]
        assert site.download(b.filename) == 404
    assert [(one.filename, one.sha256) for one in site.reservations()] == [(b.filename, b.sha256)]
    site.world.upload(a, status=409)
    site.world.upload(b, status=200)
    assert site.download(b.filename) == b.data


@pytest.mark.parametrize("told", [True, False], ids=["with-manifest", "before-its-manifest"])
def test_another_default_index_does_not_import_what_has_a_row_already(frail_site, told):
    """Two rows for the same bytes: a deletion here would take them away there."""
    site = frail_site
    artifact = build_wheel("demo", "1.0")
    site.put_foreign(f"old/{artifact.filename}", artifact.data)
    if told:
        site.resync()
    else:
        site.fails = lambda method, key: method == "write" and key.endswith(".manifest.json")
        site.world.services.housekeeping().step()
        site.heal()
    assert row_of(site, artifact.filename) is not None
    site.settings["pypi.default_index"] = "team/prod"
    site.close()
    site.world = site.open()
    assert site.resync().imported == 0
    assert site.listed() == {}
    site.world.delete(f"/api/package/demo/{artifact.filename}", status=404)
    # An index that nothing defines any more: what it has is kept, and shown again when it is defined.
    assert site.download(artifact.filename) == 404
    site.settings["index.root/main.type"] = "stage"
    site.close()
    site.world = site.open()
    assert site.resync().imported == 0
    assert site.download(artifact.filename) == artifact.data
    assert "404" not in site.world.get("/root/main/+simple/demo/", "reader").text
