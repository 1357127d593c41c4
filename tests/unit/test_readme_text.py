"""What a README is taken for, how it is cut, how it is kept."""

from __future__ import annotations

import pytest

from pypicloud_lite.readme.model import MAX_BYTES, Kind, Markup, Shown, plain, rendered


@pytest.mark.parametrize(
    ("content_type", "kind", "variant"),
    [
        (None, Kind.RST, ""),
        ("", Kind.RST, ""),
        ("text/x-rst", Kind.RST, ""),
        ("text/x-rst; charset=UTF-8", Kind.RST, ""),
        ("text/plain", Kind.PLAIN, ""),
        ("text/markdown", Kind.MARKDOWN, "GFM"),
        ("Text/Markdown", Kind.MARKDOWN, "GFM"),
        (" text/markdown ;charset=UTF-8;variant=GFM", Kind.MARKDOWN, "GFM"),
        ('text/markdown; variant="CommonMark"', Kind.MARKDOWN, "CommonMark"),
        ("text/markdown; variant = commonmark", Kind.MARKDOWN, "CommonMark"),
        ("text/markdown; variant=Pandoc", Kind.MARKDOWN, "GFM"),
        ("text/markdown; variant", Kind.MARKDOWN, "GFM"),
        ("text/html", Kind.PLAIN, ""),
        ("markdown", Kind.PLAIN, ""),
        ("text/markdown\n\n<script>", Kind.PLAIN, ""),
        (";" * 100_000, Kind.RST, ""),
    ],
)
def test_content_types_are_read_by_the_specification_of_core_metadata(content_type, kind, variant):
    assert Markup.parse(content_type) == Markup(kind, variant)


def test_what_fits_is_shown_whole():
    text = "é" * (MAX_BYTES // 2)
    assert Shown.of(text) == Shown(text, cut=False)


@pytest.mark.parametrize("line", ["a line\n", "é" * 49 + "\n", "\U0001f600\n"])
def test_what_is_too_long_is_cut_after_a_line(line):
    shown = Shown.of(line * MAX_BYTES)
    assert shown.cut
    assert MAX_BYTES - len(line.encode()) < len(shown.text.encode()) <= MAX_BYTES
    assert shown.text == line * shown.text.count("\n")


def test_a_line_that_is_too_long_is_cut_within_and_between_characters():
    shown = Shown.of("\u20ac" * MAX_BYTES)
    assert shown.cut
    assert shown.text == "\u20ac" * (MAX_BYTES // 3)


def test_a_note_says_that_it_was_cut():
    for result in (plain(Shown("a\n", cut=True)), rendered(Shown("a\n", cut=True), Kind.RST, "<p>a</p>\n")):
        assert result.cut
        assert result.html.endswith("only its beginning is shown.</em></p>\n")
    assert "beginning" not in plain(Shown("a\n", cut=False)).html


def test_t13_plain_text_is_text():
    shown = Shown.of('\n</pre><script>alert(1)</script>&lt;\x00\x1b[31m\ud800\ufffe"')
    assert plain(shown).html == '<pre>\n\n&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;lt;��[31m��"</pre>\n'
    assert plain(Shown.of(" \n")).html == ""
