"""What lies inside a distribution: every member, its metadata, and what reading it costs."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import HealthCheck, given, settings

from pypicloud_lite.artifacts.listing import Entry, read_listing
from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.kernel.errors import InvalidArtifact, InvalidName
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import (
    build_dumb,
    build_egg,
    build_sdist,
    build_wheel,
    raw_tar,
    tar_file,
    zip_bytes,
)
from pypicloud_lite.testing.bad_tars import TAR_NAME, TOP, directory, file, packed_tar, symlink
from pypicloud_lite.testing.fuzzed_archives import archives

MIB = 1024 * 1024
WHEEL = build_wheel(
    "demo",
    "1.0",
    description="All about it.",
    extra_files=[("demo/a/b.py", b"12345"), ("demo/c.py", b""), ("z.py", b"")],
)


class CountingFile(io.BytesIO):
    """Bytes that tell how many of them were read, and in how many calls."""

    def __init__(self, data):
        super().__init__(data)
        self.bytes_read = self.calls = 0

    def read(self, size=-1):
        data = super().read(size)
        self.bytes_read += len(data)
        self.calls += 1
        return data


def listing(data, filename, *, most=1000, metadata=None, **limits):
    return read_listing(io.BytesIO(data), Filename.parse(filename), Limits(**limits), most=most, metadata=metadata)


def test_a_wheel_is_listed_folder_by_folder_with_its_metadata():
    found = listing(WHEEL.data, WHEEL.filename)
    assert [entry.path for entry in found.entries] == [
        "demo.py",
        "z.py",
        "demo/c.py",
        "demo/a/b.py",
        "demo-1.0.dist-info/METADATA",
        "demo-1.0.dist-info/RECORD",
        "demo-1.0.dist-info/WHEEL",
    ]
    assert {entry.path: entry.size for entry in found.entries}["demo/a/b.py"] == 5
    assert found.members == 7
    assert found.size == sum(entry.size for entry in found.entries)
    assert found.metadata_path == "demo-1.0.dist-info/METADATA"
    assert found.metadata == WHEEL.metadata.decode()


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2", ".zip"])
def test_an_sdist_in_every_form(suffix):
    sdist = build_sdist("demo", "1.0", suffix=suffix, description="All about it.", body=b"x" * 1000)
    found = listing(sdist.data, sdist.filename)
    assert found.metadata_path == "demo-1.0/PKG-INFO"
    assert found.metadata == sdist.metadata.decode()
    assert "demo-1.0/PKG-INFO" in {entry.path for entry in found.entries}
    assert 1000 in {entry.size for entry in found.entries}


def test_an_egg_and_an_archive_of_installed_files():
    egg = build_egg("demo", "1.0")
    assert listing(egg.data, egg.filename).metadata == egg.metadata.decode()
    dumb = build_dumb("demo", "1.0")
    found = listing(dumb.data, dumb.filename)
    assert found.members > 0
    assert found.metadata == dumb.metadata.decode()


def test_links_and_folders_of_a_tar_are_told():
    data = packed_tar(directory(f"{TOP}/empty"), file(f"{TOP}/a"), symlink("l", "a"))
    found = listing(data, TAR_NAME)
    by_path = {entry.path: entry for entry in found.entries}
    assert by_path[f"{TOP}/l"] == Entry(f"{TOP}/l", 0, f"{TOP}/a")
    assert by_path[f"{TOP}/empty/"].is_folder
    assert by_path[f"{TOP}/empty/"].place == (TOP, "empty/")
    assert not by_path[f"{TOP}/a"].is_folder
    assert found.members == len(by_path)


def test_names_and_texts_that_no_page_can_carry_are_made_readable():
    name = f"{TOP}/caf\udce9\u202egpj.py"
    raw = b"Metadata-Version: 2.1\r\nName: x\x00\x1b[2J\x85\xff\tok"
    members = [(tar_file(f"{TOP}/PKG-INFO", raw), raw), (tar_file(name, b""), b"")]
    found = listing(gzip.compress(raw_tar(members)), TAR_NAME)
    assert f"{TOP}/caf\ufffd\ufffdgpj.py" in {entry.path for entry in found.entries}
    assert found.metadata == "Metadata-Version: 2.1\nName: x\ufffd\ufffd[2J\ufffd\ufffd\tok"
    for entry in found.entries:
        assert entry.path.encode()


def test_metadata_that_is_known_is_not_read_again():
    file = CountingFile(WHEEL.data)
    known = read_listing(file, Filename.parse(WHEEL.filename), Limits(), most=10, metadata=b"Name: known")
    assert known.metadata == "Name: known"
    cost = file.bytes_read
    again = CountingFile(WHEEL.data)
    read_listing(again, Filename.parse(WHEEL.filename), Limits(), most=10)
    assert cost < again.bytes_read


def test_a_large_wheel_costs_its_directory_and_its_metadata():
    many = [(f"demo/{number}.bin", bytes([number]) * 1024) for number in range(200)]
    wheel = build_wheel("demo", "1.0", body=b"x" * 30 * MIB, extra_files=many)
    file = CountingFile(wheel.data)
    assert read_listing(file, Filename.parse(wheel.filename), Limits(), most=1000).members == 205
    assert file.bytes_read < 64 * 1024
    assert file.calls < 10


def test_of_very_many_members_the_first_are_kept_and_all_are_counted():
    data = zip_bytes({f"d{number % 7}/{number}": b"1" for number in range(5000)})
    found = listing(data, "demo-1.0.zip", most=100)
    assert (len(found.entries), found.members, found.size) == (100, 5000, 5000)
    assert {entry.place[0] for entry in found.entries} == {"d0"}
    assert found.metadata is None


def test_limits_on_time_members_and_names_end_in_words():
    sdist = build_sdist("demo", "1.0", body=b"x" * MIB)
    for limits, words in (
        ({"seconds": -1.0}, "took longer"),
        ({"entries": 2}, "more than 2 members"),
        ({"name_bytes": 10}, "more than 10 bytes"),
        ({"inflated_bytes": 1000}, "larger than 1000 bytes"),
        ({"metadata_bytes": 10}, "larger than 10 bytes"),
    ):
        with pytest.raises(InvalidArtifact, match=words):
            listing(sdist.data, sdist.filename, **limits)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(archive=archives())
def test_any_archive_is_listed_or_refused_and_what_may_come_in_is_listed(archive):
    filename, data = archive
    try:
        parsed = Filename.parse(filename)
    except InvalidName:
        return
    try:
        found = read_listing(io.BytesIO(data), parsed, Limits(), most=100_000)
    except InvalidArtifact:
        with pytest.raises((InvalidArtifact, InvalidName)):
            read_artifact(io.BytesIO(data), parsed)
        return
    assert len(found.entries) == found.members
    assert all(entry.path.isprintable() and entry.path.encode() and entry.size >= 0 for entry in found.entries)
    (found.metadata or "").encode()  # no lone surrogate: a page can be written with it
