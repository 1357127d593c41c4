"""What a README is: its markup, the part of it that is shown, and what came of it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from enum import StrEnum

MAX_BYTES = 512 * 1024
"""Of UTF-8 that are shown; a longer README is cut."""

_NOTE = f"<p><em>This description is longer than {MAX_BYTES // 1024} KiB: only its beginning is shown.</em></p>\n"
# As in artifacts/core_metadata.py, and NUL, which docutils uses for escapes of its own.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LONGEST_TYPE = 500


class Kind(StrEnum):
    """How a README is shown."""

    MARKDOWN = "markdown"
    RST = "rst"
    PLAIN = "plain"


_KINDS = {"": Kind.RST, "text/markdown": Kind.MARKDOWN, "text/x-rst": Kind.RST, "text/plain": Kind.PLAIN}


@dataclass(frozen=True, slots=True)
class Markup:
    """The markup of a README; ``variant`` is that of Markdown, by readme_renderer's names, and empty for all else."""

    kind: Kind
    variant: str = ""

    @classmethod
    def parse(cls, content_type: str | None) -> Markup:
        """Read a Description-Content-Type by the core metadata specification; whatever it is, there is an answer.

        Without one it is reStructuredText; an unknown one is plain text; an unknown variant of Markdown is GFM. The
        charset decides nothing here: the text is decoded already.
        """
        kind, *parameters = (content_type or "")[:_LONGEST_TYPE].split(";")
        known = _KINDS.get(kind.strip().lower(), Kind.PLAIN)
        if known is not Kind.MARKDOWN:
            return cls(known)
        pairs = (one.partition("=") for one in parameters)
        given = {name.strip().lower(): value.strip(' \t"').lower() for name, _, value in pairs}
        return cls(known, "CommonMark" if given.get("variant") == "commonmark" else "GFM")


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of a README that is shown, of at most :data:`MAX_BYTES`, without characters that have no meaning."""

    text: str
    cut: bool

    @classmethod
    def of(cls, text: str) -> Shown:
        """Cut at the end of a line, where there is one."""
        # Nothing of what is cut off is looked at: a description may be of any length.
        clean = _UNPRINTABLE.sub("�", text[: MAX_BYTES + 1])
        encoded = clean.encode()
        if len(encoded) <= MAX_BYTES:
            return cls(clean, cut=False)
        beginning = encoded[:MAX_BYTES].decode(errors="ignore")
        return cls(beginning[: beginning.rfind("\n") + 1] or beginning, cut=True)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A README as HTML that may be inserted into a page as it is, below a heading of the second level.

    ``kind`` is how it is shown: plain text where ``fell_back`` says that it could not be shown by its markup, or not
    yet (``pending``: ask again later). ``cut``: only its beginning is shown, and a note below it says so.
    """

    html: str
    kind: Kind
    cut: bool = False
    fell_back: bool = False
    pending: bool = False


def rendered(shown: Shown, kind: Kind, markup: str) -> Rendered:
    """What the child made of it."""
    return Rendered(markup + _NOTE if shown.cut else markup, kind, cut=shown.cut)


def plain(shown: Shown, *, fell_back: bool = False, pending: bool = False) -> Rendered:
    """The text itself, preformatted."""
    escaped = html.escape(shown.text, quote=False)
    # The first line end after <pre> is the parser's.
    markup = f"<pre>\n{escaped}</pre>\n" if escaped.strip() else ""
    return Rendered(
        markup + _NOTE if shown.cut else markup, Kind.PLAIN, cut=shown.cut, fell_back=fell_back, pending=pending
    )
