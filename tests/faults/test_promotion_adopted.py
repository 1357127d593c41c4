"""A file of a folder or bucket that other hands write to, promoted: a copy of its own, and the folder's stays as it is."""

from __future__ import annotations

import os

import pytest

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.indexes.copying import How
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import Conflict
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.publish.promotion import PromotionRequest

DEMO, STABLE = ProjectName("demo"), IndexName("root", "stable")
ADMIN = Identity("admin", roles=frozenset({Role.ADMIN}))
AUTHOR = Author("admin")
LONG_AGO = 1_500_000_000


def promote(site, **more):
    services = site.world.services
    wanted = PromotionRequest(services.index, STABLE, DEMO, "1.0", **more)
    return {one.filename: one.how for one in services.promotion.promote(wanted, ADMIN, AUTHOR)}


def row(site, index, wheel):
    with site.world.services.catalog.read() as catalog:
        return catalog.file(index, wheel.filename)


def bytes_of(site, record):
    with site.world.services.storage.open(record.key) as blob:
        return b"".join(blob)


@pytest.fixture
def folder(make_site, wheel):
    """A site with a folder of pypiserver's, whose file was written long ago."""
    site = make_site({f"index.{STABLE}.volatile": "false"})
    site.put_foreign(wheel.filename, wheel.data)
    os.utime(site.packages / wheel.filename, (LONG_AGO, LONG_AGO))
    assert site.resync().imported == 1
    return site


def test_the_folder_is_left_as_it_was(folder, wheel):
    source = row(folder, folder.world.services.index, wheel)
    assert promote(folder) == {wheel.filename: How.COPY}
    assert (folder.packages / wheel.filename).stat().st_mtime == LONG_AGO
    report = folder.resync()
    assert (report.replaced, report.imported, report.remarks) == (0, 0, [])
    assert row(folder, folder.world.services.index, wheel) == source
    assert row(folder, STABLE, wheel).uploaded_at == source.uploaded_at


def test_who_writes_the_folders_file_does_not_write_the_copy(folder, wheel):
    promote(folder)
    with (folder.packages / wheel.filename).open("r+b") as file:
        file.write(b"other bytes")
    copy = row(folder, STABLE, wheel)
    assert bytes_of(folder, copy) == wheel.data
    assert folder.world.services.storage.stat(copy.key).modified.timestamp() > LONG_AGO


def test_what_was_altered_since_is_not_copied(folder, wheel):
    (folder.packages / wheel.filename).write_bytes(wheel.data[:-1] + b"x")
    with pytest.raises(Conflict, match=f"{wheel.filename} in root/main has other bytes.*ppc-resync"):
        promote(folder, move=True)
    assert row(folder, STABLE, wheel) is None
    assert row(folder, folder.world.services.index, wheel) is not None
    assert not list(folder.world.services.storage.list(str(STABLE)))


def test_a_bucket_copies_what_was_checked(make_site, s3_options, wheel):
    """Not what lies there by now, as the bucket's own copy would."""
    settings = {"pypi.storage": "s3", "storage.prefix": "pkgs/", f"index.{STABLE}.volatile": "false", **s3_options}
    site = make_site(settings)
    storage, key = site.world.services.storage, StorageKey(f"9f3c/demo/{wheel.filename}")
    storage.write(key, wheel.data)
    assert site.resync().imported == 1
    storage.write(key, wheel.data[:-1] + b"x")
    with pytest.raises(Conflict, match="has other bytes"):
        promote(site)
    storage.write(key, wheel.data)
    assert promote(site) == {wheel.filename: How.COPY}
    assert bytes_of(site, row(site, STABLE, wheel)) == wheel.data
