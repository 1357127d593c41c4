"""An index's list of all projects, read as it comes: the largest have the better part of a million names."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import unquote

from pypicloud_lite.kernel.errors import InvalidName, UpstreamNonsense, UpstreamTooLarge
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.upstream.html_list import HtmlList
from pypicloud_lite.upstream.json_list import json_projects
from pypicloud_lite.upstream.packed import Packer
from pypicloud_lite.upstream.pages import HTML_TYPES, JSON_TYPES, api_version, looks_like_html
from pypicloud_lite.upstream.port import Freshness, UpstreamNames

_NORMAL = re.compile(r"[a-z0-9]++(?:-[a-z0-9]++)*+", re.ASCII)
_LONGEST_NAME = 128
_MOST = 32 * 1024 * 1024
"""Characters of all names together: what an honest list needs three times over, and what may be held packed."""


def read_names(pieces: Iterable[bytes], content_type: str, freshness: Freshness) -> UpstreamNames:
    """Understand a list that comes in pieces; ``UpstreamNonsense`` when it is none, or not the whole of one.

    Memory does not grow with the page, and by little with the names: see :class:`Packer`.
    """
    kind = content_type.partition(";")[0].strip().lower()
    pieces = iter(pieces)
    if not kind:
        first = next(pieces, b"")
        pieces, kind = chain((first,), pieces), "text/html" if looks_like_html(first) else ""
    if kind in JSON_TYPES:
        found = _from_json(_decoded(pieces, "utf-8-sig"))
    elif kind in HTML_TYPES:
        # A name is ASCII, in which all that are in use agree.
        found = _from_html(_decoded(pieces, "latin-1"))
    else:
        raise UpstreamNonsense(f"Its list of projects is {shown(kind) if kind else 'of no type'}, which no index sends")
    packer, count = Packer(), 0
    for name in found:
        count += 1
        if name is not None:
            packer.add(name)
            if packer.size > _MOST:
                raise UpstreamTooLarge(f"The names that it lists take more than {_MOST} characters")
    names = packer.finish()
    return UpstreamNames(names, count - names.count, freshness)


def _from_json(text: Iterator[str]) -> Iterator[str | None]:
    is_list, is_empty = False, True
    for entry in json_projects(text, _check_meta):
        name = _normal(entry.get("name")) if isinstance(entry, dict) else None
        is_list, is_empty = is_list or name is not None, False
        yield name
    if not is_list and not is_empty:
        raise UpstreamNonsense("There is no name of a project in its list of projects")


def _check_meta(meta: Any) -> None:
    if isinstance(meta, dict):
        api_version(str(meta.get("api-version", "1.0")))


def _from_html(text: Iterator[str]) -> Iterator[str | None]:
    page = HtmlList(text)
    is_list, is_empty = False, True
    for href, spelling in page.links():
        name = _normal(spelling)
        if name is not None and not _leads_to(href, name):
            # The way back, a manual.
            name = None
        is_list, is_empty = is_list or name is not None, False
        yield name
    version = page.metas.get("repository-version")
    if version is not None:
        api_version(version)
    elif page.has_form or not (is_list or is_empty):
        raise UpstreamNonsense("Its HTML is no list of projects: it may be a page to log in at")


def _leads_to(href: str, name: str) -> bool:
    """Whether this is the address of the project's page."""
    if href.rstrip("/").rpartition("/")[2] == name:
        return True
    path = href.partition("#")[0].partition("?")[0].removesuffix("index.html").rstrip("/")
    return _normal(unquote(path.rpartition("/")[2])) == name


def _normal(spelling: Any) -> str | None:
    if not isinstance(spelling, str) or len(spelling) > _LONGEST_NAME or not spelling.isascii():
        return None
    # Of most, this is all: several times as quick as the whole rule.
    lowered = spelling.lower()
    if _NORMAL.fullmatch(lowered):
        return lowered
    try:
        return ProjectName.parse(spelling).value
    except InvalidName:
        return None


def _decoded(pieces: Iterable[bytes], charset: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(charset)()
    try:
        for piece in pieces:
            yield decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise UpstreamNonsense("It is not in UTF-8") from None
