"""What devpi's users upload that other indexes refuse, and the addresses that its users have in files."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON, World


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    world = make_world({"upload.strict": "true"})
    world.send("PUT", "/writer/dev", "writer", 200, {"strict": False})
    return world


def bare_sdist(name: str, version: str) -> BuiltArtifact:
    """As distutils of old wrote them by hand: PKG-INFO at the root of the archive, metadata 1.1."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        content = f"Metadata-Version: 1.1\nName: {name}\nVersion: {version}\nSummary: x\n".encode()
        member = tarfile.TarInfo("PKG-INFO")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return BuiltArtifact(f"{name}-{version}.tar.gz", buffer.getvalue(), content)


@pytest.mark.parametrize(
    "artifact",
    [
        replace(build_sdist("lab.pkg", "1.0"), filename="lab.pkg-1.0.tar.gz"),
        build_sdist("labpkg", "1.0", suffix=".zip"),
        build_wheel("labpkg", "1.0+local.1"),
        bare_sdist("labpkg", "1.0"),
    ],
    ids=lambda artifact: artifact.filename,
)
def test_lenient_is_a_setting_of_the_index(world: World, artifact: BuiltArtifact) -> None:
    world.upload(artifact, path="/writer/dev/")
    name = artifact.filename.split("-")[0].replace(".", "-")
    page = world.get(f"/writer/dev/+simple/{name}/", "reader", Accept=JSON).json
    assert [one["filename"] for one in page["files"]] == [artifact.filename]
    world.send("PATCH", "/writer/dev", "writer", 200, ["strict=true"])
    world.send("DELETE", f"/writer/dev/{name}", "writer", 200)
    if artifact.filename != "labpkg-1.0.tar.gz":
        world.upload(artifact, path="/writer/dev/", status=400)


def test_addresses_with_plus_and_slashes(world: World) -> None:
    local = build_wheel("labpkg", "1.0+local.1")
    world.upload(local, path="/writer/dev/")
    for path in (
        "/writer/dev/labpkg/1.0+local.1/",
        "/writer/dev/labpkg/1.0%2Blocal.1",
        "/writer/dev/LabPkg/1.0+local.1/",
    ):
        answer = world.get(path, "reader", Accept="application/json").json
        assert answer["type"] == "versiondata"
        assert answer["result"]["version"] == "1.0+local.1"
    link = answer["result"]["+links"][0]["href"]
    path = link.partition("localhost")[2]
    assert path == f"/writer/dev/+f/{local.sha256[:3]}/{local.sha256[3:16]}/{local.filename}"
    for spelling in (path, path.replace("+f", "%2Bf"), path.replace("+", "%2B")):
        assert world.get(spelling, "reader").body == local.data
    meta = world.get(path, "reader", Accept="application/json").json
    assert meta["type"] == "releasefilemeta"
    assert meta["result"]["hash_spec"] == f"sha256={local.sha256}"
    assert world.get(path + ".metadata", "reader").body.startswith(b"Metadata-Version")
    world.get(path.replace(local.sha256[:3], "fff"), "reader", 404)
    for page in ("/writer/dev/%2Bsimple/labpkg/", "/writer/dev/simple/labpkg/"):
        assert world.get(page, "reader", Accept=JSON).json["files"]


@pytest.mark.parametrize("agent", ["pip/26.3", "uv/0.9", "setuptools/80", "poetry/2.1"])
def test_installers_may_use_the_index_itself(world: World, agent: str) -> None:
    world.upload(build_wheel("labpkg", "1.0"), path="/writer/dev/")
    for path in ("/writer/dev/labpkg/", "/writer/dev/labpkg"):
        assert (
            b"labpkg-1.0"
            in world.get(path, "reader", User_Agent=agent, Accept="*/*")
            .maybe_follow(headers=world._headers("reader", {"User-Agent": agent}))
            .body
        )
    assert b"labpkg" in world.get("/writer/dev/", "reader", User_Agent=agent).body
    assert world.get("/writer/dev/labpkg/", "reader", Accept=JSON).json["files"]
