"""T15, T17, T19 and checklist 73 and 76: a wheel's own directory agrees with its filename and its members."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from base64 import urlsafe_b64encode

import pytest

from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import build_wheel, core_metadata, record, wheel_files, zip_bytes

INFO = "acme_widget-1.0.dist-info"
PLAIN = core_metadata("acme-widget", "1.0")


def read_as(filename, data, limits=None):
    return read_artifact(io.BytesIO(data), Filename.parse(filename), limits=limits)


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


def test_76_signatures_and_directories_need_no_line_in_record():
    files = wheel_files("acme-widget", "1.0", PLAIN)
    files |= {f"{INFO}/RECORD.jws": b"{}", f"{INFO}/RECORD.p7s": b"", "folder/": b""}
    assert read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files)).version == "1.0"


def test_76_record_without_hashes_and_sizes_is_accepted():
    files = wheel_files("acme-widget", "1.0", PLAIN)
    files[f"{INFO}/RECORD"] = "".join(f"{path},,\r\n" for path in files).encode()
    assert read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files)).version == "1.0"


def test_entry_points_are_accepted():
    text = b"[console_scripts]\nAcme-widget_2.x = acme:main [extra]\n\n[acme.plugins]\na/b:c = acme\n"
    assert read(build_wheel("acme-widget", "1.0", extra_files=[(f"{INFO}/entry_points.txt", text)]))


def test_wheels_with_build_and_platform_tags_are_read():
    built = build_wheel(
        "Acme.Widget", "1.0.post1+linux.2", build="1abc", python_tag="cp311", platform_tag="linux_x86_64"
    )
    assert built.filename == "acme_widget-1.0.post1+linux.2-1abc-cp311-none-linux_x86_64.whl"
    assert read(built).version == "1.0.post1+linux.2"


@pytest.mark.parametrize(("name", "refused"), [("small.py", True), ("large.py", False)])
def test_76_members_beyond_the_budget_of_verification_are_left_to_installers(name, refused):
    files = wheel_files("acme-widget", "1.0", PLAIN, extra_files=[("large.py", b"x" * 5000), ("small.py", b"y")])
    path = f"{INFO}/RECORD"
    files[path] = files[path].replace(f"{name},sha256=".encode(), f"{name},sha256=x".encode())
    data, limits = zip_bytes(files), Limits(verified_bytes=4000)
    with pytest.raises(InvalidArtifact, match=f"{name}': its hash is not that"):
        read_as("acme_widget-1.0-py3-none-any.whl", data)
    if refused:
        with pytest.raises(InvalidArtifact, match=f"{name}': its hash is not that"):
            read_as("acme_widget-1.0-py3-none-any.whl", data, limits)
    else:
        assert read_as("acme_widget-1.0-py3-none-any.whl", data, limits).version == "1.0"


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512", "blake2b"])
@pytest.mark.parametrize("padding", ["", "="])
def test_76_every_strong_hash_is_compared(algorithm, padding):
    files = wheel_files("acme-widget", "1.0", PLAIN)
    digest = urlsafe_b64encode(hashlib.new(algorithm, files["acme_widget.py"]).digest()).rstrip(b"=").decode()
    lines = [f"{path},," if path != "acme_widget.py" else f"{path},{algorithm}={digest}{padding}," for path in files]
    files[f"{INFO}/RECORD"] = "\n".join(lines).encode()
    assert read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files)).version == "1.0"


def test_data_directories_of_the_release_are_accepted_however_they_are_spelt():
    more = [
        (f"{top}/{scheme}/x", b"")
        for top in ("acme_widget-1.0.data", "Acme.Widget-1.0.0.data")
        for scheme in ("scripts", "data", "headers", "purelib", "platlib")
    ]
    assert read(build_wheel("acme-widget", "1.0", extra_files=more)).version == "1.0"


def test_a_package_may_be_named_data_and_a_file_end_in_data():
    more = [("data/__init__.py", b""), ("acme.data", b""), ("acme/other-1.0.data/etc/x", b"")]
    assert read(build_wheel("acme-widget", "1.0", extra_files=more)).version == "1.0"


def test_t18_a_record_of_many_lines_costs_little_memory():
    files = wheel_files("acme-widget", "1.0", PLAIN)
    path = f"{INFO}/RECORD"
    data = zip_bytes({**files, path: files[path] + b"acme_widget.py,,\n" * 900_000})
    tracemalloc.start()
    try:
        with pytest.raises(InvalidArtifact, match="RECORD says two different things of it"):
            read_as("acme_widget-1.0-py3-none-any.whl", data)
        assert tracemalloc.get_traced_memory()[1] < 48 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_t18_a_record_of_more_lines_than_a_wheel_may_have_members_is_refused():
    files = wheel_files("acme-widget", "1.0", PLAIN)
    files[f"{INFO}/RECORD"] *= 1000
    with pytest.raises(InvalidArtifact, match="RECORD': it has more than 2000 lines"):
        read_as("acme_widget-1.0-py3-none-any.whl", zip_bytes(files), Limits(entries=2000))


def test_names_that_differ_in_case_alone_may_lie_elsewhere():
    more = [(f"{INFO}/licenses/{name}", b"") for name in ("a/LICENSE", "A/LICENSE", "a/License")]
    more += [("acme/Makefile", b""), ("acme/makefile", b"")]
    assert read(build_wheel("acme-widget", "1.0", extra_files=more)).version == "1.0"
