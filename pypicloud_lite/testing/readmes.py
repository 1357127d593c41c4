"""What the HTML of a README must be, said apart from the code that makes it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nh3

_TAGS = frozenset({
    "a", "abbr", "aside", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "details", "div", "dl", "dt",
    "em", "figcaption", "figure", "h3", "h4", "h5", "h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "section", "span",
    "strong", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul", "var",
})  # fmt: skip
_ATTRIBUTES = {
    "id": r"readme-[^\s\"'<>&]+",
    "href": r"https?://[^\s/?#@\\][^\s\\]*|mailto:[^\s\\]+|#readme-[^\s\"'<>]+",
    "rel": r"nofollow noopener noreferrer",
    "title": r"[\s\S]*",
    "class": r"code|admonition|admonition-title|[a-z]{1,3}[0-9a-z]?",
    "align": r"left|right|center",
    "colspan": r"[0-9]{1,4}",
    "rowspan": r"[0-9]{1,4}",
    "start": r"[0-9]{1,4}",
}


class _Inspector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if re.fullmatch(_ATTRIBUTES.get(name, r"(?!)"), value or "", re.IGNORECASE) is None:
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name == "id":
                self.ids.append(value or "")
        if tag == "a" and dict(attrs).get("rel") != "nofollow noopener noreferrer":
            self.wrong.append("<a> without rel")
        if tag not in {"br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> that ends nothing")

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.wrong.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.wrong.append(f"<![{data}]>")


def faults(html: str) -> list[str]:
    """What in it is not allowed, or would reach beyond it; an empty list for HTML that may be inserted."""
    inspector = _Inspector()
    inspector.feed(html)
    inspector.close()
    repeated = sorted({name for name in inspector.ids if inspector.ids.count(name) > 1})
    return [
        *inspector.wrong,
        *(f"<{tag}> that does not end" for tag in inspector.open),
        *(f"the id {name} more than once" for name in repeated),
    ]


def stays_inside(html: str) -> bool:
    """Whether a browser's parser finds all of it where it was inserted, and what comes after it outside."""
    before, after = '<div id="page"><div id="readme">', '</div><p id="after">after</p></div>'
    parsed = nh3.clean(before + html + after, tags=set(_TAGS), attributes={"*": {"id"}}, link_rel=None)
    return parsed.startswith(before) and parsed.endswith(after)
