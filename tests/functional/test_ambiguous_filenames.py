"""``py-2-1.tar.gz`` is version 1 of py-2, or version 2-1 of py: who may write one may not touch the other's file."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist


@pytest.fixture
def victims_world(make_world):
    return make_world(
        {
            "package.py-2.user.admin": "rw",
            "package.py.group.developers": "rw",
            "pypi.allow_overwrite_groups": "developers",
        }
    )


THEIRS = build_sdist("py-2", "1")
MINE = BuiltArtifact("py-2-1.tar.gz", build_sdist("py", "2.post1").data, b"")


def test_another_projects_file_is_neither_replaced_nor_told_of(victims_world):
    theirs = BuiltArtifact("py-2-1.tar.gz", THEIRS.data, b"")
    victims_world.upload(theirs, "admin", name="py-2", version="1")
    answer = victims_world.upload(MINE, "writer", 409, name="py", version="2.post1")
    assert theirs.sha256[:16] not in answer.text
    assert len(victims_world.project("py-2", "admin")["files"]) == 1


def test_nor_is_a_name_that_stays_reserved_for_it(victims_world):
    theirs = BuiltArtifact("py-2-1.tar.gz", THEIRS.data, b"")
    victims_world.upload(theirs, "admin", name="py-2", version="1")
    victims_world.delete("/api/package/py-2/py-2-1.tar.gz", "admin", 200)
    victims_world.upload(MINE, "writer", 409, name="py", version="2.post1")
    victims_world.upload(theirs, "admin", name="py-2", version="1")
