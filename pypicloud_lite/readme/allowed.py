"""What the HTML of a README may consist of, and the last pass over it, which holds it to that."""

from __future__ import annotations

import re
from types import MappingProxyType

import nh3
from pygments.token import STANDARD_TYPES

PREFIX = "readme-"
"""Of every id: no id of the page around it can be taken (DOM clobbering)."""

REL = "nofollow noopener noreferrer"

TAGS = frozenset({
    "a", "abbr", "aside", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "details", "div", "dl", "dt",
    "em", "figcaption", "figure", "h3", "h4", "h5", "h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "section", "span",
    "strong", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul", "var",
})  # fmt: skip

_ALIGNED = ("div", "h3", "h4", "h5", "h6", "p", "td", "th")
ATTRIBUTES = MappingProxyType(
    {
        "*": frozenset({"id"}),
        "a": frozenset({"href", "title"}),
        "abbr": frozenset({"title"}),
        "aside": frozenset({"class"}),
        "ol": frozenset({"start"}),
        "pre": frozenset({"class"}),
        "span": frozenset({"class"}),
        **{tag: frozenset({"align"}) for tag in _ALIGNED},
        "p": frozenset({"align", "class"}),
        "td": frozenset({"align", "colspan", "rowspan"}),
        "th": frozenset({"align", "colspan", "rowspan"}),
    }
)

CLASSES = MappingProxyType(
    {
        "aside": frozenset({"admonition"}),
        "p": frozenset({"admonition-title"}),
        "pre": frozenset({"code"}),
        # What Pygments marks code with.
        "span": frozenset(name for name in STANDARD_TYPES.values() if name),
    }
)

_ALIGNMENTS = frozenset({"left", "center", "right"})
_NUMBER = re.compile(r"[0-9]{1,4}")
_ID = re.compile(PREFIX + r"[^\x00-\x20\x7f-\xa0\u2028\u2029\"'<>&]{1,200}")
# No white space or control character, no invisible one that changes the direction or hides in a name, no backslash.
_URL_CHARACTER = "[^\\x00-\\x20\\x7f-\\xa0\\xad\\u061c\\u200b-\\u200f\\u2028-\\u202f\\u2060-\\u206f\\ufeff\\\\\"'<>`]"
# Without a user's name before the host, which makes a link look like one to elsewhere.
_WEB = re.compile(rf"(?i:https?)://(?:(?![/?#@]){_URL_CHARACTER})+(?:[/?#]{_URL_CHARACTER}*)?")
_MAIL = re.compile(rf"(?i:mailto):{_URL_CHARACTER}+")
_LONGEST_URL = 2000


def is_web(url: str) -> bool:
    """Whether it is a whole address of the web: http or https and a host."""
    return len(url) <= _LONGEST_URL and _WEB.fullmatch(url) is not None


def is_link(url: str) -> bool:
    """Whether a README may link to it: the web or a mailbox. Relative links would lead to pages of this server."""
    return is_web(url) or (len(url) <= _LONGEST_URL and _MAIL.fullmatch(url) is not None)


def is_id(name: str) -> bool:
    """Whether it is an id that a README may have, and link to: it is prefixed."""
    return _ID.fullmatch(name) is not None


def judged(tag: str, attribute: str, value: str) -> str | None:
    """The value that an attribute may have; None for no attribute. Takes and gives only what is prefixed already."""
    target = value.removeprefix("#") if attribute == "href" else value
    right = {
        "id": is_id(value),
        "href": is_link(value) or (target != value and is_id(target)),
        "title": True,
        "class": value in CLASSES.get(tag, ()),
        "align": value in _ALIGNMENTS,
        "start": _NUMBER.fullmatch(value) is not None,
        "colspan": _NUMBER.fullmatch(value) is not None,
        "rowspan": _NUMBER.fullmatch(value) is not None,
        "rel": value == REL,
    }
    return value if right.get(attribute, False) else None


def cleaned(html: str) -> str:
    """Drop all that is not allowed, whatever was given: the guarantee does not lean on the passes before."""
    return nh3.clean(
        html,
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=judged,
        link_rel=REL,
        url_schemes={"http", "https", "mailto"},
    )
