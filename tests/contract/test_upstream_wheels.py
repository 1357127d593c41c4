"""METADATA of a wheel that another index has, without fetching the wheel."""

from __future__ import annotations

import dataclasses
import io
import random
import zipfile

import pytest

from pypicloud_lite.artifacts.reading import read_artifact, read_metadata_partly
from pypicloud_lite.kernel.errors import (
    InvalidArtifact,
    InvalidName,
    UpstreamNonsense,
    UpstreamTooLarge,
    UpstreamWithoutRanges,
)
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_wheel, core_metadata, record, wheel_files, zip_bytes
from pypicloud_lite.testing.bad_zips import bad_zips
from pypicloud_lite.testing.upstream_server import upstream_server
from pypicloud_lite.upstream.http import HttpUpstream
from pypicloud_lite.upstream.settings import UpstreamSettings
from pypicloud_lite.upstream.spans import SpanReader

NAME = "acme_widget-1.0-py3-none-any.whl"
WIDGET = ProjectName("acme-widget")


@pytest.fixture
def index():
    with upstream_server() as index:
        yield index


@pytest.fixture
def upstream(index):
    (peer,) = UpstreamSettings.model_validate({"pypi.fallback_base_url": index.url}).peers({})
    upstream = HttpUpstream(peer)
    yield upstream
    upstream.close()


def noise(size):
    return random.Random(size).randbytes(size)


def wheel(files):
    """With METADATA where ``files`` has it, and RECORD at the end."""
    whole = dict(files)
    whole["acme_widget-1.0.dist-info/RECORD"] = record(whole, "acme_widget-1.0.dist-info/RECORD")
    return zip_bytes(whole)


def parts():
    files = wheel_files("acme-widget", "1.0", core_metadata("acme-widget", "1.0", summary="A widget"))
    del files["acme_widget-1.0.dist-info/RECORD"]
    return files


def link_of(index, upstream, data, **told):
    index.add("acme-widget", NAME, data, **told)
    (link,) = upstream.project(WIDGET).files
    index.asked.clear()
    return link


@pytest.mark.parametrize(
    ("data", "most_requests"),
    [
        (build_wheel("acme-widget", "1.0").data, 1),
        (wheel({"acme_widget/big.bin": noise(3_000_000), **parts()}), 1),
        (wheel({**parts(), "acme_widget/big.bin": noise(3_000_000)}), 2),
        (wheel({**parts(), **{f"acme_widget/module{number:05}.py": b"" for number in range(5000)}}), 3),
    ],
    ids=["small", "metadata last", "metadata first", "many members"],
)
def test_a_part_of_the_wheel_is_enough(index, upstream, data, most_requests):
    link = link_of(index, upstream, data)
    found = read_metadata_partly(SpanReader(upstream, link), link.filename)
    assert found == dataclasses.replace(read_artifact(io.BytesIO(data), link.filename), absent_license_files=())
    assert len(index.asked) <= most_requests
    assert all(one.headers["Range"] for one in index.asked)


def test_the_size_is_asked_for_where_no_page_says_it(index, upstream):
    data = build_wheel("acme-widget", "1.0").data
    link = link_of(index, upstream, data)
    found = read_metadata_partly(SpanReader(upstream, dataclasses.replace(link, size=None)), link.filename)
    assert found.name == WIDGET
    assert [one.headers["Range"] for one in index.asked] == ["bytes=0-0", f"bytes=0-{len(data) - 1}"]


def test_a_server_without_ranges_sends_no_wheel(index, upstream):
    link = link_of(index, upstream, build_wheel("acme-widget", "1.0").data)
    index.has_ranges = False
    with pytest.raises(UpstreamWithoutRanges):
        read_metadata_partly(SpanReader(upstream, link), link.filename)


