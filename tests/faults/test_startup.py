"""With 50,000 files in the catalog, starting looks at none of them."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from pypicloud_lite.catalog.model import FileRecord, ManifestState
from pypicloud_lite.catalog.rows import file_values
from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.catalog.tables import file_metadata, files, projects
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, StorageKey
from pypicloud_lite.storage.backends import local_tree
from pypicloud_lite.testing.databases import counted_statements, open_database
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import RawClient
from pypicloud_lite.testing.servers import fault_proxy
from pypicloud_lite.testing.world import World, user_settings

PROJECTS, FILES_EACH = 500, 100
INDEX = IndexName("root", "main")
# Seconds; the aim is 2 on an idle machine, and this one may be busy with other tests.
LATEST_ANSWER = 10.0


def fill(url):
    """Rows for 50,000 uploaded files."""
    database = open_database(url)
    upgrade(database)
    with database.write() as connection:
        connection.execute(insert(projects), [project(number) for number in range(1, PROJECTS + 1)])
        rows = [file(number, each) for number in range(1, PROJECTS + 1) for each in range(FILES_EACH)]
        connection.execute(insert(files), rows)
        connection.execute(
            insert(file_metadata), [{"file_id": number, "core": "{}"} for number in range(1, len(rows) + 1)]
        )
    with SqlCatalog(database, system_clock).write(Author("test")) as catalog:
        catalog.set_rebuilding(None)
    database.dispose()


def project(number):
    return {
        "id": number,
        "index_name": str(INDEX),
        "name": f"p{number}",
        "display_name": f"p{number}",
        "serial": number,
        "revision": number,
        "file_count": FILES_EACH,
        "status": "active",
    }


def file(number, each):
    filename = Filename.parse(f"p{number}-1.{each}.tar.gz")
    sha256 = hashlib.sha256(filename.value.encode()).hexdigest()
    key = StorageKey(f"{INDEX}/p{number}/{sha256[:8]}-0123456789abcdef/{filename}")
    record = FileRecord(
        INDEX, filename.project, filename, 1, Digests(sha256, sha256, sha256[:32]), key, key, system_clock()
    )
    return file_values(replace(record, manifest=ManifestState.DONE, serial=number), number)


def first_answer(server):
    """Seconds from the first worker's birth to the first page; the page has its files."""
    server.start()
    with RawClient(server.port, "reader") as client:
        listed = client.listed("p77")
    answered = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert len(listed) == FILES_EACH
    return answered - min(map(born, server.worker_pids()))


def born(pid):
    """Seconds from this machine's start to a process's."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def bucket(s3_options):
    """Settings for a bucket behind a proxy that notes each request."""
    with fault_proxy(s3_options["storage.endpoint_url"]) as proxy:
        yield proxy, {"pypi.storage": "s3", **s3_options, "storage.endpoint_url": proxy.url}


@pytest.mark.slow
def test_starting_lists_nothing(bucket, tmp_path, note):
    proxy, settings = bucket
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    fill(url)
    server = LiveServer(tmp_path / "server", {**user_settings(), **settings, "db.url": url})
    with server:
        server.stop()
        # Once more: now the bucket is there, the code is compiled.
        proxy.heal()
        seconds = first_answer(server)
    note(f"first page {seconds:.2f} s after a worker was born, {len(proxy.seen)} requests to the bucket")
    assert not [seen for seen in proxy.seen if "list-type" in seen.path]
    # One look at the bucket by the command and by each worker; each worker asks for unfinished uploads.
    assert len(proxy.seen) <= 3 + 2
    assert seconds < LATEST_ANSWER


def test_starting_walks_no_folder(tmp_path, monkeypatch):
    """All that a process does at start and in its first round of housekeeping, with folders that tell."""
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    fill(url)
    listed = []
    walk = local_tree.walk
    monkeypatch.setattr(local_tree, "walk", lambda root, prefix: listed.append(prefix) or walk(root, prefix))
    world = World(tmp_path, {"db.url": url, "storage.dir": str(tmp_path / "packages")})
    with counted_statements(world.services.database) as statements:
        world.services.housekeeping().step()
    assert len(world.project("p77")["files"]) == FILES_EACH
    world.close()
    assert listed == []
    # Two of them for the definitions of indexes, once for all chores; one for those that requests removed.
    assert len(statements) <= 8
