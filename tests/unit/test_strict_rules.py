"""What upload.strict refuses, and how: checklist 73, 74 and 78 and the upload rules of the public PyPI."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from trove_classifiers import deprecated_classifiers

from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.publish.strict import check_only_sdist, check_strict
from pypicloud_lite.testing.artifacts import build_dumb, build_egg, build_sdist, build_wheel

DEPRECATED = {
    "with_successor": next(key for key, others in deprecated_classifiers.items() if others),
    "without_successor": next(key for key, others in deprecated_classifiers.items() if not others),
}


def check(built):
    filename = Filename.parse(built.filename)
    check_strict(filename, read_artifact(io.BytesIO(built.data), filename))


def sdist(**more):
    return build_sdist("Acme.Widget", "1.0", **more)


def wheel(**more):
    return build_wheel("Acme.Widget", "1.0", **more)


def renamed(built, filename):
    return type(built)(filename, built.data, built.metadata)


def license_files(build, version, *paths, files=()):
    headers = [("License-File", path) for path in paths]
    return build(metadata_version=version, headers=headers, extra_files=[(path, b"") for path in files])


LICENSES = "acme_widget-1.0.dist-info/licenses"
ACCEPTED = {
    "sdist": sdist(),
    "wheel": wheel(),
    "wheel_with_build_number": wheel(build="1"),
    "pre_release": build_sdist("acme", "1.0rc1"),
    "epoch": build_wheel("acme", "1!1.0"),
    "classifiers": wheel(headers=[("Classifier", "Programming Language :: Python :: 3"), ("Classifier", "Framework :: Pyramid")]),
    "requirements": wheel(requires_dist=["requests[socks]>=2; python_version > '3'"]),
    "licenses_in_wheel": license_files(wheel, "2.4", "LICENSE", "vendor/MIT.txt", files=[f"{LICENSES}/LICENSE", f"{LICENSES}/vendor/MIT.txt"]),
    "licenses_in_sdist": license_files(sdist, "2.4", "LICENSE", "vendor/MIT.txt", files=["LICENSE", "vendor/MIT.txt"]),
    "licenses_before_2_4": license_files(wheel, "2.3", "LICENSE"),
}  # fmt: skip
REFUSED = {
    "sdist_with_hyphen": (sdist(stem="acme-widget-1.0"), "must be named acme_widget-1.0.tar.gz (PEP 625)"),
    "sdist_with_dot": (sdist(stem="acme.widget-1.0"), "must be named acme_widget-1.0.tar.gz (PEP 625)"),
    "sdist_in_upper_case": (sdist(stem="Acme_Widget-1.0"), "must be named acme_widget-1.0.tar.gz (PEP 625)"),
    "sdist_of_version_spelt_otherwise": (build_sdist("acme", "1.0", stem="acme-1.0.0-rc1", metadata=b"Metadata-Version: 2.1\nName: acme\nVersion: 1.0.0rc1\n"), "must be named acme-1.0.0rc1.tar.gz"),
    "zip": (sdist(suffix=".zip"), "must be named acme_widget-1.0.tar.gz"),
    "tgz": (sdist(suffix=".tgz"), "must be named acme_widget-1.0.tar.gz"),
    "bzip2": (sdist(suffix=".tar.bz2"), "must be named acme_widget-1.0.tar.gz"),
    "egg": (build_egg("acme", "1.0"), "bdist_egg is neither a wheel nor an sdist"),
    "bdist_dumb": (build_dumb("acme", "1.0"), "bdist_dumb is neither a wheel nor an sdist"),
    "wheel_in_upper_case": (renamed(wheel(), "Acme_Widget-1.0-py3-none-any.whl"), "must begin with acme_widget-1.0-"),
    "wheel_with_dot": (renamed(wheel(), "acme.widget-1.0-py3-none-any.whl"), "must begin with acme_widget-1.0-"),
    "wheel_of_version_spelt_otherwise": (renamed(wheel(), "acme_widget-v1.0-py3-none-any.whl"), "must begin with acme_widget-1.0-"),
    "local_version": (build_wheel("acme", "1.0+linux"), "1.0+linux is a local version"),
    "linux": (wheel(platform_tag="linux_x86_64"), "platform tag linux_x86_64"),
    "one_of_two_platforms": (wheel(platform_tag="any.linux_aarch64"), "platform tag linux_aarch64"),
    "unknown_classifier": (wheel(headers=[("Classifier", "Framework :: Pyramidd")]), "classifier 'Framework :: Pyramidd' does not exist"),
    "private": (sdist(headers=[("Classifier", "Private :: Do Not Upload")]), "'Private :: Do Not Upload' says that it shall not be uploaded"),
    "deprecated": (wheel(headers=[("Classifier", DEPRECATED["with_successor"])]), f"is deprecated (upload.strict = true); use {deprecated_classifiers[DEPRECATED['with_successor']][0]!r}"),
    "deprecated_without_successor": (wheel(headers=[("Classifier", DEPRECATED["without_successor"])]), "is deprecated (upload.strict = true); remove it"),
    "address": (wheel(requires_dist=["b @ https://files.example.com/b-1.0.tar.gz"]), "names an address"),
    "no_license_in_wheel": (license_files(wheel, "2.4", "LICENSE"), "License-File names 'LICENSE'"),
    "license_elsewhere_in_wheel": (license_files(wheel, "2.5", "LICENSE", files=["LICENSE", "acme_widget-1.0.dist-info/LICENSE"]), "License-File names 'LICENSE'"),
    "second_license_not_in_wheel": (license_files(wheel, "2.4", "A", "B", files=[f"{LICENSES}/A"]), "License-File names 'B'"),
    "no_license_in_sdist": (license_files(sdist, "2.4", "LICENSE", files=["a/LICENSE"]), "License-File names 'LICENSE'"),
    "no_license_in_zip": (license_files(lambda **more: sdist(suffix=".zip", **more), "2.4", "LICENSE"), "must be named"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ACCEPTED)
def test_73_74_78_what_follows_the_standards_is_accepted(kind):
    check(ACCEPTED[kind])


@pytest.mark.parametrize("kind", REFUSED)
def test_73_74_78_what_does_not_is_refused_by_the_setting_that_says_so(kind):
    built, words = REFUSED[kind]
    with pytest.raises(InvalidArtifact) as refusal:
        check(built)
    assert words in refusal.value.message
    assert refusal.value.message.startswith(built.filename)
    assert "(upload.strict = true); " in refusal.value.message


PLATFORMS = [
    *("any", "win32", "win_amd64", "win_arm64", "linux_armv6l", "linux_armv7l"),
    *("manylinux1_x86_64", "manylinux2010_i686", "manylinux2014_aarch64", "manylinux2014_ppc64"),
    *("manylinux_2_17_x86_64", "manylinux_2_39_riscv64", "musllinux_1_1_x86_64", "musllinux_1_2_armv7l"),
    *("macosx_10_9_universal2", "macosx_11_0_arm64", "macosx_26_0_x86_64"),
    *("ios_13_0_arm64_iphoneos", "ios_13_0_x86_64_iphonesimulator"),
    *("android_21_arm64_v8a", "pyemscripten_2025_0_wasm32"),
]
OTHERS = [
    *("linux_x86_64", "linux_i686", "linux_aarch64", "win_x86", "manylinux1_aarch64", "manylinux_2_x86_64"),
    *("manylinux_2_17_sparc", "musllinux_1_2_ppc64", "macosx_9_0_ppc", "macosx_11_arm64", "cygwin_x86_64"),
    *("ios_13_0_arm64", "android_arm64_v8a", "emscripten_3_1_wasm32", "freebsd_13_amd64", "any2"),
]


@pytest.mark.parametrize("tag", PLATFORMS)
def test_platforms_that_say_which_machines_they_are_for_are_accepted(tag):
    check(wheel(platform_tag=tag))


@pytest.mark.parametrize("tag", OTHERS)
def test_other_platforms_are_refused(tag):
    with pytest.raises(InvalidArtifact, match=f"platform tag {tag} does not tell which machines"):
        check(wheel(platform_tag=tag))


def test_a_linux_wheel_is_told_how_to_become_portable():
    with pytest.raises(InvalidArtifact, match="auditwheel"):
        check(wheel(platform_tag="linux_x86_64"))


def record(name):
    filename, digests = Filename.parse(name), digests_of(b"")
    key = StorageKey(f"root/main/acme/0/{name}")
    when = datetime(2026, 1, 2, tzinfo=UTC)
    return FileRecord(IndexName("root", "main"), ProjectName("acme"), filename, 0, digests, key, key, when)


@pytest.mark.parametrize(
    ("new", "there"),
    [
        ("acme-1.0.tar.gz", []),
        ("acme-1.0.tar.gz", ["acme-1.0.tar.gz"]),
        ("acme-1.0.tar.gz", ["acme-1.0.tar.gz", "acme-1.0.zip"]),
        ("acme-1.0.tar.gz", ["acme-0.9.tar.gz", "acme-1.0-py3-none-any.whl", "acme-1.0-py3.11.egg"]),
        ("acme-1.0-py3-none-any.whl", ["acme-1.0.tar.gz"]),
    ],
)
def test_one_sdist_per_version_is_accepted(new, there):
    check_only_sdist(Filename.parse(new), map(record, there))


@pytest.mark.parametrize(
    ("new", "there"),
    [
        ("acme-1.0.tar.gz", "acme-1.0.zip"),
        ("acme-1.0.zip", "acme-1.0.tar.gz"),
        ("acme-1.0.tar.gz", "acme-1.tar.gz"),
        ("acme-1.0.tar.gz", "Acme-1.0.0.tar.bz2"),
    ],
)
def test_a_second_sdist_of_a_version_is_refused(new, there):
    files = [record("acme-0.9.tar.gz"), record(there)]
    with pytest.raises(InvalidArtifact) as refusal:
        check_only_sdist(Filename.parse(new), files)
    assert f"version {Filename.parse(new).version} has an sdist already, {there}" in refusal.value.message
    assert "(upload.strict = true)" in refusal.value.message