def test_t25_reading_here_and_there_has_an_end(index, upstream):
    link = link_of(index, upstream, noise(2_000_000))
    reader = SpanReader(upstream, link, most_requests=3)
    for place in (0, 500_000, 1_000_000):
        reader.seek(place)
        assert reader.read(10) == noise(2_000_000)[place : place + 10]
    reader.seek(5)
    assert len(reader.read(10)) == 10
    with pytest.raises(UpstreamTooLarge):
        reader.seek(1_400_000) and reader.read(10)
    with pytest.raises(UpstreamTooLarge):
        SpanReader(upstream, link, most_bytes=1_000_000).read()
    assert len(index.asked) == 3


def test_a_reader_reads_as_a_file_does(index, upstream):
    data = noise(200_000)
    reader, file = SpanReader(upstream, link_of(index, upstream, data), most_requests=100), io.BytesIO(data)
    chance = random.Random(7)
    for _ in range(60):
        offset, whence = chance.choice([(chance.randrange(250_000), 0), (-chance.randrange(1, 100_000), 2), (3, 1)])
        size = chance.choice([0, 1, 30, 5000, -1])
        assert reader.seek(offset, whence) == file.seek(offset, whence)
        assert reader.read(size) == file.read(size)
        assert reader.tell() == file.tell()


def test_a_size_that_changes_meanwhile(index, upstream):
    link = dataclasses.replace(link_of(index, upstream, noise(300_000)), size=None)
    reader = SpanReader(upstream, link)
    assert reader.size == 300_000
    index.add("acme-widget", NAME, noise(300_001))
    with pytest.raises(UpstreamNonsense, match="size"):
        reader.read(10)


# Without a server: what is refused


def partly(data, name=NAME):
    return read_metadata_partly(io.BytesIO(data), Filename.parse(name))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", NAME),
        (noise(5000), NAME),
        (build_wheel("acme-widget", "1.0").data[:-1], NAME),
        (build_wheel("acme-widget", "1.0").data + b"x", NAME),
        (build_wheel("acme-widget", "2.0").data, NAME),
        (build_wheel("other", "1.0").data, NAME),
        (wheel({**parts(), "acme_widget-1.0.dist-info/METADATA": b"Name: acme-widget\nVersion: 1.0\n"}), NAME),
        (wheel({**parts(), "acme_widget-1.0.dist-info/METADATA": core_metadata("other", "1.0")}), NAME),
        (wheel({**parts(), "acme_widget-1.0.dist-info/METADATA": core_metadata("acme-widget", "1.1")}), NAME),
        (wheel({**parts(), "acme_widget-1.0.dist-info/METADATA": bytes(3_000_000)}), NAME),
        (wheel({name: data for name, data in parts().items() if not name.endswith("METADATA")}), NAME),
        (wheel({**parts(), "acme_widget-1.1.dist-info/METADATA": b""}), NAME),
    ],
)
def test_t18_t19_what_is_not_this_wheel(data, name):
    with pytest.raises(InvalidArtifact):
        partly(data, name)


def test_t17_the_local_header_of_what_is_read_must_agree():
    data = bytearray(build_wheel("acme-widget", "1.0").data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        at = archive.getinfo("acme_widget-1.0.dist-info/METADATA").header_offset
    data[at + 14] ^= 1
    with pytest.raises(InvalidArtifact, match="local header differs"):
        partly(bytes(data))


@pytest.mark.slow
def test_t17_t18_every_shape_of_a_bad_wheel_is_metadata_or_a_refusal():
    """What lies in the directory is refused here too; what only a reader of the whole sees is not."""
    refused = 0
    for _key, _words, data in bad_zips():
        try:
            assert partly(data).name == WIDGET
        except (InvalidArtifact, InvalidName):
            refused += 1
    assert refused > 20


def test_bytes_that_were_not_read_may_be_anything():
    """It is no check of a file, and says so."""
    data = bytearray(wheel({"acme_widget/big.bin": noise(100_000), **parts()}))
    data[50_000:50_100] = bytes(100)
    assert partly(bytes(data)).version == "1.0"
    with pytest.raises(InvalidArtifact):
        read_artifact(io.BytesIO(bytes(data)), Filename.parse(NAME))
