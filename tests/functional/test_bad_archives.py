"""Every bad shape through the real upload: 400 with its reason, and nothing stays."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.bad_archives import bad_archives


@pytest.fixture(scope="module")
def refusing(make_shared_world):
    return make_shared_world()


def stored(world):
    """Every file in the storage's folder: blobs, manifests, spools."""
    folder = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    return [path for path in folder.rglob("*") if path.is_file()]


def test_70_75_76_77_bad_shapes_are_refused_and_leave_nothing(refusing):
    before = stored(refusing)
    wrong = {}
    for bad in bad_archives():
        artifact = BuiltArtifact(bad.filename, bad.data, b"")
        answer = refusing.upload(artifact, status="*", name="acme-widget", version="1.0")
        words = "is empty" if not bad.data else bad.words
        if answer.status_int != 400 or words not in answer.text or stored(refusing) != before:
            wrong[bad.id] = (answer.status, answer.text, stored(refusing))
    assert wrong == {}
    refusing.get("/simple/acme-widget/", status=404)
    assert refusing.get("/simple/", Accept="application/vnd.pypi.simple.v1+json").json["projects"] == []
