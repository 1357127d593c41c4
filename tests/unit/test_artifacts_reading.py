"""T19 and checklist 71 to 74: what a file says about itself must agree with its name and the rules."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email

from pypicloud_lite.artifacts.model import Limits
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.kernel.errors import InvalidArtifact, InvalidName
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import (
    build_dumb,
    build_egg,
    build_sdist,
    build_wheel,
    core_metadata,
    packed,
    raw_tar,
    tar_file,
    zip_bytes,
)

PLAIN = core_metadata("acme-widget", "1.0")


def read(built, limits=None):
    return read_artifact(io.BytesIO(built.data), Filename.parse(built.filename), limits=limits)


def read_as(filename, data):
    return read_artifact(io.BytesIO(data), Filename.parse(filename))


def wheel(metadata):
    return build_wheel("acme-widget", "1.0", metadata=metadata)


def sdist(metadata):
    return build_sdist("acme-widget", "1.0", metadata=metadata)


def lines(*fields, body=b""):
    return b"\n".join([b"Metadata-Version: 2.1", b"Name: acme-widget", b"Version: 1.0", *fields, b"", body])


BUILDERS = {"wheel": wheel, "sdist": sdist}
both = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def test_every_field_comes_out_by_its_json_name():
    text = lines(
        b"Dynamic: License-File",
        b"Platform: linux",
        b"Platform: UNKNOWN",
        b"Supported-Platform: i386",
        b"Summary: Widgets\n   of Acme",
        b"Description-Content-Type: text/markdown",
        b"Keywords: a, b c ,,d",
        b"Home-page: https://acme.example.com/",
        b"Download-URL: UNKNOWN",
        "Author: Zoë".encode(),
        b"Author-email: zoe@example.com",
        b"Maintainer: M",
        b"Maintainer-email: m@example.com",
        b"License-Expression: MIT",
        b"License-File: LICENSE",
        b"License-File: NOTICE",
        b"Classifier: Private :: Do Not Upload",
        b"Requires-Dist: requests>=2 ; extra == 'web'",
        b"Requires-Dist: tool @ https://files.example.com/tool-1.0.tar.gz",
        b"Requires-Python: >=3.8, <4",
        b"Requires-External: C",
        b"Project-URL: Docs, https://docs.example.com/",
        b"Project-URL: Docs, https://other.example.com/",
        b"Provides-Extra: web",
        b"Provides-Dist: widget",
        b"Obsoletes-Dist: gadget",
        b"Requires: old",
        b"Provides: older",
        b"Obsoletes: oldest",
        b"Import-Name: acme",
        b"Import-Namespace: ns",
        b"X-Unknown: ignored",
        body=b"# Widgets\n\ntext\n",
    )
    got = read(wheel(text))
    assert got.raw == text
    assert (got.name.value, got.display_name, got.version) == ("acme-widget", "acme-widget", "1.0")
    assert got.requires_python == ">=3.8, <4"
    assert got.summary == "Widgets of Acme"
    assert got.values == {
        "metadata_version": "2.1",
        "name": "acme-widget",
        "version": "1.0",
        "dynamic": ("License-File",),
        "platform": ("linux",),
        "supported_platform": ("i386",),
        "summary": "Widgets\n   of Acme",
        "description_content_type": "text/markdown",
        "keywords": ("a", "b c", "d"),
        "home_page": "https://acme.example.com/",
        "author": "Zoë",
        "author_email": "zoe@example.com",
        "maintainer": "M",
        "maintainer_email": "m@example.com",
        "license_expression": "MIT",
        "license_file": ("LICENSE", "NOTICE"),
        "classifier": ("Private :: Do Not Upload",),
        "requires_dist": (
            "requests>=2 ; extra == 'web'",
            "tool @ https://files.example.com/tool-1.0.tar.gz",
        ),
        "requires_python": ">=3.8, <4",
        "requires_external": ("C",),
        "project_url": ("Docs, https://docs.example.com/", "Docs, https://other.example.com/"),
        "provides_extra": ("web",),
        "provides_dist": ("widget",),
        "obsoletes_dist": ("gadget",),
        "requires": ("old",),
        "provides": ("older",),
        "obsoletes": ("oldest",),
        "import_name": ("acme",),
        "import_namespace": ("ns",),
        "description": "# Widgets\n\ntext\n",
    }


@both
def test_what_is_unknown_or_empty_is_absent(build):
    got = read(
        build(lines(b"Summary: UNKNOWN", b"Home-page:", b"Requires-Python:", b"Keywords: UNKNOWN", body=b"UNKNOWN\n\n"))
    )
    assert got.values == {"metadata_version": "2.1", "name": "acme-widget", "version": "1.0"}
    assert got.summary is None
    assert got.requires_python is None


@pytest.mark.parametrize(
    "header",
    [
        b"Description: First line\n        second\n          indented",
        b"Description: First line\n       |second\n       |  indented",
    ],
    ids=["eight_spaces", "bars"],
)
def test_a_description_in_a_header_is_unindented(header):
    assert read(sdist(lines(header))).values["description"] == "First line\nsecond\n  indented"


def test_a_body_wins_over_a_description_header():
    assert read(sdist(lines(b"Description: header", body=b"body"))).values["description"] == "body"


def test_a_body_that_claims_to_be_mime_is_only_text():
    body = b"--x\nContent-Type: message/rfc822\n\n" * 5000
    got = read(wheel(lines(b"Content-Type: multipart/mixed; boundary=x", body=body)))
    assert got.values["description"] == body.decode()


def test_windows_line_ends_and_a_byte_order_mark_are_read():
    text = b"\xef\xbb\xbf" + lines(b"Summary: a", body=b"b\n").replace(b"\n", b"\r\n")
    got = read(sdist(text))
    assert (got.summary, got.values["description"], got.raw) == ("a", "b\r\n", text)


@both
def test_latin1_metadata_is_read_and_kept_exactly(build):
    text = lines(b"Author: Zo\xeb", body=b"caf\xe9")
    got = read(build(text))
    assert (got.values["author"], got.values["description"], got.raw) == ("Zoë", "café", text)


@both
def test_nul_is_refused(build):
    with pytest.raises(InvalidArtifact, match="NUL"):
        read(build(lines(b"Summary: a\0b")))


def test_characters_that_a_database_or_xml_cannot_hold_are_replaced():
    got = read(wheel(lines(b"Summary: a\x1b[1mb\x7f", body="x\x01\ufffe\ty".encode())))
    assert got.summary == "a�[1mb�"
    assert got.values["description"] == "x��\ty"


def test_an_encoded_surrogate_makes_the_text_latin1():
    got = read(wheel(lines(b"Summary: \xed\xa0\x80!")))
    assert str(got.values["summary"]).encode() == "\xed\xa0\x80!".encode()


@both
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"])
def test_74_metadata_version_is_accepted(build, version):
    assert read(build(PLAIN.replace(b"2.1", version.encode(), 1))).values["metadata_version"] == version


@both
@pytest.mark.parametrize("version", ["0.9", "2.7", "3.0", "2", "2.10", "two", "1.0.0", "\uff12.1"])
def test_74_other_metadata_versions_are_refused_by_name(build, version):
    with pytest.raises(InvalidArtifact, match=r"Metadata-Version .* 1\.0 to 2\.6"):
        read(build(PLAIN.replace(b"2.1", version.encode(), 1)))


def test_74_metadata_version_may_be_missing_in_sdists_only():
    text = PLAIN.partition(b"\n")[2]
    assert read(sdist(text)).version == "1.0"
    with pytest.raises(InvalidArtifact, match="Metadata-Version is missing"):
        read(wheel(text))


BAD_FIELDS = {
    "requires_python": (b"Requires-Python: three", "Requires-Python 'three'"),
    "requires_python_legacy": (b"Requires-Python: >=3.5.*", "Requires-Python"),
    "requires_python_long": (b"Requires-Python: >=" + b"1" * 5000, "Requires-Python is longer"),
    "requires_python_huge_number": (b"Requires-Python: >=" + b"1" * 900 + b",>>1", "Requires-Python"),
    "requires_dist": (b"Requires-Dist: not a requirement", "Requires-Dist 'not a requirement'"),
    "requires_dist_second": (b"Requires-Dist: ok\nRequires-Dist: -e .", "Requires-Dist '-e .'"),
    "requires_dist_long": (b"Requires-Dist: a>=" + b"1" * 20_000, "Requires-Dist is longer"),
    "requires_dist_huge_number": (b"Requires-Dist: a>=" + b"1" * 5000 + b";;", "Requires-Dist"),
    "requires_dist_nested": (b"Requires-Dist: a; " + b"(" * 9000, "Requires-Dist"),
    "requires_dist_many": (b"Requires-Dist: a\n" * 10_001 + b"X: y", "more than 10000 Requires-Dist"),
    "two_names": (b"Name: other", "the field Name occurs more than once"),
    "two_versions": (b"Version: 2.0", "the field Version occurs more than once"),
    "two_spellings": (b"NAME: other", "the field Name occurs more than once"),
    "two_requires_python": (b"Requires-Python: >=3\nRequires-Python: >=2", "Requires-Python occurs more than once"),
    "two_metadata_versions": (b"Metadata-Version: 1.0", "Metadata-Version occurs more than once"),
    "many_lines": (b"X: y\n" * 100_001, "more than 100000 lines"),
}  # fmt: skip


@both
@pytest.mark.parametrize("field", BAD_FIELDS)
def test_74_bad_field_is_refused_by_its_name(build, field):
    line, message = BAD_FIELDS[field]
    with pytest.raises(InvalidArtifact, match=message) as refusal:
        read(build(lines(line)))
    assert "METADATA" in str(refusal.value) or "PKG-INFO" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@both
@pytest.mark.parametrize("field", ["Name", "Version"])
@pytest.mark.parametrize("value", [None, "", "UNKNOWN"], ids=["missing", "empty", "unknown"])
def test_74_name_and_version_must_be_there(build, field, value):
    kept = [line for line in PLAIN.decode().splitlines() if not line.startswith(f"{field}:")]
    given = [] if value is None else [f"{field}: {value}"]
    with pytest.raises(InvalidArtifact, match=f"the field {field} is missing"):
        read(build("\n".join([*given, *kept, ""]).encode()))


@both
@pytest.mark.parametrize(
    "line",
    [
        b"Name: ../evil",
        b"Name: acme widget",
        "Name: \uff41cme-widget".encode(),
        b"Version: 1.0-x-y",
        b"Version: latest",
    ],
)
def test_t15_72_names_and_versions_outside_their_grammar_are_refused(build, line):
    key = line.partition(b":")[0]
    text = b"\n".join(line if old.startswith(key + b":") else old for old in PLAIN.split(b"\n"))
    with pytest.raises(InvalidName, match=r"acme_widget-1\.0.*not a valid"):
        read(build(text))


@pytest.mark.parametrize("spelling", ["acme-widget", "Acme.Widget", "ACME_widget", "acme--widget"])
@both
def test_t19_71_any_spelling_of_the_filenames_project_is_accepted(build, spelling):
    got = read(build(core_metadata(spelling, "1.0")))
    assert (got.name.value, got.display_name) == ("acme-widget", spelling)


@both
def test_t19_71_metadata_of_another_project_is_refused(build):
    with pytest.raises(InvalidArtifact, match="Name is other and the filename says acme-widget"):
        read(build(core_metadata("other", "1.0")))


@both
@pytest.mark.parametrize("spelling", ["1.0", "1", "1.0.0", "v1.0", "0!1.0", "01.0"])
def test_t19_72_any_spelling_of_the_filenames_version_is_accepted(build, spelling):
    assert read(build(core_metadata("acme-widget", spelling))).values["version"] == spelling


@both
@pytest.mark.parametrize("other", ["1.1", "1.0+local", "1.0.post1", "1!1.0", "1.0rc1"])
def test_t19_72_metadata_of_another_version_is_refused(build, other):
    with pytest.raises(InvalidArtifact, match=r"Version is .* and the filename says 1\.0"):
        read(build(core_metadata("acme-widget", other)))


@pytest.mark.parametrize(
    ("stem", "suffix"),
    [
        ("Acme.Widget-1.0", ".tar.gz"),
        ("acme-widget-1.0", ".zip"),
        ("Acme_Widget-1.0", ".tar.bz2"),
        ("acme.widget-1.0.0", ".tgz"),
    ],
)
def test_73_sdists_whose_names_are_not_normalised_are_read(stem, suffix):
    got = read(build_sdist("acme-widget", "1.0", stem=stem, suffix=suffix))
    assert (got.name.value, got.version) == ("acme-widget", "1.0")


def test_eggs_are_read():
    built = build_egg("Acme-Widget", "1.0")
    got = read(built)
    assert (got.name.value, got.version, got.raw) == ("acme-widget", "1.0", built.metadata)


def test_an_egg_without_metadata_is_refused():
    with pytest.raises(InvalidArtifact, match="EGG-INFO/PKG-INFO"):
        read_as("acme_widget-1.0-py3.11.egg", zip_bytes({"acme_widget.py": b""}))


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".zip"])
def test_bdist_dumb_is_read(suffix):
    built = build_dumb("Acme-Widget", "1.0", suffix=suffix)
    got = read(built)
    assert (got.name.value, got.display_name, got.raw) == ("acme-widget", "Acme-Widget", built.metadata)


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
@pytest.mark.parametrize(
    "path",
    ["acme_widget.egg-info/PKG-INFO", "usr/lib/acme_widget-1.0.egg-info", "usr/acme_widget-1.0.dist-info/METADATA"],
)
def test_bdist_dumb_metadata_is_the_projects_own(suffix, path):
    files = {"usr/lib/other-3.egg-info/PKG-INFO": core_metadata("other", "3"), path: PLAIN}
    assert read_as(f"acme-widget-1.0.linux-x86_64{suffix}", packed(files, suffix)).raw == PLAIN


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_bdist_dumb_without_metadata_is_known_by_its_filename(suffix):
    got = read_as(f"acme-widget-1.0.linux-x86_64{suffix}", packed({"usr/lib/acme.py": b""}, suffix))
    assert got.raw == b"Metadata-Version: 1.0\nName: acme-widget\nVersion: 1.0\n"
    assert (got.name.value, got.version, got.summary) == ("acme-widget", "1.0", None)


def test_t16_a_file_is_read_wherever_it_stands():
    built = wheel(PLAIN)
    file = io.BytesIO(built.data)
    file.seek(100)
    assert read_artifact(file, Filename.parse(built.filename), limits=Limits()).version == "1.0"


@pytest.mark.parametrize("secret", ["\x1b]0;evil\x07", "a\r\nSet-Cookie: x=y"])
def test_messages_quote_what_they_found(secret):
    member = tar_file(f"a/{secret}")
    with pytest.raises(InvalidArtifact) as refusal:
        read_as("acme_widget-1.0.tar.gz", gzip.compress(raw_tar([(member, b"")])))
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2", ".zip"])
def test_builders_give_the_same_bytes_for_the_same_arguments(suffix):
    assert build_sdist("a", "1", suffix=suffix) == build_sdist("a", "1", suffix=suffix)
    assert build_wheel("a", "1", body=b"x") == build_wheel("a", "1", body=b"x")
    assert build_wheel("a", "1", body=b"x").sha256 != build_wheel("a", "1", body=b"y").sha256


line_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), min_size=1)


@given(summary=line_text, description=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"])))
def test_fields_are_what_packaging_reads(summary, description):
    text = core_metadata("acme-widget", "1.0", summary=summary, description=description)
    values = read(wheel(text)).values
    theirs, _ = parse_email(text)
    unsaid = {"", "UNKNOWN"}
    for key in ("summary", "description"):
        theirs_said = theirs.get(key, "").strip()
        assert str(values.get(key, "")).strip() == ("" if theirs_said in unsaid else theirs_said)
