"""Paths of this server that come from outside, and lead nowhere else."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from pyramid.request import Request

_ON_THIS_HOST = re.compile(r"/(?:[A-Za-z0-9][^\\\x00-\x20\x7f]*)?")
_SAFE = frozenset({"GET", "HEAD"})


def safe_next(text: str | None) -> str:
    """Where a form leads afterwards: a path of this server, else its home."""
    return text if text is not None and _ON_THIS_HOST.fullmatch(text) else "/"


def path_of(request: Request) -> str:
    """The path below the root; empty for one that is not UTF-8, of which an error page must be possible too."""
    try:
        path: str = request.path_info
    except UnicodeDecodeError:
        return ""
    return path


def login_path(request: Request) -> str:
    """The login page, which leads back to this page, or to the one whose form was sent."""
    here = path_of(request) + (f"?{request.query_string}" if request.query_string else "")
    target = here if request.method in _SAFE else form_page(request)
    query = "" if target is None else f"?{urlencode({'next': target})}"
    return f"{request.script_name}/login{query}"


def form_page(request: Request) -> str | None:
    """The page of this server, below its root, whose form was sent; None where the browser does not say."""
    root: str = request.script_name
    try:
        parts = urlsplit(request.environ.get("HTTP_REFERER", ""))
    except ValueError:
        return None
    if request.method in _SAFE or parts.netloc != request.host or not parts.path.startswith(f"{root}/"):
        return None
    path = parts.path.removeprefix(root) + (f"?{parts.query}" if parts.query else "")
    return path if path.isascii() and _ON_THIS_HOST.fullmatch(path) else None
