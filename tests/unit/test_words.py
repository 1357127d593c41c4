"""What a project is found by: for any text, and for metadata of any shape."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.catalog.search_port import SearchQuery
from pypicloud_lite.catalog.words import WORD, Weight, requirements_of, terms_of, words_of
from pypicloud_lite.kernel.names import ProjectName

DEMO = ProjectName("demo-tool")
ANYTHING = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.tuples(inner))
KEYS = ("keywords", "author", "author_email", "maintainer", "maintainer_email", "requires_dist")


@given(st.text())
def test_words_are_bounded_and_found_again(text):
    words = words_of(text)
    assert all(0 < len(word) <= WORD and word[0].isalnum() and not re.search(r"[\s%_'!]", word) for word in words)
    assert len(set(words)) == len(words)
    for word in words:
        # What is stored is found when it is asked for, and by its beginning.
        again = words_of(word)
        assert len(again) == 1
        assert word.startswith(again[0]) or again[0].startswith(word)


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=30))
def test_case_makes_no_difference(text):
    assert words_of(text) == words_of(text.casefold())


@given(st.text(), st.dictionaries(st.sampled_from(KEYS), ANYTHING))
def test_metadata_of_any_shape(summary, core):
    terms = terms_of(DEMO, summary, core)
    assert len(terms) <= 64
    assert terms["demo"] == terms["tool"] == terms["demotool"] == Weight.NAME
    assert all(isinstance(optional, bool) for optional in requirements_of(core).values())


def test_the_best_place_counts_and_the_best_words_are_kept():
    many = " ".join(f"word{number}" for number in range(100))
    terms = terms_of(DEMO, f"Demo first {many}", {"keywords": "first last"})
    assert (terms["demo"], terms["first"]) == (Weight.NAME, Weight.SUMMARY)
    assert "last" not in terms
    assert len(terms) == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zope.Interface", ("zope", "interface")),
        ("snake_case-and kebab", ("snake", "case", "and", "kebab")),
        ("Jane Doe <jane@example.org>", ("jane", "doe")),
        ("ﬁle İstanbul", ("file", "i\u0307stanbul")),
        ("हिन्दी भाषा", ("हिन्दी", "भाषा")),
        ("a b c d e f g h i j", tuple("abcdefgh")),
        ("", ()),
    ],
)
def test_queries(text, words):
    assert SearchQuery.parse(text).words == words


def test_the_name_that_words_are_together():
    assert SearchQuery.parse("Zope Interface").name == "zope-interface"
    assert SearchQuery.parse("größe x").name == ""


def test_requirements():
    core = {
        "requires_dist": [
            "A>1",
            "b_c[x]; extra == 'x'",
            "a; extra == 'y'",
            "B.C",
            "!",
            3,
            *(f"n{n}" for n in range(999)),
        ]
    }
    found = requirements_of(core)
    assert found[ProjectName("a")] is found[ProjectName("b-c")] is False
    assert len(found) == 500
    assert requirements_of({"requires_dist": ["d; extra == 'x' and python_version > '3'"]}) == {ProjectName("d"): True}
