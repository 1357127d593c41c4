"""Security defects of pypicloud 1.3.12 that this server must not have: numbers 1 to 5 and 12 of the list."""

from __future__ import annotations

import pytest

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON

SECRET = build_sdist("secret-pkg", "1.0")
PUBLIC = build_sdist("pubpkg", "1.0")
SPELLINGS = ("secret-pkg", "Secret_Pkg", "secret.pkg", "SECRET-PKG", "secret__pkg", "Secret.-_Pkg")


@pytest.fixture(scope="module")
def world(make_shared_world):
    """Everybody reads and developers write, but ``secret-pkg`` is for the admin alone."""
    world = make_shared_world({"pypi.default_read": "everyone", "package.Secret_Pkg.user.admin": "rw"})
    world.upload(SECRET, "admin")
    world.upload(PUBLIC, "admin")
    return world


def names(world):
    return [file["filename"] for file in world.project("secret-pkg", "admin")["files"]]


@pytest.mark.parametrize("user", ["reader", "writer", "outsider"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_defect_1_no_spelling_opens_a_restricted_project(world, spelling, user):
    for path in (f"/simple/{spelling}/", f"/pypi/{spelling}/", f"/{spelling}/"):
        answer = world.get(path, user, "*", Accept=JSON)
        if answer.status_int == 301:
            answer = world.get("/simple/secret-pkg/", user, "*", Accept=JSON)
        assert answer.status_int == 404
        assert SECRET.sha256 not in answer.text
    for path in (
        f"/api/package/{spelling}/{SECRET.filename}",
        f"/packages/root/main/{spelling}/{SECRET.filename}",
        f"/packages/root/main/{spelling}/{SECRET.sha256[:16]}/{SECRET.filename}",
    ):
        world.get(path, user, 404)
        world.get(path, "admin", 200)
    world.delete(f"/api/package/{spelling}/{SECRET.filename}", user, 403)
    assert names(world) == [SECRET.filename]


@pytest.mark.parametrize("user", ["reader", "writer", None, "admin"])
def test_defect_2_a_file_is_only_reached_through_its_own_project(world, user):
    for path in (
        f"/api/package/pubpkg/{SECRET.filename}",
        f"/packages/root/main/pubpkg/{SECRET.filename}",
        f"/packages/root/main/pubpkg/{SECRET.sha256[:16]}/{SECRET.filename}",
    ):
        world.get(path, user, 404)
        world.head(path, user, 404)
    refusal = {None: 401, "reader": 403}.get(user, 404)
    world.delete(f"/api/package/pubpkg/{SECRET.filename}", user, refusal)
    assert names(world) == [SECRET.filename]


@pytest.mark.parametrize("name", [None, "", "UNKNOWN", "secret-pkg", "Secret.Pkg", "secret_pkg"])
@pytest.mark.parametrize(
    "artifact",
    [
        build_sdist("secret-pkg", "3.0", stem="Secret_Pkg-3.0"),
        build_sdist("secret-pkg", "3.0", stem="secret.pkg-3.0"),
        build_wheel("secret-pkg", "3.0"),
    ],
)
def test_defect_3_no_spelling_and_no_missing_name_writes_into_it(world, name, artifact):
    world.upload(artifact, "writer", 403, name=name, version="3.0")
    assert names(world) == [SECRET.filename]


@pytest.mark.parametrize(
    ("artifact", "fields"),
    [
        (build_sdist("secret-pkg", "4.0"), {"name": "evepkg", "version": "4.0"}),
        (build_sdist("secret-pkg", "4.0"), {"name": "pubpkg", "version": "4.0"}),
        (
            BuiltArtifact("evepkg-1.0.tar.gz", build_sdist("secret-pkg", "4.0").data, b""),
            {"name": "evepkg", "version": "1.0"},
        ),
        (BuiltArtifact("evepkg-1.0.txt", SECRET.data, b""), {"name": "evepkg", "version": "1.0"}),
        (BuiltArtifact("evepkg-1.0.html", b"<script>", b""), {"name": None, "version": None}),
        (BuiltArtifact("evepkg-", SECRET.data, b""), {"name": "evepkg", "version": "1.0"}),
        (BuiltArtifact("-.tar.gz", SECRET.data, b""), {"name": "evepkg", "version": "1.0"}),
        (PUBLIC, {"name": "<b>pubpkg</b>", "version": "1.0"}),
        (PUBLIC, {"name": "pubpkg", "version": "<img src=x>"}),
        (BuiltArtifact("-1.0.tar.gz", PUBLIC.data, b""), {"name": None, "version": None}),
    ],
)
def test_defect_4_name_filename_and_content_must_agree(world, artifact, fields):
    before = world.get("/simple/", "admin", 200, Accept=JSON).json
    answer = world.upload(artifact, "writer", 400, **fields)
    assert answer.content_type == "text/plain"
    assert world.get("/simple/", "admin", 200, Accept=JSON).json == before


@pytest.mark.parametrize("version", ["../../../../escaped", "/tmp/escaped", "..", "1.0/../../escaped"])
@pytest.mark.parametrize("field", ["name", "version"])
def test_defect_5_no_field_is_a_path(world, field, version):
    packages = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    everything = packages.parent.parent.parent

    def outside():
        return sorted(str(path) for path in everything.rglob("*") if packages not in path.parents)

    before = outside()
    world.upload(PUBLIC, "writer", 400, **{"name": "pubpkg", "version": "1.0", field: version})
    artifact = BuiltArtifact(f"{version}-1.0.tar.gz", PUBLIC.data, b"")
    world.upload(artifact, "writer", 400, name="pubpkg", version="1.0")
    assert outside() == before
    assert not any("escaped" in path.name for path in [*everything.rglob("*"), *everything.parent.iterdir()])


@pytest.mark.parametrize("word", ["false", "False", "no", "off", "0"])
def test_defect_12_false_is_false(make_world, word):
    world = make_world({"pypi.allow_overwrite": word, "pypi.allow_delete": word, "pypi.allow_overwrite_groups": None, "pypi.allow_delete_groups": None})  # fmt: skip
    world.upload(PUBLIC)
    world.upload(build_sdist("pubpkg", "1.0", body=b"other"), "writer", 409)
    world.delete(f"/api/package/pubpkg/{PUBLIC.filename}", "writer", 403)
    assert world.project("pubpkg")["files"][0]["hashes"]["sha256"] == PUBLIC.sha256


@pytest.mark.parametrize("word", ["true", "True", "yes", "on", "1"])
def test_defect_12_true_is_true(make_world, word):
    world = make_world({"pypi.allow_overwrite": word, "pypi.allow_delete": word, "pypi.allow_overwrite_groups": None, "pypi.allow_delete_groups": None})  # fmt: skip
    world.upload(PUBLIC)
    other = build_sdist("pubpkg", "1.0", body=b"other")
    world.upload(other)
    assert world.project("pubpkg")["files"][0]["hashes"]["sha256"] == other.sha256
    world.delete(f"/api/package/pubpkg/{PUBLIC.filename}", "writer", 200)


def test_defect_12_what_is_no_boolean_is_refused_at_start(make_world):
    for key in ("pypi.allow_overwrite", "pypi.stream_files", "db.echo"):
        with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
            make_world({key: "maybe"})
