"""T15 to T19: whatever the bytes, the answer is metadata or a refusal, soon and in little memory."""

from __future__ import annotations

import gzip
import io
import posixpath
import shutil
import tarfile
import zipfile

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pypicloud_lite.artifacts.model import CoreMetadata, Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.artifacts.tars import read_tar
from pypicloud_lite.artifacts.zips import ZipArchive
from pypicloud_lite.kernel.errors import InvalidArtifact, InvalidName
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import (
    build_dumb,
    build_egg,
    build_sdist,
    build_wheel,
    pax_records,
    raw_tar,
    tar_file,
    wheel_files,
    zip_bytes,
)
from pypicloud_lite.testing.fuzzed_archives import archives

ENTRY_POINTS = ("acme-1.0.dist-info/entry_points.txt", b"[console_scripts]\nacme = acme:main\n")
SEEDS = [
    build_wheel("acme", "1.0", requires_dist=["b>=1; extra == 'x'"], requires_python=">=3", extra_files=[ENTRY_POINTS]),
    build_sdist("acme", "1.0", summary="S", description="D"),
    build_sdist("acme", "1.0", suffix=".tar.bz2"),
    build_sdist("acme", "1.0", suffix=".zip"),
    build_egg("acme", "1.0"),
    build_dumb("acme", "1.0"),
]  # fmt: skip
TAR = raw_tar([
    (tar_file("pax", pax_records({"path": "acme-1.0/long", "mtime": "1"}), b"x"), pax_records({"path": "acme-1.0/long", "mtime": "1"})),
    (tar_file("short", b"abc"), b"abc"),
    (tar_file("././@LongLink", b"acme-1.0/longer\0", b"L"), b"acme-1.0/longer\0"),
    (tar_file("short", b"abc"), b"abc"),
    (tar_file("acme-1.0/PKG-INFO", SEEDS[1].metadata), SEEDS[1].metadata),
])  # fmt: skip
LIMITS = Limits(seconds=20, inflated_bytes=16 * 1024 * 1024)

edits = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from(["set", "insert", "delete", "copy"]),
        st.binary(min_size=1, max_size=8)
        | st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff" * 8, b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7"]),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


def mutated(data, changes):
    out = bytearray(data)
    for where, kind, value in changes:
        at = int(where * len(out))
        if kind == "set":
            out[at : at + len(value)] = value
        elif kind == "insert":
            out[at:at] = value
        elif kind == "delete":
            del out[at : at + len(value)]
        else:
            out[at:at] = out[at : at + 64 * len(value)]
    return bytes(out)


def outcome(filename, data):
    """Read; any other exception than the two refusals fails the test."""
    try:
        return read_artifact(io.BytesIO(data), Filename.parse(filename), limits=LIMITS)
    except (InvalidArtifact, InvalidName) as refusal:
        message = refusal.message
    assert message.isprintable()
    assert message.startswith(filename)
    return None


def storable(metadata):
    """Nothing that a database or an XML document cannot hold may be in the values."""
    if metadata is not None:
        assert isinstance(metadata, CoreMetadata)
        for value in metadata.values.values():
            for text in [value] if isinstance(value, str) else value:
                assert "\0" not in text
                text.encode()


@settings(max_examples=400, deadline=None)
@given(seed=st.sampled_from(SEEDS), changes=edits)
def test_t15_t16_t17_t18_mutants_are_read_or_refused(seed, changes):
    storable(outcome(seed.filename, mutated(seed.data, changes)))


@settings(max_examples=300, deadline=None)
@given(changes=edits)
def test_t16_t18_tar_mutants_are_read_or_refused(changes):
    storable(outcome("acme-1.0.tar.gz", gzip.compress(mutated(TAR, changes), 1)))


@settings(max_examples=300, deadline=None)
@given(seed=st.sampled_from(SEEDS), data=st.binary(max_size=2000))
@example(seed=SEEDS[0], data=b"PK\5\6" + bytes(18))
@example(seed=SEEDS[1], data=gzip.compress(b""))
def test_t15_t18_any_bytes_are_refused(seed, data):
    assert outcome(seed.filename, data) is None


@settings(max_examples=300, deadline=None)
@given(changes=edits, kind=st.sampled_from(["METADATA", "entry_points.txt", "WHEEL"]))
def test_t19_wheels_with_mutated_texts_are_read_or_refused(changes, kind):
    files = wheel_files("acme", "1.0", SEEDS[0].metadata, extra_files=[ENTRY_POINTS])
    path = f"acme-1.0.dist-info/{kind}"
    files[path] = mutated(files[path], changes)
    files["acme-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files).encode()
    storable(outcome("acme-1.0-py3-none-any.whl", zip_bytes(files)))


@settings(max_examples=200, deadline=None)
@given(text=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="surrogatepass")))
def test_t19_any_text_after_the_name_is_read_or_refused(text):
    built = build_wheel("acme", "1.0", metadata=b"Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n" + text)
    storable(outcome(built.filename, built.data))


@settings(max_examples=100, deadline=None)
@given(changes=edits)
def test_t17_wheels_with_a_mutated_record_are_read_or_refused(changes):
    files = wheel_files("acme", "1.0", SEEDS[0].metadata)
    files["acme-1.0.dist-info/RECORD"] = mutated(files["acme-1.0.dist-info/RECORD"], changes)
    storable(outcome("acme-1.0-py3-none-any.whl", zip_bytes(files)))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(archive=archives())
def test_t16_t17_what_is_accepted_is_read_and_unpacked_alike_by_the_standard_library(archive, tmp_path_factory):
    filename, data = archive
    if outcome(filename, data) is None:
        return
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as theirs:
            ours = ZipArchive(Source(io.BytesIO(data), filename, LIMITS)).members
            assert sorted(theirs.namelist()) == sorted(ours)
            assert theirs.testzip() is None
            assert all(theirs.getinfo(name).file_size == member.size for name, member in ours.items())
        return
    contents = read_tar(Source(io.BytesIO(data), filename, LIMITS), lambda _path: False)
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(fileobj=io.BytesIO(data)) as theirs:
        names = [posixpath.normpath(member.name) for member in theirs]
        assert sorted(set(names) - {"."}) == sorted(contents.files | contents.directories | contents.links.keys())
        theirs.extractall(folder, filter="data")
    unpacked = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    assert contents.files <= unpacked <= contents.files | contents.links.keys()
    shutil.rmtree(folder)
