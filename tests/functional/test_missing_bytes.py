"""A file that the catalog lists and the storage does not have."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from webtest import TestApp

from pypicloud_lite.app import make_app
from pypicloud_lite.storage.port import BlobNotFound
from pypicloud_lite.testing.artifacts import build_wheel

OLD, NEW = (build_wheel("demo", "1.0", body=body, description=body.decode()) for body in (b"old", b"new"))
NAMED = f"/packages/root/main/demo/{OLD.filename}"
DIGEST = f"/packages/root/main/demo/{OLD.sha256[:16]}/{OLD.filename}"
API = f"/api/package/demo/{OLD.filename}"


def row_of(world):
    with world.services.catalog.read() as catalog:
        return catalog.file(world.services.index, OLD.filename)


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json"])
@pytest.mark.parametrize("address", [NAMED, DIGEST, API])
@pytest.mark.parametrize("ending", ["", ".metadata", ".asc"])
def test_it_is_not_found_and_the_log_says_which(world, address, ending, accept):
    world.upload(OLD, signature=b"signature")
    row = row_of(world)
    key = {"": row.key, ".metadata": row.metadata_key, ".asc": row.signature_key}[ending]
    world.services.storage.delete(key)
    unknown = world.get(address.replace("demo-1.0", "demo-9.9") + ending, status=404, Accept=accept)
    with capture_logs() as logs:
        answer = world.get(address + ending, status=404, Accept=accept)
    assert [(entry["log_level"], entry["filename"], entry["key"]) for entry in logs] == [
        ("error", OLD.filename, str(key))
    ]
    # The words are those for any missing file; where it lay is nobody's business.
    assert answer.text == unknown.text.replace("demo-9.9", "demo-1.0")
    said = f"{answer.status} {answer.headerlist} {answer.text}"
    assert row.key.value.split("/")[-2] not in said
    assert "immutable" not in said


def test_a_range_of_it_too(world):
    world.upload(OLD)
    world.services.storage.delete(row_of(world).key)
    world.get(NAMED, status=404, Range="bytes=0-9")


class OvertakenStorage:
    """Another request acts after the catalog was asked, before the bytes are opened."""

    def __init__(self, storage, act):
        self._storage = storage
        self._act = act

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def _overtake(self):
        act, self._act = self._act, None
        if act is not None:
            act()

    def open(self, key, span=None):
        self._overtake()
        return self._storage.open(key, span)

    def read(self, key):
        self._overtake()
        return self._storage.read(key)


def overtaken(world, act):
    storage = OvertakenStorage(world.services.storage, act)
    other = make_app(replace(world.services, storage=storage))
    return TestApp(other, extra_environ={"REMOTE_ADDR": "192.0.2.1"})


@pytest.mark.parametrize(
    ("address", "content"), [(NAMED, NEW.data), (API, NEW.data), (f"{NAMED}.metadata", NEW.metadata)]
)
def test_who_is_overtaken_by_an_overwrite_gets_the_new_bytes(world, address, content):
    world.upload(OLD)
    lost = row_of(world).key
    app = overtaken(world, lambda: world.upload(NEW, "admin"))
    with capture_logs() as logs:
        answer = app.get(address, headers=world._headers("reader", {}), status=200)
    assert answer.body == content
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
    with pytest.raises(BlobNotFound):
        world.services.storage.stat(lost)


@pytest.mark.parametrize("act", ["overwrite", "delete"])
def test_what_the_digest_named_is_gone_then(world, act):
    world.upload(OLD)
    acts = {"overwrite": lambda: world.upload(NEW, "admin"), "delete": lambda: world.delete(API)}
    with capture_logs() as logs:
        overtaken(world, acts[act]).get(DIGEST, headers=world._headers("reader", {}), status=404)
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
