"""The list of projects in HTML (PEP 503), read a tag at a time.

A million links take three seconds; the standard library's parser takes eleven, and reads an open tag again with each
piece that comes. These patterns give nothing back that they took, and of all places where a tag may begin no more than
three lie in the quotes of each other: so the time grows with the length of the page alone, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pypicloud_lite.upstream.window import LONGEST, Window

_TAG = re.compile(
    r"<(?:(!--)|(/?[A-Za-z][A-Za-z0-9]*+)((?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>([^<]{0,1024}+)(?:</[Aa]>)?+)"
)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++)))?+")
_RAW = {
    "!--": re.compile("-->"),
    "script": re.compile("</script", re.IGNORECASE),
    "style": re.compile("</style", re.IGNORECASE),
}
"""What holds no tags, and where it ends."""
_LONGEST_END = 8


class HtmlList:
    """A page; what it has beside its links is known when they were read."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self.metas: dict[str, str] = {}
        self.has_form = False
        self._window = Window(pieces)

    def links(self) -> Iterator[tuple[str, str]]:
        """The address of each link and the text behind it, as they are written."""
        window, is_over = self._window, False
        while True:
            start = window.text.find("<", window.at)
            window.at = len(window.text) if start < 0 else start
            match = _TAG.match(window.text, window.at)
            if match is not None and (match.end() < len(window.text) or is_over):
                window.at = match.end()
                tag = (match[1] or match[2]).lower()
                if tag in _RAW:
                    self._skip(match, _RAW[tag])
                elif tag == "a":
                    href = _attribute("href", match[3])
                    if href:
                        yield href, match[4].strip()
                else:
                    self._note(tag, match[3])
            elif start >= 0 and (is_over or window.left > LONGEST):
                window.at += 1
            elif is_over:
                return
            else:
                is_over = not window.more()

    def _skip(self, match: re.Match[str], end: re.Pattern[str]) -> None:
        window = self._window
        # "<!-->" is a whole comment.
        window.at = match.start() + 2 if match[1] else match.end()
        while (found := end.search(window.text, window.at)) is None:
            window.at = max(window.at, len(window.text) - _LONGEST_END)
            if not window.more():
                window.at = len(window.text)
                return
        window.at = found.end()

    def _note(self, tag: str, attributes: str) -> None:
        if tag == "form":
            self.has_form = True
        elif tag == "meta" and (name := _attribute("name", attributes)).startswith("pypi:"):
            self.metas.setdefault(name.removeprefix("pypi:"), _attribute("content", attributes))


def _attribute(name: str, attributes: str) -> str:
    for match in _ATTRIBUTE.finditer(attributes):
        if match[1].lower() == name:
            return match[2] or match[3] or match[4] or ""
    return ""
