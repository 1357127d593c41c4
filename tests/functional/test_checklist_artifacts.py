"""Lines 72 to 78 of the interoperability checklist and T16 to T19: what is in an uploaded archive counts."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
import zipfile
import zlib

import pytest

from pypicloud_lite.testing.artifacts import (
    BuiltArtifact,
    RawMember,
    build_dumb,
    build_egg,
    build_sdist,
    build_wheel,
    core_metadata,
    raw_tar,
    raw_zip,
    tar_file,
    wheel_files,
    zip_bytes,
)

METADATA = core_metadata("demo", "1.0")
INFO = "demo-1.0.dist-info"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def untouched(make_shared_world):
    """For uploads that must leave nothing."""
    return make_shared_world()


def stored(world):
    folder = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    return [path for path in folder.rglob("*") if path.is_file()]


def refused(world, artifact, status=400, **fields):
    answer = world.upload(artifact, status=status, name="demo", version="1.0", **fields)
    assert len(answer.text.splitlines()) == 1
    assert stored(world) == []
    world.get("/simple/demo/", status=404)
    return answer


def wheel(data, filename="demo-1.0-py3-none-any.whl"):
    return BuiltArtifact(filename, data, METADATA)


def sdist(members, compress=gzip.compress):
    return BuiltArtifact("demo-1.0.tar.gz", compress(raw_tar(members)), METADATA)


def members(**changes):
    return [
        RawMember(path.encode(), data) for path, data in {**wheel_files("demo", "1.0", METADATA), **changes}.items()
    ]


@pytest.mark.parametrize(
    ("inside", "form"),
    [
        (("demo", "1.0"), {"version": "2.0"}),
        (("other", "1.0"), {}),
        (("demo", "2.0"), {}),
        (("demo", "1.0"), {"name": "other"}),
    ],
)
@pytest.mark.parametrize("build", [build_wheel, build_sdist])
def test_T19_72_filename_form_and_metadata_must_agree(untouched, inside, form, build):
    artifact = build("demo", "1.0", metadata=core_metadata(*inside))
    untouched.upload(artifact, status=400, **{"name": "demo", "version": "1.0", **form})
    assert stored(untouched) == []


@pytest.mark.parametrize("version", ["1.0.0rc1", "1.0.0-RC1", "v1.0.0.rc.1"])
def test_72_versions_agree_after_normalisation(world, version):
    world.upload(build_wheel("demo", "1.0.0rc1"), name="Demo", version=version)
    assert world.project("demo")["versions"] == ["1.0.0rc1"]


def test_T19_what_is_served_comes_from_the_file_and_not_from_the_form(world):
    artifact = build_wheel("demo", "1.0", requires_dist=("real>=1",), requires_python=">=3.9")
    world.upload(artifact, requires_dist="forged", requires_python=">=2.0", summary="forged")
    (file,) = world.project("demo")["files"]
    assert file["requires-python"] == ">=3.9"
    served = world.get(f"/packages/root/main/demo/{artifact.filename}.metadata", status=200)
    assert served.body == artifact.metadata
    assert b"forged" not in served.body


LENIENT = {
    "sdist": build_sdist("Foo.Bar", "1.0", stem="Foo.Bar-1.0"),
    "dash": build_sdist("foo-bar", "1.0", stem="foo-bar-1.0"),
    "zip": build_sdist("foo-bar", "1.0", suffix=".zip"),
    "tgz": build_sdist("foo-bar", "1.0", suffix=".tgz"),
    "egg": build_egg("foo-bar", "1.0"),
    "dumb": build_dumb("foo-bar", "1.0"),
    "linux": build_wheel("foo-bar", "1.0", platform_tag="linux_x86_64"),
    "local": build_wheel("foo-bar", "1.0+local.1"),
    "build": build_wheel("foo-bar", "1.0", build="1abc"),
}


@pytest.mark.parametrize("name", LENIENT)
def test_73_74_what_old_tools_build_is_accepted_and_listed(world, name):
    artifact = LENIENT[name]
    world.upload(artifact, name="foo-bar", version="1.0+local.1" if name == "local" else "1.0")
    page = world.project("foo-bar")
    assert [file["filename"] for file in page["files"]] == [artifact.filename]
    assert page["versions"] == ["1.0+local.1" if name == "local" else "1.0"]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"])
def test_74_every_metadata_version_is_accepted(world, version):
    artifact = build_wheel("demo", "1.0", metadata_version=version, headers=[("Classifier", "Private :: Mine")])
    world.upload(artifact, metadata_version=version)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        (("Requires-Dist", "!!! not a requirement"), "requires-dist"),
        (("Requires-Python", "about three"), "requires-python"),
    ],
)
def test_74_an_invalid_field_is_named(untouched, header, field):
    answer = refused(untouched, build_wheel("demo", "1.0", headers=[header]))
    assert field in answer.text.lower().replace("_", "-")


def broken_central(data):
    """The central directory names another member than the local header."""
    end = data.rindex(b"PK\x01\x02")
    return data[:end] + data[end:].replace(b"demo", b"d3mo", 1)


BAD_ZIPS = {
    "duplicate": lambda: raw_zip([*members(), RawMember(f"{INFO}/METADATA".encode(), METADATA)]),
    "mismatch": lambda: broken_central(raw_zip(members())),
    "trailing": lambda: raw_zip(members()) + b"trailing",
    "leading": lambda: raw_zip(members(), prefix=b"#!/bin/sh\n"),
    "comment": lambda: raw_zip([RawMember(b"x", b"", central={"comment": b"hello"}), *members()]),
    "bad utf-8": lambda: raw_zip([*members(), RawMember(b"\xff\xfe", b"", local={"flags": 0x800}, central={"flags": 0x800})]),
    "size": lambda: raw_zip([RawMember(b"x", b"abc", local={"size": 1}, central={"size": 1}), *members()]),
    "traversal": lambda: raw_zip([*members(), RawMember(b"../../evil.py", b"x")]),
    "absolute": lambda: raw_zip([*members(), RawMember(b"/etc/evil", b"x")]),
    "backslash": lambda: raw_zip([*members(), RawMember(b"..\\evil.py", b"x")]),
    "control": lambda: raw_zip([*members(), RawMember(b"a\nb", b"x")]),
    "truncated": lambda: zip_bytes(wheel_files("demo", "1.0", METADATA))[:-30],
    "no zip": lambda: b"not a zip at all",
    "tar": lambda: build_sdist("demo", "1.0").data,
}  # fmt: skip


@pytest.mark.parametrize("shape", BAD_ZIPS)
def test_T17_75_a_confusing_zip_is_refused(untouched, shape):
    refused(untouched, wheel(BAD_ZIPS[shape]()))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_T16_links_and_devices_are_never_read(untouched, kind, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: zzyzx\n\n")
    info = tar_file("demo-1.0/PKG-INFO", kind=kind)
    info.linkname = str(secret) if kind == tarfile.SYMTYPE else "/etc/passwd"
    answer = refused(untouched, sdist([(info, b"")]))
    assert "zzyzx" not in answer.text


def test_T16_a_link_planted_in_the_storage_is_not_served(world, tmp_path):
    artifact = build_wheel("demo", "1.0")
    world.upload(artifact)
    (path,) = [path for path in stored(world) if path.name == artifact.filename]
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * len(artifact.data))
    path.unlink()
    path.symlink_to(secret)
    answer = world.get(f"/packages/root/main/demo/{artifact.filename}", status="*")
    assert answer.status_int in {404, 503}
    assert b"sss" not in answer.body


def bomb(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    chunk = bytes(MIB)
    return b"".join([*(packer.compress(chunk) for _ in range(size // MIB)), packer.flush()])


def lying_wheel():
    """Its METADATA says 10 bytes and inflates to 64 MiB."""
    packed = bomb(64 * MIB)
    lie = {"method": 8, "size": 10, "packed": len(packed)}
    files = wheel_files("demo", "1.0", METADATA)
    path = f"{INFO}/METADATA"
    return raw_zip(
        [
            RawMember(name.encode(), packed, 0, lie, lie) if name == path else RawMember(name.encode(), data)
            for name, data in files.items()
        ]
    )


def tar_bomb():
    """64 MiB of nothing before PKG-INFO, in a few kilobytes."""
    big = tar_file("demo-1.0/zeros")
    big.size = 64 * MIB
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed:
        packed.write(big.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            packed.write(bytes(MIB))
        packed.write(raw_tar([(tar_file("demo-1.0/PKG-INFO", METADATA), METADATA)]))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "artifact",
    [
        lambda: wheel(lying_wheel()),
        lambda: wheel(raw_zip([RawMember(b"zeros", bytes(80 * MIB)), *members()])),
        lambda: BuiltArtifact("demo-1.0.tar.gz", tar_bomb(), METADATA),
        lambda: wheel(raw_zip([RawMember(f"f{number}".encode()) for number in range(65_000)])),
    ],
    ids=["lying", "classic", "tar", "entries"],
)
def test_T18_75_a_bomb_is_refused_in_time(untouched, artifact):
    built = artifact()
    before = time.process_time()
    refused(untouched, built)
    assert time.process_time() - before < 2


@pytest.mark.parametrize("missing", ["WHEEL", "METADATA", "RECORD"])
def test_76_a_wheel_without_its_three_files_is_refused(untouched, missing):
    files = wheel_files("demo", "1.0", METADATA)
    del files[f"{INFO}/{missing}"]
    assert missing in refused(untouched, wheel(zip_bytes(files))).text


def test_76_metadata_of_another_dist_info_folder_does_not_count(untouched):
    files = {
        path.replace(INFO, "other-1.0.dist-info"): data for path, data in wheel_files("demo", "1.0", METADATA).items()
    }
    refused(untouched, wheel(zip_bytes(files)))


PKG_INFO = (tar_file("demo-1.0/PKG-INFO", METADATA), METADATA)
BAD_TARS = {
    "two tops": lambda: sdist([PKG_INFO, (tar_file("other-1.0/x", b"x"), b"x")]),
    "no PKG-INFO": lambda: sdist([(tar_file("demo-1.0/setup.py", b""), b"")]),
    "nested PKG-INFO": lambda: sdist([(tar_file("demo-1.0/src/PKG-INFO", METADATA), METADATA)]),
    "not gzip": lambda: sdist([PKG_INFO], compress=bytes),
    "traversal": lambda: sdist([PKG_INFO, (tar_file("demo-1.0/../../evil", b"x"), b"x")]),
    "absolute": lambda: sdist([PKG_INFO, (tar_file("/evil", b"x"), b"x")]),
    "sparse": lambda: sdist([PKG_INFO, (tar_file("demo-1.0/x", kind=tarfile.GNUTYPE_SPARSE), b"")]),
    "two PKG-INFO": lambda: sdist([PKG_INFO, PKG_INFO]),
    "truncated": lambda: BuiltArtifact("demo-1.0.tar.gz", build_sdist("demo", "1.0").data[:-40], METADATA),
    "empty": lambda: BuiltArtifact("demo-1.0.tar.gz", b"", METADATA),
}


@pytest.mark.parametrize("shape", BAD_TARS)
def test_T16_77_a_bad_tar_is_refused(untouched, shape):
    refused(untouched, BAD_TARS[shape]())


@pytest.mark.parametrize("build", [build_wheel, build_sdist])
def test_78_a_licence_file_that_is_not_there_is_accepted_by_a_lenient_index(world, build):
    """Only an index that is strict about it refuses this, and none is in this version."""
    world.upload(build("demo", "1.0", metadata_version="2.4", headers=[("License-File", "LICENSE.txt")]))


@pytest.mark.parametrize(
    ("build", "path"), [(build_wheel, f"{INFO}/licenses/LICENSE.txt"), (build_sdist, "LICENSE.txt")]
)
def test_78_a_licence_file_that_is_there_is_fine(world, build, path):
    headers = [("License-File", "LICENSE.txt")]
    world.upload(build("demo", "1.0", metadata_version="2.4", headers=headers, extra_files=[(path, b"MIT")]))


def test_75_a_wheel_of_the_standard_library_is_accepted(world):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in wheel_files("demo", "1.0", METADATA).items():
            archive.writestr(path, data)
    world.upload(wheel(buffer.getvalue()))
