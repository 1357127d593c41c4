"""Links of an HTML page, found in time that grows with its length alone, whoever wrote it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

from pypi_simple import Link

from pypicloud_lite.kernel.errors import UpstreamNonsense

_STEP = 16 * 1024
# A tag, comment or declaration that is longer than this is none of an index's; the parser would read it again
# and again.
_LONGEST_TAG = 64 * 1024
_LONGEST_TEXT = 1024
_SECONDS = 20.0


@dataclass(slots=True)
class Anchors:
    """What a page has: its links, the content of its ``pypi:`` metas by name, and whether people fill it in."""

    links: list[Link] = field(default_factory=list)
    metas: dict[str, str] = field(default_factory=dict)
    has_form: bool = False


class _Parser(HTMLParser):
    """pypi-simple's own parsers keep every open tag and link, which nested ones make grow without end."""

    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Anchors()
        self._base = base
        self._has_base = False
        self._open: dict[str, str | list[str]] | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}
        if tag == "a":
            self._close_link()
            self._open = dict(given)
        elif tag == "meta" and given.get("name", "").startswith("pypi:"):
            self.found.metas.setdefault(given["name"].removeprefix("pypi:"), given.get("content", ""))
        elif tag == "form":
            self.found.has_form = True
        elif tag == "base" and "href" in given and not self._has_base:
            self._has_base = True
            self._base = _join(self._base, given["href"]) or self._base

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._close_link()

    def handle_data(self, data: str) -> None:
        if self._open is not None and len(self._text) < _LONGEST_TEXT:
            self._text += data[:_LONGEST_TEXT]

    def _close_link(self) -> None:
        attributes, text, self._open, self._text = self._open, self._text.strip(), None, ""
        if attributes is not None and isinstance(href := attributes.get("href"), str):
            url = _join(self._base, href.strip())
            if url is not None:
                self.found.links.append(Link(text=text, url=url, attrs=attributes))


def anchors(html: str, base: str) -> Anchors:
    """Read a page that came from ``base``; UpstreamNonsense when it takes too long or is no HTML at all."""
    parser, until = _Parser(base), time.monotonic() + _SECONDS
    for start in range(0, len(html), _STEP):
        parser.feed(html[start : start + _STEP])
        if len(parser.rawdata) > _LONGEST_TAG or time.monotonic() > until:
            raise UpstreamNonsense("Its HTML is none that an index writes")
    # What is left is a tag that was never closed; HTMLParser.close would look for its end in many ways.
    parser.handle_endtag("a")
    return parser.found


def _join(base: str, href: str) -> str | None:
    try:
        return urljoin(base, href)
    except ValueError:
        return None
