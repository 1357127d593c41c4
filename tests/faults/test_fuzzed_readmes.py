"""T13, T14: whatever is in a README, what comes out is of the allow-list, and in time."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypicloud_lite.readme.model import Kind, Markup, Shown
from pypicloud_lite.readme.worker import Limits, Worker
from pypicloud_lite.testing.bad_readmes import HOSTILE_HTML, HOSTILE_MARKDOWN, HOSTILE_RST
from pypicloud_lite.testing.readmes import faults, stays_inside

pytestmark = pytest.mark.slow

TAGS = [
    "a",
    "b",
    "p",
    "div",
    "span",
    "table",
    "tr",
    "td",
    "li",
    "ul",
    "pre",
    "code",
    "svg",
    "math",
    "mtext",
    "style",
    "title",
    "select",
    "form",
    "iframe",
    "template",
    "xmp",
    "nobr",
]
HTML = st.one_of(
    st.sampled_from(list(HOSTILE_HTML.values())),
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]),
    st.sampled_from(
        ["<a href='", "<p id=", "<!--", "-->", "<![CDATA[", "]]>", "'>", '">', "/>", "&", "&#", ";", "<", ">"]
    ),
)
MARKDOWN = st.sampled_from(
    [*HOSTILE_MARKDOWN.values(), *"*_`~#>-+|[]()!\\:^\n", "\n\n", "    ", "```", "[^x]", "- [ ] ", "1. "]
)
RST = st.sampled_from(
    [
        *HOSTILE_RST.values(),
        *"*_`|:.[]#=-+\\\n",
        "\n\n",
        "   ",
        "..",
        "::",
        ".. _",
        ".. |x| replace:: ",
        "`x`_",
        "|x|",
        "\n====\n",
    ]
)
TEXT = st.text(max_size=8) | st.sampled_from(
    ["x", " ", "\u202e", "\u2028", "\u00a0", "\ufeff", "\ud800", "\x00", "\r", "\t"]
)
LARGE = st.builds(lambda piece, times: piece * times, HTML | MARKDOWN | RST | TEXT, st.integers(1, 2000))


@pytest.fixture(scope="module")
def worker():
    # the processor time is the child's own affair, of two seconds; a busy machine makes more of them
    made = Worker(Limits(start_seconds=60, render_seconds=60))
    yield made
    made.end()


def check(worker, markup, pieces):
    text = Shown.of("".join(pieces)).text
    before = time.monotonic()
    outcome = worker.render(markup, text)
    assert time.monotonic() - before < 60
    if outcome.html is None:
        assert outcome.lasting
        assert outcome.why.startswith(
            ("it takes more", "it takes too much", "it is not valid", "it cannot be rendered", "its HTML")
        )
        return
    assert faults(outcome.html) == []
    assert stays_inside(outcome.html)


fuzzed = settings(max_examples=2500, deadline=None, suppress_health_check=list(HealthCheck))


@fuzzed
@given(pieces=st.lists(HTML | MARKDOWN | TEXT, max_size=25), variant=st.sampled_from(["GFM", "CommonMark"]))
def test_t13_t14_fuzzed_markdown(worker, pieces, variant):
    check(worker, Markup(Kind.MARKDOWN, variant), pieces)


@fuzzed
@given(pieces=st.lists(RST | HTML | TEXT, max_size=25))
def test_t13_t14_fuzzed_restructuredtext(worker, pieces):
    check(worker, Markup(Kind.RST), pieces)


@settings(fuzzed, max_examples=150)
@given(pieces=st.lists(LARGE, max_size=4), markup=st.sampled_from([Markup(Kind.MARKDOWN, "GFM"), Markup(Kind.RST)]))
def test_t14_fuzzed_large_readmes(worker, pieces, markup):
    check(worker, markup, pieces)
