"""Markup to HTML: the one module that knows readme_renderer. Only the child imports it (see ``confinement.py``)."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path

import docutils
import pygments.lexers
import readme_renderer.markdown
import readme_renderer.rst

from pypicloud_lite.readme.allowed import cleaned
from pypicloud_lite.readme.model import Kind, Markup
from pypicloud_lite.readme.rewriting import rewritten

LIBRARIES = tuple(str(Path(module.__file__ or "").parent) for module in (docutils, os, pygments))
"""The folders of what is imported or read while a README is rendered: lexers, directives, a template."""

_WARM_UP = """
Title
=====

.. contents::

.. note:: text

.. code-block:: python

   x = 1

.. list-table::

   * - text [1]_

.. [1] text

.. image:: https://example.com/image.png
"""


def prepare() -> None:
    """Make this process independent of what else is on the machine, and import what nearly every README needs."""
    # A language that Pygments does not know is looked for in other packages: their code has no part in this.
    pygments.lexers.find_plugin_lexers = lambda: iter(())
    # docutils asks for an image's type, which Python looks up in whatever files the machine has of the kind.
    mimetypes.init(())
    to_html(Markup(Kind.RST), _WARM_UP)


def to_html(markup: Markup, text: str) -> str | None:
    """HTML of the allow-list alone; None where the text is not valid in its markup, or nothing is left of it.

    Any exception, and any amount of time or memory: some inputs take readme_renderer quadratic time.
    """
    if markup.kind is Kind.MARKDOWN:
        html = readme_renderer.markdown.render(text, variant=markup.variant)
    elif markup.kind is Kind.RST:
        html = readme_renderer.rst.render(text)
    else:
        raise ValueError(f"{markup.kind} is no markup: show the text as it is")
    clean = cleaned(rewritten(html)) if html else ""
    return clean if clean.strip() else None
