from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.versions import is_version, normalised_version, parse_version, preference


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


@pytest.mark.parametrize(
    ("releases", "best"),
    [
        ({"1.9": False, "1.10": False}, "1.10"),
        ({"1.0": False, "2.0rc1": False, "2.0.dev1": False}, "1.0"),
        ({"1.0a1": False, "1.0b1": False}, "1.0b1"),
        ({"1.0": False, "2.0": True}, "1.0"),
        ({"1.0rc1": False, "2.0": True}, "1.0rc1"),
        ({"1.0": True, "2.0rc1": True}, "1.0"),
        ({"1.0": False, "1.0.post1": False, "1!0.1": False}, "1!0.1"),
    ],
)
def test_what_to_offer_first(releases, best):
    assert max(releases, key=lambda version: preference(version, yanked=releases[version])) == best


def test_is_version():
    assert all(is_version(text) for text in ("1", "v1.0", "1.0-RC1", "1!2.0+local"))
    assert not any(is_version(text) for text in ("", "x", "1.0.x", "1" * 101, "1.0 x", "\u0661x"))
