from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey, shown

# Ways out of a folder, names that mean something to a file system, and characters that look like others.
TRICKS = (
    *("", ".", "..", "...", "/", "//", "a/", "/a", "a/b", "a//b", "./a", "../a", "a/..", "a/../b", "/etc/passwd"),
    *("..\\a", "a\\b", "\\", "C:\\a", "C:a", "\\\\host\\a", "~", "~root", "$HOME", "a$b", "%2e%2e", "%2e%2e%2fa"),
    *("..%2fa", "%252e%252e%252fa", "..%c0%afa", "..%5ca", "..;/a", "file:///a", "a\x00", "\x00a", "a\x00.b"),
    *("a\n", "\na", "a\r\nb", "a\tb", " a", "a ", "a b", "\x7f", "\x1b[0m", "a:b", "a*b", "a?b", "a|b", "<a>", '"a"'),
    *("a'b", "a;b", "a&b", "a`b", "a#b", "a@b", "a=b", "a,b", "(a)", "[a]", "{a}", "a!", "a^b"),
    *("\u2025", "\u2026", "\uff0e\uff0e", "\uff0e\uff0e\uff0fa", "a\u2215b", "a\u2044b", "a\u29f8b", "\u2024\u2024/a"),
    *("a\u200b", "a\u200db", "\u202ea", "\ufeffa", "a\u00a0b", "a\u3000b", "a\ud800", "a\u0301", "\u00e4", "\u0430"),
    *("\uff41", "\u0131", "\u0130", "\u212a", "\u017f", "\ufb01", "\u00df", "\u0661", "\u2460", "\U0001d4d0"),
)


@pytest.mark.parametrize(
    "spelling",
    ["a-b", "A-b", "A_b", "a.b", "a--b", "a__b", "a._-b", "A-_.-B"],
)
def test_every_spelling_of_a_project_is_the_same(spelling):
    assert ProjectName.parse(spelling) == ProjectName("a-b")
    assert hash(ProjectName.parse(spelling)) == hash(ProjectName("a-b"))


@pytest.mark.parametrize("spelling", ["I", "i"])
def test_an_i_is_an_i_in_every_country(spelling):
    assert str(ProjectName.parse(spelling)) == "i"


@pytest.mark.parametrize("spelling", TRICKS)
def test_a_trick_is_no_project_name(spelling):
    with pytest.raises(InvalidName) as caught:
        ProjectName.parse(spelling)

    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("spelling", ["-a", "a-", "_a", "a_", ".a", "a.", "a" * 129, "a" * 300])
def test_a_project_name_begins_and_ends_with_a_letter_or_digit_and_is_not_endless(spelling):
    with pytest.raises(InvalidName):
        ProjectName.parse(spelling)


@pytest.mark.parametrize("value", ["A", "a_b", "a.b", "a--b", "", "-a", "\u0131"])
def test_a_project_name_cannot_be_built_unnormalised(value):
    with pytest.raises(InvalidName):
        ProjectName(value)


@given(st.text(max_size=140))
def test_a_project_name_is_refused_or_safe(spelling):
    try:
        name = ProjectName.parse(spelling)
    except InvalidName:
        return
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name.value)
    assert ProjectName.parse(name.value) == name
    assert ProjectName.parse(spelling.upper()) == name


@given(st.from_regex(r"[a-z0-9]+([-_.]+[a-z0-9]+){0,3}", fullmatch=True).filter(lambda text: len(text) <= 128))
def test_a_valid_project_name_is_accepted(spelling):
    assert ProjectName.parse(spelling).value == re.sub(r"[-_.]+", "-", spelling)


def test_an_index_name():
    name = IndexName.parse("root/main")

    assert (name.owner, name.name, str(name)) == ("root", "main", "root/main")


@pytest.mark.parametrize(
    "text",
    ["", "root", "/main", "root/", "Root/main", "root/Main", "root/main/x", "root/json", "a..b/c", "a/" + "b" * 61],
)
def test_what_is_no_index_name(text):
    with pytest.raises(InvalidName):
        IndexName.parse(text)


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_is_no_index_name(trick):
    with pytest.raises(InvalidName):
        IndexName.parse(f"root/{trick}")
    with pytest.raises(InvalidName):
        IndexName.parse(f"{trick}/main")


@pytest.mark.parametrize("value", ["a", "root/main/a/01234567-x/a-1.0.tar.gz", "a b/c+d", "ä/ö"])
def test_a_storage_key(value):
    key = StorageKey(value)

    assert str(key) == value
    assert key.filename == value.rpartition("/")[2]
    assert key.sibling(".metadata") == StorageKey(value + ".metadata")


@pytest.mark.parametrize(
    "value",
    [
        *("", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a/../../b", "a\\b", "..\\a"),
        *("a\x00", "a\n", "a\u202eb", "a\u2028", "a\ud800", "a" * 901, "ä" * 451),
    ],
)
def test_what_is_no_storage_key(value):
    with pytest.raises(InvalidName):
        StorageKey(value)


@given(st.lists(st.text(max_size=5), max_size=4).map("/".join))
def test_a_storage_key_never_leaves_its_root(value):
    try:
        key = StorageKey(value)
    except InvalidName:
        return
    assert not {"", ".", ".."} & set(key.value.split("/"))
    assert "\x00" not in key.value


@pytest.mark.parametrize(
    ("text", "quoted"), [("a", "'a'"), ("a\nb", r"'a\nb'"), ("ä", r"'\xe4'"), ("a" * 90, f"'{'a' * 80}...'")]
)
def test_what_is_shown_is_printable_and_short(text, quoted):
    assert shown(text) == quoted
