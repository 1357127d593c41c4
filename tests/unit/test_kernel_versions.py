from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.versions import normalised_version, parse_version


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("1.0", "1.0"),
        ("1.0.0", "1.0.0"),
        ("v1.0", "1.0"),
        ("1.0-RC1", "1.0rc1"),
        ("1.0.alpha.2", "1.0a2"),
        ("1.0-1", "1.0.post1"),
        ("1.0.dev", "1.0.dev0"),
        ("01.02", "1.2"),
        ("1!1.0", "1!1.0"),
        ("1.0+Ubuntu-1", "1.0+ubuntu.1"),
        ("2024.01.02", "2024.1.2"),
    ],
)
def test_one_spelling_of_a_version(text, normalised):
    assert normalised_version(text) == normalised
    assert normalised_version(normalised) == normalised


def test_versions_have_an_order():
    ordered = ["1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0+local", "1.0.post1", "1.1", "1.10", "1!0.1"]

    assert sorted(set(ordered), key=parse_version) == ordered


@pytest.mark.parametrize(
    "text",
    [
        "",
        "one",
        "1.0.tar",
        "1.0-",
        "1..0",
        "../1.0",
        "1.0/..",
        "1.0\x00",
        "1.0\u202e",
        "1.0+",
        "1.0+a/b",
        "=1",
        "1" * 101,
    ],
)
def test_what_is_no_version(text):
    with pytest.raises(InvalidName) as caught:
        parse_version(text)

    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


@given(st.text(max_size=110))
def test_a_version_is_refused_or_plain(text):
    try:
        version = normalised_version(text)
    except InvalidName:
        return
    assert version.isascii()
    assert not set(version) - set("abcdefghijklmnopqrstuvwxyz0123456789.+!")
    assert normalised_version(version) == version
