"""Texts that strangers may write somewhere (T12), and what of a page they must not change."""

from __future__ import annotations

from html.parser import HTMLParser

HARMLESS = "plain words"
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "</textarea></title></style><!--<b>",
    "\u202egnp.exe",
    "&lt;b&gt;&#60;b&#62;",
    "<svg/onload=alert(1)>",
)


class Skeleton(HTMLParser):
    """A page without its texts: elements, the names of their attributes, what their addresses begin with."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.bones: list[object] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        schemes = [(value or "").partition("/")[0] for name, value in attrs if name in {"href", "src", "action"}]
        self.bones.append((tag, [name for name, _ in attrs], schemes))

    def handle_endtag(self, tag: str) -> None:
        self.bones.append(tag)
