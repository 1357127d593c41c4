"""T13: what a README may do to a page, and how it looks there."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pypicloud_lite.readme.allowed import cleaned
from pypicloud_lite.readme.model import Kind
from pypicloud_lite.readme.readmes import Readmes
from pypicloud_lite.readme.rewriting import rewritten
from pypicloud_lite.readme.worker import Limits
from pypicloud_lite.testing.bad_readmes import HOSTILE_HTML, HOSTILE_MARKDOWN, HOSTILE_RST, READING_RST
from pypicloud_lite.testing.readmes import faults, stays_inside

REL = 'rel="nofollow noopener noreferrer"'
MARKDOWN = "text/markdown"
COMMONMARK = "text/markdown; variant=CommonMark"


@pytest.fixture(scope="module")
def readmes():
    """Patient, as the machine may be busy."""
    renders = Readmes(patience=120, waiting=100, limits=Limits(start_seconds=60, render_seconds=60))
    yield renders
    renders.close()


def judged(readmes, forms):
    """What is wrong with the HTML of each (text, content type)."""
    wrong = {}
    for text, content_type in forms:
        result = readmes.render(text, content_type)
        assert not result.pending
        found = faults(result.html) or ([] if stays_inside(result.html) else ["it ends what is around it"])
        if found:
            wrong[text, content_type] = found
    return wrong


@pytest.mark.parametrize("html", HOSTILE_HTML.values(), ids=HOSTILE_HTML)
def test_t13_of_hostile_html_nothing_but_the_allow_list_comes_out(readmes, html):
    literal = ".. parsed-literal::\n\n   " + "\n   ".join(html.splitlines())
    forms = [
        (html, MARKDOWN),
        (f"> * {html} x", MARKDOWN),
        (html, COMMONMARK),
        (html, None),
        (literal, None),
        (html, "text/plain"),
    ]
    assert judged(readmes, forms) == {}


@pytest.mark.parametrize("text", HOSTILE_MARKDOWN.values(), ids=HOSTILE_MARKDOWN)
def test_t13_of_hostile_markdown_nothing_but_the_allow_list_comes_out(readmes, text):
    assert judged(readmes, [(text, MARKDOWN), (text, COMMONMARK)]) == {}


@pytest.mark.parametrize("text", HOSTILE_RST.values(), ids=HOSTILE_RST)
def test_t13_of_hostile_restructuredtext_nothing_but_the_allow_list_comes_out(readmes, text):
    assert judged(readmes, [(text, "text/x-rst")]) == {}


@pytest.mark.parametrize("html", HOSTILE_HTML.values(), ids=HOSTILE_HTML)
def test_t13_each_pass_alone_holds_against_raw_html(html):
    clean = cleaned(html)
    assert [fault for fault in faults(clean) if "more than once" not in fault] == []
    assert faults(cleaned(rewritten(html))) == []


def test_t13_the_inspector_of_these_tests_sees_what_is_wrong():
    for html in [
        *HOSTILE_HTML.values(),
        "<p>",
        "</p>",
        "<p class='x y'>x</p>",
        "<p id='x'>x</p>",
        "<a>x</a>",
        "<h1>x</h1>",
    ]:
        allowed = html in {HOSTILE_HTML["entities"], HOSTILE_HTML["tags-of-unicode"]}
        assert bool(faults(html)) is not allowed, html


@pytest.fixture
def address():
    """A server on this machine, and what was asked of it."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"planted,secret\n")

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("text", READING_RST.values(), ids=READING_RST)
def test_t13_nothing_is_read_from_files_or_addresses(readmes, text, tmp_path, address):
    url, asked = address
    (tmp_path / "planted").write_text("planted,secret\n")
    given = text.format(file=tmp_path / "planted", url=url)
    result = readmes.render(f"Before\n\n{given}\n\nAfter", None)
    assert "secret" not in result.html
    assert "<script" not in result.html
    assert faults(result.html) == []
    assert asked == []


GFM = """
# Title

## Sub é

See [there](#sub-é), [nowhere](#nowhere)[^1].

- [x] done
- [ ] to do

> [!NOTE]
> noted

```python
x = 1
```

|a|b|
|:-|-:|
|1|2|

[![build](https://example.com/b.svg)](https://example.com/ci) ![](https://example.com/c.png) ![chart](chart.png)

[^1]: The note.
"""


