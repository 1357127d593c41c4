"""From readme_renderer's HTML to what a page of this server holds: no images, no forms, headings below the page's own.

What comes in was cleaned by readme_renderer, so its tags are balanced; what goes out is cleaned once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from types import MappingProxyType
from urllib.parse import quote, unquote

from pypicloud_lite.readme.allowed import ATTRIBUTES, CLASSES, PREFIX, TAGS, is_id, is_web, judged

_THEIR_PREFIX = "user-content-"
_RENAMED = MappingProxyType(
    {
        "acronym": "abbr",
        "h1": "h3",
        "h2": "h4",
        "h3": "h5",
        "h4": "h6",
        "h5": "h6",
        "h6": "h6",
        # A README does not add to the landmarks of the page.
        "nav": "div",
        "tt": "code",
    }
)
_VOID = frozenset({"br", "hr"})


def rewritten(html: str) -> str:
    """Deterministic; takes time in proportion to what is given."""
    rewriter = _Rewriter()
    rewriter.feed(html)
    rewriter.close()
    return rewriter.written()


@dataclass(slots=True)
class _Start:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    target: str | None = None
    """The id within the README that an ``a`` points to."""

    def written(self, ids: set[str]) -> str:
        attributes = dict(self.attributes)
        if self.target in ids:
            attributes["href"] = f"#{PREFIX}{quote(self.target or '')}"
        said = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
        return f"<{self.tag}{said}>"


class _Rewriter(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str | _Start] = []
        self._ids: set[str] = set()
        self._links: list[_Start] = []
        # What each open span became; None for nothing.
        self._spans: list[str | None] = []

    def written(self) -> str:
        return "".join(part if isinstance(part, str) else part.written(self._ids) for part in self._parts)

    def handle_data(self, data: str) -> None:
        self._parts.append(escape(data, quote=False))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "img":
            self._image(given)
        elif tag == "input":
            self._input(given)
        elif tag == "span":
            self._span(given)
        elif (renamed := _RENAMED.get(tag, tag)) in TAGS:
            start = self._started(renamed, given)
            self._parts.append(start)
            if tag == "a":
                self._links.append(start)

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            became = self._spans.pop() if self._spans else None
            if became is not None:
                self._parts.append(f"</{became}>")
        elif tag == "a" and self._links:
            self._end_link(self._links.pop())
        elif (renamed := _RENAMED.get(tag, tag)) in TAGS and renamed not in _VOID:
            self._parts.append(f"</{renamed}>")

    def _started(self, tag: str, given: dict[str, str]) -> _Start:
        start = _Start(tag)
        for name, value in given.items():
            if name == "id":
                self._name(start, value)
            elif name == "href" and value.startswith("#"):
                start.target = unquote(value[1:].removeprefix(_THEIR_PREFIX))
            elif name == "class":
                self._classify(start, value.split())
            elif name in ATTRIBUTES.get(tag, ()) and judged(tag, name, value) is not None:
                start.attributes[name] = value
        if tag == "pre" and "lang" in given:
            start.attributes["class"] = "code"
        return start

    def _name(self, start: _Start, value: str) -> None:
        """The first of a name has it: readme_renderer's prefix tells headings from other ids, which nobody links to."""
        name = value.removeprefix(_THEIR_PREFIX)
        if name not in self._ids and is_id(PREFIX + name):
            self._ids.add(name)
            start.attributes["id"] = PREFIX + name

    @staticmethod
    def _classify(start: _Start, names: list[str]) -> None:
        known = [name for name in names if name in CLASSES.get(start.tag, ())]
        if known:
            start.attributes["class"] = known[0]

    def _span(self, given: dict[str, str]) -> None:
        """Docutils marks a literal by a class; a span that says nothing, as those in its mail addresses, goes."""
        start = self._started("code" if "literal" in given.get("class", "").split() else "span", given)
        kept = start.tag == "code" or bool(start.attributes)
        self._spans.append(start.tag if kept else None)
        if kept:
            self._parts.append(start)

    def _image(self, given: dict[str, str]) -> None:
        """A link to it instead: an image from elsewhere tells its server who reads what here (T13)."""
        text = " ".join(given.get("alt", "").split())
        source = given.get("src", "")
        if self._links:
            self._parts.append(escape(text or "image", quote=False))
        elif is_web(source):
            self._parts += [_Start("a", {"href": source}), escape(text or "image", quote=False), "</a>"]
        else:
            self._parts.append(escape(text, quote=False))

    def _input(self, given: dict[str, str]) -> None:
        """The boxes of a task list; a form has no business in a README."""
        if given.get("type", "").lower() == "checkbox":
            self._parts.append("☑" if "checked" in given else "☐")

    def _end_link(self, start: _Start) -> None:
        """A link around nothing, as beside each heading, cannot be seen; what it names can still be linked to."""
        if self._parts[-1] is not start:
            self._parts.append("</a>")
            return
        self._parts.pop()
        if "id" in start.attributes:
            self._parts += [_Start("span", {"id": start.attributes["id"]}), "</span>"]
