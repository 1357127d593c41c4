"""RSS 2.0: what is new, for feed readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape
from xml.etree import ElementTree as ET

from pypicloud_lite.serve.describe.xml_text import xml_text

UPDATES = 100
PROJECTS = 40
RELEASES_OF_PROJECT = 40

_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True)
class Item:
    """One entry; ``link`` is also what feed readers know it by again, ``summary`` is plain text."""

    title: str
    link: str
    summary: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """A channel: ``link`` is the page that it is about, ``address`` its own URL."""

    title: str
    link: str
    address: str
    description: str
    items: Sequence[Item]


def write(feed: Feed) -> bytes:
    """The document; characters that XML has no place for are left out."""
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": _ATOM})
    channel = ET.SubElement(root, "channel")
    _add(channel, "title", feed.title)
    _add(channel, "link", feed.link)
    _add(channel, "description", feed.description)
    _add(channel, "language", "en")
    if feed.items:
        # Not the time of the request: the same feed has the same ETag on every worker.
        _add(channel, "lastBuildDate", _date(max(item.at for item in feed.items)))
    ET.SubElement(channel, "atom:link", {"href": xml_text(feed.address), "rel": "self", "type": "application/rss+xml"})
    for item in feed.items:
        entry = ET.SubElement(channel, "item")
        _add(entry, "title", item.title)
        _add(entry, "link", item.link)
        _add(entry, "guid", item.link)
        if item.summary:
            # Readers take it for HTML: escaped here too, it shows as the text that it is.
            _add(entry, "description", escape(item.summary))
        _add(entry, "pubDate", _date(item.at))
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = xml_text(text)


def _date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)
