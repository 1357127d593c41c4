"""F17: what does not fit, what outlived its deletion, what is gone: reported, and never listed."""

from __future__ import annotations

import shutil

from pypicloud_lite.indexes.changes import Changes, Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel

AUTHOR = Author("test")


class CannotDeleteBytes:
    """A storage that deletes manifests and nothing else."""

    def __init__(self, storage):
        self._storage = storage

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def delete(self, key):
        if not key.value.endswith(".manifest.json"):
            raise StorageUnavailable(f"{key} cannot be deleted now")
        self._storage.delete(key)


def remove(site, filename, storage):
    services = site.world.services
    with services.catalog.read() as catalog:
        row = catalog.file(services.index, filename)
    changes = Changes(storage, services.catalog)
    assert changes.remove(Selection(row.index, row.project, str(row.filename)), AUTHOR)


def test_what_a_replacement_left_behind_does_not_come_back(site, wheel):
    """The old file outlived its replacement; then the new one was deleted."""
    services = site.world.services
    old = site.world.upload(build_wheel("demo", "1.0", body=b"old"))
    assert old.status_int == 200
    left = site.rows()[wheel.filename]
    kept = {key: services.storage.read(key) for key in (left.key, left.manifest_key, left.metadata_key)}
    site.world.upload(build_wheel("demo", "1.0", body=b"new"), "admin")
    for key, data in kept.items():
        services.storage.write(key, data)
    site.world.delete(f"/api/package/demo/{wheel.filename}")
    for _ in range(2):
        report = site.resync()
        assert site.listed() == {}
        assert [reservation.filename for reservation in site.reservations()] == [wheel.filename]
        assert [remark for remark in report.remarks if left.home.value in remark]
        site.lose_database()
    # Somebody uploads the name again: now it counts.
    site.resync()
    site.world.upload(build_wheel("demo", "1.0", body=b"new"))
    before = site.page()
    site.lose_database()
    site.resync()
    assert site.page() == before


def test_a_deleted_import_does_not_come_back(site, wheel):
    """Its bytes could not be deleted when it was."""
    site.put_foreign(f"demo/1.0/{wheel.filename}", wheel.data)
    site.resync()
    remove(site, wheel.filename, CannotDeleteBytes(site.world.services.storage))
    for _ in range(2):
        report = site.resync()
        assert (site.listed(), report.imported) == ({}, 0)
        assert [remark for remark in report.remarks if "was deleted here" in remark]
        site.lose_database()


def names(site):
    return [(one.filename, one.sha256) for one in site.reservations()]


def test_yesterdays_database(any_site, wheel):
    """The copy knows files that were deleted since, and not those that came."""
    site = any_site
    site.fill()
    site.close()
    copy = shutil.copy(site.database, site.folder / "yesterday")
    site.world = site.open()
    site.world.upload(build_sdist("demo", "5.0"))
    site.world.upload(build_wheel("demo", "3.0", body=b"newest"), "admin")
    site.world.delete(f"/api/package/demo/{wheel.filename}")
    before = site.listed(), names(site), site.rows()
    site.lose_database(copy)
    assert site.listed() != before[0]
    report = site.resync()
    assert (site.listed(), names(site), site.rows()) == before
    assert (report.restored, report.removed) == (1, 1)
    again = site.resync()
    assert again.counts() == {**report.counts(), "restored": 0, "removed": 0}
    assert again.remarks == []


def test_a_vanished_file(any_site, wheel):
    site = any_site
    site.fill()
    row = site.rows()[wheel.filename]
    site.world.services.storage.delete(row.key)
    report = site.resync()
    assert report.removed == 1
    assert [remark for remark in report.remarks if row.key.value in remark]
    assert wheel.filename not in site.listed()
    # The name stands for what was published; who has the same bytes brings them back.
    site.world.upload(build_wheel("demo", "1.0", body=b"built again"), status=409)
    site.world.upload(wheel)
    assert wheel.filename in site.listed()


def test_f17_strays_and_unreadable_manifests_are_reported_and_skipped(site):
    site.fill()
    whole = site.listed()
    damaged = [build_sdist("demo", f"7.{number}") for number in range(4)]
    for artifact in damaged:
        site.world.upload(artifact)
    homes = [site.rows()[artifact.filename] for artifact in damaged]
    manifests = [site.packages / row.manifest_key.value for row in homes]
    manifests[0].write_bytes(b"{")
    manifests[1].write_bytes(manifests[2].read_bytes().replace(b'"demo"', b'"other"'))
    manifests[2].write_bytes(b'{"format": 1, "serial": -1}')
    (site.packages / homes[3].key.value).write_bytes(b"cut")
    site.put_foreign("README.txt", b"hello")
    site.put_foreign("root/main/demo/notes.tar.gz", b"no distribution")
    site.put_foreign(".tmp/0123", b"left by a process that died")
    (site.packages / "pipe").symlink_to("/dev/zero")
    site.lose_database()
    report = site.resync()
    assert site.listed() == whole
    assert report.restored == 4
    for name in (*(row.home.value for row in homes), "README.txt", "root/main/demo/notes.tar.gz"):
        assert [remark for remark in report.remarks if name in remark], name
    assert len(report.remarks) == 6


def test_a_lost_manifest_is_written_anew(any_site):
    site = any_site
    site.fill()
    before = site.everything()
    services = site.world.services
    for row in site.rows().values():
        services.storage.delete(row.manifest_key)
    report = site.resync()
    assert len(report.remarks) == 4
    assert site.everything() == before
    site.lose_database()
    assert site.resync().restored == 4
    assert site.everything() == before


def test_an_empty_storage_takes_nothing_out_of_the_catalog(site):
    """Most likely it is not mounted."""
    site.fill()
    before = site.everything()
    away = site.packages.rename(site.packages.with_name("away"))
    site.packages.mkdir()
    report = site.resync()
    assert "is it the right one?" in report.remarks[0]
    site.packages.rmdir()
    away.rename(site.packages)
    assert site.everything() == before
    assert site.resync().remarks == []