def test_markdown_looks_as_expected(readmes):
    result = readmes.render(GFM, MARKDOWN)
    assert (result.kind, result.cut, result.fell_back, result.pending) == (Kind.MARKDOWN, False, False, False)
    for expected in [
        '<h3 id="readme-title">Title</h3>',
        '<h4 id="readme-sub-é">Sub é</h4>',
        f'<a href="#readme-sub-%C3%A9" {REL}>there</a>, <a {REL}>nowhere</a>',
        f'<sup><a id="readme-fnref-1" href="#readme-fn-1" {REL}>1</a></sup>',
        '<li id="readme-fn-1">\n<p>The note.',
        "<li>☑ done</li>\n<li>☐ to do</li>",
        '<aside class="admonition">\n<p class="admonition-title">Note</p>\n<p>noted</p>\n</aside>',
        '<pre class="code"><span class="n">x</span>',
        '<th align="right">b</th>',
        f'<a href="https://example.com/ci" {REL}>build</a> <a href="https://example.com/c.png" {REL}>image</a> chart',
    ]:
        assert expected in result.html


RST = """
Title
=====

Sub
---

See `Sub`_, ``literal`` and [1]_; write to me@example.com.

.. note:: noted

.. code:: python

   x = 1

.. image:: https://example.com/b.svg
   :alt: build
   :target: https://example.com/ci

.. list-table::
   :header-rows: 1

   * - a
   * - 1

.. [1] The note.
"""


@pytest.mark.parametrize("content_type", [None, "text/x-rst"])
def test_restructuredtext_looks_as_expected(readmes, content_type):
    result = readmes.render(RST, content_type)
    assert (result.kind, result.fell_back) == (Kind.RST, False)
    for expected in [
        '<section id="readme-title">\n<h3>Title</h3>\n<section id="readme-sub">\n<h4>Sub</h4>',
        f'<a href="#readme-sub" {REL}>Sub</a>, <code>literal</code>',
        f'<a id="readme-footnote-reference-1" href="#readme-1" {REL}>[1]</a>',
        f'<a href="mailto:me%40example.com" {REL}>me@example.com</a>',
        '<aside class="admonition">\n<p class="admonition-title">Note</p>',
        '<pre class="code"><code><span class="n">x</span>',
        f'<a href="https://example.com/ci" {REL}>\nbuild\n</a>',
        "<tr><th><p>a</p></th>",
    ]:
        assert expected in result.html


@pytest.mark.parametrize("text", [":nope:`x`", "Title\n==\n\n.. nope::", ".. only a comment"])
def test_invalid_restructuredtext_is_shown_as_it_is(readmes, text):
    result = readmes.render(text, None)
    assert (result.html, result.kind, result.fell_back) == (f"<pre>\n{text}</pre>\n", Kind.PLAIN, True)


def test_commonmark_has_no_extensions(readmes):
    assert "<table>" not in readmes.render(GFM, COMMONMARK).html


@pytest.mark.parametrize("language", ["nope", "ruby", "html+jinja", "../../x", "pypicloud_lite.readme.child"])
def test_code_of_any_language_is_shown(readmes, language):
    result = readmes.render(f"```{language}\nx = 1\n```", MARKDOWN)
    assert result.kind is Kind.MARKDOWN
    assert "<pre" in result.html


def test_a_long_readme_is_cut_and_rendered(readmes):
    result = readmes.render("# Title\n" + "some text\n" * 100_000, MARKDOWN)
    assert (result.kind, result.cut, result.fell_back) == (Kind.MARKDOWN, True, False)
    assert result.html.startswith('<h3 id="readme-title">Title</h3>')
    assert result.html.endswith("only its beginning is shown.</em></p>\n")


def test_empty_readmes_are_empty_and_start_nothing():
    renders = Readmes()
    assert [renders.render(text, None).html for text in ("", " \n\n")] == ["", ""]
    assert renders.child is None


def test_the_same_readme_gives_the_same_html_in_every_process(readmes):
    for text, content_type in ((GFM, MARKDOWN), (RST, None)):
        other = Readmes(patience=120, limits=Limits(start_seconds=60, render_seconds=60))
        assert other.render(text, content_type) == readmes.render(text, content_type)
        assert other.child != readmes.child
        other.close()
