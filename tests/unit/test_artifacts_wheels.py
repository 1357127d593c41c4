"""T15, T17, T19 and checklist 73 and 76: a wheel's own directory agrees with its filename and its members."""

from __future__ import annotations

import io

import pytest

from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import build_wheel, core_metadata, record, wheel_files, zip_bytes

INFO = "acme_widget-1.0.dist-info"
PLAIN = core_metadata("acme-widget", "1.0")


def read_as(filename, data):
    return read_artifact(io.BytesIO(data), Filename.parse(filename))


def read(built):
    return read_as(built.filename, built.data)


@pytest.mark.parametrize(
    "directory", ["Acme.Widget-1.0.dist-info", "acme_widget-1.0.0.dist-info", "ACME_WIDGET-1.dist-info"]
)
def test_73_dist_info_directory_is_found_by_normalised_name(directory):
    files = wheel_files("acme-widget", "1.0", PLAIN)
    del files[f"{INFO}/RECORD"]
    renamed = {path.replace(INFO, directory): data for path, data in files.items()}
    renamed[f"{directory}/RECORD"] = record(renamed, f"{directory}/RECORD")
    assert read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(renamed)).version == "1.0"


@pytest.mark.parametrize("missing", ["METADATA", "WHEEL", "RECORD"])
def test_76_wheel_without_a_needed_file_is_refused(missing):
    files = wheel_files("acme-widget", "1.0", PLAIN)
    del files[f"{INFO}/{missing}"]
    with pytest.raises(InvalidArtifact, match=f"must have the file {missing}"):
        read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files))


@pytest.mark.parametrize(
    ("filename", "rule"),
    [
        ("other-1.0-py3-none-any.whl", "is not that of other 1.0"),
        ("acme_widget-1.1-py3-none-any.whl", "is not that of acme-widget 1.1"),
    ],
)
def test_76_t19_renamed_wheel_is_refused(filename, rule):
    with pytest.raises(InvalidArtifact, match=rule):
        read_as(filename, build_wheel("acme-widget", "1.0").data)


def test_76_dist_info_directory_with_no_version_is_refused():
    files = {"acme_widget-one.dist-info/METADATA": PLAIN}
    with pytest.raises(InvalidArtifact, match="is not that of acme-widget"):
        read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files))


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"other-1.0.dist-info/METADATA": b""}, "exactly one .dist-info directory, not 2"),
        ({"ACME_WIDGET-1.0.DIST-INFO/METADATA": PLAIN}, "exactly one .dist-info directory, not 2"),
        ({"unlisted.py": b""}, "'unlisted.py': it is not listed in RECORD"),
    ],
)
def test_76_t17_wheel_with_more_than_its_record_says_is_refused(more, rule):
    with pytest.raises(InvalidArtifact, match=rule):
        read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(wheel_files("acme-widget", "1.0", PLAIN) | more))


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"acme_widget.py,", b"acme_widget2.py,", "not listed in RECORD"),
        (f"{INFO}/RECORD,,".encode(), f"{INFO}/RECORD,,\ngone.py,,".encode(), "the wheel does not have it"),
        (b",%d\n" % len(PLAIN), b",1\n", "its size is not that"),
        (f"{INFO}/METADATA,sha256=".encode(), f"{INFO}/METADATA,sha256=x".encode(), "its hash is not that"),
        (b"sha256=", b"sha256=,", "not a list of path, hash and size"),
        (f"{INFO}/WHEEL,".encode(), b'"', "not a list of path, hash and size"),
        (f"{INFO}/WHEEL,".encode(), b"\xff", "not a list of path, hash and size"),
    ],
)
def test_76_record_that_disagrees_with_the_wheel_is_refused(old, new, rule):
    files = wheel_files("acme-widget", "1.0", PLAIN)
    assert old in files[f"{INFO}/RECORD"]
    files[f"{INFO}/RECORD"] = files[f"{INFO}/RECORD"].replace(old, new)
    with pytest.raises(InvalidArtifact, match=rule):
        read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files))


def test_76_signatures_and_directories_need_no_line_in_record():
    files = wheel_files("acme-widget", "1.0", PLAIN)
    files |= {f"{INFO}/RECORD.jws": b"{}", f"{INFO}/RECORD.p7s": b"", "folder/": b""}
    assert read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files)).version == "1.0"


def test_76_record_without_hashes_and_sizes_is_accepted():
    files = wheel_files("acme-widget", "1.0", PLAIN)
    files[f"{INFO}/RECORD"] = "".join(f"{path},,\r\n" for path in files).encode()
    assert read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files)).version == "1.0"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"[console_scripts]\n../../bin/sh = acme:main\n", r"script name in \[console_scripts\]"),
        (b"[gui_scripts]\na/b = acme:main\n", r"script name in \[gui_scripts\]"),
        (b"[console_scripts]\n.hidden = acme:main\n", "script name"),
        (b"no section = 1\n", "not an INI file"),
        (b"[a]\n\xff\xfe\n", "not an INI file"),
    ],
)
def test_t15_entry_points_that_leave_their_directory_are_refused(text, rule):
    with pytest.raises(InvalidArtifact, match=rule):
        read(build_wheel("acme-widget", "1.0", extra_files=[(f"{INFO}/entry_points.txt", text)]))


def test_entry_points_are_accepted():
    text = b"[console_scripts]\nAcme-widget_2.x = acme:main [extra]\n\n[acme.plugins]\na/b:c = acme\n"
    assert read(build_wheel("acme-widget", "1.0", extra_files=[(f"{INFO}/entry_points.txt", text)]))


def test_wheels_with_build_and_platform_tags_are_read():
    built = build_wheel(
        "Acme.Widget", "1.0.post1+linux.2", build="1abc", python_tag="cp311", platform_tag="linux_x86_64"
    )
    assert built.filename == "acme_widget-1.0.post1+linux.2-1abc-cp311-none-linux_x86_64.whl"
    assert read(built).version == "1.0.post1+linux.2"
